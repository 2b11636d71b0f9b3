"""Saved models: a folder with settings as JSON and arrays as safetensors, read again on any device; no pickle."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar, cast

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from dmesr_core.data.item_names import ItemNames
from dmesr_core.errors import DataError, SettingsError
from dmesr_core.files import file_hash, write_atomically, write_json

FORMAT = 1  # of the folder: raised when an older version of this package could not read it
HEAD = "model.json"  # kind, settings, versions, and the hashes of the other files
WEIGHTS, ROWS, NAMES = "weights.safetensors", "items.safetensors", "items.json"
_Module = TypeVar("_Module", bound=nn.Module)
KINDS: dict[str, Any] = {}  # kind -> class; a class adds itself when it is defined
_HOME = {  # where the package defines its own kinds
    "id": "id_recommender", "features": "feature_recommender", "llm_esr": "baselines", "llm_emb": "baselines",
    "words": "bag_of_words", "dmesr": "dmesr",
}  # fmt: skip


class SavedModel(Protocol):
    """What is needed of a recommender (`recommender.Recommender` has it): a module with these."""

    kind: ClassVar[str]
    item_names: ItemNames | None
    made_by: dict[str, str]

    def config(self) -> dict[str, Any]:
        """Plain values for `from_config`."""

    def names(self) -> ItemNames:
        """Ids and titles."""


def save_model(model: SavedModel, folder: Path) -> None:
    """See `Recommender.save`."""
    from dmesr_core.provenance import versions  # reads all code of the package: not for everybody who loads a model

    config = model.config()
    check_free(folder)
    module = cast(nn.Module, model)
    folder.parent.mkdir(parents=True, exist_ok=True)
    new = folder.with_name(f"{folder.name}.{os.getpid()}.tmp")
    try:
        new.mkdir()
        weights = {name: _plain(tensor) for name, tensor in module.state_dict().items()}
        write_atomically(new / WEIGHTS, safetensors.torch.save(weights))
        rows = {name: _plain(tensor) for name, tensor in _rows(module).items()}
        write_atomically(new / ROWS, safetensors.torch.save(rows))
        write_json(new / NAMES, {"named": model.item_names is not None, **asdict(model.names())})
        files = {name: file_hash(new / name) for name in (WEIGHTS, ROWS, NAMES)}
        head = {"format": FORMAT, "kind": model.kind, "config": config, "made_by": model.made_by}
        write_json(new / HEAD, {**head, "versions": versions(("torch", "transformers")), "files": files})
        _replace(folder, new)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def load_model(folder: Path, device: str | None) -> Any:
    """See `Recommender.load`."""
    head = _read_head(folder)
    for name in (WEIGHTS, ROWS, NAMES):
        if (found := file_hash(folder / name)) != head["files"].get(name):
            what = "is missing" if found == "missing" else "was changed or damaged after it was saved"
            raise DataError(f"{folder / name}: the file {what}; save the model again")
    if head["kind"] in _HOME:
        import_module(f"dmesr_core.models.{_HOME[head['kind']]}")
    if head["kind"] not in KINDS:
        raise SettingsError(f"{folder}: a model of kind {head['kind']!r}: import the module that defines it first")
    try:
        rows = safetensors.torch.load((folder / ROWS).read_bytes())
        names = json.loads((folder / NAMES).read_text(encoding="utf-8"))
        model = KINDS[head["kind"]].from_config(head["config"], rows["known"])
        _set_rows(model, rows)
        model.load_state_dict(safetensors.torch.load((folder / WEIGHTS).read_bytes()))
    except SettingsError as error:  # such as a backbone that is not registered
        raise SettingsError(f"{folder}: {error}") from None
    except (KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        made_with = head["versions"].get("dmesr", "unknown")
        raise DataError(
            f"{folder}: does not fit this version of the package (it was saved by dmesr {made_with}): {error}"
        ) from error
    if names.pop("named"):
        model.item_names = ItemNames(tuple(names["ids"]), tuple(names["titles"]))
    model.made_by = dict(head["made_by"])
    return moved(model, device).eval()


def moved(model: _Module, device: str | None) -> _Module:
    """The model on `device`; None: on the CPU.

    Raises:
        SettingsError: an unknown device, or one that this machine lacks.
    """
    try:
        return model.to(device or "cpu")
    except (RuntimeError, AssertionError, TypeError) as error:  # torch names them so, each for some devices
        reason = str(error).splitlines()[0]
        raise SettingsError(f"device {device!r}: unknown, or this machine cannot use it ({reason})") from None


def _read_head(folder: Path) -> dict[str, Any]:
    """The content of `model.json`, if it is that of a saved model that this version can read."""
    if not (folder / HEAD).is_file():
        what = f"there is no {HEAD}, so this is no saved model" if folder.is_dir() else "there is no such folder"
        raise DataError(f"{folder}: {what}; model.save(folder) writes one, or `dmesr train`")
    try:
        head = json.loads((folder / HEAD).read_text(encoding="utf-8"))
        version = head["format"]
        known = {"kind": str, "config": dict, "made_by": dict, "versions": dict, "files": dict}
        whole = type(version) is int and version > 0
        if not whole or any(not isinstance(head[name], kind) for name, kind in known.items()):
            raise ValueError("its entries are not those of a saved model")
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise DataError(f"{folder / HEAD}: not written by this package, or damaged ({error})") from None
    if version > FORMAT:
        by = head["versions"].get("dmesr", "a newer version")
        raise DataError(f"{folder}: saved by dmesr {by}, in a newer format ({version}): upgrade this package")
    return head


def check_free(folder: Path) -> None:
    """Whether `folder` can be written without losing anything but an older saved model."""
    if folder.exists() and not (folder / HEAD).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise SettingsError(f"{folder}: exists and is no saved model; name a new folder")
    unknown = {file.name for file in folder.iterdir()} - {HEAD, WEIGHTS, ROWS, NAMES} if folder.is_dir() else set()
    if unknown:
        first = sorted(unknown)[0]
        raise SettingsError(f"{folder}: holds other files beside a saved model ({first}); name a new folder")


def _replace(folder: Path, new: Path) -> None:
    """Put `new` in the place of `folder`."""
    old = folder.with_name(f"{folder.name}.{os.getpid()}.old")
    if folder.exists():
        folder.replace(old)
    new.replace(folder)
    shutil.rmtree(old, ignore_errors=True)


def _rows(module: nn.Module) -> dict[str, Tensor]:
    """Everything that has a row per item and is no weight, by name: what is known, and what features were made into."""
    weights = module.state_dict()
    return {name: buffer for name, buffer in module.named_buffers() if name not in weights and buffer.ndim}


def _set_rows(module: nn.Module, rows: dict[str, Tensor]) -> None:
    wanted = _rows(module)
    if set(wanted) != set(rows):
        raise ValueError(f"{ROWS} holds other arrays: {sorted(set(wanted) ^ set(rows))}")
    for name, tensor in rows.items():
        owner, _, attribute = name.rpartition(".")
        like = wanted[name]
        # The number of tokens, the second dimension of token states, their mask and words, is that of the longest text.
        by_length = tensor.ndim == 1 or tensor.dtype in (torch.bool, torch.int32)
        same_width = by_length or tensor.shape[-1] == like.shape[-1]
        alike = (tensor.ndim, tensor.dtype) == (like.ndim, like.dtype) and same_width
        if len(tensor) != len(rows["known"]) or not alike:
            raise ValueError(f"{name} in {ROWS} is {tensor.dtype} of shape {tuple(tensor.shape)}")
        # A clone, because torch aligns its memory, on which the last bits of a product depend.
        setattr(module.get_submodule(owner), attribute, tensor.clone())


def _plain(tensor: Tensor) -> Tensor:
    """On the CPU, in memory of its own, as safetensors wants it."""
    return tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
