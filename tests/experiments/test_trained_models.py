"""Models trained for their vectors: the same as in an experiment, and untrained ones are untrained."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.small_material import TRAIN, N, make_material

from dmesr_core.data.datasets import Dataset
from dmesr_core.evaluation.ranking import rank_cases
from dmesr_core.experiments import trained_models
from dmesr_core.experiments.ablation_study import rank_agreement
from dmesr_core.experiments.run import run
from dmesr_core.experiments.variants import VARIANTS
from dmesr_core.models.backbones import BackboneSettings
from dmesr_core.models.scorers import model_scorer


def test_all_models_need_facts_and_two_do_without():
    material = make_material()
    assert trained_models.names_for(replace(material, facts=None)) == ("id_only", "dmesr")
    every = trained_models.names_for(material)
    assert {*every, trained_models.UNTRAINED} == set(trained_models.LABELS)


def test_facts_are_part_of_the_material_where_there_is_a_world():
    given = make_material()
    own = trained_models.material_of(Dataset("folder", None, None), given.split, given.features)
    assert own.facts is None and own.name == "folder" and own.fingerprint == given.fingerprint
    world = SimpleNamespace(fact_vectors=lambda: given.facts)
    known = trained_models.material_of(Dataset("bazaar", None, None, world), given.split, given.features)
    assert known.facts is given.facts and known.name == "bazaar"


def test_a_model_is_the_one_of_the_experiment_with_its_vectors():
    material = make_material()
    trained = trained_models.train_models(("dmesr",), material, TRAIN)["dmesr"]
    assert trained.seconds > 0 and not trained.model.training
    np.testing.assert_array_equal(trained.vectors, trained.model.item_table().detach().numpy()[1:])
    record = run("dmesr", VARIANTS["dmesr"], material, BackboneSettings(), TRAIN, None)
    ranks = rank_cases(model_scorer(trained.model, N), material.split.test, N)
    assert rank_agreement(record, ranks) == 1


@pytest.mark.parametrize("name", ["dmesr", "looked"])
def test_untrained_vectors_are_those_before_training(name):
    material = make_material()
    before = trained_models.untrained_vectors(name, material, TRAIN.seed)
    assert before.shape[0] == N
    np.testing.assert_array_equal(before, trained_models.untrained_vectors(name, material, TRAIN.seed))
    after = trained_models.train_models((name,), material, TRAIN)[name].vectors
    assert not np.allclose(before, after)
