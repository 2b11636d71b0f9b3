"""Items that a model refuses: they fall back and are reported, and what refuses everything is an error at once."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest
import torch
from helpers.fake_models import FakeEncoder
from helpers.tiny_models import GemmaThatWantsPictures, load_on_cpu, make_pictures
from PIL import Image
from safetensors.torch import load_file, save_file

from dmesr_core.data.catalogue import Catalogue
from dmesr_core.errors import DataError, SettingsError
from dmesr_core.features import generation, prompts
from dmesr_core.features.extract import extract_features
from dmesr_core.features.prompts import PICTURE_PROMPT, TEXT_PROMPT


def with_odd(pictures, folder, size=(1, 500), at=2) -> list:
    """These pictures, with one of another size among them."""
    odd = folder / "odd.png"
    Image.new("RGB", size, "red").save(odd)
    return [*pictures[:at], odd, *pictures[at:]]


@pytest.mark.usefixtures("qwen_processor")
@pytest.mark.parametrize("size", [(1, 500), (500, 1)])
def test_a_picture_that_the_processor_refuses_falls_back_and_the_rest_goes_on(folders, pictures, tmp_path, size):
    mllm = load_on_cpu(folders["qwen2_vl"], batch_size=3)
    given = with_odd(pictures[:5], tmp_path, size)
    messages = [TEXT_PROMPT + f"thing {i}" for i in range(6)]
    got = mllm.embed(given, None, PICTURE_PROMPT, messages)
    [(index, reason)] = got.issues
    assert index == 2
    assert re.match(r"broken picture: picture .*odd\.png: the model's processor refuses it \(absolute aspect", reason)
    others = [0, 1, 3, 4, 5]
    plain = mllm.embed([given[i] for i in others], None, PICTURE_PROMPT)
    np.testing.assert_allclose(got.vectors[others], plain.vectors, atol=1e-4)
    text = mllm.embed(None, ["thing 2"], TEXT_PROMPT)
    np.testing.assert_allclose(got.vectors[2], text.vectors[0], atol=1e-4)


@pytest.mark.usefixtures("qwen_processor")
def test_extraction_names_the_item_whose_picture_is_refused(folders, pictures, tmp_path):
    given = with_odd(pictures[:5], tmp_path)
    catalogue = Catalogue(tuple("abcdef"), tuple("ABCDEF"), ("",) * 6, tuple(given))
    run = {"encoder": FakeEncoder(), "store": tmp_path / "store", "progress": False}
    for computed in (12, 0):  # the second time from the store
        got = extract_features(catalogue, load_on_cpu(folders["qwen2_vl"]), **run)
        [(item, view, reason)] = got.report["fallbacks"]
        assert (item, view, got.report["broken_picture"]) == ("c", "picture", 1)
        assert f"picture {given[2]}: the model's processor refuses it" in reason
        assert np.array_equal(got.coarse_picture[3], got.coarse_text[3])
        assert not np.array_equal(got.coarse_picture[4], got.coarse_text[4])
        assert got.report["computed_by_view"]["picture"] == computed // 2


def refuse(mllm, monkeypatch, rule) -> list[int]:
    """Let the processor of `mllm` refuse batches of pictures to which `rule` applies; gives the sizes it accepts."""
    original, accepted = mllm.prompter.inputs, []

    def inputs(texts, pictures):
        if pictures and rule(pictures):
            raise ValueError("I do not like\nthese")
        accepted.append(len(texts))
        return original(texts, pictures)

    monkeypatch.setattr(mllm.prompter, "inputs", inputs)
    return accepted


def test_those_that_are_not_refused_share_a_batch(folders, pictures, tmp_path, monkeypatch):
    mllm = load_on_cpu(folders["llava"], batch_size=6)
    sizes = refuse(mllm, monkeypatch, lambda some: any(1 in p.size for p in some))
    got = mllm.embed(with_odd(pictures[:5], tmp_path), None, PICTURE_PROMPT)
    assert sizes.count(5) == 1
    assert [i for i, _ in got.issues] == [2]
    assert "(I do not like these)" in got.issues[0][1]


def test_pictures_that_are_only_refused_together_are_processed_alone(folders, pictures, monkeypatch):
    expected = load_on_cpu(folders["llava"]).embed(pictures, None, PICTURE_PROMPT)
    mllm = load_on_cpu(folders["llava"], batch_size=6)
    refuse(mllm, monkeypatch, lambda some: len(some) > 1)
    got = mllm.embed(pictures, None, PICTURE_PROMPT)
    assert got.issues == []
    np.testing.assert_allclose(got.vectors, expected.vectors, atol=1e-4)


def test_a_processor_that_refuses_everything_is_an_error_with_its_reason(folders, pictures, monkeypatch):
    mllm = load_on_cpu(folders["llava"])
    refuse(mllm, monkeypatch, lambda some: True)
    message = r"refuses even a plain grey picture of 512 x 512 pixels: I do not like these"
    with pytest.raises(SettingsError, match=message):
        mllm.embed(pictures, None, PICTURE_PROMPT)
    with pytest.raises(SettingsError, match=message):
        mllm.check()
    mllm.check(pictures=False)


def test_a_picture_that_needs_too_many_positions_falls_back(folders, pictures, monkeypatch):
    mllm = load_on_cpu(folders["llava"])
    original = mllm.prompter.processor.__class__.__call__

    def longer(self, images=None, text=None, **more):  # as many more words as the picture is high
        text = [one + "x" * (600 * (images[i][0].height > 300)) for i, one in enumerate(text)] if images else text
        return original(self, images=images, text=text, **more)

    monkeypatch.setattr(mllm.prompter.processor.__class__, "__call__", longer)
    mllm = load_on_cpu(folders["llava"], max_picture_side=400)
    tall = Image.new("RGB", (20, 400))
    monkeypatch.setattr("dmesr_core.features.mllm._PROBE_SIDE", 64)
    got = mllm.embed([*pictures, tall], None, PICTURE_PROMPT)
    [(index, reason)] = got.issues
    assert (index, "512 positions" in reason) == (6, True)


@pytest.mark.parametrize("view", ["picture", "text"])
def test_what_the_model_refuses_is_found(folders, pictures, monkeypatch, view):
    """One picture falls back; one text has no fallback and is named."""
    original = generation.continue_greedily
    mllm = load_on_cpu(folders["llava"], batch_size=6)
    length = mllm.prompter.inputs([TEXT_PROMPT + "x" * 50], None)["input_ids"].shape[1]

    def picky(model, inputs, limit):
        if "pixel_values" in inputs and (inputs["pixel_values"].mean((1, 2, 3)) > 0.99).any():
            raise IndexError("index out of range in self")
        if "pixel_values" not in inputs and inputs["input_ids"].shape[1] == length:
            raise IndexError("index out of range in self")
        return original(model, inputs, limit)

    monkeypatch.setattr("dmesr_core.features.mllm.continue_greedily", picky)
    if view == "picture":
        white = Image.new("RGB", (30, 30), "white")
        got = mllm.embed([*pictures[:3], white], None, PICTURE_PROMPT)
        reason = "broken picture: the picture: the model refuses it (index out of range in self)"
        assert got.issues == [(3, reason)]
        plain = load_on_cpu(folders["llava"]).embed(pictures[:3], None, PICTURE_PROMPT)
        np.testing.assert_allclose(got.vectors[:3], plain.vectors, atol=1e-4)
    else:
        with pytest.raises(DataError, match=r"input 1: the model refuses its words: index out of range"):
            mllm.embed(None, ["a", "x" * 50, "b"], TEXT_PROMPT)


def test_a_model_that_refuses_everything_is_an_error(folders, pictures, monkeypatch):
    def never(*_):
        raise RuntimeError("expected scalar type Half")

    monkeypatch.setattr("dmesr_core.features.mllm.continue_greedily", never)
    for use in (lambda m: m.embed(pictures, None, PICTURE_PROMPT), lambda m: m.check()):
        with pytest.raises(SettingsError, match=r"model .*llava: it cannot be run on .*plain .*: expected scalar type"):
            use(load_on_cpu(folders["llava"]))


@pytest.mark.parametrize("kind", ["gemma", "gemma that wants pictures"])
def test_a_processor_that_wants_a_picture_does_not_stop_the_text_view(folders, pictures, monkeypatch, kind):
    plain = load_on_cpu(folders["gemma3"])
    expected = plain.embed(None, ["red teapot", "lamp"], TEXT_PROMPT)
    shown = plain.embed(pictures[:2], None, PICTURE_PROMPT)
    if kind != "gemma":
        parts = prompts.load_processor(folders["gemma3"])
        wants = GemmaThatWantsPictures(
            parts.image_processor, parts.tokenizer, chat_template=parts.chat_template, image_seq_length=4
        )
        monkeypatch.setattr(prompts, "load_processor", lambda folder: wants)
    mllm = load_on_cpu(folders["gemma3"])
    mllm.check()
    got = mllm.embed(None, ["red teapot", "lamp"], TEXT_PROMPT)
    assert got.descriptions == expected.descriptions
    np.testing.assert_allclose(got.vectors, expected.vectors, atol=1e-4)
    np.testing.assert_allclose(mllm.embed(pictures[:2], None, PICTURE_PROMPT).vectors, shown.vectors, atol=1e-4)


def test_an_item_whose_vector_is_not_finite_is_named(folders, tmp_path, monkeypatch):
    """One token of the vocabulary is NaN: only the item whose words hold it is concerned."""
    folder = shutil.copytree(folders["llava"], tmp_path / "nan")
    weights = load_file(folder / "model.safetensors")
    [name] = [name for name in weights if "embed_tokens" in name]
    mllm = load_on_cpu(folder)
    weights[name][mllm.prompter.tokenizer.convert_tokens_to_ids("Z")] = float("nan")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    catalogue = Catalogue(tuple("abc"), ("Sofa", "fi-Zz", "Lamp"), ("",) * 3, (None,) * 3)
    with pytest.raises(DataError, match=r"item 'b', text view: the model's states are not finite in float32"):
        extract_features(catalogue, load_on_cpu(folder), FakeEncoder(), tmp_path / "store", progress=False)


def test_a_model_whose_states_are_never_finite_is_found_before_the_work(folders, tmp_path):
    folder = shutil.copytree(folders["llava"], tmp_path / "nan")
    weights = load_file(folder / "model.safetensors")
    weights["language_model.model.norm.weight"][:] = float("nan")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(DataError, match=r"model .*nan: .*states are not finite in bfloat16; try dtype='float32'"):
        load_on_cpu(folder, dtype="bfloat16").check()


def test_no_warning_on_pictures_leaves_and_only_their_item_is_concerned(folders, tmp_path, recwarn):
    """A 1-bit PNG of 100 million pixels, one at the limit of Pillow, and a palette with odd transparency."""
    import warnings

    warnings.simplefilter("always")
    bomb, palette = tmp_path / "bomb.png", tmp_path / "palette.png"
    Image.new("1", (10_000, 10_000)).save(bomb)
    Image.new("P", (40, 40)).save(palette, transparency=bytes([0, 128, 255]))
    given = [*make_pictures(tmp_path / "more", 2), bomb, palette, tmp_path / "gone.png"]
    catalogue = Catalogue(tuple("abcde"), tuple("ABCDE"), ("",) * 5, tuple(given))
    got = extract_features(catalogue, load_on_cpu(folders["llava"]), FakeEncoder(), tmp_path / "store", progress=False)
    assert {item for item, _, _ in got.report["fallbacks"]} == {"c", "e"}
    assert not [str(w.message) for w in recwarn if "PIL" in str(w.filename)]


def test_memory_that_runs_out_for_plain_input_is_said_before_the_work(folders, monkeypatch):
    def tight(*_):
        raise torch.OutOfMemoryError("no")

    monkeypatch.setattr("dmesr_core.features.mllm.continue_greedily", tight)
    with pytest.raises(SettingsError, match="not even one item fits into the memory"):
        load_on_cpu(folders["llava"]).check()
