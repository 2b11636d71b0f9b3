"""Trainings side by side: what goes wrong in one process stays there."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass, replace
from multiprocessing import parent_process
from pathlib import Path

import pytest
from helpers.small_material import BACKBONE, TRAIN, make_material

from dmesr_core.experiments import pool
from dmesr_core.experiments.grid import Job
from dmesr_core.experiments.material import Material
from dmesr_core.experiments.pool import Failure, run_jobs
from dmesr_core.experiments.records import RunRecord
from dmesr_core.experiments.variants import VARIANTS, Variant

TESTS = Path(__file__).resolve().parents[1]
GOOD = Job("id_only", VARIANTS["id_only"], BACKBONE, TRAIN)


def test_a_failure_is_named_and_the_others_are_kept(tmp_path):
    bad = replace(GOOD, name="deep", variant=Variant("id", {"depth": 3}))
    material = make_material()
    work = [(bad, material), (GOOD, material)]
    failure, row = run_jobs(work, tmp_path, workers=2, progress=False)
    assert isinstance(failure, Failure) and isinstance(row, RunRecord)
    assert failure.what == "data, leave-one-out: deep on sasrec, seed 0" and "depth" in failure.error
    assert run_jobs(work, tmp_path, train=False)[0] is None  # a failure is not remembered
    assert run_jobs(work, tmp_path, train=False)[1].ranks == row.ranks


@dataclass(frozen=True, eq=False)
class Deadly(Material):
    """Material whose use in a process of its own is killed, as the system does where memory runs out."""

    deaths: str = ""  # a folder: a file in it per death
    times: int = 1

    @property
    def fingerprint(self) -> str:
        died = len(os.listdir(self.deaths))
        if parent_process() is not None and died < self.times:
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # who writes a death down dies of it
            (Path(self.deaths) / str(died)).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().fingerprint


class Beside(Deadly):
    """Material whose use in a process of its own goes on until some other has died so often, or for a minute."""

    @property
    def fingerprint(self) -> str:
        end = time.monotonic() + 60  # a process that is alone waits in vain
        while parent_process() is not None and len(os.listdir(self.deaths)) < self.times and time.monotonic() < end:
            time.sleep(1)
        time.sleep(1)
        return Material.fingerprint.func(self)


def deadly(folder: Path, times: int, kind: type[Deadly] = Deadly) -> Deadly:
    folder.mkdir(exist_ok=True)
    good = make_material()
    return kind(good.split, good.features, good.facts, folder.name, deaths=str(folder), times=times)


def test_a_process_that_is_killed_ends_no_other_training(tmp_path, capfd):
    once, always = deadly(tmp_path / "once", 1), deadly(tmp_path / "always", 99)
    work = [(replace(GOOD, train=replace(TRAIN, seed=seed)), make_material()) for seed in range(2)]
    beside = deadly(tmp_path / "always", 2, Beside)  # at work whenever `always` dies, and not to blame
    rows = run_jobs([(GOOD, beside), (GOOD, always), (GOOD, once), *work], None, workers=3, progress=False)
    assert [type(row) for row in rows] == [RunRecord, Failure, RunRecord, RunRecord, RunRecord]
    assert rows[1].what == "always, leave-one-out: id_only on sasrec, seed 0"
    assert "process died" in rows[1].error
    assert [row.seed for row in rows[2:]] == [0, 0, 1]
    assert len(os.listdir(tmp_path / "once")) == 1 and len(os.listdir(tmp_path / "always")) == 2
    assert "died: 2 at a time from here on" in capfd.readouterr().err


def test_a_process_that_cannot_start_is_no_endless_loop(tmp_path):
    script = tmp_path / "unguarded.py"  # each process runs the script anew, and is refused
    script.write_text(
        textwrap.dedent("""
        from dataclasses import replace
        from helpers.small_material import BACKBONE, TRAIN, make_material
        from dmesr_core.experiments.grid import Job
        from dmesr_core.experiments.variants import VARIANTS
        from dmesr_core.experiments.pool import run_jobs

        jobs = [Job("id_only", VARIANTS["id_only"], BACKBONE, replace(TRAIN, seed=s)) for s in range(2)]
        for failure in run_jobs([(job, make_material()) for job in jobs], workers=2, progress=False):
            print(failure.error)
    """)
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])}
    done = subprocess.run(
        [sys.executable, str(script)], env=environment, capture_output=True, text=True, timeout=300
    )  # fmt: skip
    assert done.stdout.count("its process died") == 2


def test_only_the_cores_that_are_ours_are_counted(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 5, 6}, raising=False)
    assert pool.available_cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert pool.available_cores() == 7


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_process_outlives_the_command(tmp_path, how):
    script = tmp_path / "long.py"
    script.write_text(
        textwrap.dedent("""
        import signal
        from dataclasses import replace
        from helpers.small_material import BACKBONE, TRAIN, make_material
        from dmesr_core.experiments.grid import Job
        from dmesr_core.experiments.variants import VARIANTS
        from dmesr_core.experiments.pool import run_jobs

        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job is started deaf to it
        if __name__ == "__main__":
            long = replace(TRAIN, epochs=100_000, patience=100_000)
            jobs = [Job("id_only", VARIANTS["id_only"], BACKBONE, replace(long, seed=s)) for s in range(3)]
            run_jobs([(job, make_material()) for job in jobs], workers=2, progress=False)
    """)
    )
    mark = f"MARK_{os.getpid()}_{how}"
    environment = os.environ | {"PYTHONPATH": str(TESTS), mark: "1"}
    process = subprocess.Popen([sys.executable, str(script)], env=environment, stderr=subprocess.DEVNULL)

    def alive() -> int:
        count = 0
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/environ", "rb") as stream:
                    count += mark.encode() in stream.read()
            except OSError:
                pass
        return count

    def wait_for(wanted) -> bool:
        end = time.monotonic() + 60
        while time.monotonic() < end and not wanted():
            time.sleep(0.2)
        return wanted()

    try:
        assert wait_for(lambda: alive() >= 4)  # the command, two workers, Python's own tracker
        time.sleep(2)
        process.send_signal(how)
        process.wait(timeout=60)
        assert wait_for(lambda: alive() == 0)
    finally:
        process.kill()
