"""Coarse features: a multimodal LLM looks at an item's picture, or reads its words, and says what it is.

Any image-text model of the transformers library will do, from a folder or from the hub: it is only met through the
`Auto` classes and its own chat template. An item's vector is the mean of the model's last hidden states at the
positions that *predict* the tokens of its description: what the model had in mind just before each word.
"""

from __future__ import annotations

import gc
import hashlib
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from dmesr_core.data.pictures import bounded_rgb, open_picture
from dmesr_core.errors import DataError, SettingsError
from dmesr_core.features.generation import continue_greedily, load_decoder
from dmesr_core.features.model_files import find_model, fingerprint, quiet_loading
from dmesr_core.features.prompts import PICTURE_PROMPT, TEXT_PROMPT, Message, Prompter

Picture = str | Path | Image.Image | None

# How the reasons in a report begin.
NO_PICTURE, BROKEN_PICTURE, TEXT_CUT, EMPTY = "no picture", "broken picture", "text cut", "empty description"

_RECIPE = 1  # raise it when a change of this file changes the numbers, so that stored features are not used again


@dataclass(frozen=True)
class MLLMSettings:
    """Which model, and how it is asked."""

    name: str  # a folder, or a hub name such as "owner/model"
    device: str | None = None  # "cpu", "cuda", "cuda:1", "mps"; None: the best one here
    dtype: str | None = None  # "float32", "bfloat16" or "float16"; None: half precision where the device has it
    batch_size: int = 64  # items asked about at a time; halved by itself when memory runs out
    max_picture_side: int = 512  # pixels; larger pictures are shrunk
    max_new_tokens: int = 48  # length limit of a description, in tokens
    max_text_tokens: int = 1024  # length limit of an item's words, in tokens; the rest is cut off
    picture_prompt: str = PICTURE_PROMPT  # asked with the picture, of the picture view
    text_prompt: str = TEXT_PROMPT  # put before the item's words, of the text view

    def __post_init__(self) -> None:
        for name in ("batch_size", "max_picture_side", "max_new_tokens", "max_text_tokens"):
            if getattr(self, name) < 1:
                raise SettingsError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.dtype not in (None, "float32", "bfloat16", "float16"):
            raise SettingsError(f"unknown dtype {self.dtype!r}: choose float32, bfloat16, float16, or None")


@dataclass(frozen=True)
class Described:
    """What the model said about n items."""

    descriptions: list[str]  # n
    vectors: np.ndarray  # (n, width) float32
    report: list[tuple[int, str]]  # (index, reason) of each item that was not treated like the others


@dataclass
class _Request:
    """One question to the model, and then its answer; equal items share one."""

    picture: Picture
    message: Message
    fallback_message: Message  # asked without the picture, should it not open
    reasons: list[str] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)  # tokens of the description
    vector: np.ndarray | None = None  # (width,) float32


