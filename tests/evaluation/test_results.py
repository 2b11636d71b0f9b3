"""Results: means, intervals and groups of cases; tables refuse results that are not comparable."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dmesr_core.errors import DataError, SettingsError
from dmesr_core.evaluation.bootstrap import bootstrap_interval, paired_bootstrap
from dmesr_core.evaluation.results import Result, compare, stack


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


def test_a_result_is_shown_in_one_line():
    result = Result("m", {"hr@5": np.array([0.0, 1.0])}, "full catalogue")
    assert repr(result) == "<Result 'm': hr@5 0.5000; full catalogue>"


def test_what_is_no_list_is_refused():
    result = Result("m", {"hr@5": np.array([0.0, 1.0])}, "full catalogue")
    for results in (result, {"m": result}):
        with pytest.raises(SettingsError, match="wanted a list of results"):
            compare(results)
    with pytest.raises(SettingsError, match=r"as in \['hr@5'\]"):
        compare([result], "hr@5")
