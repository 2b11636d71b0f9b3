"""The tiny MLLM: what it may learn from, that its training can be trusted, and that the shipped one sees and reads."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from transformers import AutoModelForImageTextToText, AutoProcessor

from dmesr_core.data.bazaar.drawing import draw
from dmesr_core.data.bazaar.facts import CATEGORIES, COLOURS, PATTERNS
from dmesr_core.errors import SettingsError
from dmesr_core.features import tiny_mllm
from dmesr_core.features.tiny_mllm import build, evaluate, train
from dmesr_core.features.tiny_mllm import tasks as data


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """A model after three steps of each stage: its folder and its report."""
    folder = tmp_path_factory.mktemp("smoke")
    return folder, train.train(train.smoke_settings(), folder, folder / "pictures", progress=False)


@pytest.fixture(scope="module")
def shipped() -> evaluate.Speaker:
    return evaluate.Speaker(tiny_mllm.checkpoint_folder())


def _examples(n: int, split: str = "train") -> list[tuple[dict, Image.Image]]:
    facts = data.sample_facts_of(split, n, seed=3)
    rng = np.random.default_rng(4)
    return [(f, draw(f["category"], f["colour"], f["pattern"], f["shape"], rng)) for f in facts]


# What it may learn from


def test_splits_are_disjoint_and_complete():
    parts = {split: set(data.combinations(split)) for split in data.SPLITS}
    assert sum(map(len, parts.values())) == len(set.union(*parts.values())) == 12 * 12 * 4
    assert 0.17 < len(parts["test"]) / 576 < 0.23
    for position, values in enumerate((CATEGORIES, tuple(COLOURS), PATTERNS)):
        for split, combos in parts.items():
            assert {c[position] for c in combos} == set(values), f"{split} lacks a value"


def test_splits_never_change():
    """The shipped model was trained with these: another hash would make its test combinations known ones."""
    pinned = {
        ("red", "teapot", "striped"): "test",
        ("lime", "cup", "plain"): "test",
        ("pink", "hat", "dotted"): "dev",
        ("teal", "lamp", "plain"): "train",
        ("navy", "bag", "striped"): "train",
    }
    assert {k: data.split_of(*k) for k in pinned} == pinned


def test_training_sees_no_held_out_combination(tmp_path):
    shown = data.pictures("train", 24, 0, tmp_path, progress=False)
    assert {data.split_of(f["colour"], f["category"], f["pattern"]) for f in shown.facts} == {"train"}
    rng = np.random.default_rng(0)
    for _ in range(100):
        story = data.history_task(shown.facts[0], rng).prompt
        for product in story.removeprefix("A shopper bought: ").split(".")[0].split("; "):
            _, colour, pattern, category = product.split()
            assert data.split_of(colour, category, pattern) == "train"


def test_series_names_of_training_and_measuring_differ():
    series = [{f["series"] for f in data.sample_facts_of(split, 600, 0)} for split in ("train", "test")]
    assert not series[0] & series[1]


def test_pictures_are_drawn_once(tmp_path):
    first = data.pictures("dev", 12, 0, tmp_path, progress=False)
    (path,) = tmp_path.glob("*.npy")
    made = path.stat().st_mtime_ns
    again = data.pictures("dev", 12, 0, tmp_path, progress=False)
    assert path.stat().st_mtime_ns == made and np.array_equal(first.pixels, again.pixels)
    assert first.pixels.shape == (12, 64, 64, 3)


def test_answers_are_canonical_and_coarse():
    facts, _ = _examples(1)[0]
    assert evaluate.parse_caption(data.caption(facts)) == {k: facts[k] for k in evaluate.PICTURE_FACTS}
    assert facts["brand"] not in data.summary(facts) and facts["series"] not in data.summary(facts)
    rng = np.random.default_rng(0)
    lists = [data.keywords(facts, True, rng) for _ in range(40)]
    assert len(set(lists)) > 35 and {k for line in lists for k in line.split(", ")} == set(facts.values())


def test_questions_have_true_answers():
    rng = np.random.default_rng(1)
    answers = {"yes": 0, "no": 0}
    for facts in data.sample_facts_of("train", 300, seed=3):
        example = data.picture_task(facts, rng)
        if example.answer in answers:
            asked = example.prompt.removeprefix("Is it ").rstrip("?").removeprefix("a ").removeprefix("an ")
            assert (asked in facts.values()) == (example.answer == "yes"), example
            answers[example.answer] += 1
    assert min(answers.values()) > 15


# Training


def test_own_encoding_equals_the_processors(smoke):
    """Training writes token ids and pixels itself, for speed: they must be what the processor hands over in use."""
    processor = AutoProcessor.from_pretrained(smoke[0], backend="pil")
    (_, picture), *_ = _examples(1)
    content = [{"type": "image", "image": picture}, {"type": "text", "text": data.PICTURE_PROMPT}]
    theirs = processor.apply_chat_template(
        [[{"role": "user", "content": content}]],
        add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt",
    )  # fmt: skip
    ours = processor.tokenizer(build.chat(data.PICTURE_PROMPT, True), add_special_tokens=False)["input_ids"]
    assert theirs["input_ids"][0].tolist() == ours
    assert torch.allclose(theirs["pixel_values"][0], build.normalise(data.shrink(picture)[None]), atol=1e-5)


def test_only_the_answer_carries_loss():
    tokenizer = build.build_tokenizer(0, n_products=40)
    examples = [data.Example("What is it?", "cup", True), data.Example("Is it a cup? Please say.", "yes", False)]
    batch = train.encode(tokenizer, examples)
    for i, example in enumerate(examples):
        kept = batch["labels"][i][batch["labels"][i] != train.IGNORE]
        assert tokenizer.decode(kept) == example.answer + tokenizer.eos_token
        assert batch["attention_mask"][i].sum() == (batch["input_ids"][i] != tokenizer.pad_token_id).sum()


def test_tokenizer_knows_every_character():
    tokenizer = build.build_tokenizer(0, n_products=40)
    for text in ("yes", "Grüße — 茶壶 🫖 شاي", "Stovael"):
        assert tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) == text


def test_three_steps_make_a_loadable_folder(smoke):
    folder, report = smoke
    assert [row[0] for row in report["losses"]] == [1, 1, 2, 2] and np.isfinite(report["losses"]).all()
    assert json.loads((folder / "training.json").read_text())["settings"]["steps"] == 3
    model = AutoModelForImageTextToText.from_pretrained(folder)
    assert type(model).__name__ == "Idefics3ForConditionalGeneration" and model.dtype == torch.float16
    assert not (folder / "resume.pt").exists()
    said, entropy = evaluate.Speaker(folder).answer([_examples(1)[0][1]], [data.PICTURE_PROMPT], do_sample=False)
    assert len(said) == 1 and entropy[0] > 0


def test_interrupted_training_ends_in_the_same_model(smoke, tmp_path, monkeypatch):
    settings = replace(train.smoke_settings(), save_every=2)
    true_loss, calls = train._answer_loss, []

    def stop_at_third(*args):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return true_loss(*args)

    with monkeypatch.context() as patch:
        patch.setattr(train, "_answer_loss", stop_at_third)
        with pytest.raises(KeyboardInterrupt):
            train.train(settings, tmp_path, smoke[0] / "pictures", progress=False)
    with pytest.raises(SettingsError, match="other settings"):
        train.train(replace(settings, rate=1e-4), tmp_path, smoke[0] / "pictures", progress=False)
    train.train(settings, tmp_path, smoke[0] / "pictures", progress=False)
    whole, resumed = (load_file(f / "model.safetensors") for f in (smoke[0], tmp_path))
    assert all(torch.equal(whole[k], resumed[k]) for k in whole)


def test_bad_settings_are_refused():
    with pytest.raises(SettingsError, match="at least 1"):
        train.TrainSettings(n_pictures=0)
    with pytest.raises(SettingsError, match="train, dev, test"):
        data.combinations("validation")


def test_augmentation_keeps_range_and_changes_pixels():
    pixels = torch.rand(4, 3, 64, 64) * 2 - 1
    changed = train.augment(pixels, np.random.default_rng(0))
    assert changed.shape == pixels.shape and changed.abs().max() < 1.4
    assert (changed - pixels).abs().mean() > 0.01


# The shipped model


def test_shipped_model_sees_and_reads():
    """On fresh pictures of combinations that it was never trained on."""
    measured = evaluate.measure(tiny_mllm.checkpoint_folder(), n=120, seed=77)
    assert measured["all_right"] >= 0.75 and measured["category"] >= 0.85 and measured["colour"] >= 0.9
    assert measured["wrong_picture_colour"] < 0.25
    assert measured["summary_exact"] >= 0.9
    assert measured["keyword_distinct"] >= 6 and measured["keyword_entropy"] > 0.2 and measured["keyword_true"] > 0.45


def test_greedy_answers_repeat_and_do_not_depend_on_the_batch(shipped):
    pictures = [p for _, p in _examples(5)]
    prompts = [data.PICTURE_PROMPT] * 5
    once, again = (shipped.answer(pictures, prompts, do_sample=False)[0] for _ in range(2))
    alone = [shipped.answer([p], prompts[:1], do_sample=False)[0][0] for p in pictures]
    assert once == again == alone


def test_pictures_from_elsewhere_do_not_crash(shipped):
    noise = np.random.default_rng(0).integers(0, 255, (300, 517, 3), dtype=np.uint8)
    strange = [Image.new("RGB", (1, 1)), Image.new("RGB", (900, 7), "white"), Image.fromarray(noise)]
    said, _ = shipped.answer(strange, [data.PICTURE_PROMPT] * 3, do_sample=False)
    assert all(said)


def test_card_says_what_was_measured():
    folder = tiny_mllm.checkpoint_folder()
    measured = json.loads((folder / "measured.json").read_text())
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert measured["n"] >= 2000 and measured["split"] == "test"
    for name in ("category", "colour", "pattern", "shape", "all_right"):
        assert f"| {name.replace('_', ' ')} | {measured[name]} |" in card
    assert sum(f.stat().st_size for f in folder.iterdir()) < 10e6
