"""Many comparisons: joint coverage of a family, adjusted p-values."""

from __future__ import annotations

import numpy as np
import pytest

from dmesr_core.errors import DataError, SettingsError
from dmesr_core.evaluation.bootstrap import paired_bootstrap
from dmesr_core.evaluation.multiple_comparisons import (
    all_pairs,
    holm,
    simultaneous,
)
from dmesr_core.evaluation.results import Result


def result(values, name="a", protocol="p", units=None):
    return Result(name, {"m": np.asarray(values, dtype=float)}, protocol, units)


def family(rng, k=10, cases=120, shift=0.0):
    """`k` models against one baseline on shared cases; the first is better by `shift`, the others are not."""
    hard = rng.normal(0, 1, cases)
    base = result(hard + rng.normal(0, 0.3, cases), "base")
    gains = [shift] + [0.0] * (k - 1)
    return {f"m{i}": (result(hard + rng.normal(0, 0.3, cases) + g), base) for i, g in enumerate(gains)}


def test_all_intervals_of_a_family_contain_the_truth_together():
    rng = np.random.default_rng(0)
    joint = alone = 0
    trials = 200
    for _ in range(trials):
        pairs = family(rng)
        joint += all(g.low <= 0 <= g.high for g in simultaneous(pairs, "m", 300).values())
        each = (paired_bootstrap(a.per_case["m"], b.per_case["m"], 300) for a, b in pairs.values())
        alone += all(g.low <= 0 <= g.high for g in each)
    assert 0.90 <= joint / trials <= 0.985
    assert alone / trials < 0.80  # what the correction is for


def test_a_family_of_models_with_a_few_seeds_each_is_covered_where_seeds_differ_less_than_users():
    rng = np.random.default_rng(7)

    def model(hard):
        return result(hard + rng.normal(0, 0.7, 150) + rng.normal(0, 0.05, (5, 1)) + rng.normal(0, 0.3, (5, 150)))

    joint = 0
    for _ in range(120):
        hard = rng.normal(0, 1, 150)
        gains = simultaneous({k: (model(hard), model(hard)) for k in range(8)}, "m", 300)
        joint += all(g.low <= 0 <= g.high for g in gains.values())
    assert 0.88 <= joint / 120 <= 0.99


def test_intervals_count_seeds_and_units():
    rng = np.random.default_rng(1)
    seeds = rng.normal(0, 1, (5, 1)) + rng.normal(0, 0.1, (5, 80))
    few = simultaneous({"x": (result(seeds), result(np.zeros((5, 80))))}, "m", 500)["x"]
    many = simultaneous({"x": (result(seeds.mean(0)), result(np.zeros(80)))}, "m", 500)["x"]
    assert few.high - few.low > 5 * (many.high - many.low)
    users = np.repeat(np.arange(20), 10)
    repeated = np.repeat(rng.normal(0, 1, 20), 10)
    by_user = simultaneous({"x": (result(repeated, units=users), result(np.zeros(200), units=users))}, "m", 500)["x"]
    by_case = simultaneous({"x": (result(repeated), result(np.zeros(200)))}, "m", 500)["x"]
    assert by_user.high - by_user.low > 2 * (by_case.high - by_case.low)


def test_a_family_of_one_is_an_ordinary_interval_and_a_larger_one_is_wider():
    rng = np.random.default_rng(2)
    pairs = family(rng, shift=0.2)
    one = simultaneous({"m0": pairs["m0"]}, "m")["m0"]
    plain = paired_bootstrap(*(r.per_case["m"] for r in pairs["m0"]))
    assert one.diff == pytest.approx(plain.diff)
    assert (one.low, one.high) == pytest.approx((plain.low, plain.high), abs=0.1 * (plain.high - plain.low))
    everything = simultaneous(pairs, "m")
    width = {k: g.high - g.low for k, g in everything.items()}
    assert 1.2 < width["m0"] / (one.high - one.low) < 1.8  # ten normal ones: 2.8 standard errors for 1.96
    assert everything["m0"].low > 0 and everything["m0"].p < 0.05 < everything["m1"].p
    thrice = simultaneous(dict.fromkeys(range(3), pairs["m0"]), "m")[0]
    assert (thrice.low, thrice.high) == pytest.approx((one.low, one.high))  # equal pairs do not widen the interval


