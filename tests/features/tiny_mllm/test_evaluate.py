"""Evaluation: the shipped model on combinations that it was never trained on, and its model card."""

from __future__ import annotations

import json
import shutil

import numpy as np
from helpers.tiny_models import draw_products
from PIL import Image
from safetensors.torch import load_file, save_file

from dmesr_core.features import tiny_mllm
from dmesr_core.features.prompts import KEYWORD_PROMPT, PICTURE_PROMPT
from dmesr_core.features.tiny_mllm import evaluate, tasks


def test_shipped_model_describes_pictures_and_summarises_texts():
    """On fresh pictures of combinations that it was never trained on."""
    measured = evaluate.measure(tiny_mllm.checkpoint_folder(), n=120, seed=77)
    assert measured["all_right"] >= 0.75 and measured["category"] >= 0.85 and measured["colour"] >= 0.9
    assert measured["wrong_picture_colour"] < 0.25
    assert measured["summary_exact"] >= 0.9
    assert measured["keyword_distinct"] >= 6 and measured["keyword_entropy"] > 0.2 and measured["keyword_true"] > 0.45


def test_greedy_answers_repeat_and_do_not_depend_on_the_batch(shipped):
    pictures = [p for _, p in draw_products(5)]
    prompts = [PICTURE_PROMPT] * 5
    once, again = (shipped.generate(pictures, prompts, do_sample=False)[0] for _ in range(2))
    alone = [shipped.generate([p], prompts[:1], do_sample=False)[0][0] for p in pictures]
    assert once == again == alone


def test_pictures_from_elsewhere_do_not_crash(shipped):
    noise = np.random.default_rng(0).integers(0, 255, (300, 517, 3), dtype=np.uint8)
    strange = [Image.new("RGB", (1, 1)), Image.new("RGB", (900, 7), "white"), Image.fromarray(noise)]
    answers, _ = shipped.generate(strange, [PICTURE_PROMPT] * 3, do_sample=False)
    assert all(answers)


def test_model_card_agrees_with_the_measurement():
    folder = tiny_mllm.checkpoint_folder()
    measured = json.loads((folder / "measured.json").read_text())
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert measured["n"] >= 2000 and measured["split"] == "test"
    for name in ("category", "colour", "pattern", "shape", "all_right"):
        assert f"| {name.replace('_', ' ')} | {measured[name]} |" in card
    assert card == evaluate.model_card(folder, measured)
    assert sum(f.stat().st_size for f in folder.iterdir()) < 10e6


def test_captions_in_another_form_have_no_facts():
    assert set(evaluate.parse_caption("I see nothing").values()) == {""}
    assert evaluate.parse_caption("a red striped teapot, round")["category"] == "teapot"


def test_missed_facts_are_counted_for_each_fact():
    truth = {"colour": "red", "pattern": "striped", "category": "teapot", "shape": "round"}
    captions = ["a red striped teapot, round", "a blue striped teapot, tall", "a blue striped cup, round"]
    assert evaluate.missed_facts(captions, [truth] * 3) == {"colour": 2, "shape": 1, "category": 1}


def test_products_are_found_as_whole_words():
    assert evaluate.names_product("a red striped teapot, round")
    assert not evaluate.names_product("a teapots shop")
    assert not evaluate.names_product("")


def test_sampled_keywords_depend_on_the_seed_only(shipped):
    products = draw_products(2)
    prompts = [KEYWORD_PROMPT + tasks.product_text(facts, np.random.default_rng(0)) for facts, _ in products]
    pictures = [picture for _, picture in products]
    first, entropies = evaluate.sample_keywords(shipped, pictures, prompts, seed=3)
    assert [len(lists) for lists in first] == [evaluate.N_SAMPLES] * 2 and len(entropies) == 2 * evaluate.N_SAMPLES
    assert evaluate.sample_keywords(shipped, pictures, prompts, seed=3)[0] == first
    assert evaluate.sample_keywords(shipped, pictures, prompts, seed=4)[0] != first


def test_equal_tensors_are_counted(tmp_path):
    folder = tiny_mllm.checkpoint_folder()
    weights = load_file(folder / "model.safetensors")
    assert evaluate.count_equal_tensors(folder, folder) == (len(weights), len(weights))
    changed = shutil.copytree(folder, tmp_path / "changed")
    weights[next(iter(weights))].view(-1)[0] += 1
    save_file(weights, changed / "model.safetensors", metadata={"format": "pt"})
    assert evaluate.count_equal_tensors(folder, changed) == (len(weights) - 1, len(weights))
