"""Devices: a missing one is said at once, and the number type fits the one that is used."""

from __future__ import annotations

import pytest
import torch

from dmesr_core.errors import SettingsError
from dmesr_core.features import devices
from dmesr_core.features.mllm import MLLM, MLLMSettings
from dmesr_core.features.text_encoder import TextEncoder
from dmesr_core.features.tiny_mllm import checkpoint_folder


def test_a_device_that_is_not_there_is_refused_when_a_model_is_loaded(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(SettingsError, match="device 'cuda' is not on this machine .*none of this kind"):
        MLLM.load(MLLMSettings("tiny", device="cuda"))
    with pytest.raises(SettingsError, match="device 'cuda' is not on this machine"):
        TextEncoder.load(checkpoint_folder(), device="cuda")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert devices.choose_device("cuda:0") == torch.device("cuda:0")
    with pytest.raises(SettingsError, match="device 'cuda:1' is not on this machine .*1 of this kind"):
        devices.choose_device("cuda:1")


@pytest.mark.parametrize("name", ["gpu", "meta", "", 0])
def test_unknown_names_are_refused(name):
    with pytest.raises(SettingsError, match="unknown device"):
        devices.choose_device(name)


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (torch.OutOfMemoryError("no"), True),
        (MemoryError(), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling"), True),
        (RuntimeError("expected scalar type Half"), False),
        (ValueError("out of memory of man"), False),
    ],
)
def test_memory_that_runs_out_is_recognised(error, full):
    assert devices.is_out_of_memory(error) == full


def test_the_best_device_and_its_number_type(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert devices.choose_device(None) == torch.device("cpu")
    assert devices.best_dtype(torch.device("cpu")) == torch.float32
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert devices.choose_device(None) == torch.device("cuda")
    for capability, dtype in (((8, 0), torch.bfloat16), ((7, 5), torch.float16)):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device, found=capability: found)
        assert devices.best_dtype(torch.device("cuda")) == dtype
