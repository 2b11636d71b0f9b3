"""The tree of the package, one line per file, from the first lines of the modules' docstrings.

    python tests/helpers/tree.py    # writes it into CONTRIBUTING.md
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "dmesr_core"
# From the ground up: a file imports only from rooms above its own in this list.
ROOMS = ("data", "features", "models", "evaluation", "training", "experiments", "plots", "book", "cli")
_BLOCK = re.compile(r"(<!-- tree -->\n```text\n).*?(```\n<!-- end of tree -->)", re.DOTALL)


def tree() -> str:
    """The package as text: folders, and each file with what it holds."""
    lines = ["dmesr_core/"]
    ground = ["errors.py", "setting_types.py", "profiles.py", "files.py", "provenance.py"]
    lines += [_line(1, PACKAGE / name) for name in ground]
    for room in ROOMS:
        lines += _folder(1, PACKAGE / room)
    lines.append("  results/                  stored records of the book's experiments")
    lines.append(_line(1, PACKAGE / "__main__.py"))
    return "\n".join(lines) + "\n"


def _folder(depth: int, folder: Path) -> Iterator[str]:
    yield f"{'  ' * depth}{folder.name + '/':<{28 - 2 * depth}}{_summary(folder / '__init__.py')}"
    for path in sorted(folder.iterdir(), key=lambda path: (path.is_dir(), path.name)):
        if path.suffix == ".py" and path.name != "__init__.py":
            yield _line(depth + 1, path)
        elif (path / "__init__.py").is_file():
            yield from _folder(depth + 1, path)


def _line(depth: int, file: Path) -> str:
    return f"{'  ' * depth}{file.name:<{28 - 2 * depth}}{_summary(file)}"


def _summary(file: Path) -> str:
    """The first sentence of a module's docstring, without what repeats the file's name, and without the full stop."""
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    first = " ".join(text.split("\n\n")[0].split())
    return re.split(r"(?<=[\w)\"])\. ", first)[0].rstrip(".")


def with_tree(page: str) -> str:
    """A page whose block between the marks holds the tree as it is now."""
    return _BLOCK.sub(lambda match: match[1] + tree() + match[2], page)


if __name__ == "__main__":
    page = ROOT / "CONTRIBUTING.md"
    page.write_text(with_tree(page.read_text(encoding="utf-8")), encoding="utf-8")
