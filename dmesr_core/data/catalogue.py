"""A catalogue: title, text and picture of each item, checked on input.

Item numbers run from 1 to N; 0 is padding, everywhere, and never an item. External ids are strings, so the
external id "0" is an id like any other.
"""

from __future__ import annotations

import csv
import logging
import math
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from os.path import isfile  # no error for names that are too long for a file
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from dmesr_core.data.csv_files import clean_id, name_rows, read_table, rows_where, shown
from dmesr_core.data.html_tables import cut, html_table
from dmesr_core.data.item_names import ItemNames
from dmesr_core.data.picture_files import find_pictures, named_pictures, say_unmatched
from dmesr_core.errors import DataError
from dmesr_core.files import write_atomically

_log = logging.getLogger(__name__)
MAX_TEXT = 20_000  # characters; longer texts are cut: no encoder of this package reads that far
_FACT = "fact:"  # prefix of the columns of items.csv that hold known facts


class Item(NamedTuple):
    """One row of a catalogue."""

    id: str
    title: str
    text: str
    picture: Path | None

    def __repr__(self) -> str:
        picture = None if self.picture is None else shown(self.picture)
        return f"Item(id={shown(self.id)}, title={shown(self.title)}, text={shown(self.text)}, picture={picture})"


@dataclass(frozen=True)
class Catalogue:
    """N items in a fixed order; item number k (1..N) is row k - 1 of every field.

    Checked and cleaned on input: ids become strings without surrounding spaces; titles and texts longer than
    `MAX_TEXT` characters are cut and null bytes dropped, both counted in `report`. Pictures are paths only; whether the
    file exists and can be read shows when it is opened (`open_picture`).

    Args:
        ids: external ids, of any kind; each once.
        titles: one per item; may be "".
        texts: one per item; may be "".
        pictures: paths; None: the item has no picture.
        facts: known truth, name of the fact -> N values; for probes and studies only, no model reads it.
        report: counts made on input are added to these.

    Raises:
        DataError: no items, fields of different lengths, an id that is empty, NaN or used twice.

    Example:
        >>> from dmesr_core import Catalogue
        >>> shop = Catalogue(("B1", "B2"), ("Red cup", "Blue cup"), ("Holds tea.", ""), (None, None))
        >>> shop
        <Catalogue: 2 items, 2 of them without picture>
        >>> shop.item(1).title, shop.index("B2"), shop.words(1)
        ('Red cup', 2, 'Red cup. Holds tea.')
        >>> shop.report["empty_text"]
        1
    """

    ids: tuple[str, ...]
    titles: tuple[str, ...]
    texts: tuple[str, ...]
    pictures: tuple[Path | None, ...]
    facts: dict[str, tuple[str, ...]] | None = None
    report: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.ids)
        if n == 0:
            raise DataError("the catalogue is empty: it needs at least one item")
        lengths = {"titles": self.titles, "texts": self.texts, "pictures": self.pictures, **(self.facts or {})}
        for name, values in lengths.items():
            if len(values) != n:
                raise DataError(f"the catalogue has {n:,} ids but {len(values):,} {name}: one per item is needed")
        ids = _clean_ids(self.ids)
        titles, titles_cut, titles_nulls = _clean_texts(self.titles, "title", ids)
        texts, texts_cut, texts_nulls = _clean_texts(self.texts, "text", ids)
        pictures = tuple(None if p is None else Path(p) for p in self.pictures)
        counted = {
            "items": n,
            "no_picture": sum(p is None for p in pictures),
            "empty_title": titles.count(""),
            "empty_text": texts.count(""),
            # a subset of a catalogue keeps the counts of what was cut before
            "long_title_cut": titles_cut + self.report.get("long_title_cut", 0),
            "long_text_cut": texts_cut + self.report.get("long_text_cut", 0),
            "null_bytes_dropped": titles_nulls + texts_nulls + self.report.get("null_bytes_dropped", 0),
        }
        facts = {name: tuple(values) for name, values in self.facts.items()} if self.facts is not None else None
        clean = {"ids": ids, "titles": titles, "texts": texts, "pictures": pictures, "facts": facts}
        for name, value in {**clean, "report": {**self.report, **counted}}.items():
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"<Catalogue: {len(self):,} items, {self.report['no_picture']:,} of them without picture>"

    def _repr_html_(self) -> str:
        first = (self.item(k) for k in range(1, min(3, len(self)) + 1))
        rows = [(cut(item.id), cut(item.title), cut(item.text, 80)) for item in first]
        without = f"{self.report['no_picture']:,} without picture, {self.report['empty_text']:,} without text"
        return html_table(f"Catalogue: {len(self):,} items, {without}", ("id", "title", "text"), rows)

    def item(self, k: int) -> Item:
        """Item number `k`, 1..N.

        Raises:
            DataError: for 0 (padding) and other numbers that are no item.
        """
        if not 1 <= k <= len(self):
            raise DataError(f"there is no item number {k}: items run from 1 to {len(self):,}, and 0 is padding")
        return Item(self.ids[k - 1], self.titles[k - 1], self.texts[k - 1], self.pictures[k - 1])

    def index(self, id: str) -> int:
        """The number (1..N) of the item with the external `id`.

        Raises:
            DataError: the catalogue has no such id.
        """
        k = int(self.numbers([str(id)])[0])
        if k == 0:
            raise DataError(f"the catalogue has no item with the id {id!r} (it has {len(self):,} others)")
        return k

    def numbers(self, ids: Iterable[str]) -> np.ndarray:
        """The numbers of many external ids at once, (n,) int64; 0 where the catalogue has no such id."""
        return self.names.numbers(ids)

    @cached_property
    def names(self) -> ItemNames:
        """Ids and titles."""
        return ItemNames(self.ids, self.titles)

    def words(self, k: int) -> str:
        """Title and text of item `k` as the text view and the text encoder read them: "title. text"."""
        item = self.item(k)
        return join_words(item.title, item.text)

    def subset(self, item_numbers: Iterable[int]) -> Catalogue:
        """The items with these numbers, in this order, renumbered from 1."""
        rows = [int(k) - 1 for k in item_numbers]
        if rows and (min(rows) < 0 or max(rows) >= len(self)):
            raise DataError(f"subset: item numbers must lie in 1..{len(self):,}, got {min(rows) + 1}..{max(rows) + 1}")

        def pick(values: Sequence) -> tuple:
            return tuple(values[row] for row in rows)

        facts = {name: pick(values) for name, values in self.facts.items()} if self.facts is not None else None
        return Catalogue(
            pick(self.ids), pick(self.titles), pick(self.texts), pick(self.pictures), facts=facts, report=self.report
        )


