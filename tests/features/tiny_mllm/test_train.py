"""Training of the tiny MLLM: loss on answers only, resumable, deterministic."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.tiny_models import draw_products
from safetensors.torch import load_file
from transformers import AutoModelForImageTextToText

from dmesr_core.errors import SettingsError
from dmesr_core.features import tiny_mllm
from dmesr_core.features.prompts import PICTURE_PROMPT
from dmesr_core.features.tiny_mllm import build, evaluate, tasks, train


def test_only_the_answer_carries_loss():
    tokenizer = build.build_tokenizer(0, n_products=40)
    examples = [tasks.Example("What is it?", "cup", True), tasks.Example("Is it a cup? Please say.", "yes", False)]
    batch = train.encode(tokenizer, examples)
    for i, example in enumerate(examples):
        kept = batch["labels"][i][batch["labels"][i] != train.IGNORE]
        assert tokenizer.decode(kept) == example.answer + tokenizer.eos_token
        assert batch["attention_mask"][i].sum() == (batch["input_ids"][i] != tokenizer.pad_token_id).sum()


def test_three_steps_make_a_loadable_folder(smoke):
    folder, report = smoke
    assert [row[0] for row in report["losses"]] == [1, 1, 2, 2] and np.isfinite(report["losses"]).all()
    assert json.loads((folder / "training.json").read_text())["settings"]["steps"] == 3
    model = AutoModelForImageTextToText.from_pretrained(folder)
    assert type(model).__name__ == "Idefics3ForConditionalGeneration" and model.dtype == torch.float16
    assert not (folder / "resume.pt").exists()
    (_, picture), *_ = draw_products(1)
    answers, entropy = evaluate.ChatPipeline(folder).generate([picture], [PICTURE_PROMPT], do_sample=False)
    assert len(answers) == 1 and entropy[0] > 0


def test_interrupted_training_ends_in_the_same_model(smoke, tmp_path, monkeypatch):
    settings = replace(train.smoke_settings(), save_every=2)
    true_loss, calls = train.answer_loss, []

    def stop_at_third(*args):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return true_loss(*args)

    with monkeypatch.context() as patch:
        patch.setattr(train, "answer_loss", stop_at_third)
        with pytest.raises(KeyboardInterrupt):
            train.train(settings, tmp_path, smoke[0] / "pictures", progress=False)
    with pytest.raises(SettingsError, match="other settings"):
        train.train(replace(settings, rate=1e-4), tmp_path, smoke[0] / "pictures", progress=False)
    train.train(settings, tmp_path, smoke[0] / "pictures", progress=False)
    whole, resumed = (load_file(f / "model.safetensors") for f in (smoke[0], tmp_path))
    assert all(torch.equal(whole[k], resumed[k]) for k in whole)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("n_pictures", 0, "at least 1"),
        ("save_every", 0, "at least 1"),
        ("steps", -1, "not be negative"),
        ("weight_decay", -0.1, "not be negative"),
        ("rate", 0.0, "above 0"),
        ("eye_rate", float("nan"), "above 0"),
    ],
)
def test_wrong_settings_are_refused(name, value, message):
    with pytest.raises(SettingsError, match=f"^{name} must .*{message}"):
        train.TinyTrainSettings(**{name: value})


def test_the_defaults_made_the_shipped_model():
    trained = json.loads((tiny_mllm.checkpoint_folder() / "training.json").read_text())
    assert train.TinyTrainSettings(**trained["settings"]) == train.TinyTrainSettings()


def test_augmentation_keeps_range_and_changes_pixels():
    pixels = torch.rand(4, 3, 64, 64) * 2 - 1
    changed = train.augment(pixels, np.random.default_rng(0))
    assert changed.shape == pixels.shape and changed.abs().max() < 1.4
    assert (changed - pixels).abs().mean() > 0.01
