"""Settings of an MLLM: each is checked with its type and range."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch

from dmesr_core.errors import SettingsError
from dmesr_core.features.mllm_settings import MLLMSettings

INTEGERS = ("batch_size", "max_picture_side", "max_new_tokens", "max_text_tokens")
WRONG = {
    **{name: (0, -1, 2.5, True, "8", None, 10**9, [3]) for name in INTEGERS},
    "name": ("", "  ", None, 3, Path("x"), "a\ud800"),
    "device": ("x", "", 0, "meta", "cuda:x", torch.device("cpu")),
    "dtype": ("int8", "", "Float32", 32, torch.float32, ["float32"]),
    "picture_prompt": ("", " ", None, 3, "a\ud800"),
    "text_prompt": (None, 3, "a\ud800"),
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_wrong_settings_are_refused(name, value):
    with pytest.raises(SettingsError, match=name):
        MLLMSettings(**{"name": "x", name: value})


def test_every_setting_is_checked_and_explained():
    names = {field.name for field in fields(MLLMSettings)}
    assert set(WRONG) == names
    for name in names:
        assert f"        {name}: " in MLLMSettings.__doc__


def test_usual_settings_are_accepted():
    settings = MLLMSettings("x", "cpu", "float16", np.int64(3), 1, 1, 1, text_prompt="")
    assert (settings.batch_size, type(settings.batch_size)) == (3, int)
    assert MLLMSettings("x", "cuda:1").device == "cuda:1"  # whether it is there is asked when a model is loaded
