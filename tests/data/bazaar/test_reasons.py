"""The reasons of a purchase add up to its probability, and a reason that a world does not have is never given."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.small_bazaar import tiny_process

from dmesr_core.data.bazaar.reasons import CHANGED, LOOK, REASONS, SAME, SERIES, WHIM, terms, why
from dmesr_core.data.bazaar.shoppers import DAY, OPENING
from dmesr_core.data.interactions import Interactions


def asked(process, seed: int, length: int = 3):
    """Past, its times, the next moment, and every item that can be bought then."""
    rng = np.random.default_rng(seed)
    past = rng.permutation(np.flatnonzero(process.launch_week == 0))[:length] + 1
    times = OPENING + np.arange(length) * DAY
    moment = OPENING + 9.5 * 7 * DAY  # all is launched
    items = np.setdiff1d(np.arange(1, process.tastes.shape[1] + 1), past)
    many = len(items)
    return np.tile(past, (many, 1)), np.tile(times, (many, 1)), np.full(many, moment), items


def of(table, reason):
    return table[:, REASONS.index(reason)]


@pytest.mark.parametrize("length", [1, 2, 4])
def test_they_add_up_to_the_probability_of_the_purchase(length):
    process = tiny_process(length)
    past, times, moment, items = asked(process, 0, length)
    found = terms(process, past, times, moment, items)
    want = process.next_item(past[:1], times[:1], moment[:1])[0][items]
    assert (found >= 0).all()
    np.testing.assert_allclose(found.sum(axis=1), want, rtol=1e-10)
    assert (found.sum(axis=0) > 0).all()  # each reason counts for some item


def test_a_reason_that_a_world_lacks_is_never_given():
    process = tiny_process(0)
    question = asked(process, 1)
    alone = replace(process, pulls=())
    assert not terms(alone, *question)[:, :2].any()
    loyal = replace(process, transition=np.eye(3))
    assert not of(terms(loyal, *question), CHANGED).any()
    assert of(terms(loyal, *question), SAME).any()
    sober = replace(process, settings=replace(process.settings, whim=0.0))
    assert not of(terms(sober, *question), WHIM).any()


def test_only_partners_are_pulled():
    process = tiny_process(3)
    past, times, moment, items = asked(process, 2)
    found = terms(process, past, times, moment, items)
    for reason, (_, partners) in zip((SERIES, LOOK), process.pulls, strict=True):
        is_partner = np.isin(items - 1, partners[past[0, -1] - 1])
        assert ((of(found, reason) > 0) == is_partner).all()


def test_every_case_of_a_log_gets_its_reasons():
    process = tiny_process(5, n_items=40, min_events=4, max_events=8)
    log = Interactions.from_columns(*process.sample(60, np.random.default_rng(0)), 40)
    cases = log.leave_one_out().test
    shares = why(process, cases)
    assert shares.shape == (len(cases), len(REASONS))
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert (shares.mean(axis=0) > 0.01).all()
