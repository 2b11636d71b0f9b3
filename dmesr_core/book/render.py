"""Renders executed chapters as web pages with Jupyter Book; a warning is an error.

Jupyter Book could run the notebooks itself, but it does not notice changes of imported code. So the runner executes
them, and this module copies them with the other pages to a source folder. The folder has the layout of the repository,
so that the link from each page to its notebook is right.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from dmesr_core import files
from dmesr_core.book import contents
from dmesr_core.book.runner import RunSettings
from dmesr_core.errors import BookError
from dmesr_core.provenance import PACKAGE

# Jupyter Book always loads this extension for live code. The book has none, and its script, loaded twice, is an error.
_WITHOUT_THEBE = "extensions.remove('sphinx_thebe')\n"


def render(settings: RunSettings) -> tuple[Path, bool]:
    """Render the pages of one variant of the book if anything changed since they were last rendered.

    Returns:
        The first page, and whether pages were rendered.

    Raises:
        BookError: a chapter has not been run, or Sphinx had an error or a warning.
    """
    source = settings.build / "source" / settings.variant
    pages = pages_folder(settings)
    first, stamp = pages / "index.html", settings.build / "source" / f"{settings.variant}.stamp.json"
    wanted = _lay_out(settings, source)
    if first.is_file() and stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return first, False
    stamp.unlink(missing_ok=True)
    _call("jupyter-book", ["-c", f"from jupyter_book.cli.main import main; main({['config', 'sphinx', str(source)]})"])
    with (source / "conf.py").open("a", encoding="utf-8") as conf:
        conf.write(_WITHOUT_THEBE)
    doctrees = settings.build / "doctrees" / settings.variant
    strict = ["-n", "-W", "--keep-going", "-q"]
    try:
        _call("sphinx", ["-m", "sphinx", "-b", "html", *strict, "-d", str(doctrees), str(source), str(pages)])
    except BookError:
        shutil.rmtree(doctrees, ignore_errors=True)  # else the next run would skip the pages with warnings and succeed
        raise
    first.write_text(_forward_to(f"{contents.pages(settings.root)[0]}.html"), encoding="utf-8")
    files.write_atomically(stamp, wanted)
    return first, True


def pages_folder(settings: RunSettings) -> Path:
    """`_build/html` for the default parameters, `_build/html-<variant>` for others."""
    default = RunSettings(settings.root).variant
    return settings.build / ("html" if settings.variant == default else f"html-{settings.variant}")


def _lay_out(settings: RunSettings, source: Path) -> str:
    """Copy pages and executed chapters to `source`; equal files are not touched, so Sphinx skips them.

    Returns:
        A list of files and hashes: the pages must be rendered again if and only if it changes.
    """
    wanted = {name: settings.root / name for name in ("_config.yml", "_toc.yml")}
    for file in sorted((settings.root / "book").rglob("*")):
        if file.is_file() and file.suffix != ".ipynb" and not any(p.startswith(".") for p in file.parts):
            wanted[file.relative_to(settings.root).as_posix()] = file
    for path in contents.chapters(settings.root):
        executed = settings.executed / path.name
        if not executed.is_file():
            raise BookError(f"{path.stem} has not been run with {settings.variant}: run it first")
        wanted[path.relative_to(settings.root).as_posix()] = executed
    lines = [f"the lock file {files.file_hash(settings.root / 'requirements.lock')}"]
    lines += [f"{file} {files.file_hash(file)}" for file in sorted(PACKAGE.rglob("*.py"))]  # docstrings are shown
    for name, file in wanted.items():
        target, digest = source / name, files.file_hash(file)
        lines.append(f"{name} {digest}")
        if files.file_hash(target) != digest:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
    for old in source.rglob("*"):
        name = old.relative_to(source).as_posix()
        if old.is_file() and name not in wanted and name != "conf.py":
            old.unlink()
    return "\n".join(lines) + "\n"


def _call(tool: str, arguments: list[str]) -> None:
    """Run a Python tool in its own process; its output is shown only on an error or a warning.

    Raises:
        BookError: the tool failed or warned.
    """
    environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONWARNINGS": "ignore::DeprecationWarning"}
    done = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False)
    said = (done.stderr + done.stdout).strip()
    if done.returncode or "WARNING" in said:
        raise BookError(f"{tool} ended with {done.returncode}:\n{said}")


def _forward_to(page: str) -> str:
    """HTML that redirects to another page."""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>To the book</title>'
        f'<meta http-equiv="refresh" content="0; url={page}"></head>'
        f'<body><a href="{page}">To the book</a></body></html>\n'
    )
