"""The table of contents."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.mini_book import book, notebook

from dmesr_core.book.contents import chapters, choose, pages
from dmesr_core.errors import SettingsError


def test_the_table_of_contents(tmp_path):
    with pytest.raises(SettingsError, match=r"no _toc\.yml in"):
        chapters(tmp_path)
    root = book(tmp_path, b=notebook(), a=notebook())
    assert [path.stem for path in chapters(root)] == ["b", "a"]
    parts = (
        "format: jb-book\nroot: book/intro\nparts:\n- chapters:\n  - file: book/a\n    sections:\n    - file: book/b\n"
    )
    (root / "_toc.yml").write_text(parts)
    assert [path.stem for path in chapters(root)] == ["a", "b"]
    assert pages(root) == ["book/intro", "book/a", "book/b"]
    (root / "_toc.yml").write_text(parts + "    - file: book/c\n")
    with pytest.raises(SettingsError, match=r"_toc\.yml lists book/c, but there is neither c\.ipynb nor c\.md"):
        chapters(root)


def test_chapters_are_chosen_by_the_beginning_of_their_name():
    paths = [Path(f"{name}.ipynb") for name in ("01_a", "02_b", "appendix_a")]
    assert choose(paths, []) == paths
    assert choose(paths, ["app", "01"]) == [paths[0], paths[2]]
    with pytest.raises(SettingsError, match="no chapter begins with '3': there are 01_a, 02_b, appendix_a"):
        choose(paths, ["3"])
