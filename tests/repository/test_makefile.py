"""The Makefile: what is dear to make again goes only when it is named."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_stored_trainings_survive_make_clean():
    outside = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}  # of `make test`
    commands = {
        target: subprocess.run(
            ["make", "-n", target], cwd=ROOT, env=outside, capture_output=True, text=True, check=True
        ).stdout
        for target in ("clean", "clean-cache")
    }
    assert "_build" in commands["clean"] and "clear_cache" not in commands["clean"]
    assert "clear_cache()" in commands["clean-cache"] and "rm -rf" not in commands["clean-cache"]


def test_no_command_has_a_cache_of_its_own():
    """Except tests, which keep theirs in `_build` (conftest.py)."""
    for name in ("Makefile", "dmesr_core/book/runner.py", "dmesr_core/files.py"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert "_build/cache" not in text and "dmesr_cache" not in text, name
