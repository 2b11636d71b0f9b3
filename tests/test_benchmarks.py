"""The benchmark against other frameworks: its ranking, its plain recipe, its clock and its ratios are right."""

import argparse
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import bench_peers
from benchmarks.peers import common, instruments, plain, report
from dmesr_core import evaluate
from dmesr_core.sequences import Cases, Sequences

N = 30


class Table(common.Peer):
    """Scores from a table (histories in order), in columns of its own order; one item has no column."""

    def __init__(self, scores, without=7):
        rng = np.random.default_rng(1)
        order = rng.permutation([item for item in range(1, N + 1) if item != without])
        self.columns = np.full(N + 1, -1)
        self.columns[order] = np.arange(len(order))
        self.table, self.at = scores[:, order], 0

    def score(self, histories):
        self.at += len(histories)
        return torch.from_numpy(self.table[self.at - len(histories) : self.at])


def random_cases(n=200, seed=0):
    rng = np.random.default_rng(seed)
    histories = [rng.integers(1, N + 1, rng.integers(1, 9)) for _ in range(n)]
    targets = rng.integers(1, N + 1, n)
    scores = rng.integers(0, 12, (n, N + 1)).astype(np.float32)  # whole numbers: many ties
    scores[:, 7] = -1e30
    return histories, targets, scores


def test_the_shared_ranking_agrees_with_the_packages_own():
    histories, targets, scores = random_cases()
    ranks = instruments.rank(Table(scores), histories, targets, batch_size=64)
    numbers = np.arange(len(targets))
    cases = Cases(Sequences.from_lists(histories), targets, numbers.astype(float), numbers)
    for mask, greater, ties in ((False, ranks.greater, ranks.ties), (True, ranks.greater_masked, ranks.ties_masked)):
        scorer = lambda _, index: torch.from_numpy(scores[index])  # noqa: E731
        want = evaluate.evaluate(scorer, cases, N, evaluate.EvalSettings(mask_seen=mask)).mean()
        found = instruments.quality(greater, ties)
        assert found == pytest.approx({name: want[name] for name in found})
    assert (ranks.greater != ranks.greater_masked).any() and (ranks.ties > 1).any()


def write_sequences(path: Path, users=40, length=8) -> Path:
    """A world in which item k is followed by item k + 1."""
    rows = ([user, *((user + t) % N + 1 for t in range(length))] for user in range(users))
    path.write_text("\n".join(" ".join(map(str, row)) for row in rows) + "\n")
    return path


def test_sequences_are_split_by_leaving_out_the_last_two(tmp_path):
    data = common.read_data(write_sequences(tmp_path / "a.txt"))
    assert data.n_items == N and len(data.train[0]) == 6
    histories, targets = data.cases("test", users=3)
    assert list(histories[0]) == list(range(1, 8)) and list(targets) == [8, 9, 10]
    assert data.cases("valid")[1][0] == 7 and len(data.cases("valid")[1]) == 40
    for wrong in ("1 2 3\n", "1 2 0 4 5\n"):
        (tmp_path / "b.txt").write_text(wrong)
        with pytest.raises(ValueError, match="line 1"):
            common.read_data(tmp_path / "b.txt")


def test_left_padding_keeps_the_end():
    rows = common.pad_left([np.array([1, 2, 3]), np.array([4])], 2)
    assert rows.tolist() == [[2, 3], [0, 4]]


def settings_for(path: Path, **changes) -> common.RunSettings:
    small = dict(path=str(path), width=16, max_len=10, batch_size=16, learning_rate=0.01, threads=1, seconds=0.0)
    return common.RunSettings(**small | changes)


def test_the_plain_recipe_learns(tmp_path):
    torch.manual_seed(0)
    data = common.read_data(write_sequences(tmp_path / "a.txt"))
    peer = plain.Plain(settings_for(tmp_path / "a.txt"), data)
    negatives = torch.randint(1, N + 1, (len(peer.items), 10))

    def loss():
        peer.module.eval()
        with torch.no_grad():
            return plain.bce(peer.module, peer.items, negatives).item()

    before = loss()
    settings = settings_for(tmp_path / "a.txt", phase="wall", seconds=0.8)
    for _ in range(15):  # 0.8 s are enough, unless the machine is busy
        peer.train(common.Clock(settings), common.Watch(settings, data, common.Clock(settings)))
        peer.module.eval()
        ranks = instruments.rank(peer, *data.cases("test"))
        quality = instruments.quality(ranks.greater, ranks.ties)["hr@10"]
        if loss() < before / 2 and quality > 0.8:
            break
    assert loss() < before / 2 and quality > 0.8