def test_only_pairs_that_share_a_result_share_resamples():
    """Few seeds have few different draws: unrelated pairs that shared them would look correlated."""
    rng = np.random.default_rng(8)
    values = rng.normal(0, 1, (3, 50))
    base = result(np.zeros((3, 50)))
    related = {k: (result(values), base) for k in range(5)}
    other = result(np.zeros((3, 50)))
    chain = {0: related[0], 1: (related[0][0], other), 2: (result(values), other)}
    unrelated = {k: (result(values), result(np.zeros((3, 50)))) for k in range(5)}
    one, joined, linked, apart = (
        next(iter(simultaneous(pairs, "m", 1000).values())) for pairs in ({0: related[0]}, related, chain, unrelated)
    )
    assert joined == pytest.approx(one) and linked == pytest.approx(one)
    assert apart.high - apart.low > 1.15 * (one.high - one.low)


def test_all_pairs_are_one_family():
    rng = np.random.default_rng(9)
    hard = rng.normal(0, 1, 100)
    groups = {
        g: {m: result(hard + rng.normal(0, 0.3, 100) + gain) for m, gain in {"a": 1, "b": 0, "c": 0}.items()}
        for g in "xy"
    }
    found = all_pairs(groups, "m", 500)
    assert list(found) == [(g, i, j) for g in "xy" for i, j in ("ab", "ac", "bc")]
    some = simultaneous({k: (groups[k[0]][k[1]], groups[k[0]][k[2]]) for k in found}, "m", 500)
    for key, gain in found.items():
        assert gain.diff == pytest.approx(some[key].diff)
        assert gain.high - gain.low == pytest.approx(some[key].high - some[key].low, rel=0.15)
    assert found["x", "a", "b"].low > 0 > found["x", "b", "c"].low
    with pytest.raises(DataError, match="no group holds two"):
        all_pairs({"x": {"a": groups["x"]["a"]}}, "m")
    with pytest.raises(DataError, match="not comparable"):
        all_pairs({"x": {"a": result(hard), "b": result(hard, "b", "q")}}, "m")


def test_p_and_interval_agree():
    rng = np.random.default_rng(3)
    for shift in np.linspace(0, 0.3, 12):
        for gain in simultaneous(family(rng, 4, shift=shift), "m", 500).values():
            assert (gain.p < 0.05) == (gain.low > 0 or gain.high < 0) or abs(gain.p - 0.05) < 0.003


def test_pairs_of_different_sizes_equal_models_and_no_cases():
    rng = np.random.default_rng(4)
    same = result(rng.random(30))
    nobody = result(np.zeros(0))
    gains = simultaneous(
        {
            "long": (result(rng.random(90) + 1), result(rng.random(90))),
            "same": (same, same),
            "none": (nobody, nobody),
        },
        "m",
        300,
    )
    assert gains["long"].low > 0
    assert gains["same"] == (0, 0, 0, 1)
    assert np.isnan(gains["none"]).all()


def test_what_cannot_be_compared_is_refused():
    a, b = result(np.zeros(5)), result(np.zeros(5), "b", "q")
    with pytest.raises(DataError, match="'a' and 'b' are not comparable"):
        simultaneous({"x": (a, b)}, "m")
    with pytest.raises(DataError, match="no pair"):
        simultaneous({}, "m")
    with pytest.raises(SettingsError, match="level"):
        simultaneous({"x": (a, a)}, "m", level=95)


def test_holm_by_hand():
    # sorted .005 .01 .03 .04, times 4 3 2 1: .02 .03 .06 .04; the last may not be below the one before it
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([0.2]) == pytest.approx([0.2])
    assert len(holm([])) == 0
    with pytest.raises(DataError, match="between 0 and 1"):
        holm([0.1, float("nan")])


def test_holm_rejects_no_more_than_it_may_and_no_less_than_bonferroni():
    rng = np.random.default_rng(5)
    p = rng.random((2000, 12))
    adjusted = np.array([holm(row) for row in p])
    assert 0.03 < (adjusted < 0.05).any(axis=1).mean() < 0.065
    assert (adjusted <= np.minimum(1, 12 * p) + 1e-12).all()
    assert (adjusted >= p).all()
