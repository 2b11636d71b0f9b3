"""Checkpoints: the state of a training in a folder, so that it can be resumed."""

from __future__ import annotations

import hashlib
import io
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from torch import Tensor, nn

from dmesr_core.data.sequences import Split
from dmesr_core.errors import DataError, SettingsError
from dmesr_core.files import digest, write_atomically
from dmesr_core.models.item_inputs import ItemInput


class Checkpoint:
    """Training state in a folder: all of it in `state.pt`, and the best weights for others in `best.safetensors`.

    Args:
        folder: None keeps nothing.
        identity: what the training is made of, see `training_identity`; a folder that holds another one is refused.
        parts: by name, whatever of the training has a `state_dict`.
        generator: what the training draws from, beside torch's global generators.
    """

    def __init__(
        self, folder: str | Path | None, identity: dict[str, str], parts: dict[str, Any], generator: torch.Generator
    ):
        self.folder = Path(folder) if folder else None
        self.identity, self.parts, self.generator = identity, parts, generator

    def exists(self) -> bool:
        return self.folder is not None and (self.folder / "state.pt").exists()

    def save(self, epoch: int, best: float, best_weights: dict[str, Tensor], report: dict[str, Any]) -> None:
        """Everything that the next epoch, number `epoch`, depends on, and the best weights with their score."""
        if self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        state = dict(
            identity=self.identity, epoch=epoch, best=best, best_weights=best_weights, report=report,
            parts={name: part.state_dict() for name, part in self.parts.items()},
            generator=self.generator.get_state(), torch_rng=torch.get_rng_state(),
            cuda_rng=torch.cuda.get_rng_state_all(),
        )  # fmt: skip
        content = io.BytesIO()
        torch.save(state, content)
        # One file, so that best weights and the state behind them cannot come from different epochs.
        write_atomically(self.folder / "state.pt", content.getvalue())
        self._export(best_weights)

    def load(self) -> tuple[int, float, dict[str, Tensor], dict[str, Any]]:
        """Restore everything; returns the next epoch, the best score, the best weights and the report so far.

        Raises:
            SettingsError: the folder holds another training. DataError: what it holds cannot be read.
        """
        assert self.folder is not None
        file = self.folder / "state.pt"
        try:
            state = torch.load(file, map_location="cpu", weights_only=True)
            there = state["identity"]
        except Exception as error:  # damaged files make torch raise half a dozen kinds of errors
            raise DataError(
                f"{file}: cannot be read ({type(error).__name__}), so it is damaged or by another version of this "
                f"package: delete {self.folder} to train from the start"
            ) from error
        if differ := [name for name in there | self.identity if there.get(name) != self.identity.get(name)]:
            raise SettingsError(
                f"{self.folder} holds a training with other settings or data ({', '.join(differ)}): "
                "use another folder, or delete it"
            )
        for name, part in self.parts.items():
            part.load_state_dict(state["parts"][name])
        self.generator.set_state(state["generator"])
        torch.set_rng_state(state["torch_rng"])
        # On a machine with fewer GPUs training continues, with other dropout.
        torch.cuda.set_rng_state_all(state["cuda_rng"][: torch.cuda.device_count()])
        self._export(state["best_weights"])  # the last process may have died before this
        return state["epoch"], state["best"], state["best_weights"], state["report"]

    def _export(self, best_weights: dict[str, Tensor]) -> None:
        assert self.folder is not None
        write_atomically(self.folder / "best.safetensors", safetensors.torch.save(best_weights))


def training_identity(model: nn.Module, split: Split, settings: dict[str, Any]) -> dict[str, str]:
    """Everything that decides the result of a training, by name: settings as text, all else as a hash."""
    train, valid = split.train, split.valid
    weights = model.state_dict()
    # Rows made from features are known by the hash of these: their last bits depend on the number of threads.
    inputs = {name: module for name, module in model.named_modules() if isinstance(module, ItemInput)}
    made = {f"{name}.{buffer}" for name, module in inputs.items() for buffer, _ in module.named_buffers()}
    fixed = {name: buffer for name, buffer in model.named_buffers() if name not in weights and name not in made}
    sources = "".join(module.source for module in inputs.values())
    plain = [
        (name, type(module).__qualname__, key, repr(value))
        for name, module in model.named_modules()
        for key, value in vars(module).items()
        if key not in ("training", "source", "item_names") and key[0] != "_"
        and (isinstance(value, bool | int | float | str) or is_dataclass(value))
    ]
    shapes = [(name, tuple(tensor.shape)) for name, tensor in (weights | fixed).items()]
    return {name: str(value) for name, value in settings.items()} | {
        "training histories": digest(train.items, train.offsets, split.train_counts),
        "validation cases": digest(valid.histories.chunked_items(), valid.histories.offsets, valid.targets),
        "number of items": str(split.n_items),
        "model": hashlib.sha256(repr((plain, shapes)).encode()).hexdigest(),
        "features and known items": digest(np.array([sources]), *(_bytes(tensor) for tensor in fixed.values())),
    }


def _bytes(tensor: Tensor) -> np.ndarray:
    """As bytes, because numpy lacks some of torch's types."""
    return tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy()
