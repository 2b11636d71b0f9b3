"""The outputs in the README, made by running its lines: first `dmesr example`, then each block in a new process.

    python tests/helpers/readme_output.py [FOLDER]    # some minutes; writes the outputs into the README

A folder that is named keeps the shop and its features for the next time.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
_BLOCK = re.compile(r"```python\n(?P<code>.*?)```\n\n```text\n(?P<output>.*?)```", re.DOTALL)
_EXAMPLE = re.compile(r"^dmesr example .*?(?=\s*#|$)", re.MULTILINE)
_DMESR = "import sys; from dmesr_core.cli import main; sys.exit(main())"


def blocks(page: str) -> list[tuple[str, str]]:
    """(code, output) of each Python block that is followed by its output."""
    return [(found["code"], found["output"]) for found in _BLOCK.finditer(page)]


def example_command(page: str) -> list[str]:
    """The command that writes the shop, as the page names it first; without the word `dmesr`."""
    found = _EXAMPLE.search(page)
    assert found, "the README names no dmesr example"
    return shlex.split(found[0])[1:]


def run_blocks(page: str, folder: Path, example: list[str], path: Path = ROOT) -> list[str]:
    """What the blocks print, each in a new process in `folder`, which gets the example shop first.

    Args:
        example: arguments of `dmesr`, see `example_command`.
        path: where `dmesr_core` is imported from.
    """
    run_python(_DMESR, folder, path, *example)
    return [run_python(code, folder, path) for code, _ in blocks(page)]


def run_python(code: str, folder: Path, path: Path, *arguments: str) -> str:
    """What a program prints in a new process in `folder`; its errors are shown if it fails."""
    cache = {"DMESR_CACHE": str(folder / "dmesr_cache"), "PYTHONPATH": str(path), "PYTHONWARNINGS": "default"}
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, cwd=folder, env=os.environ | cache, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{code}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def with_outputs(page: str, outputs: list[str]) -> str:
    """The page with other outputs."""
    left = iter(outputs)
    return _BLOCK.sub(lambda found: f"```python\n{found['code']}```\n\n```text\n{next(left)}```", page)


if __name__ == "__main__":
    page = README.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(sys.argv[1] if len(sys.argv) > 1 else temporary).resolve()
        made = run_blocks(page, folder, example_command(page))
    README.write_text(with_outputs(README.read_text(encoding="utf-8"), made), encoding="utf-8")
