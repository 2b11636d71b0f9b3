"""The exact predictor against brute force, and the statistics of the log."""

import itertools

import numpy as np
import pytest
from helpers.small_bazaar import tiny_process

from dmesr_core.data.bazaar.facts import sample_facts
from dmesr_core.data.bazaar.shoppers import DAY, OPENING, Process, ShopperSettings, make_process, partner_table
from dmesr_core.errors import SettingsError


def brute_force(process: Process, past: list[int], weeks: list[int], next_week: int) -> np.ndarray:
    """P(next | past) by adding up every path of hidden types, choice by choice, straight from the story."""
    n_types, n_items = process.tastes.shape

    def choice(kind: int, before: list[int], week: int) -> np.ndarray:
        allowed = np.array([process.launch_week[i] <= week and i not in before for i in range(n_items)])
        taste = np.where(allowed, process.tastes[kind], 0.0)
        taste = taste / taste.sum()
        out, left = np.zeros(n_items), 1.0
        if before:
            for chance, table in process.pulls:
                fits = [i for i in table[before[-1]] if i >= 0 and allowed[i]]
                if fits:
                    weight = sum(process.popularity[i] for i in fits)
                    for i in fits:
                        out[i] += chance * process.popularity[i] / weight
                    left -= chance
        return out + left * taste

    joint, evidence = np.zeros(n_items), 0.0
    for path in itertools.product(range(n_types), repeat=len(past) + 1):
        p = process.prior[path[0]]
        for a, b in itertools.pairwise(path):
            p *= process.transition[a, b]
        for t, item in enumerate(past):
            p *= choice(path[t], past[:t], weeks[t])[item]
        joint += p * choice(path[-1], past, next_week)
        evidence += p
    return joint / evidence


@pytest.mark.parametrize("seed", range(4))
def test_the_predictor_equals_enumeration_of_all_hidden_paths(seed):
    process = tiny_process(seed)
    rng = np.random.default_rng(seed)
    on_sale = np.flatnonzero(process.launch_week == 0)
    for length in (1, 2, 4):
        past = rng.permutation(on_sale)[:length]
        weeks = np.sort(rng.integers(0, 9, size=length))
        times = OPENING + (weeks + 0.5) * 7 * DAY
        for next_week in (8, 9):
            moment = np.array([OPENING + (next_week + 0.5) * 7 * DAY])
            got = process.next_item(past[None] + 1, times[None], moment)[0]
            want = brute_force(process, list(past), list(weeks), next_week)
            np.testing.assert_allclose(got[1:], want, rtol=1e-10, atol=1e-14)
            assert got[0] == 0 and got.sum() == pytest.approx(1)


def test_bought_and_unlaunched_items_have_no_chance():
    process = tiny_process(7)
    past = np.flatnonzero(process.launch_week == 0)[:3]
    times = OPENING + np.arange(3) * DAY
    p = process.next_item(past[None] + 1, times[None], np.array([OPENING + 4 * DAY]))[0]
    assert (p[past + 1] == 0).all()
    assert (p[1:][process.launch_week > 0] == 0).all()


def test_samples_follow_the_predictor():
    """Second purchases after each first one, against the predictor: a chi-square per degree of freedom near 1."""
    process = tiny_process(1, min_events=2, extra_events=(-9.0, 0.1), max_events=3)
    _, item, time = process.sample(40_000, np.random.default_rng(0))
    first, second = item[0::2], item[1::2]
    start, end = time[0::2], time[1::2]
    same = (process.week(start) < 7) & (process.week(end) < 7)  # before the late launches all weeks are alike
    for a in np.unique(first[same])[:5]:
        rows = same & (first == a)
        p = process.next_item(np.array([[a]]), np.array([[OPENING]]), np.array([OPENING + DAY]))[0]
        seen = np.bincount(second[rows], minlength=len(p))
        likely = p > 0
        chi = ((seen[likely] - rows.sum() * p[likely]) ** 2 / (rows.sum() * p[likely])).sum()
        assert seen[~likely].sum() == 0
        assert chi / (likely.sum() - 1) < 3


def test_long_histories_stay_finite():
    rng = np.random.default_rng(0)
    process = make_process(sample_facts(400, rng), rng)
    on_sale = np.flatnonzero(process.launch_week == 0)
    past = on_sale[None, :150] + 1
    p = process.next_item(past, OPENING + np.arange(150)[None] * DAY, np.array([OPENING + 200 * DAY]))
    assert np.isfinite(p).all() and p.sum() == pytest.approx(1)


@pytest.mark.parametrize("seed", [11, 12])
def test_statistics_resemble_amazon_beauty(seed):
    """Beauty 5-core: mean history 8.9, nobody buys twice, Gini of popularity 0.50; and a fifth of the items is new."""
    rng = np.random.default_rng(seed)
    process = make_process(sample_facts(1_200, rng), rng)
    user, item, time = process.sample(3_000, rng)
    assert (np.diff(time)[np.diff(user) == 0] > 0).all()
    assert len(set(zip(user, item, strict=True))) == len(user)
    lengths = np.bincount(user)
    assert lengths.min() == 5 and 8 < lengths.mean() < 10
    popularity = np.sort(np.bincount(item, minlength=1_201)[1:])
    gini = 1 - 2 * np.cumsum(popularity).sum() / (len(popularity) * popularity.sum()) + 1 / len(popularity)
    assert 0.45 < gini < 0.60
    last_two = np.flatnonzero(np.r_[user[1:] != user[:-1], True])
    training = np.delete(item, np.r_[last_two, last_two - 1])
    cold = 1_200 - len(np.unique(training))
    assert 0.15 < cold / 1_200 < 0.25
    assert (process.week(time) >= process.launch_week[item - 1]).all()


def test_partners_complement_within_the_group():
    from dmesr_core.data.bazaar.facts import CATEGORIES, COMPLEMENTS

    facts = sample_facts(200, np.random.default_rng(2))
    table = partner_table(facts.codes["series"], facts.codes["category"])
    for i, row in enumerate(table):
        for j in row[row >= 0]:
            assert facts.of(j)["series"] == facts.of(i)["series"]
            assert facts.of(j)["category"] in COMPLEMENTS[CATEGORIES[facts.codes["category"][i]]]


def test_the_same_seed_gives_the_same_log():
    process = tiny_process(3)
    first, again = (process.sample(50, np.random.default_rng(9)) for _ in range(2))
    assert all((a == b).all() for a, b in zip(first, again, strict=True))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"drift": 1.5}, "drift is a probability"),
        ({"late_share": -0.1}, "late_share is a probability"),
        ({"n_types": 0}, "n_types must be at least 1"),
        ({"late_weeks": 60}, "late_weeks must lie between 0 and weeks"),
        ({"max_events": 3}, "max_events must be at least min_events"),
        ({"likes": {"colour": (0, 1.0)}}, "likes of 'colour'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes, message):
    with pytest.raises(SettingsError, match=message):
        ShopperSettings(**changes)
