"""MLLM with models of several families, none of which the package knows."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch
from helpers.tiny_models import FAMILIES, load_on_cpu
from PIL import Image

from dmesr_core.errors import DataError, SettingsError
from dmesr_core.features import generation
from dmesr_core.features.mllm import MLLM, MLLMSettings
from dmesr_core.features.prompts import PICTURE_PROMPT, TEXT_PROMPT
from dmesr_core.features.tiny_mllm import checkpoint_folder

TEXTS = ["red teapot", "", "🙂 שלום e\u0301 \ud800", "blue " * 9, "red teapot"]


@pytest.mark.usefixtures("qwen_processor")
@pytest.mark.parametrize("family", [*FAMILIES, "qwen2_vl"])
def test_results_do_not_depend_on_batches_or_order(family, folders, pictures):
    """Alone or with others, in any order: equal descriptions and vectors. Different inputs differ."""
    alone, batched = load_on_cpu(folders[family], batch_size=1), load_on_cpu(folders[family], batch_size=5)
    for given, texts, prompt in ((pictures, None, PICTURE_PROMPT), (None, TEXTS, TEXT_PROMPT)):
        a, b = alone.embed(given, texts, prompt), batched.embed(given, texts, prompt)
        assert a.descriptions == b.descriptions
        np.testing.assert_allclose(a.vectors, b.vectors, atol=1e-4)
        backwards = [x[::-1] if x is not None else None for x in (given, texts)]
        c = batched.embed(*backwards, prompt)
        assert c.descriptions == b.descriptions[::-1]
        np.testing.assert_allclose(c.vectors[::-1], b.vectors, atol=1e-4)
        assert a.vectors.shape == (len(given or texts), batched.width)
        assert a.vectors.dtype == np.float32
        assert np.abs(a.vectors[0] - a.vectors[1]).max() > 0.01
    assert any(batched.describe(None, TEXTS, TEXT_PROMPT))


def test_describe_agrees_with_embed(folders, pictures):
    mllm = load_on_cpu(folders["llava"])
    assert mllm.describe(pictures, None, PICTURE_PROMPT) == mllm.embed(pictures, None, PICTURE_PROMPT).descriptions


def test_equal_items_are_computed_once(folders, pictures, monkeypatch):
    sizes = []
    original = generation.continue_greedily
    monkeypatch.setattr(
        "dmesr_core.features.mllm.continue_greedily",
        lambda m, i, n: (sizes.append(len(i["input_ids"])), original(m, i, n))[1],
    )
    mllm = load_on_cpu(folders["idefics3"])
    same = Image.open(pictures[1])
    answers = mllm.embed([pictures[0], same, pictures[0], same], None, PICTURE_PROMPT)
    mllm.embed(None, TEXTS, TEXT_PROMPT)
    assert sizes == [2, 4]
    assert np.array_equal(answers.vectors[0], answers.vectors[2])
    from_file = mllm.embed([pictures[1]], None, PICTURE_PROMPT)
    np.testing.assert_allclose(answers.vectors[1], from_file.vectors[0], atol=1e-4)


def test_missing_and_broken_pictures_fall_back_to_the_message_and_are_reported(folders, pictures, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(pictures[0].read_bytes()[:60])
    mllm = load_on_cpu(folders["gemma3"])
    given = [pictures[0], None, broken, tmp_path / "gone.png", pictures[1]]
    messages = [TEXT_PROMPT + f"thing {i}" for i in range(5)]
    got = mllm.embed(given, None, PICTURE_PROMPT, messages)
    reasons = dict(got.issues)
    assert sorted(reasons) == [1, 2, 3]
    assert reasons[1] == "no picture"
    assert reasons[2].startswith("broken picture") and "broken.png" in reasons[2]
    assert reasons[3].startswith("broken picture") and "gone.png" in reasons[3]
    text_only = mllm.embed(None, [f"thing {i}" for i in range(5)], TEXT_PROMPT)
    with_picture = mllm.embed([pictures[0], pictures[1]], None, PICTURE_PROMPT)
    np.testing.assert_allclose(got.vectors[1:4], text_only.vectors[1:4], atol=1e-4)
    np.testing.assert_allclose(got.vectors[[0, 4]], with_picture.vectors, atol=1e-4)


def test_all_pictures_broken(folders, tmp_path):
    got = load_on_cpu(folders["idefics3"]).embed([tmp_path / "a", tmp_path / "b"], None, PICTURE_PROMPT)
    assert [i for i, reason in got.issues if reason.startswith("broken picture")] == [0, 1]
    assert np.abs(got.vectors).min(1).max() > 0


def test_nothing_to_do_and_uneven_lists(folders, pictures):
    mllm = load_on_cpu(folders["idefics3"])
    got = mllm.embed([], [], TEXT_PROMPT)
    assert (got.descriptions, got.vectors.shape, got.issues) == ([], (0, 32), [])
    with pytest.raises(DataError, match=r"one length, got \[2, 6\]"):
        mllm.embed(pictures, ["a", "b"], PICTURE_PROMPT)


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("no"), RuntimeError("MPS backend out of memory (0 GB)")])
def test_memory_runs_out_and_batches_shrink(folders, pictures, monkeypatch, error):
    sizes = []
    original = generation.continue_greedily

    def tight(model, inputs, limit):
        sizes.append(len(inputs["input_ids"]))
        if sizes[-1] > room:
            raise error
        return original(model, inputs, limit)

    expected = load_on_cpu(folders["llava"]).embed(pictures, None, PICTURE_PROMPT)
    monkeypatch.setattr("dmesr_core.features.mllm.continue_greedily", tight)
    room, mllm = 2, load_on_cpu(folders["llava"], batch_size=6)
    got = mllm.embed(pictures, None, PICTURE_PROMPT)
    np.testing.assert_allclose(got.vectors, expected.vectors, atol=1e-4)
    sizes.clear()
    mllm.embed(pictures, None, PICTURE_PROMPT)
    assert sizes == [2, 2, 2]  # the smaller size is kept
    room = 0
    with pytest.raises(SettingsError, match="not even one item fits"):
        mllm.embed(pictures, None, PICTURE_PROMPT)


def test_only_bounded_pictures_reach_the_processor(folders, monkeypatch):
    seen = []
    mllm = load_on_cpu(folders["idefics3"], max_picture_side=40)
    original = mllm.prompter.inputs
    monkeypatch.setattr(mllm.prompter, "inputs", lambda t, p: (seen.extend(p), original(t, p))[1])
    mllm.embed([Image.new("RGBA", (400, 100)), Image.new("L", (10, 30))], None, PICTURE_PROMPT)
    assert sorted((p.mode, p.size) for p in seen) == [("RGB", (10, 30)), ("RGB", (40, 10))]


def test_weights_are_loaded_on_first_use_and_released(folders, monkeypatch):
    read = []
    original = generation.load_decoder
    monkeypatch.setattr("dmesr_core.features.mllm.load_decoder", lambda *a: (read.append(1), original(*a))[1])
    mllm = load_on_cpu(folders["llava"])
    assert (mllm.width, len(mllm.fingerprint), read) == (32, 64, [])
    mllm.describe(None, ["a"], TEXT_PROMPT)
    mllm.release()
    mllm.describe(None, ["b"], TEXT_PROMPT)
    assert len(read) == 2


def test_tiny_is_the_model_that_comes_with_the_package():
    assert MLLM.load("tiny").folder == checkpoint_folder()
    settings = MLLMSettings("tiny", max_new_tokens=5)
    assert (MLLM.load(settings).folder, MLLM.load(settings).settings) == (checkpoint_folder(), settings)
    assert MLLM.load("tiny").fingerprint == MLLM.load(checkpoint_folder()).fingerprint


def test_the_key_knows_the_number_type_that_is_used(folders, monkeypatch):
    """Not the one that was asked for: that may be none."""
    float32 = load_on_cpu(folders["llava"])
    assert float32.fingerprint == load_on_cpu(folders["llava"], dtype="float32").fingerprint
    half = load_on_cpu(folders["llava"], dtype="float16").fingerprint
    assert half != float32.fingerprint
    monkeypatch.setattr("dmesr_core.features.mllm.best_dtype", lambda device: torch.float16)
    assert load_on_cpu(folders["llava"]).fingerprint == half


def test_it_is_shown_in_one_line():
    assert repr(MLLM.load(MLLMSettings("tiny", device="cpu"))) == "<MLLM 'tiny' on cpu, float32>"
    with pytest.raises(SettingsError, match="takes a name, a folder or MLLMSettings, got int"):
        MLLM.load(3)


def test_nothing_heavy_is_imported_early():
    """Neither transformers, nor the code that trains the tiny MLLM, nor the drawing of its pictures."""
    code = """
        import sys, dmesr_core.features.mllm, dmesr_core.features.extract
        from dmesr_core.features.tiny_mllm import checkpoint_folder
        from dmesr_core import MLLM, extract_features
        tiny = "dmesr_core.features.tiny_mllm."
        heavy = ["transformers", "tokenizers", "huggingface_hub", "sklearn", "matplotlib", "umap", "seaborn",
                 "dmesr_core.data.bazaar", tiny + "tasks", tiny + "train", tiny + "evaluate", tiny + "build"]
        print([name for name in heavy if name in sys.modules])
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False, capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_the_folder_of_the_tiny_model_needs_no_library():
    code = "import sys; from dmesr_core.features.tiny_mllm import checkpoint_folder; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
