"""Records of experiments: one per training, with its settings and the rank of every test case.

Means alone cannot be tested, compared case by case, or split by group. Ranks can: all metrics are computed from them
again, exactly, and they are small (about a byte per case when compressed).
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from dmesr_core.data.sequences import Split
from dmesr_core.errors import DataError, SettingsError
from dmesr_core.evaluation.metrics import metrics
from dmesr_core.evaluation.ranking import DEFAULT_SETTINGS, Ranks
from dmesr_core.evaluation.results import Result, stack
from dmesr_core.files import write_atomically
from dmesr_core.provenance import code_hash

PROTOCOLS = ("full", "unmasked", "sampled")  # see `run.rank_under_protocols`
_FAR = 255  # ranks from here on are stored as this one: no metric looks further down
_HEAD, _COLD, _LONG = 1, 2, 4  # bits of `RunRecord.kinds`

read_files: set[Path] = set()  # files that were read in this process: a chapter depends on them (`book.stamps`)


@dataclass(frozen=True, eq=False)
class RunRecord:
    """One training and its test results. `key` identifies what decides the result; names do not enter it."""

    grid: str  # the experiment that asked for it
    data: str  # name of the data set
    split: str  # leave-one-out | global-time
    share: float  # of the training sequences that were used
    backbone: dict[str, Any]  # settings
    variant: dict[str, Any]  # name, kind, changes
    train: dict[str, Any]  # settings
    ema_decay: float  # of the weights; 0: no moving average
    seed: int
    key: str  # hash of data and settings, see `run.key_of`; the code is hashed apart
    code: str  # hash of the code, see `provenance.code_hash`
    fingerprint: str  # hash of the split
    sizes: dict[str, int]  # users, items, events of training, valid and test cases
    protocols: dict[str, str]  # protocol -> its description
    cases: int  # test cases
    metrics: dict[str, dict[str, float]]  # protocol -> metric -> mean over the cases; for readers of the file
    ranks: dict[str, dict[str, str]]  # protocol -> {above, tied}, compressed
    units: str | None  # user of each case, compressed; None where each user has one case
    kinds: str  # head, cold and long cases as bits, compressed; see `groups`
    report: dict[str, Any]  # of `fit`: loss, validation score, ... per epoch; {} where nothing was trained
    parameters: int
    peak_memory_mb: float | None  # of the process, data included
    threads: int
    device: str
    versions: dict[str, str]
    commit: str | None

    @property
    def made_by_this_code(self) -> bool:
        """Whether the present code of models, training and evaluation made this record (see `code_hash`)."""
        return self.code == code_hash()

    def ranks_of(self, protocol: str = "full") -> Ranks:
        """The rank of the target of each case; `greater` is at most 255, which is beyond every metric.

        Raises:
            SettingsError: a protocol that the record does not have.
        """
        if protocol not in self.ranks:
            raise SettingsError(f"unknown protocol {protocol!r}: choose one of {', '.join(self.ranks)}")
        packed = self.ranks[protocol]
        return Ranks(_unpack(packed["above"], "u1"), _unpack(packed["tied"], "<u4"))

    def result(self, protocol: str = "full", ks: Sequence[int] = DEFAULT_SETTINGS.ks) -> Result:
        """The metrics of each case, as `evaluate` gave them."""
        if max(ks) > _FAR:
            raise SettingsError(f"records know ranks up to {_FAR}: no metric at {max(ks)}")
        units = None if self.units is None else _unpack(self.units, "<u4")
        words = self.protocols[protocol] if protocol in self.protocols else ""
        return Result(self.variant["name"], metrics(self.ranks_of(protocol), ks), words, units)

    def groups(self) -> dict[str, np.ndarray]:
        """Masks (C,) bool of the test cases, as `evaluation.groups.case_groups` gives them."""
        kinds = _unpack(self.kinds, "u1")
        head, cold, long = ((kinds & bit) > 0 for bit in (_HEAD, _COLD, _LONG))
        rest = {"tail": ~head & ~cold, "cold": cold, "tail+cold": ~head}
        return {"head": head, **rest, "short": ~long, "long": long}

    def get(self, name: str) -> Any:
        """A field, or a part of one: "data", "train.loss"; "backbone" and "variant" alone mean their names."""
        head, _, part = name.partition(".")
        if head not in self._names:
            raise SettingsError(f"a record has no field {head!r}: choose one of {', '.join(sorted(self._names))}")
        value = getattr(self, head)
        if head in ("backbone", "variant") and not part:
            return value["name"]
        return value.get(part) if part else value

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(f.name for f in fields(self))

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True, allow_nan=False)

    @classmethod
    def from_json(cls, line: str) -> RunRecord:
        """A record as `to_json` wrote it.

        Raises:
            DataError: not JSON, or fields that are missing or unknown.
        """
        try:
            return cls(**json.loads(line))
        except (json.JSONDecodeError, TypeError) as error:
            raise DataError(f"this is not a record of an experiment: {error}") from None


def pack_ranks(ranks: Ranks) -> dict[str, str]:
    """Ranks as text: per case the number of items with a higher score, and with the same score (target included)."""
    near = ranks.greater < _FAR
    return {
        "above": _pack(np.minimum(ranks.greater, _FAR), "u1"),
        "tied": _pack(np.where(near, ranks.n_ties, 1), "<u4"),  # beyond every metric, so ties do not matter
    }


def pack_units(users: np.ndarray) -> str | None:
    """The user of each case as text; None where each user has one case, so that a bootstrap resamples single cases."""
    numbers = np.unique(np.asarray(users), return_inverse=True)[1]
    return _pack(numbers, "<u4") if len(numbers) and numbers.max() + 1 < len(numbers) else None


def pack_kinds(masks: dict[str, np.ndarray]) -> str:
    """The masks of `evaluation.groups.case_groups` as text."""
    return _pack(_HEAD * masks["head"] + _COLD * masks["cold"] + _LONG * masks["long"], "u1")


def split_sizes(split: Split) -> dict[str, int]:
    users = np.unique(np.concatenate([split.valid.users, split.test.users]))
    return {
        "items": split.n_items, "train_sequences": len(split.train), "train_events": len(split.train.items),
        "users_with_cases": len(users), "valid_cases": len(split.valid), "test_cases": len(split.test),
    }  # fmt: skip


def read_records(file: str | Path) -> list[RunRecord]:
    """The records of a file with one JSON object per line.

    Raises:
        DataError: no such file, or a line that is no record.
    """
    file = Path(file)
    read_files.add(file.resolve())
    if not file.is_file():
        raise DataError(f"{file}: there is no such file; `dmesr experiment` makes it")
    records = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            records.append(RunRecord.from_json(line))
        except DataError as error:
            raise DataError(f"{file}, line {number}: {error}") from None
    return records


def write_records(records: Iterable[RunRecord], file: str | Path) -> None:
    """Write records, one JSON object per line, in a fixed order, so that a diff shows what changed."""
    file = Path(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(f"{record.to_json()}\n" for record in sorted(records, key=_order))
    write_atomically(file, lines.encode())


def _order(record: RunRecord) -> tuple:
    names = record.backbone["name"], record.variant["name"]
    return record.data, record.split, record.share, *names, record.seed, record.key


def table(
    records: Iterable[RunRecord], by: Sequence[str] = ("data", "split", "backbone", "variant"), protocol: str = "full"
) -> dict[tuple, Result]:
    """One `Result` with metrics (seeds, C) for all records that agree in the fields `by` (see `RunRecord.get`).

    Seeds come in ascending order, so that record s of one result and of another had the same seed; results that need
    no training have one record. Pass `complete(records)` where a grid was not finished.

    Raises:
        DataError: a cell with the same seed twice (`by` is too coarse), or cells of one data set whose seeds differ.
    """
    cells: dict[tuple, dict[int, RunRecord]] = {}
    for record in records:
        cell = cells.setdefault(tuple(record.get(name) for name in by), {})
        if record.seed in cell:
            where = ", ".join(map(str, tuple(record.get(name) for name in by)))
            raise DataError(f"two records of seed {record.seed} in the cell ({where}): name more fields in `by`")
        cell[record.seed] = record
    wanted: dict[tuple[str, str], set[int]] = {}
    for at, cell in cells.items():
        one = next(iter(cell.values()))
        if one.report:
            seeds = wanted.setdefault((one.data, one.split), set(cell))
            if seeds != set(cell):
                raise DataError(f"the cell {at} has seeds {sorted(cell)}, others have {sorted(seeds)}: finish the grid")
    return {
        at: stack([cell[seed].result(protocol) for seed in sorted(cell)], str(at[-1])) for at, cell in cells.items()
    }


def complete(
    records: Iterable[RunRecord], by: Sequence[str] = ("data", "split", "backbone", "variant"),
    within: Sequence[str] = ("data", "split"),
) -> list[RunRecord]:  # fmt: skip
    """Records whose seed exists in every trained cell of their group; fields `by` define cells, `within` groups."""
    records = list(records)

    def at(record: RunRecord, names: Sequence[str]) -> tuple:
        return tuple(record.get(name) for name in names)

    groups: dict[tuple, dict[tuple, set[int]]] = {}
    for record in records:
        if record.report:
            groups.setdefault(at(record, within), {}).setdefault(at(record, by), set()).add(record.seed)
    common = {group: set.intersection(*cells.values()) for group, cells in groups.items()}
    return [record for record in records if not record.report or record.seed in common[at(record, within)]]


def _pack(values: np.ndarray, dtype: str) -> str:
    return base64.b64encode(zlib.compress(np.asarray(values).astype(dtype).tobytes(), 9)).decode()


def _unpack(text: str, dtype: str) -> np.ndarray:
    """(C,) int64"""
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype).astype(np.int64)
