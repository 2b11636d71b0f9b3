"""The program against other frameworks: its ratios are fair, and its file loses nothing and mixes nothing."""

import argparse
import json
from pathlib import Path

import pytest

from benchmarks import bench_peers
from benchmarks.peers import kept, report


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
    (tmp_path / "beauty.txt").write_text("1 1 2 3\n")
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
    code_hash = bench_peers.code_hash
    monkeypatch.setattr(bench_peers, "code_hash", lambda: "other code of the package")
    assert changed(files_of()) == {("ours", "wall"), ("ours", "converge")} | {(peer, "speed") for peer in peers}
    monkeypatch.setattr(bench_peers, "code_hash", code_hash)
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
    monkeypatch.setattr(bench_peers, "commit", lambda *_: "abc")
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
    (tmp_path / "sequences" / "Toys_and_Games.txt").write_text("1 1 2 3\n")
    assert bench_peers.find_data("toys")[0] == "toys"


def test_every_framework_with_an_environment_has_a_wrapper():
    here = Path(bench_peers.__file__).parent / "peers"
    for peer in bench_peers.MODELS:
        assert (here / f"{peer}.py").exists()
    with_environment = {p.stem.removeprefix("requirements-") for p in here.glob("requirements-*.txt")}
    assert with_environment == {"recbole", "rectools", "replay"}
