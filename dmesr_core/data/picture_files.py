"""Picture files of a folder: those of items, by id or as named in a table, and those that match no item."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from os.path import isfile  # no error for names that are too long for a file
from pathlib import Path, PurePosixPath, PureWindowsPath

from dmesr_core.data.csv_files import shown
from dmesr_core.data.near_names import likely_reason
from dmesr_core.data.pictures import PICTURE_ENDINGS
from dmesr_core.errors import DataError

_log = logging.getLogger(__name__)
# Endings of pictures that are not read, so that they can be named.
_OTHER_ENDINGS = (".heic", ".heif", ".svg", ".jfif", ".pdf", ".psd", ".eps", ".jxl", ".ico", ".tga", ".raw", ".dng")


def find_pictures(folder: str | Path) -> dict[str, Path]:
    """Pictures in a folder, by file name without its ending; of several the first in `PICTURE_ENDINGS`.

    Links to files outside of the folder are left out.
    """
    folder = Path(folder)
    found: dict[str, tuple[int, Path]] = {}
    for entry in _files(folder):
        stem, ending = os.path.splitext(entry.name)
        if ending.lower() in PICTURE_ENDINGS and not _is_link_outside(folder, entry):
            rank = PICTURE_ENDINGS.index(ending.lower())
            if stem not in found or rank < found[stem][0]:
                found[stem] = rank, folder / entry.name
    return {stem: path for stem, (_, path) in found.items()}


def named_pictures(root: Path, names: list[str]) -> list[Path | None]:
    """Paths of the pictures in the column `picture`; none may lie outside `root`."""
    pictures: list[Path | None] = []
    for row, name in enumerate(names, start=1):
        if not name:
            pictures.append(None)
            continue
        # Checked as Windows and as POSIX path: a catalogue may be read on another system than it was written on.
        windows = PureWindowsPath(name)
        outside = windows.drive or windows.root or PurePosixPath(name).is_absolute() or ".." in windows.parts
        path = root / name
        if outside or "\0" in name or _is_outside(root, path):
            raise DataError(
                f"{root.parent / 'items.csv'}: row {row}: the picture {shown(name)} leads out of {root}; "
                "give the name of a file within that folder"
            )
        pictures.append(path)
    return pictures


def say_unmatched(folder: Path, ids: Sequence[str], pictures: Sequence[Path | None], named: bool = False) -> int:
    """Say (`logging`) which files of a folder match no item and which items have no file, with the likely reason.

    Args:
        ids: of all items; pictures: the path of each, None where it has none.
        named: the paths are named in a table, where an item may be without; else they were found by id.

    Returns:
        the number of pictures that match no item.
    """
    if not folder.is_dir() and not any(pictures):
        if not named:
            _log.warning("%s: there is no such folder, so no item has a picture", folder)
        return 0
    files = {entry.name: entry for entry in _files(folder)}
    taken = {path for path in pictures if path is not None}
    used = {path.stem for path in taken}  # an item with several files takes one of them
    unmatched = {
        name: entry
        for name, entry in files.items()
        if folder / name not in taken
        and os.path.splitext(name)[0] not in used
        and os.path.splitext(name)[1].lower() in (*PICTURE_ENDINGS, *_OTHER_ENDINGS)
    }
    lacking = {}  # id -> name of the file that was asked for, "" for any that is called like the id
    for id, path in zip(ids, pictures, strict=True):
        if path is None and not named:
            lacking[id] = ""
        elif path is not None and not ((path.parent == folder and path.name in files) or isfile(path)):
            lacking[id] = path.name
    parts = []
    if unmatched:
        parts.append(f"{len(unmatched):,} of {len(files):,} files match no item ({_first(list(unmatched))})")
    if lacking:
        parts.append(f"{len(lacking):,} of {len(ids):,} items have no picture file ({_first(list(lacking))})")
    if parts:
        reason = _reason(folder, unmatched, lacking) if lacking else ""
        _log.warning("%s: %s%s", folder, "; ".join(parts), f". Likely: {reason}" if reason else "")
    return len(unmatched)


def _reason(folder: Path, unmatched: dict[str, os.DirEntry], lacking: dict[str, str]) -> str:
    """Why `unmatched` files belong to none of the items that lack one."""
    for name, entry in unmatched.items():
        if _is_link_outside(folder, entry):
            return f"{shown(name)} is a link to a file outside of the folder, which is not followed; copy the file"
    by_stem = {os.path.splitext(name)[0]: name for name in unmatched}
    for id, name in lacking.items():
        ending = os.path.splitext(name or by_stem.get(id, ""))[1]
        if ending.lower() in _OTHER_ENDINGS:
            return f"pictures with the ending {ending} are not read; save them as {', '.join(PICTURE_ENDINGS[:3])}"
    asked = [name for name in lacking.values() if name]
    if asked:
        return likely_reason(asked, unmatched, "names in the table", "file names")
    if reason := likely_reason(lacking, by_stem, "ids", "file names"):
        return reason
    below = [] if unmatched else sorted(path.name for path in folder.glob("*") if path.is_dir())
    return f"files in folders below it ({below[0]}/) are found by the column `picture` only" if below else ""


def _first(names: Sequence[str], limit: int = 3) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - limit:,} more" if len(names) > limit else ""
    return ", ".join(shown(name) for name in names[:limit]) + more


def _files(folder: Path) -> list[os.DirEntry]:
    """A folder's entries other than folders, sorted by name; without the companions that macOS leaves ("._1.jpg")."""
    if not folder.is_dir():
        return []
    entries = (entry for entry in os.scandir(folder) if not entry.name.startswith("._") and not entry.is_dir())
    return sorted(entries, key=lambda entry: entry.name)


def _is_link_outside(folder: Path, entry: os.DirEntry) -> bool:
    return entry.is_symlink() and _is_outside(folder, folder / entry.name)


def _is_outside(root: Path, path: Path) -> bool:
    """Whether `path`, with links resolved, lies outside the folder `root`."""
    return not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root))