def test_the_plain_model_sees_neither_the_future_nor_padding():
    torch.manual_seed(0)
    model = plain.PlainSASRec(N, 6, 16, 2, 2, 0.2).eval()
    items = torch.tensor([[0, 0, 3, 4, 5, 6]])
    changed = torch.tensor([[0, 0, 3, 4, 5, 9]])
    with torch.no_grad():
        a, b = model(items), model(changed)
        assert torch.allclose(a[:, 2:5], b[:, 2:5], atol=1e-6) and not torch.allclose(a[:, 5], b[:, 5])
        model.item.weight[0] = 5.0
        assert torch.allclose(model(items)[:, 2:], a[:, 2:], atol=1e-6)


def test_the_clock_counts_behind_the_warm_up(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(instruments.time, "perf_counter", lambda: now[0])
    clock = common.Clock(settings_for(Path("x"), seconds=5.0, warm_up=2, steps=2))
    clock.start()
    ends = []
    for took in (10, 3, 1, 1, 1):  # the first steps are slow
        now[0] += took
        ends.append(clock.step(rows=8, targets=40))
    assert clock.speed() == {"rows_per_second": 8.0, "targets_per_second": 40.0, "seconds_per_step": 1.0}
    assert ends == [False, False, False, True, True]  # time was up at once, but two steps had to be measured
    assert clock.rows == 40 and clock.elapsed == 16


def test_a_run_gives_a_row_for_the_plain_recipe_and_for_ours(tmp_path, monkeypatch):
    from benchmarks.peers import ours

    monkeypatch.setattr(common, "square_gflops", lambda: 100.0)
    path = write_sequences(tmp_path / "a.txt")
    rows = {}
    for name, build in (("plain", plain.Plain), ("ours", ours.Ours)):
        rows[name] = common.measure(settings_for(path), build, spawned=0.0)
        rows[name] = json.loads(json.dumps(rows[name])) | {"peer": name, "data": "a", "turn": 0}
        for measure in report.SPEED[1:2] + report.SPEED[3:4] + report.SPEED[5:]:
            assert report.value(rows[name], measure.key) > 0, (name, measure)
    assert rows["ours"]["own_ranking_quality"]["ndcg@10"] == pytest.approx(rows["ours"]["quality"]["ndcg@10"])
    assert rows["ours"]["targets_per_epoch"] == 40 * 5 and rows["plain"]["train_epochs"] > 1
    text = report.text(list(rows.values()))
    assert "time per epoch" in text and "of the square matrix product" in text


def test_our_quality_run_keeps_to_its_time(tmp_path, monkeypatch):
    from benchmarks.peers import ours

    monkeypatch.setattr(common, "square_gflops", lambda: 100.0)
    path = write_sequences(tmp_path / "a.txt")
    row = common.measure(settings_for(path, phase="wall", seconds=1.0), ours.Ours, spawned=0.0)
    assert 0.5 < row["train_seconds"] < 3 and row["quality"]["hr@10"] > 0.8 and row["train_epochs"] > 1


def rows_of(peer, numbers, key="targets_per_second", phase="speed"):
    return [{"peer": peer, "turn": turn, "data": "d", "model": "m", "phase": phase, key: number}
            for turn, number in enumerate(numbers)]  # fmt: skip


def test_ratios_are_paired_by_turn_and_above_one_where_ours_is_better():
    speed, epoch = report.SPEED[0], report.SPEED[1]
    rows = rows_of("ours", [10.0, 40.0, 30.0, 5.0]) + rows_of("other", [5.0, 10.0, 10.0])
    assert report.paired_ratios(rows, "other", speed) == [2.0, 4.0, 3.0]  # the fourth turn has no partner
    [found] = report.ratios(rows)
    assert (found["median"], found["low"], found["high"], found["turns"]) == (3.0, 2.0, 4.0, 3)
    rows = rows_of("ours", [10.0], epoch.key) + rows_of("other", [30.0], epoch.key)
    assert report.paired_ratios(rows, "other", epoch) == [3.0]
    quality = [row | {"quality": {"ndcg@10": row["x"]}} for row in rows_of("ours", [0.4], "x", "wall")]
    quality += [row | {"quality": {"ndcg@10": row["x"]}} for row in rows_of("other", [0.1], "x", "wall")]
    assert [(r["measure"], r["median"]) for r in report.ratios(quality)] == [(report.QUALITY[0].name, 4.0)]


def test_the_share_of_the_matrix_product_counts_three_products():
    row = {"targets_per_epoch": 1000, "softmax_items": 500, "width": 10, "seconds_per_epoch": 0.5}
    row |= {"gflops_before": 0.1, "gflops_after": 0.14}
    # 6 * 1000 * 500 * 10 operations in half a second are 0.06 billion per second.
    assert report.product_share(row) == pytest.approx(0.06 / 0.12)
    assert report.product_share({"width": 10}) is None


def test_runs_take_turns_and_are_taken_up_again(tmp_path, monkeypatch):
    monkeypatch.setattr(bench_peers, "find_data", lambda name: (name, tmp_path / f"{name}.txt"))
    monkeypatch.setattr(bench_peers, "PLACE", tmp_path)
    options = argparse.Namespace(
        data=["beauty"], models=["sasrec", "gru4rec"], peers=["ours", "plain", "recbole"], repeats=2, seconds=1.0,
        wall=3.0, wall_repeats=1, converge=0.0, threads=1, own_users=5, score_users=0, patience=9,
        ours='{"sasrec": {"epochs": 7}}',
    )  # fmt: skip
    runs = bench_peers.plan(options)
    order = [(r["settings"].phase, r["turn"], r["settings"].model, r["peer"]) for r in runs]
    assert order[:5] == [
        ("speed", 0, "sasrec", "ours"), ("speed", 0, "sasrec", "plain"), ("speed", 0, "sasrec", "recbole"),
        ("speed", 0, "gru4rec", "ours"), ("speed", 0, "gru4rec", "recbole"),
    ]  # fmt: skip
    assert order[5] == ("speed", 1, "sasrec", "plain") and {o[0] for o in order[10:]} == {"wall"}
    assert len({bench_peers.row_file(run) for run in runs}) == len(runs)
    assert bench_peers.row_file(bench_peers.plan(options)[3]) == bench_peers.row_file(runs[3])
    assert {json.loads(run["settings"].ours)["epochs"] for run in runs if run["settings"].model == "sasrec"} == {7}
    assert {run["settings"].ours for run in runs if run["settings"].model == "gru4rec"} == {"{}"}
    assert {run["settings"].patience for run in runs} == {9}
    other = [("toys", "speed"), ("toys", "converge"), ("beauty", "speed"), ("beauty", "converge")]
    before = [{"data": data, "model": "sasrec", "phase": phase} for data, phase in other]
    (tmp_path / "old.json").write_text(json.dumps({"rows": before}))
    left = [(row["data"], row["phase"]) for row in bench_peers.untouched(tmp_path / "old.json", runs)]
    assert left == [("toys", "speed"), ("toys", "converge"), ("beauty", "converge")]
    assert bench_peers.untouched(tmp_path / "none.json", runs) == []


def test_absent_data_is_replaced_by_the_bazaar_aloud(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(bench_peers, "write_bazaar", lambda: tmp_path / "bazaar.txt")
    monkeypatch.setenv("DMESR_DATA", str(tmp_path))
    assert bench_peers.find_data("toys") == ("bazaar", tmp_path / "bazaar.txt")
    assert "toys" in capsys.readouterr().out
    (tmp_path / "sequences").mkdir()
    write_sequences(tmp_path / "sequences" / "Toys_and_Games.txt")
    assert bench_peers.find_data("toys")[0] == "toys"


def test_every_framework_with_an_environment_has_a_wrapper():
    here = Path(bench_peers.__file__).parent / "peers"
    for peer in bench_peers.MODELS:
        assert (here / f"{peer}.py").exists()
    with_environment = {p.stem.removeprefix("requirements-") for p in here.glob("requirements-*.txt")}
    assert with_environment == {"recbole", "rectools", "replay"}
