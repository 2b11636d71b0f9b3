"""Requests to an MLLM: the picture and the message of each input, equal ones joined, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from dmesr_core.data.pictures import bounded_rgb, open_picture
from dmesr_core.errors import DataError, SettingsError
from dmesr_core.features.prompts import Message, Prompter
from dmesr_core.features.reasons import NO_PICTURE, one_line

Picture = str | Path | Image.Image | None


@dataclass
class Request:
    """One input of the model and, later, its output; equal items share one."""

    index: int  # of the first item that it stands for
    picture: Picture
    message: Message
    fallback_message: Message  # replaces `message` if the picture cannot be used
    reasons: list[str] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)  # tokens of the description
    vector: np.ndarray | None = None  # (width,) float32

    @property
    def picture_name(self) -> str:
        """The picture as an error message names it."""
        return f"picture {self.picture}" if isinstance(self.picture, str | Path) else "the picture"

    def drop_picture(self, reason: str) -> None:
        """Go on without the picture, because of `reason`."""
        self.reasons.append(reason)
        self.picture, self.message = None, self.fallback_message

    def open(self, max_side: int) -> Image.Image:
        """The picture as RGB, with no side longer than `max_side`.

        Raises:
            DataError: it cannot be opened.
        """
        if not isinstance(self.picture, Image.Image):
            return open_picture(str(self.picture), max_side)
        if 0 in self.picture.size:
            raise DataError("the picture has no pixels")
        try:
            return bounded_rgb(self.picture, max_side)
        except Exception as error:  # its file may be read only now, and Pillow raises many types
            raise DataError(f"the picture cannot be opened ({one_line(error)})") from None

    def area(self, max_side: int) -> float:
        """Pixels of the scaled picture, read from its header: in many models the number of tokens grows with it."""
        try:
            if isinstance(self.picture, Image.Image):
                width, height = self.picture.size
            else:
                with Image.open(str(self.picture)) as opened:
                    width, height = opened.size
            return width * height * min(1.0, max_side / max(width, height)) ** 2
        except Exception:  # it is opened again, and the error reported, when it is needed
            return 0.0


def make_requests(
    prompter: Prompter,
    pictures: Sequence[Picture] | None,
    texts: Sequence[str] | None,
    prompt: str,
    fallback_messages: Sequence[str] | None,
) -> list[Request]:
    """One request per item, the same object for equal items; arguments and errors as `MLLM.embed`."""
    lists = {"pictures": pictures, "texts": texts, "fallback_messages": fallback_messages}
    for name, given in lists.items():
        kinds = str | Path | Image.Image | None if name == "pictures" else str
        if isinstance(given, str | bytes | Path | Image.Image):
            raise SettingsError(f"{name} must be a list with one entry per item, got one {type(given).__name__}")
        for i, one in enumerate(given if given is not None else ()):
            if not isinstance(one, kinds):
                raise DataError(f"{name}: entry {i} is of the type {type(one).__name__}, which cannot be used here")
    lengths = {len(given) for given in lists.values() if given is not None}
    if len(lengths) != 1:
        raise DataError(f"pictures, texts and fallback_messages must be lists of one length, got {sorted(lengths)}")
    n = lengths.pop()
    messages = prompter.messages(prompt, texts if texts is not None else [""] * n)
    fallbacks = prompter.messages("", fallback_messages) if fallback_messages is not None else messages
    unique: dict[tuple, Request] = {}
    requests = []
    chosen = pictures if pictures is not None else [None] * n
    for i, (picture, message, fallback) in enumerate(zip(chosen, messages, fallbacks, strict=True)):
        missing = pictures is not None and picture is None
        source = str(picture) if isinstance(picture, str | Path) else id(picture)
        key = (source, message, fallback)
        if key not in unique:
            unique[key] = Request(i, picture, fallback if missing else message, fallback, [NO_PICTURE] * missing)
        requests.append(unique[key])
    return requests
