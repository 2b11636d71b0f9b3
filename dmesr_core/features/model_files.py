"""Model folders: finding or downloading them, checking that they are complete, hashing their content.

A model is a folder in the layout of the transformers library: on disk, in the hub's local cache, or downloaded from the
hub. Local files are always preferred, so that nothing waits for an unreachable network.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from dmesr_core.errors import DataError, SettingsError

# Files that can change a model's output. Model cards and pictures cannot.
CONTENT_ENDINGS = (".json", ".jinja", ".model", ".safetensors", ".txt")


def find_model(name: str | Path) -> Path:
    """The folder of the model `name`: a folder itself, or a hub name such as `owner/model`.

    A hub name is looked up in the local cache first, and downloaded only if it is not complete there.

    Raises:
        SettingsError: no such folder, no such model on the hub, or the hub cannot be reached.
        DataError: the folder lacks files, or has weights in another form than safetensors.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        _check_complete(folder)
        return folder
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", str(name)) or str(name).startswith("."):
        raise SettingsError(f"model {name}: there is no such folder, and it is not a hub name like 'owner/model'")
    return _from_hub(str(name))


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError, RepositoryNotFoundError

    wanted = {"allow_patterns": [f"*{ending}" for ending in CONTENT_ENDINGS], "ignore_patterns": ["*/*"]}
    try:
        folder = Path(snapshot_download(name, local_files_only=True, **wanted))
        _check_complete(folder)
        return folder
    except (LocalEntryNotFoundError, DataError):
        pass  # not in the local cache, or incomplete
    try:
        folder = Path(snapshot_download(name, **wanted))
    except GatedRepoError:
        raise SettingsError(f"model {name}: its owner asks for consent first: accept on its hub page, log in") from None
    except LocalEntryNotFoundError:
        raise SettingsError(
            f"model {name}: the hub cannot be reached and the local cache does not hold it; "
            "give a folder with the model's files, or run once with a network"
        ) from None
    except RepositoryNotFoundError:
        raise SettingsError(f"model {name}: no such folder, and no such model on the hub; check the spelling") from None
    except (OSError, RuntimeError, ValueError) as error:
        raise SettingsError(f"model {name}: cannot be downloaded from the hub: {error}") from None
    _check_complete(folder)
    return folder


def _check_complete(folder: Path) -> None:
    """Raise an error that names the missing file, instead of failing in the middle of loading."""
    if not (folder / "config.json").is_file():
        raise DataError(f"model folder {folder}: no config.json, so this is not a transformers model")
    index = folder / "model.safetensors.index.json"
    try:
        needed = sorted(set(json.loads(index.read_text())["weight_map"].values())) if index.is_file() else []
    except (ValueError, KeyError, AttributeError):
        raise DataError(f"model folder {folder}: {index.name} is broken; copy or download it again") from None
    missing = [file for file in needed if not (folder / file).is_file()]
    if missing:
        raise DataError(f"model folder {folder}: {len(missing)} weight files are missing, the first is {missing[0]}")
    if not needed and not any(folder.glob("*.safetensors")):
        raise DataError(
            f"model folder {folder}: no weights (*.safetensors); other kinds of weights can hold code and are not read"
        )


def fingerprint(folder: Path) -> str:
    """64 hex digits: hash of the names and bytes of all files in a model folder that can change its output.

    Path, dates and model card do not matter. Weights are read once per process.
    """
    files = sorted(file for file in folder.iterdir() if file.suffix in CONTENT_ENDINGS and file.is_file())
    lines = [f"{file.name} {content_hash(file)}" for file in files]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def content_hash(file: Path) -> str:
    """sha256 of a file's bytes, in hex. Large files in the hub's cache have it as their name."""
    target = file.resolve()
    if target.parent.name == "blobs" and re.fullmatch("[0-9a-f]{64}", target.name):
        return target.name
    state = target.stat()
    return _hash_bytes(target, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=1024)
def _hash_bytes(file: Path, size: int, mtime: int) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextlib.contextmanager
def quiet_loading() -> Iterator[None]:
    """Suppress the progress bars and messages of transformers while a model is loaded."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def count_weights(folder: Path) -> int:
    """Number of weights in all safetensors files of a model folder, from their headers."""
    from safetensors import safe_open

    count = 0
    for file in folder.glob("*.safetensors"):
        with safe_open(file, "np") as tensors:
            count += sum(math.prod(tensors.get_slice(name).get_shape()) for name in tensors.keys())
    return count
