"""Intervals cover what they promise, pairs and seeds are drawn together, and tables refuse what is not comparable."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dmesr_core.errors import DataError, SettingsError
from dmesr_core.evaluation.bootstrap import (
    bootstrap_interval,
    normalised_gain,
    normalised_gain_interval,
    paired_bootstrap,
)
from dmesr_core.evaluation.results import Result, compare, stack


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


def test_road_and_its_interval():
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


def result(name="a", protocol="p", n=50, seeds=None, shift=0.0):
    rng = np.random.default_rng(8)
    shape = n if seeds is None else (seeds, n)
    return Result(name, {"hr@5": rng.random(shape) + shift, "mrr@5": rng.random(shape) + shift}, protocol)


def test_result_means_intervals_and_json():
    one = result(seeds=3)
    assert one.n_seeds == 3
    assert one.n_cases == 50
    assert one.mean()["hr@5"] == pytest.approx(one.per_case["hr@5"].mean())
    assert one.interval(100)["mrr@5"] == bootstrap_interval(one.per_case["mrr@5"], 100)
    record = json.loads(json.dumps(one.to_dict(100), allow_nan=False))
    assert record["metrics"]["hr@5"]["low"] < record["metrics"]["hr@5"]["mean"] < record["metrics"]["hr@5"]["high"]
    assert (record["protocol"], record["cases"], record["seeds"], record["level"]) == ("p", 50, 3, 0.95)


def test_groups_keep_their_cases_and_say_so():
    units = np.arange(50) // 2
    whole = Result("a", result(seeds=2).per_case, "p", units)
    mask = np.arange(50) < 10
    part = whole.where(mask, "tail")
    assert part.protocol == "p; only group tail: 10 cases"
    assert (part.per_case["hr@5"] == whole.per_case["hr@5"][:, :10]).all()
    assert (part.units == units[:10]).all()
    nobody = whole.where(np.zeros(50, bool), "cold")
    assert np.isnan(nobody.mean()["hr@5"])
    assert np.isnan(nobody.interval(10)["hr@5"]).all()
    assert nobody.to_dict(10)["metrics"]["hr@5"] == {"mean": None, "low": None, "high": None}
    assert np.isnan(compare([nobody, Result("b", nobody.per_case, nobody.protocol)], against="b").loc["a", "hr@5 p"])
    with pytest.raises(DataError, match="group 'tail' of 'a': wanted a mask of 50 booleans, got int64"):
        whole.where(np.arange(50), "tail")
    with pytest.raises(DataError, match=r"wanted a mask of 50 booleans, got bool \(49,\)"):
        whole.where(mask[1:], "tail")


def test_stack_puts_seeds_under_one_name():
    runs = [result(shift=s) for s in (0.0, 0.5)]
    both = stack(runs, "model")
    assert both.name == "model"
    assert both.per_case["hr@5"].shape == (2, 50)
    assert both.mean()["hr@5"] == pytest.approx(np.mean([r.mean()["hr@5"] for r in runs]))
    assert stack([both, runs[0]]).n_seeds == 3


def test_compare_is_a_table_with_paired_gains():
    base, better = result("base"), result("better", shift=0.2)
    table = compare([base, better], ["hr@5"], against="base", n=200)
    assert list(table.index) == ["base", "better"]
    assert list(table.columns) == [f"hr@5{c}" for c in ("", " low", " high", " gain", " gain low", " gain high", " p")]
    assert table.loc["better", "hr@5"] == pytest.approx(better.mean()["hr@5"])
    assert tuple(table.loc["better", ["hr@5 low", "hr@5 high"]]) == better.interval(200)["hr@5"]
    gain = paired_bootstrap(better.per_case["hr@5"], base.per_case["hr@5"], 200)
    assert tuple(table.loc["better"].iloc[3:]) == gain
    assert table.loc["base"].iloc[3:].isna().all()
    assert list(compare([base]).columns) == ["hr@5", "hr@5 low", "hr@5 high", "mrr@5", "mrr@5 low", "mrr@5 high"]


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(DataError, match="'a' and 'b' are not comparable: 'masked' is not 'not masked'"):
        compare([result("a", "masked"), result("b", "not masked")])
    with pytest.raises(DataError, match="'a' has 50 cases, 'b' has 40"):
        stack([result("a"), result("b", n=40)])
    with pytest.raises(DataError, match="no results"):
        compare([])
    with pytest.raises(SettingsError, match="unknown metric 'hr@7': choose from hr@5, mrr@5"):
        compare([result()], ["hr@7"])
    with pytest.raises(SettingsError, match="nothing is called 'c': choose one of a, b"):
        compare([result("a"), result("b")], against="c")
    with pytest.raises(SettingsError, match="two results share a name"):
        compare([result("a"), result("a")])


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
