"""The benchmark of the model: what is compared is comparable, and every part gives rows that can be shown."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks import bench_model, model_parts
from dmesr_core.training.losses import softmax_loss

SMALLEST = bench_model.QUICK | {"turns": 1, "steps": 1}
QUICK = replace(model_parts.Options(), threads=(1,), **SMALLEST)


def test_steps_change_the_weights_and_both_models_see_the_same_batches():
    split = model_parts.large_split(QUICK)
    both = model_parts.models(split, 1, model_parts.features(split.n_items))
    trainers = {name: model_parts.Trainer(model, split, 16, QUICK) for name, model in both.items()}
    for name, trainer in trainers.items():
        before = {k: v.clone() for k, v in both[name].state_dict().items()}
        trainer.begin_epoch()
        targets = trainer.run(2)
        assert targets == sum(len(h) - 1 for batch in trainer.batches[1:3] for h in batch)
        assert any(not torch.equal(v, before[k]) for k, v in both[name].state_dict().items())
    first, second = (t.batches for t in trainers.values())
    assert [[*h] for batch in first for h in batch] == [[*h] for batch in second for h in batch]


def test_what_the_softmax_is_compared_with_is_the_same_loss():
    hidden, table = torch.randn(9, 4), torch.randn(5, 4)
    targets = torch.randint(5, (9,))
    plain = torch.nn.functional.cross_entropy(hidden @ table.T, targets)
    torch.testing.assert_close(softmax_loss(hidden, table, targets), plain)
    [row] = model_parts.softmax_time(QUICK, threads=1, positions=64)
    assert row["ratio"]["median"] == pytest.approx(row["ms"]["plain"] / row["ms"]["ours"])


def test_the_parts_of_a_ranking_score_all_that_the_whole_does(monkeypatch):
    split, scored, score_batches = model_parts.large_split(QUICK), {}, model_parts.score_batches
    took = {"whole": 4.0, "scores": 2.0, "product": 1.0}

    def once(works, turns, device):
        for name, work in works.items():
            scored[name] = []
            work()
        return {name: [took[name]] for name in works}

    def watched(_, *rest):
        score_batches(lambda index, _, scores: list(scored.values())[-1].append((index, scores)), *rest)

    monkeypatch.setattr(model_parts, "score_batches", watched)
    monkeypatch.setattr(model_parts, "alternate", once)
    [row] = model_parts.ranking_floor(split, 1, QUICK)
    for part in ("scores", "product"):
        cases = np.concatenate([index for index, _ in scored[part]])
        assert sorted(cases) == list(range(len(split.test)))
        assert all(scores.shape == (len(index), split.n_items + 1) for index, scores in scored[part])
    assert (row["ratio"]["median"], row["product"]["median"]) == (0.5, 0.25)
    assert row["users_per_second"]["whole"] == len(split.test) / 4


@pytest.mark.slow
def test_every_part_gives_rows_and_the_table_names_the_targets(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(bench_model, "QUICK", SMALLEST)
    out = tmp_path / "model.json"
    parts = ["step", "table", "evaluation", "million", "softmax"]
    bench_model.main(["--quick", "--threads", "1", "--out", str(out), "--parts", *parts])
    content = json.loads(out.read_text())
    assert {row["measured"] for row in content["rows"]} == set(parts)
    assert all(row["versions"] and row["date"] and row["machine"] and row["threads"] for row in content["rows"])
    assert "ranking" in {row["part"] for row in content["rows"]}
    printed = capsys.readouterr().out
    assert "below 4" in printed and "above" not in printed  # targets of sizes that were not measured stay away
    bench_model.main(["--quick", "--threads", "1", "--out", str(out), "--parts", "table"])
    again = json.loads(out.read_text())
    assert [r["part"] for r in again["rows"]].count("table") == 2  # replaced, not added
    assert len(again["rows"]) == len(content["rows"])


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """What `main` asks to be measured, in place of the measuring; the usual file lies in `tmp_path`."""
    asked = []

    def measure(part, options, quick):
        asked.append((part, options))
        return [{"part": part, "items": 5, "threads": max(options.threads), "seconds": {"median": 1.0}}]

    monkeypatch.setattr(bench_model, "measure", measure)
    monkeypatch.setattr(bench_model, "ROOT", tmp_path)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a card")
    monkeypatch.setitem(bench_model.SAY, "table", lambda row: ("vectors", "", row["seconds"], "", "{:.3f}"))
    (tmp_path / "benchmarks").mkdir()
    return asked


def test_quick_numbers_reach_no_file_but_a_named_one_and_keep_device_threads_and_precision(tmp_path, measured):
    usual, named = tmp_path / "benchmarks" / "model.json", tmp_path / "named.json"
    quick = ["--quick", "--parts", "table", "--device", "cuda", "--threads", "3", "--precision", "bf16"]
    bench_model.main(quick)
    assert list(tmp_path.rglob("*.json")) == []
    bench_model.main([*quick, "--out", str(named)])
    assert len(json.loads(named.read_text())["rows"]) == 1 and not usual.exists()
    options = measured[0][1]
    assert (options.device, options.threads, options.precision) == ("cuda", (1, 3), "bf16")
    assert (options.turns, options.steps) == (2, 2)
    bench_model.main(["--parts", "table"])
    assert usual.exists()


def test_a_row_stays_until_it_is_measured_on_the_same_device_in_the_same_precision(tmp_path, measured):
    out = tmp_path / "benchmarks" / "model.json"
    old = {"part": "table", "measured": "table", "device": "cpu", "precision": "no", "seconds": {"median": 9.0}}
    out.write_text(json.dumps({"machine": {"cpu": "old"}, "rows": [old, old | {"precision": "bf16"}]}))
    bench_model.main(["--parts", "table"])
    bench_model.main(["--parts", "table", "--device", "cuda"])
    rows = json.loads(out.read_text())["rows"]
    found = {(r["device"], r["precision"]): (r["seconds"]["median"], r["machine"]["cpu"] == "old") for r in rows}
    assert len(rows) == 3
    assert found == {("cpu", "no"): (1.0, False), ("cpu", "bf16"): (9.0, True), ("cuda", "no"): (1.0, False)}


def test_a_row_of_real_size_stands_beside_its_target():
    ratio = {"median": 1.2, "low": 1.1, "high": 1.3, "turns": 5}
    common = {"layers": 1, "batch": 128, "threads": 2, "changes": {}, "ratio": ratio}
    table = bench_model.summary([{"part": "step", "items": n, **common} for n in (1_200, 12_000, 500)])
    assert [row[-1] for row in table[1:]] == ["at most 1.3", "at most 1.6", ""]
    assert table[1][2:5] == ["1.20", "1.10", "1.30"]
