"""A store of results on disk. Each result has a key: the hash of the inputs that it was computed from.

A store is a folder of shards. A shard consists of two immutable files: `<name>.safetensors` holds the arrays,
`<name>.jsonl` is the index; its first line describes the shard, each further line one record. Both are written
atomically, the index last: a shard without an index is ignored. So a process may die at any time, and several processes
may write at once, each its own shards.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import logging
import time
import uuid
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import safetensors.numpy

from dmesr_core.errors import DataError, SettingsError
from dmesr_core.files import check_writable, write_atomically

_log = logging.getLogger(__name__)
_STALE = 3600  # seconds after which an unfinished file is taken for that of a process that died


@dataclass(frozen=True)
class Record:
    """The value of one key: an array (or none), and metadata that can be written as JSON."""

    array: np.ndarray | None
    note: dict = field(default_factory=dict)


def make_key(*parts: str | int | None) -> str:
    """64 hex digits: hash of the inputs of a result; the order of the parts matters."""
    return hashlib.sha256(json.dumps(parts, ensure_ascii=True).encode()).hexdigest()


class FeatureStore:
    """Records by key, in `folder`, which is created when the first record is written.

    Raises:
        DataError: `folder` is a file, or cannot be read.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self._index: dict[str, tuple[str, dict]] = {}  # key -> (shard, note)
        self._shards: dict[str, dict] = {}  # shard -> first line of its index
        self.refresh()

    def refresh(self) -> None:
        """Read the indexes again: another process may have added shards."""
        self._index, self._shards = {}, {}
        if not self.folder.exists():
            return
        try:
            self._delete_leftovers()
            indexes = sorted(self.folder.glob("*.jsonl"))
        except OSError as error:
            raise DataError(f"feature store {self.folder}: cannot be read: {error.strerror or error}") from None
        for index in indexes:
            self._read_index(index)

    def __len__(self) -> int:
        return len(self._index)

    def __contains__(self, key: str) -> bool:
        return key in self._index

    def note(self, key: str) -> dict:
        """The metadata of `key`, without opening its shard."""
        return self._index[key][1]

    def check_writable(self) -> None:
        """Make the folder and try to write there.

        Raises:
            DataError: nothing can be written, so there is no place for results.
        """
        try:
            check_writable(self.folder)
        except SettingsError as error:
            raise DataError(f"feature store: {error}, or set DMESR_CACHE to a folder that can be written") from None

    def read(self, keys: Iterable[str]) -> Iterator[tuple[str, Record]]:
        """The records of those `keys` that exist, one shard in memory at a time, in no particular order.

        A damaged shard is set aside with a warning of `logging`, and its keys are removed.
        """
        wanted: dict[str, list[str]] = {}  # shard -> keys
        for key in dict.fromkeys(keys):
            if key in self._index:
                wanted.setdefault(self._index[key][0], []).append(key)
        for shard, its_keys in wanted.items():
            arrays = self._load(shard)
            if arrays is not None:
                for key in its_keys:
                    yield key, Record(arrays.get(key), self.note(key))

    def write(self, records: Mapping[str, Record]) -> None:
        """Add `records` as one shard: all of them or, if this process dies or the disk is full, none.

        Raises:
            DataError: the disk is full, or the folder cannot be written.
        """
        if not records:
            return
        shard = uuid.uuid4().hex
        data = safetensors.numpy.save(
            {key: np.ascontiguousarray(r.array) for key, r in records.items() if r.array is not None}
        )
        head = {"records": len(records), "bytes": len(data), "crc32": zlib.crc32(data)}
        lines = [head] + [{"key": key, "note": record.note} for key, record in records.items()]
        index = "".join(json.dumps(line) + "\n" for line in lines).encode()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(self._data_file(shard), data)
            write_atomically(self._index_file(shard), index)
        except OSError as error:
            with contextlib.suppress(OSError):
                self._data_file(shard).unlink()
            raise self._write_error(error, len(data) + len(index)) from error
        self._shards[shard] = head
        self._index.update({key: (shard, record.note) for key, record in records.items()})

    # ---- files

    def _data_file(self, shard: str) -> Path:
        return self.folder / f"{shard}.safetensors"

    def _index_file(self, shard: str) -> Path:
        return self.folder / f"{shard}.jsonl"

    def _read_index(self, file: Path) -> None:
        """Add a shard, if it is complete; the bytes of its arrays are checked when they are read."""
        shard = file.stem
        try:
            head, *lines = [json.loads(line) for line in file.read_text().splitlines()]
            complete = len(lines) == head["records"] and self._data_file(shard).stat().st_size == head["bytes"]
            entries = {line["key"]: (shard, line["note"]) for line in lines}
        except (OSError, ValueError, KeyError, TypeError):
            complete = False
        if not complete:
            self._set_aside(shard)
            return
        self._shards[shard] = head
        self._index.update(entries)

    def _load(self, shard: str) -> dict[str, np.ndarray] | None:
        try:
            data = self._data_file(shard).read_bytes()
            if zlib.crc32(data) == self._shards[shard]["crc32"]:
                return safetensors.numpy.load(data)
        except (OSError, safetensors.SafetensorError):
            pass
        self._set_aside(shard)
        return None

    def _set_aside(self, shard: str) -> None:
        """Rename the files of a damaged shard, so that they are ignored but can still be inspected."""
        _log.warning(
            "feature store %s: shard %s is incomplete or damaged; it was renamed to *.broken, and its results will be "
            "computed again", self.folder, shard,
        )  # fmt: skip
        for file in (self._index_file(shard), self._data_file(shard)):
            with contextlib.suppress(OSError):  # missing, or renamed by another process
                file.replace(file.with_name(file.name + ".broken"))
        self._shards.pop(shard, None)
        self._index = {key: entry for key, entry in self._index.items() if entry[0] != shard}

    def _delete_leftovers(self) -> None:
        """Delete old files of processes that died: temporary files, and arrays without an index."""
        for file in self.folder.iterdir():
            orphan = file.suffix == ".safetensors" and not self._index_file(file.stem).exists()
            if orphan or file.suffix == ".tmp":
                with contextlib.suppress(FileNotFoundError):  # renamed or deleted by another process
                    if time.time() - file.stat().st_mtime > _STALE:
                        file.unlink()

    def _write_error(self, error: OSError, size: int) -> DataError:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return DataError(
                f"feature store {self.folder}: the disk is full. The {len(self):,} results stored so far are kept. "
                f"Free at least {size / 1e6:.1f} MB (or set DMESR_CACHE to a folder on another disk) and run again: "
                "it continues where it stopped"
            )
        return DataError(
            f"feature store {self.folder}: cannot be written ({error.strerror or error}). The {len(self):,} results "
            "stored so far are kept. Set DMESR_CACHE to a folder that can be written"
        )
