"""Recommendations for people: histories of ids in, a table of ids, titles and scores out."""

from __future__ import annotations

import logging
import operator
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, cast

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from dmesr_core.data.csv_files import clean_id
from dmesr_core.data.interactions import Interactions
from dmesr_core.data.item_names import ItemNames
from dmesr_core.errors import DataError, SettingsError
from dmesr_core.models.scorers import ScoringModel, evaluated_table, model_scorer
from dmesr_core.models.scoring import best_items
from dmesr_core.models.view_shares import MixtureModel, view_shares

# A list of ids, a list of such lists, user -> list of ids, or a log.
Histories = Sequence[Any] | Mapping[Any, Sequence[Any]] | Interactions
_WANTED = (
    "histories are a list of item ids (one user), a list of such lists, a dict user -> list of ids, or interactions"
)
_log = logging.getLogger(__name__)


class RecommendingModel(MixtureModel, Protocol):
    """What is needed of a recommender (`recommender.Recommender` has it)."""

    @property
    def n_items(self) -> int:
        """N, without the padding."""

    def names(self) -> ItemNames:
        """Ids and titles."""

    def softmax_names(self) -> tuple[str, ...]:
        """Of a mixture; () for one softmax."""

    def recommendable(self) -> np.ndarray:
        """(N+1,) bool"""


class RememberedTable:
    """The item table of a model, until a weight or row of it changes: a server asks many times for one table."""

    def __init__(self) -> None:
        self.made_from: tuple[list[int], list[Tensor]] = ([], [])  # checksums of weights and statistics; the rows
        self.table: Tensor | None = None

    def of(self, model: ScoringModel) -> Tensor:
        """The table of `model` as it is now, in evaluation mode."""
        module = cast(nn.Module, model)
        # Weights and statistics are compared by content: a change through `.data` leaves no trace. Rows are replaced.
        now = [_checksum(tensor) for tensor in module.state_dict().values()], list(module.buffers())
        sums, rows = self.made_from
        same = now[0] == sums and len(now[1]) == len(rows) and all(map(operator.is_, now[1], rows))
        if self.table is None or not same:
            self.made_from, self.table = now, evaluated_table(model)
        return self.table

    def __deepcopy__(self, memo: dict) -> RememberedTable:
        return RememberedTable()  # a copy of the model has other tensors


def _checksum(weight: Tensor) -> int:
    return zlib.crc32(weight.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)


def recommend(
    model: RecommendingModel, table: RememberedTable, histories: Histories, k: int, exclude_seen: bool, unknown: str,
    views: bool,
) -> pd.DataFrame:  # fmt: skip
    """See `Recommender.recommend`."""
    if unknown not in ("skip", "error"):
        raise SettingsError(f"unknown must be 'skip' or 'error', got {unknown!r}")
    if not isinstance(exclude_seen, bool | np.bool_):
        raise SettingsError(f"exclude_seen must be True or False, got {exclude_seen!r}")
    if views and not model.softmax_names():
        raise SettingsError(f"{type(model).__name__} has one softmax: views can be told apart in a mixture only")
    names, n_items = model.names(), model.n_items
    if isinstance(k, int) and not isinstance(k, bool):
        k = min(k, n_items) if k > 0 else k  # whoever asks for ten of a catalogue of six gets six
    users, numbers = _numbered(histories, names)
    skipped = sum(int((history == 0).sum()) for history in numbers)
    if skipped and unknown == "error":
        first = _first(histories, names)
        raise DataError(f"{skipped:,} ids are none of the model's {n_items:,} items, the first: {first}")
    read = [history[history > 0] for history in numbers]
    asked = [row for row, history in enumerate(read) if len(history)]
    report = {"unknown_ids": skipped, "without_history": len(read) - len(asked)}
    _say(report, histories, names)
    scorer = model_scorer(model, n_items, table=table.of(model))
    answered = [read[row] for row in asked]
    items, scores = best_items(scorer, answered, k, n_items, exclude_seen, candidates=model.recommendable())
    row, column = np.nonzero(items)
    found = items[row, column] - 1
    ids, titles = (np.array(values, dtype=object)[found] for values in (names.ids, names.titles))
    out = pd.DataFrame(
        {"user": pd.Series([users[asked[r]] for r in row], dtype=object).infer_objects(), "item": ids, "title": titles,
         "score": scores[row, column]}
    )  # fmt: skip
    if views:
        shares = view_shares(model, answered, items, table.of(model))[row, column]  # (rows, K)
        out = out.assign(**dict(zip(model.softmax_names(), shares.T, strict=True)))
    out.attrs.update(report)
    return out


def _numbered(histories: Histories, names: ItemNames) -> tuple[list[Any], list[np.ndarray]]:
    """The users, and the item numbers of each one's history, oldest first; 0 for an id that is unknown."""
    users, lists = _by_user(histories)
    if not lists:
        return users, []
    lengths = [len(ids) for ids in lists]
    flat = names.numbers([id for ids in lists for id in ids])
    return users, np.split(flat, np.cumsum(lengths)[:-1])


def _by_user(histories: Histories) -> tuple[list[Any], list[list[str]]]:
    """The users, and the ids of each one's history, oldest first."""
    if isinstance(histories, Interactions):
        ids = histories.names().ids
        return list(histories.user_ids), [[ids[item - 1] for item in history] for history in histories.histories()]
    if isinstance(histories, Mapping):
        return list(histories), [_ids(history, f"user {user!r}") for user, history in histories.items()]
    if isinstance(histories, str) or not isinstance(histories, Sequence | np.ndarray | pd.Series):
        raise DataError(f"{_WANTED}; got {histories!r:.60}")
    one = [value for value in histories if isinstance(value, str | int | np.integer)]
    if len(histories) and len(one) == len(histories):
        return [0], [_ids(histories, "the history")]
    return list(range(len(histories))), [_ids(history, f"history {row}") for row, history in enumerate(histories)]


def _ids(history: Any, which: str) -> list[str]:
    """The ids of one history as strings."""
    if isinstance(history, str | bytes | bytearray) or not isinstance(history, Iterable):
        raise DataError(f"{which} is {history!r:.60}: {_WANTED}")
    out = []
    for id in history:
        if isinstance(id, bool) or not isinstance(id, str | int | float | np.integer | np.floating):
            raise DataError(f"{which} holds {id!r:.60}, which is no item id: {_WANTED}")
        out.append(clean_id(id))
    return out


def _first(histories: Histories, names: ItemNames) -> str:
    """The first unknown id and its user, in words."""
    for user, ids in zip(*_by_user(histories), strict=True):
        for id, number in zip(ids, names.numbers(ids), strict=True):
            if number == 0:
                return f"{id!r} (user {user!r})"
    return "none"


def _say(report: dict[str, int], histories: Histories, names: ItemNames) -> None:
    if report["unknown_ids"]:
        first = _first(histories, names)
        _log.warning("%s unknown ids skipped in histories, the first: %s", f"{report['unknown_ids']:,}", first)
    if report["without_history"]:
        _log.warning("%s users have no history that is known: no rows for them", f"{report['without_history']:,}")
