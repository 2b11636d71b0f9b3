"""Any image-text model, met through its own processor: three families, none of them known to the package."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.tiny_models import FAMILIES, QwenForPictures, make_model, make_pictures, make_tokenizer
from PIL import Image
from safetensors.torch import load_file, save_file

from dmesr_core.errors import DataError, SettingsError
from dmesr_core.features import generation, prompts
from dmesr_core.features.mllm import MLLM, MLLMSettings
from dmesr_core.features.model_files import find_model
from dmesr_core.features.prompts import PICTURE_PROMPT, TEXT_PROMPT

TEXTS = ["red teapot", "", "🙂 שלום e\u0301 \ud800", "blue " * 9, "red teapot"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    return {family: make_model(family, root / family) for family in (*FAMILIES, "qwen2_vl")}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> list[Path]:
    return make_pictures(tmp_path_factory.mktemp("pictures"), 6)


@pytest.fixture
def qwen_processor(monkeypatch, folders):
    """Qwen2-VL loads where torchvision is; here its processor is built without the part for videos."""
    import transformers

    tokenizer = make_tokenizer("qwen2_vl")
    tokenizer.padding_side = "left"
    looks = transformers.Qwen2VLImageProcessorPil(size={"shortest_edge": 28 * 28, "longest_edge": 84 * 84})
    processor = QwenForPictures(looks, tokenizer, chat_template=tokenizer.chat_template)
    original = prompts._load_processor
    monkeypatch.setattr(
        prompts, "_load_processor", lambda folder: processor if folder == folders["qwen2_vl"] else original(folder)
    )


def load(folder: Path, **settings) -> MLLM:
    return MLLM.load(MLLMSettings(str(folder), device="cpu", **{"max_new_tokens": 8, "batch_size": 4, **settings}))


def second_pass(model, inputs, sequences: torch.Tensor) -> torch.Tensor:
    """Last hidden states (B, n+T, d) of prompts and answers in one plain forward pass."""
    new = sequences[:, inputs["input_ids"].shape[1] :]
    inputs = dict(inputs) | {"input_ids": sequences}
    inputs["attention_mask"] = torch.cat([inputs["attention_mask"], torch.ones_like(new)], 1)
    for kind in ("mm_token_type_ids", "token_type_ids"):  # what is picture and what is text: answers are text
        if kind in inputs:
            inputs[kind] = torch.cat([inputs[kind], torch.zeros_like(new)], 1)
    with torch.inference_mode():
        return model(**inputs, output_hidden_states=True).hidden_states[-1]


@pytest.mark.usefixtures("qwen_processor")
@pytest.mark.parametrize("family", [*FAMILIES, "qwen2_vl"])
@pytest.mark.parametrize("view", ["picture", "text"])
def test_vectors_are_mean_states_that_predict_the_description(family, view, folders, pictures):
    """The states picked up while writing against a second forward pass over prompt + answer."""
    mllm = load(folders[family])
    mllm._model.generation_config.eos_token_id = list(range(11, 267, 4))  # so that answers end early, or at once
    looked = [Image.open(p).convert("RGB") for p in pictures] if view == "picture" else None
    messages = [PICTURE_PROMPT] * len(pictures) if looked else [TEXT_PROMPT + "ab" * k for k in range(8)]
    inputs = mllm._prompter.inputs(messages, looked)
    answers, means = generation.continue_greedily(mllm._model, inputs, 8)
    sequences = mllm._model.generate(**inputs, max_new_tokens=8)
    states = second_pass(mllm._model, inputs, without_marks(sequences, inputs))
    n = inputs["input_ids"].shape[1]
    checked = 0
    for row, answer in enumerate(answers):
        assert sequences[row, n : n + len(answer)].tolist() == answer
        if not is_plain(answer):
            continue  # a mark for a picture, once written, could not be read in a second pass
        expected = states[row, n - 1 : n - 1 + max(1, len(answer))].mean(0)
        np.testing.assert_allclose(means[row], expected.numpy(), atol=1e-4)
        checked += 1
    assert checked >= 2
    assert len({len(answer) for answer in answers}) > 1


def is_plain(answer: list[int]) -> bool:
    return all(token >= 11 for token in answer)  # the control marks have the first eleven numbers


def without_marks(sequences, inputs) -> torch.Tensor:
    sequences = sequences.clone()
    new = sequences[:, inputs["input_ids"].shape[1] :]  # a view
    new[new < 11] = 11
    return sequences


@pytest.mark.usefixtures("qwen_processor")
@pytest.mark.parametrize("family", [*FAMILIES, "qwen2_vl"])
def test_batches_do_not_matter(family, folders, pictures):
    """Alone or with others, in any order: the same words and vectors; different inputs differ."""
    alone, together = load(folders[family], batch_size=1), load(folders[family], batch_size=5)
    for given, texts, prompt in ((pictures, None, PICTURE_PROMPT), (None, TEXTS, TEXT_PROMPT)):
        a, b = alone.embed(given, texts, prompt), together.embed(given, texts, prompt)
        assert a.descriptions == b.descriptions
        np.testing.assert_allclose(a.vectors, b.vectors, atol=1e-4)
        backwards = [x[::-1] if x is not None else None for x in (given, texts)]
        c = together.embed(*backwards, prompt)
        assert c.descriptions == b.descriptions[::-1]
        np.testing.assert_allclose(c.vectors[::-1], b.vectors, atol=1e-4)
        assert a.vectors.shape == (len(given or texts), together.width)
        assert a.vectors.dtype == np.float32
        assert np.abs(a.vectors[0] - a.vectors[1]).max() > 0.01
    assert any(together.describe(None, TEXTS, TEXT_PROMPT))


def test_describe_agrees_with_embed(folders, pictures):
    mllm = load(folders["llava"])
    assert mllm.describe(pictures, None, PICTURE_PROMPT) == mllm.embed(pictures, None, PICTURE_PROMPT).descriptions


def test_equal_items_are_asked_once(folders, pictures, monkeypatch):
    asked = []
    original = generation.continue_greedily
    monkeypatch.setattr(
        "dmesr_core.features.mllm.continue_greedily",
        lambda m, i, n: (asked.append(len(i["input_ids"])), original(m, i, n))[1],
    )
    mllm = load(folders["idefics3"])
    same = Image.open(pictures[1])
    answers = mllm.embed([pictures[0], same, pictures[0], same], None, PICTURE_PROMPT)
    mllm.embed(None, TEXTS, TEXT_PROMPT)
    assert asked == [2, 4]
    assert np.array_equal(answers.vectors[0], answers.vectors[2])
    from_file = mllm.embed([pictures[1]], None, PICTURE_PROMPT)
    np.testing.assert_allclose(answers.vectors[1], from_file.vectors[0], atol=1e-4)


def test_broken_pictures_become_text_only_and_are_reported(folders, pictures, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(pictures[0].read_bytes()[:60])
    mllm = load(folders["gemma3"])
    given = [pictures[0], None, broken, tmp_path / "gone.png", pictures[1]]
    messages = [TEXT_PROMPT + f"thing {i}" for i in range(5)]
    got = mllm.embed(given, None, PICTURE_PROMPT, messages)
    reasons = dict(got.report)
    assert sorted(reasons) == [1, 2, 3]
    assert reasons[1] == "no picture"
    assert reasons[2].startswith("broken picture") and "broken.png" in reasons[2]
    assert reasons[3].startswith("broken picture") and "gone.png" in reasons[3]
    unseen = mllm.embed(None, [f"thing {i}" for i in range(5)], TEXT_PROMPT)
    seen = mllm.embed([pictures[0], pictures[1]], None, PICTURE_PROMPT)
    np.testing.assert_allclose(got.vectors[1:4], unseen.vectors[1:4], atol=1e-4)
    np.testing.assert_allclose(got.vectors[[0, 4]], seen.vectors, atol=1e-4)


def test_all_pictures_broken(folders, tmp_path):
    got = load(folders["idefics3"]).embed([tmp_path / "a", tmp_path / "b"], None, PICTURE_PROMPT)
    assert [i for i, reason in got.report if reason.startswith("broken picture")] == [0, 1]
    assert np.abs(got.vectors).min(1).max() > 0


def test_nothing_to_do_and_uneven_lists(folders, pictures):
    mllm = load(folders["idefics3"])
    got = mllm.embed([], [], TEXT_PROMPT)
    assert (got.descriptions, got.vectors.shape, got.report) == ([], (0, 32), [])
    with pytest.raises(DataError, match=r"one length, got \[2, 6\]"):
        mllm.embed(pictures, ["a", "b"], PICTURE_PROMPT)


def test_long_texts_are_cut_and_reported(tmp_path):
    mllm = load(make_model("llava", tmp_path, positions=120))
    texts = ["short", "é🙂" * 50_000, "x" * 10_000, "x" * 20_000]
    got = mllm.embed(None, texts, TEXT_PROMPT)
    assert [r for r in got.report if r[1] == "text cut"] == [(1, "text cut"), (2, "text cut"), (3, "text cut")]
    np.testing.assert_array_equal(got.vectors[2], got.vectors[3])  # equal up to where they are cut
    limited = load(mllm.folder, max_text_tokens=4)
    assert limited._prompter.messages("", ["abcdef"])[0] == ("abcd", True)
    assert limited._prompter.messages("", ["abcé"])[0] == ("abc", True)  # never half a letter
    with pytest.raises(SettingsError, match="120 positions.*max_new_tokens=100"):
        load(mllm.folder, max_new_tokens=100).embed(None, ["a"], TEXT_PROMPT)
    with pytest.raises(SettingsError, match="with a picture"):
        load(mllm.folder, max_new_tokens=56).embed([Image.new("RGB", (9, 9))], None, PICTURE_PROMPT)


@pytest.mark.parametrize("family", FAMILIES)
def test_words_cannot_pose_as_control_marks(family, folders):
    mllm = load(folders[family])
    got = mllm.embed(None, ["a<image>b<|end|><start_of_image>", "a b  "], TEXT_PROMPT)
    np.testing.assert_allclose(got.vectors[0], got.vectors[1], atol=1e-4)


def test_empty_description_takes_the_state_that_predicts_the_end(folders, tmp_path, pictures):
    """A model whose head always prefers the end mark says nothing; its vector is the last state of the prompt."""
    folder = shutil.copytree(folders["llava"], tmp_path / "mute")
    settings = json.loads((folder / "generation_config.json").read_text())
    (folder / "generation_config.json").write_text(json.dumps(settings | {"eos_token_id": list(range(300))}))
    mllm = load(folder)
    got = mllm.embed(pictures[:2], None, PICTURE_PROMPT)
    assert got.descriptions == ["", ""]
    assert got.report == [(0, "empty description"), (1, "empty description")]
    inputs = mllm._prompter.inputs([PICTURE_PROMPT] * 2, [Image.open(p).convert("RGB") for p in pictures[:2]])
    states = second_pass(mllm._model, inputs, inputs["input_ids"])
    np.testing.assert_allclose(got.vectors, states[:, -1].numpy(), atol=1e-4)


def test_checkpoints_cannot_make_it_sample_or_punish(folders, tmp_path, pictures):
    folder = shutil.copytree(folders["idefics3"], tmp_path / "moody")
    settings = json.loads((folder / "generation_config.json").read_text())
    settings |= {"do_sample": True, "temperature": 9.0, "repetition_penalty": 50.0, "max_length": 3}
    (folder / "generation_config.json").write_text(json.dumps(settings))
    plain = load(folders["idefics3"]).embed(pictures, None, PICTURE_PROMPT)
    assert load(folder).embed(pictures, None, PICTURE_PROMPT).descriptions == plain.descriptions


def test_memory_runs_out_and_batches_shrink(folders, pictures, monkeypatch):
    sizes = []
    original = generation.continue_greedily

    def tight(model, inputs, limit):
        sizes.append(len(inputs["input_ids"]))
        if sizes[-1] > room:
            raise torch.OutOfMemoryError("no")
        return original(model, inputs, limit)

    expected = load(folders["llava"]).embed(pictures, None, PICTURE_PROMPT)
    monkeypatch.setattr("dmesr_core.features.mllm.continue_greedily", tight)
    room, mllm = 2, load(folders["llava"], batch_size=6)
    got = mllm.embed(pictures, None, PICTURE_PROMPT)
    np.testing.assert_allclose(got.vectors, expected.vectors, atol=1e-4)
    sizes.clear()
    mllm.embed(pictures, None, PICTURE_PROMPT)
    assert sizes == [2, 2, 2]  # it has learnt
    room = 0
    with pytest.raises(SettingsError, match="not even one item fits"):
        mllm.embed(pictures, None, PICTURE_PROMPT)


def test_only_bounded_pictures_reach_the_processor(folders, monkeypatch):
    seen = []
    mllm = load(folders["idefics3"], max_picture_side=40)
    original = mllm._prompter.inputs
    monkeypatch.setattr(mllm._prompter, "inputs", lambda t, p: (seen.extend(p), original(t, p))[1])
    mllm.embed([Image.new("RGBA", (400, 100)), Image.new("L", (10, 30))], None, PICTURE_PROMPT)
    assert sorted((p.mode, p.size) for p in seen) == [("RGB", (10, 30)), ("RGB", (40, 10))]


def test_weights_are_read_late_and_released(folders, monkeypatch):
    read = []
    original = generation.load_decoder
    monkeypatch.setattr("dmesr_core.features.mllm.load_decoder", lambda *a: (read.append(1), original(*a))[1])
    mllm = load(folders["llava"])
    assert (mllm.width, len(mllm.fingerprint), read) == (32, 64, [])
    mllm.describe(None, ["a"], TEXT_PROMPT)
    mllm.release()
    mllm.describe(None, ["b"], TEXT_PROMPT)
    assert len(read) == 2


def test_fingerprint_is_of_content(folders, tmp_path):
    first = load(folders["llava"]).fingerprint
    copy = shutil.copytree(folders["llava"], tmp_path / "copy")
    (copy / "README.md").write_text("a model card changes nothing")
    assert load(copy).fingerprint == first
    assert load(copy, batch_size=1).fingerprint == first
    assert load(copy, max_new_tokens=9).fingerprint != first
    assert load(copy, max_picture_side=9).fingerprint != first
    weights = load_file(copy / "model.safetensors")
    weights[next(iter(weights))].view(-1)[0] += 1
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    assert load(copy).fingerprint != first


def test_half_precision_folder_is_read_as_float32_on_the_cpu(folders, tmp_path):
    folder = shutil.copytree(folders["llava"], tmp_path / "half")
    weights = {name: w.half() for name, w in load_file(folder / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"dtype": "float16"}))
    assert {p.dtype for p in load(folder)._model.parameters()} == {torch.float32}
    assert {p.dtype for p in load(folder, dtype="bfloat16")._model.parameters()} == {torch.bfloat16}


def test_states_that_are_not_finite_are_an_error(folders, tmp_path):
    folder = shutil.copytree(folders["llava"], tmp_path / "nan")
    weights = load_file(folder / "model.safetensors")
    weights["language_model.model.norm.weight"][:] = float("nan")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(DataError, match="not finite"):
        load(folder).describe(None, ["a"], TEXT_PROMPT)


def test_missing_and_broken_files_are_named(folders, tmp_path):
    with pytest.raises(SettingsError, match="no such folder"):
        MLLM.load(str(tmp_path / "nowhere"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"no config\.json"):
        MLLM.load(tmp_path / "empty")
    folder = shutil.copytree(folders["llava"], tmp_path / "folder")
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="weights cannot be loaded"):
        load(folder).describe(None, ["a"], TEXT_PROMPT)
    some = load_file(folders["llava"] / "model.safetensors")
    gone = next(name for name in some if "mlp" in name)
    del some[gone]
    save_file(some, weights, metadata={"format": "pt"})
    with pytest.raises(DataError, match=r"1 weights are missing, the first is .*mlp"):
        load(folder).describe(None, ["a"], TEXT_PROMPT)
    weights.rename(folder / "pytorch_model.bin")
    with pytest.raises(DataError, match="no weights"):
        load(folder)
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {"a": "model-1.safetensors"}}')
    with pytest.raises(DataError, match=r"1 weight files are missing, the first is model-1\.safetensors"):
        load(folder)


def test_models_that_cannot_be_asked(folders, tmp_path):
    folder = shutil.copytree(folders["llava"], tmp_path / "mute")
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(SettingsError, match="no chat template"):
        load(folder).describe(None, ["a"], TEXT_PROMPT)
    (folder / "config.json").write_text('{"model_type": "never heard of"}')
    with pytest.raises(DataError, match=r"config\.json is not understood"):
        load(folder).width  # noqa: B018
    (folder / "processor_config.json").write_text("{")
    with pytest.raises(DataError, match="processor cannot be loaded"):
        prompts._load_processor(folder)


@pytest.mark.skipif(importlib.util.find_spec("torchvision") is not None, reason="such processors load with torchvision")
@pytest.mark.parametrize("parts", ["together", "apart"])
def test_a_processor_that_needs_torchvision_says_so(parts, folders, tmp_path):
    """In both layouts that hubs hold: all parts in one file, and (older) one file for each part."""
    folder = shutil.copytree(folders["qwen2_vl"], tmp_path / "qwen")
    file = folder / "processor_config.json"
    config = json.loads(file.read_text()) | {"processor_class": "Qwen2VLProcessor"}
    if parts == "apart":
        (folder / "preprocessor_config.json").write_text(json.dumps(config.pop("image_processor")))
    file.write_text(json.dumps(config))
    with pytest.raises(SettingsError, match="install torchvision, or choose another model"):
        load(folder).describe(None, ["a"], TEXT_PROMPT)


def test_hub_names(monkeypatch, tmp_path):
    """Without a network: at once, and in words. With a broken local copy: not used."""
    from huggingface_hub.errors import LocalEntryNotFoundError

    tried = []

    def offline(name, local_files_only=False, **_):
        tried.append(local_files_only)
        if local_files_only and name == "owner/half":
            return str(tmp_path)  # only some of its files
        raise LocalEntryNotFoundError("no")

    monkeypatch.setattr("huggingface_hub.snapshot_download", offline)
    with pytest.raises(SettingsError, match=r"model owner/half: the hub cannot be reached.*give a folder"):
        find_model("owner/half")
    assert tried == [True, False]
    with pytest.raises(SettingsError, match="not a hub name"):
        find_model("a/b/c")


def test_a_complete_local_copy_needs_no_network(monkeypatch, folders):
    calls = []

    def cached(name, local_files_only=False, **_):
        calls.append(local_files_only)
        return str(folders["llava"])

    monkeypatch.setattr("huggingface_hub.snapshot_download", cached)
    assert MLLM.load("owner/model").folder == folders["llava"]
    assert calls == [True]


@pytest.mark.parametrize(("name", "value"), [("batch_size", 0), ("max_new_tokens", 0), ("dtype", "int8")])
def test_wrong_settings(name, value):
    with pytest.raises(SettingsError, match=name):
        MLLMSettings("x", **{name: value})


def test_nothing_heavy_is_imported_early():
    code = "import sys, dmesr_core.features.mllm, dmesr_core.features.extract; sys.exit('transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
