"""Trainings side by side: what goes wrong in one process stays there."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace

import pytest
from small_material import BACKBONE, TRAIN, make_material

from dmesr_core.grids import Job
from dmesr_core.rows import Row
from dmesr_core.variants import VARIANTS, Variant
from dmesr_core.workers import Failure, run_jobs


def test_a_failure_is_named_and_the_others_are_kept(tmp_path):
    good = Job("id_only", VARIANTS["id_only"], BACKBONE, TRAIN)
    bad = replace(good, name="deep", variant=Variant("id", {"depth": 3}))
    material = make_material()
    work = [(bad, material), (good, material)]
    failure, row = run_jobs(work, tmp_path, workers=2, progress=False)
    assert isinstance(failure, Failure) and isinstance(row, Row)
    assert failure.what == "data, leave-one-out: deep on sasrec, seed 0" and "depth" in failure.error
    assert run_jobs(work, tmp_path, train=False)[0] is None  # a failure is not remembered
    assert run_jobs(work, tmp_path, train=False)[1].ranks == row.ranks


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_process_outlives_the_command(tmp_path, how):
    script = tmp_path / "long.py"
    script.write_text(
        textwrap.dedent("""
        from dataclasses import replace
        from small_material import BACKBONE, TRAIN, make_material
        from dmesr_core.grids import Job
        from dmesr_core.variants import VARIANTS
        from dmesr_core.workers import run_jobs

        if __name__ == "__main__":
            long = replace(TRAIN, epochs=100_000, patience=100_000)
            jobs = [Job("id_only", VARIANTS["id_only"], BACKBONE, replace(long, seed=s)) for s in range(3)]
            run_jobs([(job, make_material()) for job in jobs], workers=2, progress=False)
    """)
    )
    mark = f"MARK_{os.getpid()}_{how}"
    environment = os.environ | {"PYTHONPATH": os.path.dirname(__file__), mark: "1"}
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
