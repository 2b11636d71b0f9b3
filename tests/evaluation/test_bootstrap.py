"""Bootstrap: intervals have their nominal coverage; pairs, seeds and units are resampled together."""

from __future__ import annotations

import numpy as np
import pytest

from dmesr_core.errors import DataError, SettingsError
from dmesr_core.evaluation.bootstrap import (
    bootstrap_interval,
    normalised_gain,
    normalised_gain_interval,
    paired_bootstrap,
)


def coverage(draw, interval, truth, trials=300):
    """How often `interval(sample)` holds the truth."""
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(trials):
        low, high = interval(*draw(rng))
        hits += low <= truth <= high
    return hits / trials


def test_interval_covers_the_mean_as_often_as_it_says():
    def draw(rng):
        return (rng.exponential(1.0, 150),)  # skewed, as metrics are

    assert 0.90 <= coverage(draw, lambda v: bootstrap_interval(v, 400), 1.0) <= 0.98
    assert 0.73 <= coverage(draw, lambda v: bootstrap_interval(v, 400, level=0.8), 1.0) <= 0.86


def test_interval_counts_the_spread_between_seeds():
    """Runs that differ by a run effect: resampling cases alone would cover far too seldom."""

    def draw(rng):
        return (rng.normal(0, 0.3, (8, 1)) + rng.normal(0, 1, 200) + rng.normal(0, 0.2, (8, 200)),)

    assert coverage(draw, lambda v: bootstrap_interval(v, 300), 0.0, 200) >= 0.86
    assert coverage(draw, lambda v: bootstrap_interval(v.mean(0), 300), 0.0, 200) <= 0.80


def test_interval_counts_users_not_cases():
    """Ten equal cases per user are one observation, not ten."""

    def draw(rng):
        return np.repeat(rng.normal(0, 1, 60), 10), np.repeat(rng.permutation(60), 10)

    assert 0.89 <= coverage(draw, lambda v, u: bootstrap_interval(v, 300, units=u), 0.0) <= 0.99
    assert coverage(draw, lambda v, u: bootstrap_interval(v, 300), 0.0) <= 0.6


def test_units_of_different_sizes_weigh_by_their_cases():
    values, units = np.array([1.0, 1, 1, 0]), np.array([7, 7, 7, 3])
    low, high = bootstrap_interval(values, 2000, units=units)
    assert (low, high) == (0, 1)  # half of the resamples hold one user only
    shuffled = np.array([2, 0, 3, 1])
    again = bootstrap_interval(values[shuffled], 50, units=units[shuffled])
    assert again == bootstrap_interval(values, 50, units=units)


def test_interval_is_close_to_the_normal_one():
    values = np.random.default_rng(1).normal(2, 1, 2000)
    low, high = bootstrap_interval(values, 4000)
    error = values.std() / np.sqrt(2000)
    assert (low, high) == pytest.approx((values.mean() - 1.96 * error, values.mean() + 1.96 * error), abs=error / 8)


def test_same_seed_same_interval_and_memory_chunks_change_little(monkeypatch):
    values = np.random.default_rng(2).random(500)
    assert bootstrap_interval(values, seed=3) == bootstrap_interval(values, seed=3)
    assert bootstrap_interval(values, seed=3) != bootstrap_interval(values, seed=4)
    whole = bootstrap_interval(values, 999)
    monkeypatch.setattr("dmesr_core.evaluation.bootstrap._DRAWS_AT_ONCE", 1000)
    assert bootstrap_interval(values, 999) == pytest.approx(whole)  # same stream of random numbers, in pieces


def test_pairs_cancel_what_models_share():
    rng = np.random.default_rng(4)
    hard = rng.normal(0, 1, 400)  # how hard each case is, for everybody
    a, b = hard + 0.05 + rng.normal(0, 0.1, 400), hard + rng.normal(0, 0.1, 400)
    pair = paired_bootstrap(a, b)
    assert pair.diff == pytest.approx(a.mean() - b.mean())
    assert 0 < pair.low < pair.diff < pair.high
    assert pair.p == pytest.approx(2 / 2001)
    assert bootstrap_interval(a)[0] < bootstrap_interval(b)[1]  # unpaired, one could not tell
    back = paired_bootstrap(b, a)
    assert (back.diff, back.low, back.high) == pytest.approx((-pair.diff, -pair.high, -pair.low), abs=1e-12)


def test_p_is_uniform_where_there_is_no_difference():
    rng = np.random.default_rng(5)
    p = np.array([paired_bootstrap(rng.random(80), rng.random(80), 200).p for _ in range(300)])
    assert 0.02 <= (p < 0.05).mean() <= 0.10
    assert 0.4 <= (p < 0.5).mean() <= 0.6
    same = rng.random(30)
    assert paired_bootstrap(same, same) == (0, 0, 0, 1)


def test_seeds_are_paired_and_a_single_row_is_paired_with_all():
    rng = np.random.default_rng(6)
    effect = rng.normal(0, 1, (5, 1))  # good and bad seeds, the same for both models
    a = effect + rng.normal(0, 0.1, (5, 100)) + 0.1
    b = effect + rng.normal(0, 0.1, (5, 100))
    pair = paired_bootstrap(a, b)
    assert pair.high - pair.low < 0.1
    broken = paired_bootstrap(a, b[::-1])
    assert broken.high - broken.low > 0.5
    one = rng.random(100)
    assert paired_bootstrap(a, one) == paired_bootstrap(a, np.tile(one, (5, 1)))


def test_normalised_gain_and_its_interval():
    assert normalised_gain(0.2, 0.1, 0.3) == pytest.approx(0.5)
    assert normalised_gain(0.1, 0.1, 0.3) == 0
    assert normalised_gain(0.3, 0.1, 0.3) == 1
    assert np.isnan(normalised_gain(0.2, 0.3, 0.3))
    rng = np.random.default_rng(7)
    ease = rng.random(500)
    popularity, ceiling = 0.2 * ease, 0.2 * ease + 0.4 * rng.random(500)
    model = popularity + 0.7 * (ceiling - popularity)  # 70% of the way in every single case
    assert normalised_gain_interval(model, popularity, ceiling) == pytest.approx((0.7, 0.7, 0.7))
    noisy = model + rng.normal(0, 0.1, (3, 500))
    middle, low, high = normalised_gain_interval(noisy, popularity, ceiling)
    assert 0.6 < low < middle < high < 0.8
    assert middle == pytest.approx(normalised_gain(noisy.mean(), popularity.mean(), ceiling.mean()))
    assert all(np.isnan(normalised_gain_interval(model, ceiling, popularity)))


def test_bad_numbers_are_named():
    bad = np.zeros((2, 5))
    bad[1, 3] = np.nan
    with pytest.raises(DataError, match="case 3 has a value that is not a finite number"):
        bootstrap_interval(bad)
    with pytest.raises(DataError, match=r"got shapes \(5,\), \(6,\)"):
        paired_bootstrap(np.zeros(5), np.zeros(6))
    with pytest.raises(DataError, match=r"got shapes \(2, 5\), \(3, 5\)"):
        paired_bootstrap(np.zeros((2, 5)), np.zeros((3, 5)))
    with pytest.raises(DataError, match="one unit for each of 5 cases"):
        bootstrap_interval(np.zeros(5), units=np.arange(4))
    with pytest.raises(SettingsError, match="at least 1 resample"):
        bootstrap_interval(np.zeros(5), 0)
    with pytest.raises(SettingsError, match="level"):
        bootstrap_interval(np.zeros(5), level=95)
