"""The benchmark against other frameworks: its ranking, its plain recipe, its clock and our own runs are right."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.peers import common, instruments, plain, report
from dmesr_core.book.narration.speed.rows import value
from dmesr_core.data.sequences import Cases, Sequences
from dmesr_core.evaluation import metrics, ranking

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
        want = metrics.evaluate_cases(scorer, cases, N, ranking.EvalSettings(mask_seen=mask)).mean()
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
        (tmp_path / "b.txt").write_text("9 1 2 3\n\n  \n" + wrong)
        with pytest.raises(ValueError, match="line 4"):  # blank lines count
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
            assert value(rows[name], measure.key) > 0, (name, measure)
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


def converged(path, **changes):
    """Our run to convergence on a tiny world: the peer, its watch and the weights after each epoch."""
    from benchmarks.peers import ours

    settings = settings_for(path, phase="converge", **{"seconds": 60.0} | changes)
    data = common.read_data(path)
    torch.manual_seed(0)
    peer, clock = ours.Ours(settings, data), common.Clock(settings)
    watch, after = common.Watch(settings, data, clock), []
    validate = watch.epoch

    def epoch(peer):
        after.append({k: v.clone() for k, v in peer.module.state_dict().items()})
        return validate(peer)

    watch.epoch = epoch
    peer.train(clock, watch)
    watch.restore(peer)
    peer.module.eval()
    return peer, watch, clock, after


def test_we_converge_as_the_others_do_by_the_shared_ranking_and_go_back_to_the_best_weights(tmp_path):
    path = write_sequences(tmp_path / "a.txt")
    peer, watch, clock, after = converged(path, patience=3)
    best = int(np.argmax(watch.valid))
    assert len(watch.valid) - 1 - best == 3 and len(after) == len(watch.valid) == clock.seen
    assert 0 < watch.best_seconds < clock.elapsed
    now = peer.module.state_dict()
    assert all(torch.equal(now[k], v) for k, v in after[best].items())
    assert any(not torch.equal(now[k], v) for k, v in after[-1].items())
    peer.module.load_state_dict(after[0])
    ranks = instruments.rank(peer, *common.read_data(path).cases("valid"))
    assert instruments.quality(ranks.greater, ranks.ties)["ndcg@10"] == pytest.approx(watch.valid[0])
    assert instruments.quality(ranks.greater_masked, ranks.ties_masked)["ndcg@10"] != pytest.approx(watch.valid[0])


def test_our_run_to_convergence_has_a_limit_of_time_and_one_of_epochs_only_where_it_is_asked_for(tmp_path, monkeypatch):
    from benchmarks.peers import ours

    path = write_sequences(tmp_path / "a.txt")
    rates, fit = [], ours.fit
    monkeypatch.setattr(ours, "fit", lambda *a, **k: (rates.append(a[2]), fit(*a, **k))[1])
    _, watch, clock, _ = converged(path, seconds=1.5, patience=10**6)
    assert 1.5 <= clock.elapsed < 4 and len(watch.valid) > 1
    assert rates[-1].warmup == 0 and rates[-1].epochs > 10_000  # so the learning rate stays the same
    _, watch, clock, _ = converged(path, seconds=0.0)
    assert watch.valid == [] and clock.seen == 0  # in the middle of an epoch
    _, watch, clock, _ = converged(path, ours='{"epochs": 3, "learning_rate": 0.02}', patience=10**6)
    assert len(watch.valid) == clock.seen == 3
    assert (rates[-1].learning_rate, rates[-1].warmup) == (0.02, ours.TrainSettings().warmup)
    monkeypatch.setattr(common, "square_gflops", lambda: 100.0)
    row = common.measure(settings_for(path, phase="converge", seconds=60.0, patience=1), ours.Ours, spawned=0.0)
    assert max(row["valid"]) > 0 and 0 < row["best_seconds"] <= row["train_seconds"]
