"""Studies of known facts: they hold what the probes and erasures say, and are empty without facts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.small_material import BACKBONE, make_material

from dmesr_core.book import fact_study, optional_figures
from dmesr_core.book.fact_study import ErasureCosts, FactFindings
from dmesr_core.data.bazaar.world import make_world
from dmesr_core.data.datasets import Dataset
from dmesr_core.evaluation.erasure import evaluate_with_table
from dmesr_core.experiments.variants import VARIANTS, build

NAMES = ("untrained", "id_only", "no_fusion", "dmesr")
LABELS = {name: f"label of {name}" for name in NAMES}


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    world = make_world(240, 80, 0, tmp_path_factory.mktemp("drawn"), progress=False)
    return Dataset("bazaar", world.catalogue, world.interactions, world)


@pytest.fixture(scope="module")
def split(known):
    return known.interactions.leave_one_out()


@pytest.fixture(scope="module")
def model(split):
    return build(VARIANTS["id_only"], replace(make_material(), split=split), BACKBONE, 0).eval()


@pytest.fixture(scope="module")
def study(known, split):
    rng = np.random.default_rng(0)
    brand = known.world.facts.codes["brand"]
    vectors = {name: rng.normal(size=(split.n_items, 6)) for name in NAMES}
    vectors["dmesr"] = np.eye(brand.max() + 1)[brand] + 0.01 * rng.normal(size=(split.n_items, brand.max() + 1))
    return fact_study.study_facts(known, split, vectors, 0)


def test_without_known_facts_everything_is_empty(known, split, model):
    own = replace(known, name="folder", world=None)
    study = fact_study.study_facts(own, split, {}, 0)
    assert study is None
    found = fact_study.findings(study, LABELS)
    assert found == FactFindings() and found.numbers(LABELS) == {}
    erased = fact_study.erase_facts(study, model, split)
    assert erased == ErasureCosts()
    assert fact_study.recovered_after_erasing(study, model, "brand", ("series",)) is None
    assert optional_figures.fact_tables(found) is optional_figures.erasure_costs(erased) is None


def test_findings_are_those_of_the_readings(study):
    found = fact_study.findings(study, LABELS, n=50)
    assert found.tables == study.readings.tables(LABELS)
    assert found.by_model["dmesr"] == study.readings.group_means("dmesr")
    assert found.by_model["dmesr"]["only in the words"] > found.by_model["untrained"]["only in the words"]
    assert list(found.kept) == ["go by", "ignored"] and list(found.leak) == ["colour", "pattern"]
    numbers = found.numbers(LABELS)
    assert list(numbers) == ["facts", "facts_by_group", "facts_gain", "kept", "leak_from_words"]
    assert list(numbers["facts_by_group"]) == list(LABELS.values())
    assert "only in the picture over id_only" in numbers["facts_gain"]
    assert len(optional_figures.fact_tables(found).axes) == len(found.tables) + 1  # and a colour bar


def test_the_control_probes_vectors_of_other_items(study):
    assert sorted(study.order) == list(range(len(study.order)))
    assert np.mean(study.control) < np.mean(study.readings.training_shares())


def test_every_fact_is_erased_and_once_more_at_random(study, split, model):
    erased = fact_study.erase_facts(study, model, split, n=50)
    assert set(erased.costs) == set(erased.random_costs) == set(study.codes)
    assert erased.unused == study.unused and erased.n_values == study.probe.n_values
    full = evaluate_with_table(model, model.item_table().detach(), split, "x").mean()["ndcg@10"]
    assert all(-full <= change <= 1 - full for change in erased.random_costs.values())
    labels = [text.get_text() for text in optional_figures.erasure_costs(erased).axes[0].get_yticklabels()]
    smallest = min(erased.costs, key=lambda fact: erased.costs[fact].diff)
    assert len(labels) == len(study.codes) and any(text.startswith(smallest) for text in (labels[0], labels[-1]))


def test_a_probe_of_class_means_loses_what_was_erased(study, model):
    found = fact_study.recovered_after_erasing(study, model, "brand", ("brand", "series"))
    assert list(found) == ["nothing", "brand", "series"]
    assert found["brand"] <= found["nothing"]
