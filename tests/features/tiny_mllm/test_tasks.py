"""Splits, pictures and examples that the tiny MLLM learns from."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.tiny_models import draw_products

from dmesr_core.data.bazaar.facts import BRANDS, CATEGORIES, COLOURS, PATTERNS
from dmesr_core.errors import SettingsError
from dmesr_core.features.tiny_mllm import evaluate, tasks


def test_splits_are_disjoint_and_complete():
    parts = {split: set(tasks.combinations(split)) for split in tasks.SPLITS}
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
    assert {k: tasks.split_of(*k) for k in pinned} == pinned


def test_training_sees_no_held_out_combination(tmp_path):
    shown = tasks.draw_pictures("train", 24, 0, tmp_path, progress=False)
    assert {tasks.split_of(f["colour"], f["category"], f["pattern"]) for f in shown.facts} == {"train"}
    rng = np.random.default_rng(0)
    for _ in range(100):
        story = tasks.history_task(shown.facts[0], rng).prompt
        for product in story.removeprefix("A shopper bought: ").split(".")[0].split("; "):
            _, colour, pattern, category = product.split()
            assert tasks.split_of(colour, category, pattern) == "train"


def test_series_names_of_training_and_evaluation_differ():
    series = [{f["series"] for f in tasks.sample_facts(split, 600, 0)} for split in ("train", "test")]
    assert not series[0] & series[1]


def test_pictures_are_drawn_once(tmp_path):
    first = tasks.draw_pictures("dev", 12, 0, tmp_path, progress=False)
    (path,) = tmp_path.glob("*.npy")
    made = path.stat().st_mtime_ns
    again = tasks.draw_pictures("dev", 12, 0, tmp_path, progress=False)
    assert path.stat().st_mtime_ns == made and np.array_equal(first.pixels, again.pixels)
    assert first.pixels.shape == (12, 64, 64, 3)


def test_answers_are_canonical_and_coarse():
    facts, _ = draw_products(1)[0]
    assert evaluate.parse_caption(tasks.caption(facts)) == {k: facts[k] for k in evaluate.PICTURE_FACTS}
    assert facts["brand"] not in tasks.summary(facts) and facts["series"] not in tasks.summary(facts)
    rng = np.random.default_rng(0)
    lists = [tasks.keywords(facts, True, rng) for _ in range(40)]
    assert len(set(lists)) > 35 and {k for line in lists for k in line.split(", ")} == set(facts.values())


def test_questions_have_true_answers():
    rng = np.random.default_rng(1)
    answers = {"yes": 0, "no": 0}
    for facts in tasks.sample_facts("train", 300, seed=3):
        example = tasks.picture_task(facts, rng)
        if example.answer in answers:
            asked = example.prompt.removeprefix("Is it ").rstrip("?").removeprefix("a ").removeprefix("an ")
            assert (asked in facts.values()) == (example.answer == "yes"), example
            answers[example.answer] += 1
    assert min(answers.values()) > 15


def test_an_unknown_split_is_refused():
    with pytest.raises(SettingsError, match="train, dev, test"):
        tasks.combinations("validation")


def test_the_split_table_agrees_with_the_split_of_each_combination():
    table = tasks.split_table("dotted")
    assert table.shape == (len(CATEGORIES), len(COLOURS))
    for (row, column), number in np.ndenumerate(table):
        assert tasks.SPLITS[number] == tasks.split_of(list(COLOURS)[column], CATEGORIES[row], "dotted")


def test_the_first_accepted_example_is_the_first_of_its_kind():
    facts, _ = draw_products(1)[0]
    rng, same = np.random.default_rng(5), np.random.default_rng(5)
    found = tasks.first_example(tasks.picture_task, facts, rng, lambda e: e.answer == "yes")
    drawn = [tasks.picture_task(facts, same)]
    while drawn[-1].answer != "yes":
        drawn.append(tasks.picture_task(facts, same))
    assert found == drawn[-1]
    assert rng.random() == same.random()  # nothing more was drawn


def test_every_value_of_a_fact_is_known_but_the_invented_names():
    fact_of = tasks.fact_of_value()
    for facts in tasks.sample_facts("train", 60, seed=0):
        assert all(fact_of[value] == fact for fact, value in facts.items() if fact != "series")
        assert facts["series"] not in fact_of
    assert fact_of[BRANDS[0]] == "brand"