def join_words(title: str, text: str) -> str:
    """ "title. text", without a second full stop, and without any if one of them is empty."""
    title, text = title.strip(), text.strip()
    if not (title and text):
        return title or text
    return f"{title} {text}" if title[-1] in ".!?…。！？؟" else f"{title}. {text}"


def read_catalogue(folder: str | Path) -> Catalogue:
    """Read `folder/items.csv` and find the pictures in `folder/pictures/`.

    Columns: `id`, `title`, `text`, and optionally `picture`: a file name within `pictures/`, empty for an item
    without one. Without that column the picture of item x is `pictures/x.jpg`, `.png`, `.webp` and so on.
    Columns called `fact:<name>` are read as known facts. A picture that is named but does not exist is counted
    (`picture_not_found`) and keeps its path, so that opening it gives an error with its name. Texts that were cut,
    files that match no item and items without a file are said (`logging`) and counted in the report.

    Args:
        folder: such as "my_shop"; it needs no `interactions.csv`, so these may be items that came later.

    Raises:
        DataError: the file cannot be read or lacks a column, an invalid id (see `Catalogue`), or a picture outside
            `pictures/`.

    Example:
        >>> import tempfile
        >>> from dmesr_core import Catalogue, read_catalogue
        >>> from dmesr_core.data.catalogue import write_catalogue
        >>> folder = tempfile.mkdtemp()
        >>> write_catalogue(folder, Catalogue(("B1",), ("Cup",), ("Red.",), (None,)))
        >>> read_catalogue(folder).item(1)
        Item(id='B1', title='Cup', text='Red.', picture=None)
    """
    folder = Path(folder)
    where = folder / "items.csv"
    table = read_table(where, ("id", "title", "text"))
    if table.empty:
        raise DataError(f"{where}: the catalogue is empty: there is a header but no item below it")
    ids = [clean_id(id) for id in table["id"]]
    root, named = folder / "pictures", "picture" in table.columns
    pictures: list[Path | None]
    if named:
        pictures = named_pictures(root, table["picture"].str.strip().tolist())
    else:
        found = find_pictures(root)
        pictures = [found.get(id) for id in ids]
    facts = {name[len(_FACT) :]: tuple(table[name]) for name in table.columns if name.startswith(_FACT)}
    report = {"picture_not_found": sum(p is not None and not isfile(p) for p in pictures)}
    try:
        catalogue = Catalogue(
            tuple(ids), tuple(table["title"]), tuple(table["text"]), tuple(pictures), facts or None, report
        )
    except DataError as error:
        raise DataError(f"{where}: {error}") from None
    say_changes(catalogue, where)
    catalogue.report["picture_unmatched"] = say_unmatched(root, catalogue.ids, pictures, named)
    return catalogue