class MLLM:
    """An image-text model. `MLLM.load` finds its files; weights are read when it is first asked."""

    def __init__(self, folder: Path, settings: MLLMSettings):
        self.folder, self.settings, self.name = folder, settings, settings.name
        self.device = torch.device(settings.device or _best_device())
        self.dtype = getattr(torch, settings.dtype) if settings.dtype else _best_dtype(self.device)
        self._batch_size = settings.batch_size

    @classmethod
    def load(cls, settings: MLLMSettings | str | Path) -> MLLM:
        """Find the model's files (see `model_files.find_model` for the errors); nothing heavy is read yet."""
        settings = settings if isinstance(settings, MLLMSettings) else MLLMSettings(str(settings))
        return cls(find_model(settings.name), settings)

    @cached_property
    def fingerprint(self) -> str:
        """Stands for everything that changes the answers, but the prompts: the model's files and the limits."""
        s = self.settings
        parts = (_RECIPE, fingerprint(self.folder), s.dtype, s.max_picture_side, s.max_new_tokens, s.max_text_tokens)
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    @property
    def width(self) -> int:
        """Length of an item's vector."""
        return self._text_config.hidden_size

    def describe(self, pictures: Sequence[Picture] | None, texts: Sequence[str] | None, prompt: str) -> list[str]:
        """Descriptions only, greedy; arguments and errors are those of `embed`."""
        return self._ask(pictures, texts, prompt, None).descriptions

    def embed(
        self,
        pictures: Sequence[Picture] | None,
        texts: Sequence[str] | None,
        prompt: str,
        fallback_messages: Sequence[str] | None = None,
    ) -> Described:
        """Ask about n items and return what was said, and the vectors behind it, in the order of the input.

        The model is shown picture `i` (where there is one) and told `prompt + texts[i]`. Equal items are asked once.

        Args:
            pictures: n paths or Pillow pictures, None where an item has none; or None for no pictures at all.
            texts: n texts that follow the prompt, cut after `max_text_tokens`; or None for no texts at all.
            prompt: what to do.
            fallback_messages: n whole messages for items whose picture is missing or broken (default: the
                same as with one).

        Returns:
            `Described`. Its report names items without a picture or with a broken one (if `pictures` are given), with a
            text that was cut, or with an empty description. The vector of an empty description is the state that
            predicts its end.

        Raises:
            SettingsError: the model has no chat template or needs what is not installed; memory or positions run out.
            DataError: broken model files, lists of different length, or states that are not finite.
        """
        return self._ask(pictures, texts, prompt, fallback_messages)

    def release(self) -> None:
        """Forget the weights; they are read again when needed."""
        self.__dict__.pop("_model", None)
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    # ---- parts, read when first needed

    @cached_property
    def _text_config(self):
        from transformers import AutoConfig

        try:
            with quiet_loading():
                return AutoConfig.from_pretrained(self.folder, local_files_only=True).get_text_config(decoder=True)
        except Exception as error:  # unknown model types, broken JSON, code that would have to be run
            raise DataError(f"model {self.folder}: its config.json is not understood: {error}") from error

    @cached_property
    def _prompter(self) -> Prompter:
        positions = getattr(self._text_config, "max_position_embeddings", None)
        return Prompter(self.folder, positions, self.settings.max_new_tokens, self.settings.max_text_tokens)

    @cached_property
    def _model(self):
        return load_decoder(self.folder, self.dtype, self._prompter.tokenizer).to(self.device)

    # ---- from items to answers

    def _ask(
        self,
        pictures: Sequence[Picture] | None,
        texts: Sequence[str] | None,
        prompt: str,
        fallback_messages: Sequence[str] | None,
    ) -> Described:
        requests = self._requests(pictures, texts, prompt, fallback_messages)
        unique = list({id(request): request for request in requests}.values())
        side = self.settings.max_picture_side
        looking = [r for r in unique if r.picture is not None]
        self._answer(sorted(looking, key=lambda r: (-_area(r.picture, side), -len(r.message.text))))
        reading = [r for r in unique if r.picture is None]  # among them those whose picture did not open
        self._answer(sorted(reading, key=lambda r: -len(r.message.text)))
        said = {id(r): self._prompter.decode(r.ids) for r in unique}
        for r in unique:
            r.reasons += [TEXT_CUT] * r.message.cut + [EMPTY] * (not said[id(r)])
        vectors = np.zeros((len(requests), self.width), np.float32)
        for i, request in enumerate(requests):
            vectors[i] = request.vector
        report = [(i, reason) for i, r in enumerate(requests) for reason in r.reasons]
        return Described([said[id(r)] for r in requests], vectors, report)

    def _requests(
        self,
        pictures: Sequence[Picture] | None,
        texts: Sequence[str] | None,
        prompt: str,
        fallback_messages: Sequence[str] | None,
    ) -> list[_Request]:
        """One request per item, the same object for equal items."""
        lengths = {len(given) for given in (pictures, texts, fallback_messages) if given is not None}
        if len(lengths) != 1:
            raise DataError(f"pictures, texts and replacements must be lists of one length, got {sorted(lengths)}")
        n = lengths.pop()
        messages = self._prompter.messages(prompt, texts if texts is not None else [""] * n)
        others = self._prompter.messages("", fallback_messages) if fallback_messages is not None else messages
        unique: dict[tuple, _Request] = {}
        requests = []
        for picture, message, other in zip(pictures or [None] * n, messages, others, strict=True):
            missing = pictures is not None and picture is None
            place = str(picture) if isinstance(picture, str | Path) else id(picture)
            key = (place, message, other)
            if key not in unique:
                unique[key] = _Request(picture, other if missing else message, other, [NO_PICTURE] * missing)
            requests.append(unique[key])
        return requests

    def _answer(self, requests: list[_Request]) -> None:
        """Fill in `ids` and `vector`. A request whose picture does not open loses it, and stays unanswered."""
        for batch, inputs in self._prepared(requests):
            self._answer_batch(batch, inputs)

    def _prepared(self, requests: list[_Request]) -> Iterator[tuple]:
        """Batches with their inputs; a second thread prepares the next while the model works on one."""
        with ThreadPoolExecutor(1) as pool:
            start, waiting = 0, None
            while start < len(requests) or waiting:
                batch = requests[start : start + self._batch_size]
                start += len(batch)
                upcoming = pool.submit(self._prepare, batch) if batch else None
                if waiting:
                    yield waiting.result()
                waiting = upcoming

    def _prepare(self, batch: list[_Request]) -> tuple[list[_Request], Any]:
        """The requests whose pictures open, and the model's inputs for them."""
        kept, pictures = [], []
        for request in batch:
            if request.picture is not None:
                try:
                    pictures.append(_open(request.picture, self.settings.max_picture_side))
                except DataError as error:
                    request.reasons.append(f"{BROKEN_PICTURE}: {error}")
                    request.picture, request.message = None, request.fallback_message
                    continue
            kept.append(request)
        return kept, self._prompter.inputs([r.message.text for r in kept], pictures or None) if kept else None

    def _answer_batch(self, batch: list[_Request], inputs: Any) -> None:
        if not batch:
            return
        try:
            inputs = inputs.to(self.device, dtype=self.dtype)
            answers, vectors = continue_greedily(self._model, inputs, self.settings.max_new_tokens)
        except torch.OutOfMemoryError:
            if len(batch) == 1:
                raise SettingsError(
                    f"{self.name}: not even one item fits into the memory of {self.device}; "
                    "lower max_picture_side or max_text_tokens, or choose a smaller model"
                ) from None
        else:
            for i, request in enumerate(batch):
                request.ids, request.vector = answers[i], vectors[i]
            return
        half = (len(batch) + 1) // 2
        self._batch_size = min(self._batch_size, half)
        del inputs
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        for part in (batch[:half], batch[half:]):
            self._answer_batch(*self._prepare(part))


def _open(picture: Picture, max_side: int) -> Image.Image:
    return bounded_rgb(picture, max_side) if isinstance(picture, Image.Image) else open_picture(str(picture), max_side)


def _area(picture: Picture, max_side: int) -> float:
    """Pixels of a picture once shrunk, from its header alone: in many models the number of tokens grows with it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if isinstance(picture, Image.Image):
                width, height = picture.size
            else:
                with Image.open(str(picture)) as opened:
                    width, height = opened.size
    except Exception:  # it will be opened properly, and reported, later
        return 0.0
    return width * height * min(1.0, max_side / max(width, height)) ** 2


def _best_device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _best_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 on NVIDIA cards that compute with it, float16 on other accelerators, float32 on the CPU."""
    if device.type == "cuda" and torch.cuda.get_device_capability(device)[0] >= 8:
        return torch.bfloat16
    return torch.float32 if device.type == "cpu" else torch.float16
