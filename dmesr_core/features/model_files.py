"""Where a model's files are, and one short name for their content.

A model is a folder in the layout of the transformers library: on disk already, in the hub's local cache, or downloaded
from the hub. What is on this machine is always preferred, so that nothing waits for a network that is not there.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from dmesr_core.errors import DataError, SettingsError

# Files that change what a model computes. Model cards and pictures do not.
CONTENT_ENDINGS = (".json", ".jinja", ".model", ".safetensors", ".txt")


def find_model(name: str | Path) -> Path:
    """The folder of the model called `name`: a folder, or a hub name such as `owner/model`.

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
        pass  # not here, or only some of its files
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
        raise SettingsError(f"model {name}: no such folder here, and no such model on the hub; mistyped?") from None
    except (OSError, RuntimeError, ValueError) as error:
        raise SettingsError(f"model {name}: cannot be downloaded from the hub: {error}") from None
    _check_complete(folder)
    return folder


def _check_complete(folder: Path) -> None:
    """Say now, by name, which file is missing, instead of in the middle of loading."""
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
    """64 hex digits that stand for the content of a model folder: names and bytes of everything that it computes with.

    The place, the dates and the model card do not matter. Weights are read once per process.
    """
    files = sorted(file for file in folder.iterdir() if file.suffix in CONTENT_ENDINGS and file.is_file())
    lines = [f"{file.name} {content_hash(file)}" for file in files]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def content_hash(file: Path) -> str:
    """sha256 of a file's bytes, in hex. Big files of the hub's cache are named by it already."""
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
    """Without the library's own bars and advice while it loads: a model takes seconds, and a book page is not a log."""
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