def say_changes(catalogue: Catalogue, where: str | Path) -> None:
    """Say (`logging`) how many titles and texts of a catalogue were cut or lost null bytes when it was read."""
    for key, values in (("title", catalogue.titles), ("text", catalogue.texts)):
        if count := catalogue.report[f"long_{key}_cut"]:
            first = next(id for id, value in zip(catalogue.ids, values, strict=True) if len(value) == MAX_TEXT)
            _log.warning(
                "%s: %s cut to %s characters (first: item %s)", where, _many(count, key), f"{MAX_TEXT:,}", shown(first)
            )
    if count := catalogue.report["null_bytes_dropped"]:
        _log.warning("%s: null bytes dropped from %s", where, _many(count, "text"))


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"


def write_catalogue(folder: str | Path, catalogue: Catalogue) -> None:
    """Write `folder/items.csv` (atomically) and copy pictures from elsewhere to `folder/pictures/`.

    `read_catalogue` reads the same items again.

    Raises:
        DataError: a picture cannot be copied; names the item and the file.

    Example:
        >>> import pathlib, tempfile
        >>> from dmesr_core.data.catalogue import Catalogue, write_catalogue
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> write_catalogue(folder, Catalogue(("B1",), ("Cup",), ('Says "hello".',), (None,), {"colour": ("red",)}))
        >>> print((folder / "items.csv").read_text().rstrip())
        "id","title","text","picture","fact:colour"
        "B1","Cup","Says ""hello"".","","red"
    """
    folder = Path(folder)
    root = folder / "pictures"
    root.mkdir(parents=True, exist_ok=True)
    inside = [p is not None and p.absolute().is_relative_to(root.absolute()) for p in catalogue.pictures]
    taken = {p.name for p, here in zip(catalogue.pictures, inside, strict=True) if p is not None and here}
    names = []
    for k, (path, here) in enumerate(zip(catalogue.pictures, inside, strict=True), start=1):
        if path is None or here:
            names.append("" if path is None else path.absolute().relative_to(root.absolute()).as_posix())
            continue
        name = f"{k:06d}{path.suffix}"  # ids may hold characters that file names may not
        while name in taken:
            name = f"_{name}"
        taken.add(name)
        try:
            shutil.copyfile(path, root / name)
        except OSError as error:
            raise DataError(
                f"item {catalogue.ids[k - 1]!r}: picture {path} cannot be copied: {error.strerror}"
            ) from None
        names.append(name)
    table = pd.DataFrame({"id": catalogue.ids, "title": catalogue.titles, "text": catalogue.texts, "picture": names})
    for name, values in (catalogue.facts or {}).items():
        table[_FACT + name] = values
    # quote all cells: otherwise a carriage return in a text would end the row
    content = table.to_csv(index=False, quoting=csv.QUOTE_ALL, lineterminator="\n")
    write_atomically(folder / "items.csv", content.encode("utf-8"))


def _clean_ids(ids: Sequence) -> tuple[str, ...]:
    clean_ids = tuple(clean_id(id) for id in ids)
    empty = [row for row, id in enumerate(clean_ids, start=1) if not id]
    if empty:
        raise DataError(f"{name_rows(empty)}: the item id is empty or NaN; every item needs an id of its own")
    twice = pd.Series(clean_ids, dtype=object).duplicated(keep=False).to_numpy()
    if twice.any():
        first = clean_ids[int(rows_where(twice)[0]) - 1]
        rows = [row for row, id in enumerate(clean_ids, start=1) if id == first]
        others = len({id for id, is_twice in zip(clean_ids, twice, strict=True) if is_twice}) - 1
        more = f"; {others:,} more ids occur more than once" if others else ""
        raise DataError(f"the item id {shown(first)} is used more than once ({name_rows(rows)}){more}")
    return clean_ids


def _clean_texts(texts: Sequence, what: str, ids: tuple[str, ...]) -> tuple[tuple[str, ...], int, int]:
    """Texts with at most `MAX_TEXT` characters, how many were cut, and how many lost null bytes."""
    clean, cut_short, with_nulls = [], 0, 0
    for id, text in zip(ids, texts, strict=True):
        text = "" if text is None or (isinstance(text, float) and math.isnan(text)) else text
        if not isinstance(text, str):
            raise DataError(f"item {shown(id)}: the {what} is not a string but {text!r:.60}")
        if "\0" in text:  # CSV readers differ in how they treat null bytes
            text, with_nulls = text.replace("\0", ""), with_nulls + 1
        cut_short += len(text) > MAX_TEXT
        text = text[:MAX_TEXT]
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise DataError(
                f"item {shown(id)}: the {what} holds half a character (a lone surrogate) at position {error.start}; "
                "it was decoded wrongly before"
            ) from None
        clean.append(text)
    return tuple(clean), cut_short, with_nulls
