"""One user with very many events: what a split and its evaluation need grows with the events, not with their square."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

# A process of its own, which may take 500 MB beyond its imports. Its peak is read from /proc: `ru_maxrss` of a new
# process starts at what the process that started it had taken.
START = """
    import re
    import resource
    from pathlib import Path

    import numpy as np

    from dmesr_core.data.interactions import Interactions
    from dmesr_core.data.sequences import Cases
    from dmesr_core.evaluation.metrics import evaluate_cases
    from dmesr_core.models.scorers import popularity
    from dmesr_core.files import digest

    imported = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (imported + 500_000_000,) * 2)

    def peak_kilobytes():
        return int(re.search("VmHWM:\\s+([0-9]+)", Path("/proc/self/status").read_text())[1])

    def one_user(n):
        items = np.random.default_rng(0).integers(1, 501, n)
        return Interactions.from_columns(["u"] * n, items, np.arange(n), 500)
"""


def run(program: str) -> None:
    """Run `START` and `program`; fails with what they say on stderr."""
    code = textwrap.dedent(START) + textwrap.dedent(program)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="measures memory as Linux does")


def test_split_by_time_and_evaluation_of_a_user_with_100_000_events():
    run("""
        split = one_user(100_000).global_time()
        assert len(split.valid) == len(split.test) == 10_000
        assert split.test.histories.lengths.sum() == sum(range(90_000, 100_000))
        some = np.arange(0, 10_000, 40)
        test = split.test
        cases = Cases(test.histories.take(some), test.targets[some], test.times[some], test.users[some])
        result = evaluate_cases(popularity(split.train_counts), cases, split.n_items)
        assert len(result.per_case["ndcg@10"]) == len(some)
        assert peak_kilobytes() < 1_000_000
    """)


def test_hash_of_histories_that_overlap():
    run("""
        cases = one_user(20_000).global_time(0.2, 0.2).test
        assert cases.histories.lengths.sum() * 8 > 500_000_000
        assert len(digest(cases.histories.chunked_items())) == 64
    """)
