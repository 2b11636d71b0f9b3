"""Small books to run in tests: a folder with a table of contents and notebooks of a few cells."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbformat import v4

PARAMETERS = 'profile = "cpu"\ndata = "bazaar"\ndata_dir = ""\nmllm = "tiny"\nseed = 0'
# Writes the numbers as `chapter.finish()` does, without importing anything heavy.
FINISH = 'import os, pathlib\n_ = pathlib.Path(os.environ["DMESR_NUMBERS"]).write_text("{}")'


def code(source: str, *tags: str) -> nbformat.NotebookNode:
    """A code cell with tags."""
    return v4.new_code_cell(source, metadata={"tags": list(tags)})


def notebook(*cells: str | nbformat.NotebookNode, parameters: str | None = PARAMETERS) -> nbformat.NotebookNode:
    """A notebook: a title, the parameters (unless None), then the cells."""
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nb = v4.new_notebook(metadata={"kernelspec": kernel})
    nb.cells.append(v4.new_markdown_cell("# A chapter"))
    if parameters is not None:
        nb.cells.append(code(parameters, "parameters"))
    nb.cells += [code(cell) if isinstance(cell, str) else cell for cell in cells]
    for number, cell in enumerate(nb.cells):
        cell.id = f"cell-{number}"
    return nb


def runs_last(nb: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook, marked to run after all others."""
    nb.metadata["dmesr"] = {"runs": "last"}
    return nb


def book(root: Path, **notebooks: nbformat.NotebookNode) -> Path:
    """Write a book with these chapters into `root`; returns `root`."""
    (root / "book").mkdir(parents=True, exist_ok=True)
    (root / "book" / "intro.md").write_text("# Intro\n\nA page with $x^2$.\n", encoding="utf-8")
    lines = ["format: jb-book", "root: book/intro", "chapters:"]
    for name, nb in notebooks.items():
        nbformat.write(nb, root / "book" / f"{name}.ipynb")
        lines.append(f"  - file: book/{name}")
    (root / "_toc.yml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root
