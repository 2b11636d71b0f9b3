"""The table of contents: which pages and chapters the book has, and in which order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from dmesr_core.errors import SettingsError


def chapters(root: Path) -> list[Path]:
    """The notebooks of the book in the order of its table of contents.

    Raises:
        SettingsError: no `_toc.yml`, or an entry without a file.
    """
    found = []
    for name in pages(root):
        notebook, page = root / f"{name}.ipynb", root / f"{name}.md"
        if notebook.is_file():
            found.append(notebook)
        elif not page.is_file():
            raise SettingsError(f"_toc.yml lists {name}, but there is neither {notebook.name} nor {page.name}")
    return found


def choose(all_chapters: list[Path], wanted: list[str]) -> list[Path]:
    """The chapters named in `wanted` (a name or its beginning, such as "03"), in the book's order; all when empty.

    Raises:
        SettingsError: a name that fits no chapter.
    """
    for name in wanted:
        if not any(path.stem.startswith(name) for path in all_chapters):
            raise SettingsError(f"no chapter begins with {name!r}: there are {', '.join(p.stem for p in all_chapters)}")
    return [path for path in all_chapters if not wanted or any(path.stem.startswith(name) for name in wanted)]


def pages(root: Path) -> list[str]:
    """All entries of `_toc.yml`, without file extensions, the front page first.

    Raises:
        SettingsError: no `_toc.yml`.
    """
    toc = root / "_toc.yml"
    if not toc.is_file():
        raise SettingsError(f"no _toc.yml in {root.resolve()}: run this in the folder of the book, or name it (--root)")
    return list(_files_in(yaml.safe_load(toc.read_text(encoding="utf-8"))))


def _files_in(node: Any) -> Iterator[str]:
    """The entries of a table of contents, in reading order."""
    if isinstance(node, list):
        for each in node:
            yield from _files_in(each)
    elif isinstance(node, dict):
        yield from (node[key] for key in ("root", "file") if key in node)
        for key in ("parts", "chapters", "sections"):
            yield from _files_in(node.get(key, []))
