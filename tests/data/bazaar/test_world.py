"""A world as a whole: the same each time, drawn once, with a ceiling that nobody beats."""

import numpy as np
import pytest

from dmesr_core.data.bazaar.world import make_world
from dmesr_core.data.pictures import open_picture
from dmesr_core.evaluation.metrics import evaluate
from dmesr_core.models.scorers import popularity


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make_world(60, 150, 4, tmp_path_factory.mktemp("world"), progress=False)


def test_words_and_pictures_belong_to_the_facts(world):
    assert len(world.catalogue) == 60
    for k in (1, 17, 60):
        truth, item = world.facts.of(k - 1), world.catalogue.item(k)
        words = world.catalogue.words(k).lower()
        assert truth["category"] in words and truth["series"].lower() in words
        assert open_picture(item.picture).size == (128, 128)


def test_the_same_seed_gives_the_same_world_and_draws_nothing_twice(world, tmp_path):
    first = world.catalogue.pictures[0]
    before = first.stat().st_mtime_ns
    again = make_world(60, 150, 4, first.parent, progress=False)
    assert first.stat().st_mtime_ns == before
    assert again.catalogue.texts == world.catalogue.texts
    assert (again.interactions.item == world.interactions.item).all()
    elsewhere = make_world(60, 150, 4, tmp_path, progress=False)
    assert elsewhere.catalogue.pictures[5].read_bytes() == world.catalogue.pictures[5].read_bytes()


def test_another_seed_in_the_same_folder_draws_its_own_pictures(tmp_path):
    old = make_world(20, 30, 1, tmp_path, progress=False).catalogue.pictures[3].read_bytes()
    new = make_world(20, 30, 2, tmp_path, progress=False).catalogue.pictures[3].read_bytes()
    assert old != new


def test_the_ceiling_is_above_popularity_and_uses_the_dates(world):
    split = world.interactions.leave_one_out()
    ceiling = evaluate(world.ceiling(split.test), split)
    popular = evaluate(popularity(split), split)
    assert ceiling.per_case["ndcg@10"].mean() > popular.per_case["ndcg@10"].mean() + 0.05
    scores = world.ceiling(split.test)([split.test.histories[i] for i in range(20)], np.arange(20)).numpy()
    np.testing.assert_allclose(scores.sum(1), 1)
    for row in range(20):
        assert (scores[row, split.test.histories[row]] == 0).all()


def test_fact_vectors_have_a_row_for_padding(world):
    vectors = world.fact_vectors()
    assert vectors.shape[0] == 61 and (vectors[0] == 0).all() and (vectors[1:].sum(1) == 9).all()
