"""Devices: which one is used, which number type fits it, and whether it is there at all."""

from __future__ import annotations

import re

import torch

from dmesr_core.errors import SettingsError

_FULL = re.compile("out of memory|not enough memory|can't allocate memory|ALLOC_FAILED", re.IGNORECASE)
DTYPES = ("float32", "bfloat16", "float16")


def choose_device(name: str | None) -> torch.device:
    """The device called `name`; None: the best available one.

    Raises:
        SettingsError: not the name of a device, or a device that this machine or this torch lacks.
    """
    if name is None:
        cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
        return torch.device("cuda" if cuda else "mps" if mps else "cpu")
    check_device_name(name)
    device = torch.device(name)
    count = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}.get(device.type, 1)
    if (device.index or 0) >= count:
        found = f"it has {count} of this kind" if count else "torch finds none of this kind"
        raise SettingsError(f"device {name!r} is not on this machine ({found}): choose another one, or None")
    return device


def check_device_name(name: str | None) -> None:
    """Raise a SettingsError if torch knows no device of this name; whether it is there is not asked."""
    try:
        known = name is None or (isinstance(name, str) and torch.device(name).type != "meta")
    except RuntimeError:
        known = False
    if not known:
        raise SettingsError(f"unknown device {name!r}: choose cpu, cuda, cuda:1, mps, or None")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out; some devices and libraries say so with a plain RuntimeError."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and bool(_FULL.search(str(error)))


def best_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 on NVIDIA cards that compute with it, float16 on other accelerators, float32 on the CPU."""
    if device.type == "cuda" and torch.cuda.get_device_capability(device)[0] >= 8:
        return torch.bfloat16
    return torch.float32 if device.type == "cpu" else torch.float16
