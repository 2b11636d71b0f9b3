"""The state of a training in a folder, so that it goes on where it stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from dmesr_core.errors import SettingsError


class Checkpoint:
    """Training state in a folder: weights as safetensors, the rest as tensors that load with `weights_only`."""

    def __init__(self, folder: str | Path | None, settings: dict[str, Any]):
        self.folder = Path(folder) if folder else None
        self.settings = settings

    def exists(self) -> bool:
        return self.folder is not None and (self.folder / "state.pt").exists()

    def save(
        self, epoch: int, best: float, best_weights: dict[str, Tensor], model: nn.Module, optimizer: Any, schedule: Any,
        generator: torch.Generator, report: dict[str, Any],
    ) -> None:  # fmt: skip
        """All that the next epoch, number `epoch`, depends on, and the best weights so far with their score."""
        if self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        save_file(best_weights, self.folder / "best.safetensors")
        state = dict(
            epoch=epoch, best=best, model=model.state_dict(), optimizer=optimizer.state_dict(),
            schedule=schedule.state_dict(), generator=generator.get_state(), torch_rng=torch.get_rng_state(),
            report=report, settings=self.settings,
        )  # fmt: skip
        torch.save(state, self.folder / "state.tmp")
        (self.folder / "state.tmp").replace(self.folder / "state.pt")

    def load(
        self, model: nn.Module, optimizer: Any, schedule: Any, generator: torch.Generator
    ) -> tuple[int, float, dict[str, Tensor], dict[str, Any]]:
        """Put everything as it was; the next epoch, the best score, the best weights and the report so far.

        Raises:
            SettingsError: the folder holds a training with other settings.
        """
        assert self.folder is not None
        state = torch.load(self.folder / "state.pt", weights_only=True)
        if state["settings"] != self.settings:
            raise SettingsError(f"{self.folder} holds training with other settings: use another folder or delete it")
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        generator.set_state(state["generator"])
        torch.set_rng_state(state["torch_rng"])
        best_weights = load_file(self.folder / "best.safetensors")
        return state["epoch"], state["best"], best_weights, state["report"]
