"""Files: the cache folder, atomic writes, hashes of files, folders and arrays."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np


def cache_dir() -> Path:
    """The cache folder: the environment variable `DMESR_CACHE`, else `dmesr_cache` in the working folder."""
    return Path(os.environ.get("DMESR_CACHE") or "dmesr_cache").resolve()


def write_atomically(file: Path, data: bytes) -> None:
    """Write `data` so that `file` is either complete or not there, whatever happens in between."""
    temporary = file.with_name(f"{file.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


class Chunked(NamedTuple):
    """An array that is too large for memory, given as consecutive chunks of its flat values."""

    dtype: np.dtype
    shape: tuple[int, ...]
    chunks: Iterable[np.ndarray]


def digest(*arrays: np.ndarray | Chunked) -> str:
    """Hash of the type, shape and values of arrays; a chunked array has the same hash as the whole one."""
    seen = hashlib.sha256()
    for array in arrays:
        seen.update(f"{array.dtype}{array.shape}".encode())
        for chunk in array.chunks if isinstance(array, Chunked) else (array,):
            seen.update(np.ascontiguousarray(chunk).tobytes())
    return seen.hexdigest()


def file_hash(file: Path) -> str:
    """SHA-256 of a file's bytes; "missing" for a file that is not there."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except FileNotFoundError:
        return "missing"


def folder_hash(folder: Path) -> str:
    """Stands for a data folder: names, sizes and times of change, so that gigabytes need not be read."""
    seen = hashlib.sha256()
    for file in sorted(f for f in folder.rglob("*") if f.is_file()):
        facts = file.stat()
        seen.update(f"{file.relative_to(folder)}|{facts.st_size}|{facts.st_mtime_ns}\n".encode())
    return seen.hexdigest()
