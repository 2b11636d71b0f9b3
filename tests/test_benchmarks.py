"""The benchmark against other frameworks: its ranking, its plain recipe, its clock and its ratios are right."""

import argparse
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import bench_peers
from benchmarks.peers import common, instruments, kept, plain, report
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


def test_a_ratio_of_zero_counts_and_nothing_is_divided_by_zero():
    speed = report.SPEED[0]
    rows = rows_of("ours", [0.0, 3.0, 8.0]) + rows_of("other", [5.0, 0.0, 4.0])
    assert report.paired_ratios(rows, "other", speed) == [0.0, 2.0]


def test_a_ratio_needs_the_same_state_of_code_and_machine():
    speed, quality = report.SPEED[0], report.QUALITY[0]
    ours, other = rows_of("ours", [4.0]), rows_of("other", [2.0])
    for key, value in (("code", "b"), ("machine", {"cpu": "b"}), ("threads", 4)):
        assert report.paired_ratios(ours + [row | {key: value} for row in other], "other", speed) == []
    assert report.paired_ratios(ours + other, "other", speed) == [2.0]
    found = {"quality": {"ndcg@10": 0.5}, "code": "a", "seconds": 9.0}
    ours, other = (row | found for row in ours + other)
    for phase, pairs in (("wall", 0), ("converge", 1)):  # equal time is equal; until convergence it need not be
        rows = [ours | {"phase": phase}, other | {"phase": phase, "code": "b", "seconds": 5.0}]
        assert len(report.paired_ratios(rows, "other", quality)) == pairs
    rows = [ours | {"phase": "wall"}, other | {"phase": "wall", "code": "b"}]  # each framework has code of its own
    assert report.paired_ratios(rows, "other", quality) == [1.0]


