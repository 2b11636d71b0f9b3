"""Names that should be the same and are not: why ids of a log or names of files match no item."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Iterable

from dmesr_core.data.csv_files import shown

# What people's names differ in, the smallest change first; each form also undoes the changes before it.
_FORMS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("letters with accents are stored in two ways (Unicode NFC and NFD)", lambda s: unicodedata.normalize("NFC", s)),
    ("spaces differ", lambda s: "".join(s.split())),
    ("upper and lower case differ", str.casefold),
    ("", lambda s: re.sub(r"(?<=\d)\.0+$", "", s)),  # 7.0 for 7
    ("", lambda s: s.lstrip("0") or s[:1]),
    ("", lambda s: os.path.splitext(s)[0]),  # 7.jpg for 7
)
_ENOUGH = 200  # names that are looked at


def likely_reason(names: Iterable[str], others: Iterable[str], kind: str, other_kind: str) -> str:
    """Why `names`, none of which is among `others`, have a near one there: "upper and lower case differ ('B1', 'b1')".

    The reason of most of the first names, with the first example; "" where no name has a near one.

    Args:
        kind, other_kind: what both are, such as "ids" and "file names".
    """
    forms = [(name, name) for name in list(names)[:_ENOUGH]]
    known = {other: other for other in others}
    reasons: dict[str, list[tuple[str, str]]] = {}
    for reason, change in _FORMS:
        near: dict[str, str] = {}
        for form, other in known.items():
            near.setdefault(change(form), other)
        known, left = near, []
        for name, form in forms:
            form = change(form)
            if form and form in known:
                why = reason or _longer_one(name, known[form], kind, other_kind)
                reasons.setdefault(why, []).append((name, known[form]))
            else:
                left.append((name, form))
        forms = left
    if not reasons:
        return ""
    why, pairs = max(reasons.items(), key=lambda reason: len(reason[1]))
    return f"{why} ({shown(pairs[0][0])} and {shown(pairs[0][1])})"


def _longer_one(name: str, other: str, kind: str, other_kind: str) -> str:
    """What one of two names has and the other has not."""
    having, lacking = (kind, other_kind) if len(name) > len(other) else (other_kind, kind)
    longer = max(name, other, key=len).strip()
    if re.search(r"\d\.0+$", longer):
        return f"{having} are written as decimal numbers, {lacking} are not"
    if longer.startswith("0"):
        return f"{having} have leading zeros, {lacking} have none"
    return f"{having} have an ending such as {os.path.splitext(longer)[1]}, {lacking} have none"
