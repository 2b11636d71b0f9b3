"""Model folders: finding or downloading them, checking that they are complete, hashing their content.

A model is a folder in the layout of the transformers library: on disk, in the hub's local cache, or downloaded from the
hub. Local files are always preferred, so that nothing waits for an unreachable network.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import importlib.metadata
import importlib.util
import json
import math
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from dmesr_core.errors import DataError, SettingsError
from dmesr_core.features.reasons import one_line

# Files that can change a model's output. Model cards and pictures cannot.
CONTENT_ENDINGS = (".json", ".jinja", ".model", ".safetensors", ".txt")


def find_model(name: str | Path, known: tuple[str, ...] = ()) -> Path:
    """The folder of the model `name`: a folder itself, or a hub name such as `owner/model`.

    A hub name is looked up in the local cache first, and downloaded only if it is not complete there.

    Args:
        name: what the user wrote.
        known: names that the caller takes beside these; one of them may have been meant.

    Raises:
        SettingsError: no such folder, no such model on the hub, or the hub cannot be reached.
        DataError: the folder lacks files, or has weights in another form than safetensors.
    """
    folder, name = Path(name).expanduser(), str(name)
    if folder.is_dir():
        _check_complete(folder)
        return folder
    if folder.exists():
        raise SettingsError(f"model {name}: this is a file; give the folder that holds config.json and the weights")
    meant = _meant(name, known)
    if meant and not re.search(r"[/\\]", name):  # names on the hub have an owner
        raise SettingsError(
            f'model {name}: there is no such model; did you mean "{meant}"? (A folder of this name is written ./{name})'
        )
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", name) or name.startswith("."):
        raise SettingsError(f"model {name}: {_no_folder(name)}, and it is not a hub name like 'owner/model'")
    return _from_hub(name, meant)


def _no_folder(name: str) -> str:
    """That there is no such folder, and where the path ends."""
    folder = Path(name).expanduser().absolute()
    existing = next(parent for parent in folder.parents if parent.is_dir())
    return f"there is no such folder ({existing} has no {folder.relative_to(existing).parts[0]})"


def _meant(name: str, known: tuple[str, ...]) -> str:
    """A known name that is spelled almost like `name`, or that ends with it; or ""."""
    by_spelling = {spelling.lower(): one for one in known for spelling in (one, one.split("/")[-1])}
    near = difflib.get_close_matches(name.lower().strip(), by_spelling, n=1, cutoff=0.65)
    return by_spelling[near[0]] if near else ""


def _from_hub(name: str, meant: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError, RepositoryNotFoundError

    wanted = {"allow_patterns": [f"*{ending}" for ending in CONTENT_ENDINGS], "ignore_patterns": ["*/*"]}
    try:
        folder = Path(snapshot_download(name, local_files_only=True, **wanted))
        _check_complete(folder)
        return folder
    except (LocalEntryNotFoundError, DataError):
        pass  # not in the local cache, or incomplete
    cause = _no_folder(name) + (f'; did you mean "{meant}"?' if meant else "")  # the likely cause is said first
    try:
        folder = Path(snapshot_download(name, **wanted))
    except GatedRepoError:
        raise SettingsError(f"model {name}: its owner asks for consent first: accept on its hub page, log in") from None
    except LocalEntryNotFoundError:
        raise SettingsError(
            f"model {name}: {cause}; the hub cannot be reached and the local cache does not hold it; "
            "give a folder with the model's files, or run once with a network"
        ) from None
    except RepositoryNotFoundError:
        raise SettingsError(f"model {name}: {cause}, and no such model on the hub; check the spelling") from None
    except (OSError, RuntimeError, ValueError) as error:
        raise SettingsError(f"model {name}: {cause}, and it cannot be downloaded from the hub: {error}") from None
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
def loading(what: str) -> Iterator[None]:
    """Load a part of a model quietly: without the progress bars and messages of transformers, and no warning leaves.

    Args:
        what: begins the message of an error, such as "model x: its weights cannot be loaded".

    Raises:
        SettingsError: a package is missing, or torchvision does not fit torch.
        DataError: everything else that transformers and its dependencies raise here.
    """
    try:
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
    except (DataError, SettingsError):
        raise
    except Exception as error:  # many types
        raise _loading_error(what, error) from error


def _loading_error(what: str, error: BaseException) -> DataError | SettingsError:
    """The likely cause first."""
    chain: list[BaseException] = []
    step: BaseException | None = error
    while step is not None and step not in chain:
        chain.append(step)
        step = step.__cause__ or step.__context__
    if misfit := _torchvision_error():
        return SettingsError(
            f"{what}: torchvision {_version('torchvision')} and torch {_version('torch')} do not fit together "
            f"({one_line(misfit)}); `pip list` shows both versions: install the torchvision that is made for this "
            "torch (pip install --upgrade torch torchvision), or pip uninstall torchvision"
        )
    if any(re.search("torchvision|video ?processor", str(step), re.I) for step in chain):
        return SettingsError(
            f"{what}: its processor has a video part that needs torchvision: install torchvision, "
            f"or choose another model, for instance of the Idefics3, LLaVA or Gemma 3 family ({one_line(error)})"
        )
    if isinstance(error, ImportError):
        return SettingsError(f"{what}: it needs another package: {one_line(chain[-1])}")
    return DataError(f"{what}: {error}")


def _torchvision_error() -> Exception | None:
    """Why an installed torchvision cannot be imported; None if it can, or is not installed."""
    try:
        if importlib.util.find_spec("torchvision"):
            import torchvision  # type: ignore[import-not-found]  # noqa: F401
    except Exception as error:  # an extension built for another torch: many types
        return error
    return None


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "of unknown version"


def set_pad_token(tokenizer: Any) -> bool:
    """Without a token for padding, take another special token: it is masked anyway. False if there is none."""
    if tokenizer.pad_token is not None:
        return True
    token = next((t for t in (tokenizer.eos_token, tokenizer.bos_token, tokenizer.unk_token) if t is not None), None)
    if token is not None:
        tokenizer.pad_token = token
    return token is not None


def count_weights(folder: Path) -> int:
    """Number of weights in all safetensors files of a model folder, from their headers."""
    from safetensors import safe_open

    count = 0
    for file in folder.glob("*.safetensors"):
        with safe_open(file, "np") as tensors:
            count += sum(math.prod(tensors.get_slice(name).get_shape()) for name in tensors.keys())
    return count
