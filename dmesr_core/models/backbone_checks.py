"""What a backbone must have and do: checked when its class is registered, and with a tiny tensor when it is built."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from dmesr_core.errors import SettingsError


def check_class(backbone: Any, interface: type) -> None:
    """Whether a class has what `interface`, which is `backbones.Backbone`, asks for.

    Raises:
        SettingsError: names the class and what it lacks.
    """
    if not isinstance(backbone, type) or not issubclass(backbone, interface):
        raise SettingsError(f"{getattr(backbone, '__name__', backbone)} is no subclass of {interface.__name__}")

    def lacks(method: str) -> bool:
        return getattr(backbone, method) is getattr(interface, method)

    name, objective = backbone.__name__, getattr(backbone, "objective", None)
    if objective not in ("next", "cloze") or not hasattr(backbone, "item_bias"):
        raise SettingsError(f"{name} needs objective ('next' or 'cloze') and item_bias (a bool)")
    if lacks("forward"):
        raise SettingsError(f"{name} has no method forward(x, mask): (B, T, D) vectors and (B, T) mask to (B, T, D)")
    if objective == "cloze" and lacks("mask_vector"):
        raise SettingsError(f"{name} has no method mask_vector(), which a cloze backbone needs: a parameter (D,)")


@torch.no_grad()
def check_shapes(backbone: Any, width: int, max_len: int) -> None:
    """Push a tiny tensor through a new backbone, which stays as it was; no random number is drawn.

    Raises:
        SettingsError: `forward` fails or gives another shape than it gets, or `mask_vector` is not (D,).
    """
    name, shape = type(backbone).__name__, (2, min(3, max_len), width)
    device = next(backbone.parameters(), torch.empty(0)).device
    x, mask = torch.zeros(shape, device=device), torch.ones(shape[:2], dtype=torch.bool, device=device)
    backbone.eval()
    with torch.random.fork_rng(devices=[]):
        try:
            out = backbone(x, mask)
        except Exception as error:
            raise SettingsError(
                f"{name}.forward failed for vectors {shape} and a mask {shape[:2]}: {type(error).__name__}: {error}"
            ) from error
    backbone.train()
    if (found := _shape(out)) != str(shape):
        raise SettingsError(f"{name}.forward gave {found} for vectors {shape}, wanted predictions (B, T, D): {shape}")
    if backbone.objective == "cloze" and (found := _shape(backbone.mask_vector())) != str(shape[2:]):
        raise SettingsError(f"{name}.mask_vector gave {found}, wanted one vector (D,): {shape[2:]}")


def _shape(value: object) -> str:
    return str(tuple(value.shape)) if isinstance(value, Tensor) else f"a {type(value).__name__}"
