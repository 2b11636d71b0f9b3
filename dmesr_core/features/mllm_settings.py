"""Settings of an MLLM: which model, on which device, with which prompts and limits."""

from __future__ import annotations

from dataclasses import dataclass
from operator import index

from dmesr_core.errors import SettingsError
from dmesr_core.features.devices import DTYPES, check_device_name
from dmesr_core.features.prompts import PICTURE_PROMPT, TEXT_PROMPT

_LIMITS = {"batch_size": 65_536, "max_picture_side": 16_384, "max_new_tokens": 65_536, "max_text_tokens": 1_000_000}


@dataclass(frozen=True)
class MLLMSettings:
    """Which model is used, on which device, with which prompts and limits.

    Attributes:
        name: "tiny" (the model that comes with the package), a folder, or a hub name such as "owner/model".
        device: "cpu", "cuda", "cuda:1", "mps"; None: the best available one.
        dtype: "float32", "bfloat16" or "float16"; None: half precision where the device has it.
        batch_size: items per batch, at least 1; halved automatically when memory runs out.
        max_picture_side: pixels, at least 1; larger pictures are scaled down.
        max_new_tokens: length limit of a description in tokens, at least 1.
        max_text_tokens: length limit of an item's words in tokens, at least 1; the rest is cut off, and counted.
        picture_prompt: picture view: follows the picture.
        text_prompt: text view: precedes the item's words; may be "".

    Raises:
        SettingsError: a value of the wrong type or out of its range; names it.
    """

    name: str
    device: str | None = None
    dtype: str | None = None
    batch_size: int = 64
    max_picture_side: int = 512
    max_new_tokens: int = 48
    max_text_tokens: int = 1024
    picture_prompt: str = PICTURE_PROMPT
    text_prompt: str = TEXT_PROMPT

    def __post_init__(self) -> None:
        for name in ("name", "picture_prompt", "text_prompt"):
            _check_string(name, getattr(self, name))
        if not self.name.strip():
            raise SettingsError('name is empty: give "tiny", a folder, or a hub name such as "owner/model"')
        if not self.picture_prompt.strip():
            raise SettingsError("picture_prompt is empty: say what the model shall do with the picture")
        for name, most in _LIMITS.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not hasattr(value, "__index__") or not 1 <= index(value) <= most:
                raise SettingsError(f"{name} must be an integer from 1 to {most:,}, got {value!r}")
            object.__setattr__(self, name, index(value))  # numpy's integers have another repr
        if self.dtype is not None and (not isinstance(self.dtype, str) or self.dtype not in DTYPES):
            raise SettingsError(f"unknown dtype {self.dtype!r}: choose float32, bfloat16, float16 (a string), or None")
        check_device_name(self.device)


def _check_string(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise SettingsError(f"{name} must be a string, got {value!r}")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise SettingsError(f"{name} holds half a character (a lone surrogate) at position {error.start}") from None
