"""The facts of the Bazaar: reproducible, complete, and where they should be found."""

import numpy as np
import pytest

from dmesr_core.data.bazaar import facts
from dmesr_core.errors import SettingsError


def test_the_same_seed_gives_the_same_products():
    a, b, c = (facts.sample_facts(200, np.random.default_rng(s)) for s in (0, 0, 1))
    assert all((a.codes[f] == b.codes[f]).all() for f in facts.FACTS)
    assert any((a.codes[f] != c.codes[f]).any() for f in facts.FACTS)


def test_every_product_has_a_value_for_every_fact_and_a_material_that_suits_it():
    world = facts.sample_facts(300, np.random.default_rng(3))
    for i in range(len(world)):
        row = world.of(i)
        assert set(row) == set(facts.FACTS)
        assert row["material"] in facts.MATERIALS[row["category"]]
        assert row["shape"] in facts.SHAPES[row["category"]]


def test_one_hot_codes_tell_all_facts_apart():
    world = facts.sample_facts(400, np.random.default_rng(5))
    codes = world.one_hot()
    assert codes.shape[0] == 400 and (codes.sum(1) == len(facts.FACTS)).all()
    truth = {tuple(world.of(i).items()) for i in range(400)}
    assert len({tuple(row) for row in codes}) == len(truth)


def test_a_series_belongs_to_one_brand():
    world = facts.sample_facts(400, np.random.default_rng(5))
    pairs = set(zip(world.codes["series"], world.codes["brand"], strict=True))
    assert len(pairs) == len(set(world.codes["series"]))


def test_complements_name_categories_and_series_names_are_distinct():
    assert {c for cs in facts.COMPLEMENTS.values() for c in cs} <= set(facts.CATEGORIES)
    names = facts.series_names(1_000, np.random.default_rng(0))
    assert len(set(names)) == 1_000


def test_too_few_products_are_refused_with_the_smallest_number():
    with pytest.raises(SettingsError, match="at least 12 items.*got 5"):
        facts.sample_facts(5, np.random.default_rng(0))


def test_columns_by_view_are_those_of_the_facts():
    world = facts.sample_facts(300, np.random.default_rng(3))
    codes, views = world.one_hot(), world.columns_by_view()
    for columns, names in zip(views, (facts.PICTURE_FACTS, facts.WORD_FACTS), strict=True):
        assert (codes[:, columns].sum(1) == len(names)).all()  # one of each fact of the view
    assert set(views[0]) | set(views[1]) == set(range(codes.shape[1]))
