"""`python -m dmesr_core` is the command `dmesr`."""

from __future__ import annotations

import subprocess
import sys

from dmesr_core import __version__


def run(*arguments):
    return subprocess.run([sys.executable, "-m", "dmesr_core", *arguments], capture_output=True, text=True)


def test_it_is_the_command():
    assert run("--version").stdout == f"dmesr {__version__}\n"


def test_its_exit_status_is_that_of_the_command():
    done = run("extract", "no/such/folder")
    assert done.returncode == 1
    assert done.stderr.startswith("dmesr: ")