def options_for(*arguments):
    return bench_peers.parser().parse_args(arguments)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder for all that the benchmark writes, with sequences."""
    write_sequences(tmp_path / "beauty.txt")
    monkeypatch.setattr(bench_peers, "find_data", lambda name: (name, tmp_path / "beauty.txt"))
    monkeypatch.setattr(bench_peers, "PLACE", tmp_path)
    monkeypatch.setattr(bench_peers, "install", lambda peer, index: None)
    return tmp_path


def test_runs_take_turns_and_are_taken_up_again(place):
    options = options_for(
        *"--models sasrec gru4rec --peers ours plain recbole --repeats 2 --seconds 1 --wall 3 --converge 5".split(),
        *("--patience", "9", "--ours", '{"sasrec": {"epochs": 7}}'),
    )
    runs = bench_peers.plan(options)
    order = [(r["settings"].phase, r["turn"], r["settings"].model, r["peer"]) for r in runs]
    assert order[:5] == [
        ("speed", 0, "sasrec", "ours"), ("speed", 0, "sasrec", "plain"), ("speed", 0, "sasrec", "recbole"),
        ("speed", 0, "gru4rec", "ours"), ("speed", 0, "gru4rec", "recbole"),
    ]  # fmt: skip
    assert order[5] == ("speed", 1, "sasrec", "plain") and {o[0] for o in order[10:]} == {"wall", "converge"}
    assert len({bench_peers.row_file(run) for run in runs}) == len(runs)
    assert bench_peers.row_file(bench_peers.plan(options)[3]) == bench_peers.row_file(runs[3])
    given = {(r["peer"], r["settings"].model, r["settings"].phase) for r in runs if r["settings"].ours != "{}"}
    assert given == {("ours", "sasrec", "wall"), ("ours", "sasrec", "converge")}
    assert {r["settings"].phase for r in runs if r["settings"].patience == 9} == {"converge"}


def files_of(*arguments):
    runs = bench_peers.plan(options_for("--repeats", "1", "--wall", "3", "--converge", "5", *arguments))
    return {(run["peer"], run["settings"].phase): bench_peers.row_file(run) for run in runs}


def test_a_run_is_taken_up_where_nothing_that_matters_to_it_has_changed(place, monkeypatch):
    def changed(after):
        return {key for key in before if before[key] != after[key]}

    before = files_of()
    peers, every = set(bench_peers.MODELS), set(before)
    assert changed(files_of("--patience", "6")) == {(peer, "converge") for peer in peers}
    assert changed(files_of("--ours", '{"sasrec": {"epochs": 7}}')) == {("ours", "wall"), ("ours", "converge")}
    own = bench_peers.requirements
    (place / "other.txt").write_text("recbole==0\n")
    monkeypatch.setattr(bench_peers, "requirements", lambda p: place / "other.txt" if p == "recbole" else own(p))
    of_recbole = {("recbole", "wall"), ("recbole", "converge")}
    assert changed(files_of()) == of_recbole | {(peer, "speed") for peer in peers}  # speeds have one state of all code
    monkeypatch.setattr(bench_peers, "requirements", own)
    pin = bench_peers.torch_pin
    monkeypatch.setattr(bench_peers, "torch_pin", lambda: "torch==0")
    assert changed(files_of()) == every
    monkeypatch.setattr(bench_peers, "torch_pin", pin)
    moved = place / "elsewhere.txt"
    moved.write_bytes((place / "beauty.txt").read_bytes())
    monkeypatch.setattr(bench_peers, "find_data", lambda name: (name, moved))
    assert changed(files_of()) == set()
    moved.write_text(moved.read_text() + "77 1 2 3\n")
    assert changed(files_of()) == every


def row(peer="ours", turn=0, phase="speed", code="old", data="beauty", **more):
    return {"data": data, "model": "sasrec", "phase": phase, "peer": peer, "turn": turn, "code": code, **more}


CELLS = [("beauty", "sasrec", phase) for phase in ("speed", "wall")]


def test_a_row_stays_until_it_is_measured_again():
    before = [row(data="toys"), row("ours", phase="wall"), row("plain", phase="wall"), row(phase="converge")]
    new = [row("ours", phase="wall", code="new"), row("ours", phase="wall", turn=1, code="new")]
    after = kept.merged(before, new, CELLS[1:] * 2)
    assert sorted((r["data"], r["phase"], r["peer"], r["turn"], r["code"]) for r in after) == [
        ("beauty", "converge", "ours", 0, "old"), ("beauty", "wall", "ours", 0, "new"),
        ("beauty", "wall", "ours", 1, "new"), ("beauty", "wall", "plain", 0, "old"),
        ("toys", "speed", "ours", 0, "old"),
    ]  # fmt: skip
    assert after[0]["data"] == "toys"  # cells keep their order: the first one leads the page
    assert kept.merged(before, [], CELLS) == before


def test_speeds_of_another_state_wait_until_all_are_there():
    before = [row(peer, turn) for turn in (0, 1) for peer in ("ours", "plain", "recbole")]
    new = [row(peer, code="new") for peer in ("ours", "plain")]
    wanted = CELLS[:1] * 2
    assert kept.merged(before, new[:1], wanted) == before
    after = kept.merged(before, new, wanted)
    assert [(r["peer"], r["turn"]) for r in after if r["code"] == "old"] == [("recbole", 0), ("recbole", 1)]
    assert [r for r in after if r["code"] == "new"] == new
    same = row("ours", note="again", code="old")  # of the same state: one by one
    after = kept.merged(before, [same], wanted)
    assert len(after) == 6 and same in after
    assert kept.merged([], new[:1], wanted) == new[:1]


def test_what_was_said_once_for_all_rows_is_said_of_each(tmp_path):
    of_all = {"machine": {"cpu": "old"}, "date": "2020", "threads": 2}
    (tmp_path / "a.json").write_text(json.dumps(of_all | {"rows": [row(), row("plain", machine={"cpu": "new"})]}))
    rows = kept.read(tmp_path / "a.json")
    assert [(r["machine"]["cpu"], r["date"], r["threads"]) for r in rows] == [("old", "2020", 2), ("new", "2020", 2)]
    kept.write(rows, tmp_path / "a.json")
    assert kept.read(tmp_path / "a.json") == rows and kept.read(tmp_path / "none.json") == []


def test_a_report_measures_nothing_and_writes_nothing(place, monkeypatch, capsys):
    monkeypatch.setattr(bench_peers, "execute", None)
    out = place / "peers.json"
    assert bench_peers.main(["--report", "--out", str(out)]) == 0 and not out.exists()
    content = json.dumps({"rows": [row(), row("plain", train_seconds=3.0, phase="wall")]})
    out.write_text(content)
    assert bench_peers.main(["--report", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "holds nothing yet" in said and "beauty, sasrec: speed" in said and "equal training time" in said
    assert out.read_text() == content


def test_a_run_that_fails_is_named_and_gives_the_exit_status(place, monkeypatch, capsys):
    def execute(run, threads):
        return None if run["peer"] == "recbole" else row(run["peer"], code=run["code"], quality={"ndcg@10": 0.1})

    monkeypatch.setattr(bench_peers, "execute", execute)
    out = place / "peers.json"
    arguments = ["--repeats", "1", "--out", str(out), "--peers", "ours", "plain"]
    out.write_text(json.dumps({"rows": [row("replay")]}))
    assert bench_peers.main([*arguments, "recbole"]) == 1
    assert capsys.readouterr().out.endswith("failed:\nspeed sasrec beauty recbole turn 0\n")
    assert [r["peer"] for r in kept.read(out)] == ["replay"]  # the other two wait for it
    assert bench_peers.main(arguments) == 0
    assert [r["peer"] for r in kept.read(out)] == ["replay", "ours", "plain"]


def test_a_row_says_where_and_when_it_was_measured_and_every_framework_runs_on_the_processor(place, monkeypatch):
    def run(program, cwd, env, **_):
        Path(json.loads(program[-1])["out"]).write_text(json.dumps({"threads": 3}))
        assert (
            env["ACCELERATE_USE_CPU"] == "true" and env["CUDA_VISIBLE_DEVICES"] == "" and env["OMP_NUM_THREADS"] == "3"
        )
        return argparse.Namespace(returncode=0)

    [first, *_] = bench_peers.plan(options_for("--repeats", "1", "--peers", "ours", "--threads", "3"))
    monkeypatch.setattr(bench_peers, "commit", lambda: "abc")
    monkeypatch.setattr(bench_peers.subprocess, "run", run)
    found = bench_peers.execute(first, 3)
    assert found["machine"]["cores"] and found["date"][:2] == "20" and found["threads"] == 3
    assert json.loads(bench_peers.row_file(first).read_text()) == found


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("--ours", "{x", "no JSON"), ("--ours", "[1]", "wanted"), ("--ours", '{"sasrec": 1}', "wanted"),
        ("--ours", '{"lstm": {}}', "unknown model lstm"), ("--patience", "0", "above 0"),
        ("--patience", "x", "above 0"),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_said_in_one_line(name, value, why, capsys):
    with pytest.raises(SystemExit) as stop:
        options_for(name, value)
    said = capsys.readouterr().err.splitlines()
    assert stop.value.code == 2 and f"error: argument {name}: " in said[-1] and why in said[-1]


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
