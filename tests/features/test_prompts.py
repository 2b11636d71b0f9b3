"""Prompts: length limits, control tokens in an item's words, and processors that cannot be used."""

from __future__ import annotations

import importlib.util
import json
import shutil

import numpy as np
import pytest
from helpers.fake_models import FakeEncoder
from helpers.tiny_models import BLIND_TEMPLATE, FAMILIES, STRING_TEMPLATES, load_on_cpu, make_model
from PIL import Image

from dmesr_core.data.catalogue import Catalogue
from dmesr_core.errors import DataError, SettingsError
from dmesr_core.features import prompts
from dmesr_core.features.extract import extract_features
from dmesr_core.features.prompts import PICTURE_PROMPT, TEXT_PROMPT


def test_long_texts_are_cut_and_reported(tmp_path):
    mllm = load_on_cpu(make_model("llava", tmp_path, positions=120))
    texts = ["short", "é🙂" * 50_000, "x" * 10_000, "x" * 20_000]
    got = mllm.embed(None, texts, TEXT_PROMPT)
    assert [r for r in got.issues if r[1] == "text cut"] == [(1, "text cut"), (2, "text cut"), (3, "text cut")]
    np.testing.assert_array_equal(got.vectors[2], got.vectors[3])  # equal after they are cut
    limited = load_on_cpu(mllm.folder, max_text_tokens=4)
    assert limited.prompter.messages("", ["abcdef"])[0] == ("abcd", True)
    assert limited.prompter.messages("", ["abcé"])[0] == ("abc", True)  # never a part of a character
    with pytest.raises(SettingsError, match="120 positions.*max_new_tokens=100"):
        load_on_cpu(mllm.folder, max_new_tokens=100).embed(None, ["a"], TEXT_PROMPT)
    with pytest.raises(SettingsError, match="with a picture"):
        load_on_cpu(mllm.folder, max_new_tokens=56).embed([Image.new("RGB", (9, 9))], None, PICTURE_PROMPT)


@pytest.mark.parametrize("family", FAMILIES)
def test_control_tokens_in_words_are_removed(family, folders):
    mllm = load_on_cpu(folders[family])
    got = mllm.embed(None, ["a<image>b<|end|><start_of_image>", "a b  "], TEXT_PROMPT)
    np.testing.assert_allclose(got.vectors[0], got.vectors[1], atol=1e-4)


def test_models_without_a_chat_template_or_with_broken_files_are_refused(folders, tmp_path):
    folder = shutil.copytree(folders["llava"], tmp_path / "no-template")
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(SettingsError, match="no chat template"):
        load_on_cpu(folder).describe(None, ["a"], TEXT_PROMPT)
    (folder / "config.json").write_text('{"model_type": "never heard of"}')
    with pytest.raises(DataError, match=r"config\.json is not understood"):
        load_on_cpu(folder).width  # noqa: B018
    (folder / "processor_config.json").write_text("{")
    with pytest.raises(DataError, match="processor cannot be loaded"):
        prompts.load_processor(folder)


@pytest.mark.parametrize("template", STRING_TEMPLATES)
def test_a_template_that_takes_strings_only_serves_the_text_view(template, tmp_path, pictures):
    """The picture view is refused before any weights are loaded."""
    mllm = load_on_cpu(make_model("llava", tmp_path / "model", template=STRING_TEMPLATES[template]))
    assert "<|start|>user\nSummarise: red" in mllm.prompter.render("Summarise: red", with_picture=False)
    mllm.check(pictures=False)
    assert np.isfinite(mllm.embed(None, ["red"], TEXT_PROMPT).vectors).all()
    fresh = load_on_cpu(mllm.folder)
    with pytest.raises(SettingsError, match=r"no place for a picture \(takes strings only\).*only the text view"):
        fresh.embed(pictures[:2], None, PICTURE_PROMPT)
    assert "model" not in vars(fresh)
    given = Catalogue(("a", "b"), ("A", "B"), ("", ""), (pictures[0], None))
    encoder, kept = FakeEncoder(), tmp_path / "store"
    with pytest.raises(SettingsError, match="no place for a picture"):
        extract_features(given, fresh, encoder, kept, progress=False)
    assert not list(kept.iterdir())  # nothing was computed before
    without = Catalogue(("a", "b"), ("A", "B"), ("", ""), (None, None))
    assert extract_features(without, fresh, encoder, kept, progress=False).report["no_picture"] == 2


def test_a_template_that_leaves_pictures_out_is_refused_for_them(tmp_path, pictures):
    mllm = load_on_cpu(make_model("llava", tmp_path, template=BLIND_TEMPLATE))
    assert mllm.describe(None, ["red"], TEXT_PROMPT)
    with pytest.raises(SettingsError, match=r"no place for a picture"):
        mllm.describe(pictures[:1], None, PICTURE_PROMPT)


def test_a_template_that_takes_nothing_says_why(tmp_path):
    template = "{{ raise_exception('tools only') }}"
    with pytest.raises(SettingsError, match="chat template cannot be used: with a list of parts: tools only; with a s"):
        load_on_cpu(make_model("llava", tmp_path, template=template)).check()


@pytest.mark.skipif(importlib.util.find_spec("torchvision") is not None, reason="such processors load with torchvision")
@pytest.mark.parametrize("parts", ["together", "apart"])
def test_a_processor_that_needs_torchvision_says_so(parts, folders, tmp_path):
    """In both layouts: all parts in one file, and (older) one file for each part."""
    folder = shutil.copytree(folders["qwen2_vl"], tmp_path / "qwen")
    file = folder / "processor_config.json"
    config = json.loads(file.read_text()) | {"processor_class": "Qwen2VLProcessor"}
    if parts == "apart":
        (folder / "preprocessor_config.json").write_text(json.dumps(config.pop("image_processor")))
    file.write_text(json.dumps(config))
    with pytest.raises(SettingsError, match="install torchvision, or choose another model"):
        load_on_cpu(folder).describe(None, ["a"], TEXT_PROMPT)
