"""Files: the cache folder, atomic writes, and hashes of files, folders and arrays."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from platformdirs import user_cache_path

from dmesr_core.errors import SettingsError

# Folders in the cache: drawn pictures, trainings, features, numbers of chapters, what the tiny MLLM learns from.
CACHED = ("bazaar", "experiments", "features", "numbers", "tiny_mllm")


def cache_dir() -> Path:
    """The cache folder, one for the library, the command line and the book.

    The environment variable `DMESR_CACHE` names it, else it is where the system keeps the caches of this user
    (`~/.cache/dmesr` on Linux).
    """
    return Path(os.environ.get("DMESR_CACHE") or user_cache_path("dmesr", appauthor=False)).resolve()


def clear_cache() -> Path:
    """Remove what the package keeps in the cache folder, and nothing else that is there; return the folder."""
    for name in CACHED:
        shutil.rmtree(cache_dir() / name, ignore_errors=True)
    return cache_dir()


def check_writable(folder: Path) -> None:
    """Make `folder` if it is missing, and try to write a file there: before long work, not after it.

    Raises:
        SettingsError: the folder cannot be made, or nothing can be written in it; names the folder and the cause.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as stream:
            stream.write(b"x")
    except OSError as error:
        cause = error.strerror or error
        raise SettingsError(f"folder {folder}: nothing can be written there ({cause}): choose another one") from None


def write_atomically(file: Path, data: bytes | str) -> None:
    """Write `data` (text as UTF-8) so that `file` holds either its old or its new content, never a part.

    Readers never see an unfinished file, and an interrupted write leaves nothing behind.
    """
    temporary = file.with_name(f"{file.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as stream:
            stream.write(data.encode() if isinstance(data, str) else data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_json(file: Path, content: Any) -> None:
    """Write `content` as JSON, atomically.

    Raises:
        ValueError: a number that JSON lacks (NaN, infinity). TypeError: an object that JSON lacks.
    """
    write_atomically(file, json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


class Chunked(NamedTuple):
    """An array that is too large for memory, given as consecutive chunks of its flat values."""

    dtype: np.dtype
    shape: tuple[int, ...]
    chunks: Iterable[np.ndarray]


def digest(*arrays: np.ndarray | Chunked) -> str:
    """SHA-256 of arrays: their values, types and shapes; a chunked array has the same hash as the whole one."""
    seen = hashlib.sha256()
    for array in arrays:
        seen.update(f"{array.dtype}{array.shape}".encode())
        for chunk in array.chunks if isinstance(array, Chunked) else (array,):
            seen.update(np.ascontiguousarray(chunk).tobytes())
    return seen.hexdigest()


def file_hash(file: Path) -> str:
    """SHA-256 of a file's bytes; "missing" for a file that does not exist."""
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        return "missing"


def folder_hash(folder: Path) -> str:
    """Hash of the names, sizes and modification times of a folder's files: gigabytes of data need not be read."""
    seen = hashlib.sha256()
    for file in sorted(f for f in folder.rglob("*") if f.is_file()):
        facts = file.stat()
        seen.update(f"{file.relative_to(folder)}|{facts.st_size}|{facts.st_mtime_ns}\n".encode())
    return seen.hexdigest()
