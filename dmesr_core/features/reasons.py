"""Reasons: why an item went another way than the others, how often that happened, and what is said about it."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from dmesr_core.errors import DataError

# Prefixes of the reasons in `MLLMOutput.issues`. They are part of stored records.
NO_PICTURE, BROKEN_PICTURE, TEXT_CUT, EMPTY = "no picture", "broken picture", "text cut", "empty description"
_PREFIXES = {
    "no_picture": NO_PICTURE, "broken_picture": BROKEN_PICTURE, "text_cut": TEXT_CUT, "empty_description": EMPTY,
}  # fmt: skip

_log = logging.getLogger(__name__)


class ItemError(DataError):
    """One input cannot be used and has no fallback. `index` is its place in the list of inputs."""

    def __init__(self, index: int, reason: str):
        super().__init__(f"input {index}: {reason}")
        self.index, self.reason = index, reason


def one_line(error: object, limit: int = 300) -> str:
    """The message of an error of another library, on one line and not too long."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= limit else f"{text[:limit]}…"


def list_issues(ids: tuple[str, ...], reasons: dict[str, list[list[str]]]) -> dict[str, Any]:
    """`fallbacks`, a list of (item id, view, reason), and the count of each kind of reason.

    Args:
        ids: of N items.
        reasons: view -> N + 1 lists of reasons; entry 0 is padding.
    """
    found = [
        (id, view, reason)
        for view, of_items in reasons.items()
        for id, some in zip(ids, of_items[1:], strict=True)
        for reason in some
    ]
    counts = {kind: sum(reason.startswith(prefix) for _, _, reason in found) for kind, prefix in _PREFIXES.items()}
    return {"fallbacks": found, **counts}


def warn_of_losses(report: dict[str, Any], text_limit: str, fine_limit: str, fine_cut: list[str]) -> None:
    """Log one warning for each kind of loss in the report of an extraction, with its count and the first example.

    Args:
        report: as `Features.report`.
        text_limit: what the words were cut to for the text view, in words, such as "24 tokens for model x".
        fine_limit: the same for the fine states.
        fine_cut: ids of the items that this concerns.
    """
    n, found = report["items"], report["fallbacks"]
    without = [entry for entry in found if entry[2].startswith((NO_PICTURE, BROKEN_PICTURE))]
    if without:
        _say(f"{len(without):,} of {n:,} items have no usable picture: their text view is used", without)
    if cut := [entry for entry in found if entry[2].startswith(TEXT_CUT)]:
        _say(f"{len(cut):,} of {n:,} texts cut to {text_limit}", cut)
    if empty := [entry for entry in found if entry[2].startswith(EMPTY)]:
        _say(f"{len(empty):,} of {2 * n:,} descriptions are empty", empty)
    if fine_cut:
        _say(f"{len(fine_cut):,} of {n:,} texts cut to {fine_limit}", [(fine_cut[0], "fine", TEXT_CUT)])


def _say(what: str, entries: Iterable[tuple[str, str, str]]) -> None:
    id, view, reason = next(iter(entries))
    _log.warning("%s (first: item %r, %s view: %s)", what, id, view, reason)
