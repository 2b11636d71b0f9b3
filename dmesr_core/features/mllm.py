"""Coarse features: a multimodal LLM describes an item from its picture or from its words.

Any image-text model of the transformers library can be used, from a folder or from the hub: the code relies only on the
`Auto` classes and on the model's own chat template. An item's vector is the mean of the model's last hidden states at
the positions that *predict* the tokens of its description.
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
from dmesr_core.features.tiny_mllm import checkpoint_folder

Picture = str | Path | Image.Image | None

# Prefixes of the reasons in `MLLMOutput.issues`. They are part of stored records.
NO_PICTURE, BROKEN_PICTURE, TEXT_CUT, EMPTY = "no picture", "broken picture", "text cut", "empty description"

_TINY = "tiny"  # name of the model that comes with the package
_RECIPE = 1  # part of the fingerprint: raise it when a change of this file changes vectors or descriptions


@dataclass(frozen=True)
class MLLMSettings:
    """Which model is used, on which device, with which prompts and limits."""

    name: str  # "tiny" (the model that comes with the package), a folder, or a hub name such as "owner/model"
    device: str | None = None  # "cpu", "cuda", "cuda:1", "mps"; None: the best available one
    dtype: str | None = None  # "float32", "bfloat16" or "float16"; None: half precision where the device has it
    batch_size: int = 64  # items per batch; halved automatically when memory runs out
    max_picture_side: int = 512  # pixels; larger pictures are scaled down
    max_new_tokens: int = 48  # length limit of a description, in tokens
    max_text_tokens: int = 1024  # length limit of an item's words, in tokens; the rest is cut off
    picture_prompt: str = PICTURE_PROMPT  # picture view: follows the picture
    text_prompt: str = TEXT_PROMPT  # text view: precedes the item's words

    def __post_init__(self) -> None:
        if not self.name:
            raise SettingsError('name is empty: give "tiny", a folder, or a hub name such as "owner/model"')
        for name in ("batch_size", "max_picture_side", "max_new_tokens", "max_text_tokens"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise SettingsError(f"{name} must be an integer of at least 1, got {value!r}")
        if self.dtype not in (None, "float32", "bfloat16", "float16"):
            raise SettingsError(f"unknown dtype {self.dtype!r}: choose float32, bfloat16, float16, or None")
        try:
            torch.device(self.device or "cpu")
        except RuntimeError:
            raise SettingsError(f"unknown device {self.device!r}: choose cpu, cuda, cuda:1, mps, or None") from None


@dataclass(frozen=True)
class MLLMOutput:
    """Descriptions and vectors of n items."""

    descriptions: list[str]  # n
    vectors: np.ndarray  # (n, width) float32
    issues: list[tuple[int, str]]  # (index, reason): missing or broken pictures, cut texts, empty descriptions


@dataclass
class _Request:
    """One input of the model and, later, its output; equal items share one."""

    picture: Picture
    message: Message
    fallback_message: Message  # replaces `message` if the picture cannot be opened
    reasons: list[str] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)  # tokens of the description
    vector: np.ndarray | None = None  # (width,) float32


class MLLM:
    """An image-text model. `MLLM.load` finds its files; weights are loaded on first use."""

    def __init__(self, folder: Path, settings: MLLMSettings):
        self.folder, self.settings, self.name = folder, settings, settings.name
        self.device = torch.device(settings.device or _best_device())
        self.dtype = getattr(torch, settings.dtype) if settings.dtype else _best_dtype(self.device)
        self._batch_size = settings.batch_size

    @classmethod
    def load(cls, settings: MLLMSettings | str | Path) -> MLLM:
        """Find the files of a model; its weights are loaded on first use.

        Args:
            settings: "tiny" for the model that comes with the package (write `./tiny` for a folder of that name), a
                folder, a hub name, or settings whose `name` is one of these.

        Raises:
            SettingsError, DataError: as `model_files.find_model`.
        """
        settings = settings if isinstance(settings, MLLMSettings) else MLLMSettings(str(settings))
        return cls(checkpoint_folder() if settings.name == _TINY else find_model(settings.name), settings)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of everything that changes the output except the prompts: the model's files and the limits."""
        s = self.settings
        parts = (_RECIPE, fingerprint(self.folder), s.dtype, s.max_picture_side, s.max_new_tokens, s.max_text_tokens)
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    @property
    def width(self) -> int:
        """Length of an item's vector."""
        return self._text_config.hidden_size

    def describe(self, pictures: Sequence[Picture] | None, texts: Sequence[str] | None, prompt: str) -> list[str]:
        """Descriptions only, greedy; arguments and errors are those of `embed`."""
        return self.embed(pictures, texts, prompt).descriptions

    def embed(
        self,
        pictures: Sequence[Picture] | None,
        texts: Sequence[str] | None,
        prompt: str,
        fallback_messages: Sequence[str] | None = None,
    ) -> MLLMOutput:
        """Greedy descriptions of n items and their vectors, in the order of the input.

        The model's input is picture `i` (if there is one) and `prompt + texts[i]`. Equal items are computed once.

        Args:
            pictures: n paths or Pillow pictures, None where an item has none; or None for no pictures at all.
            texts: n texts that follow the prompt, cut after `max_text_tokens`; or None for no texts at all.
            prompt: the instruction.
            fallback_messages: n whole messages for items whose picture is missing or broken (default: the
                same as with a picture).

        Returns:
            `MLLMOutput`. Its issues name items with a missing or broken picture (if `pictures` are given), with a text
            that was cut, or with an empty description. The vector of an empty description is the state that predicts
            its end.

        Raises:
            SettingsError: the model has no chat template or needs what is not installed; memory or positions run out.
            DataError: broken model files, lists of different length, or states that are not finite.
        """
        requests = self._requests(pictures, texts, prompt, fallback_messages)
        unique = list({id(request): request for request in requests}.values())
        side = self.settings.max_picture_side
        with_picture = [r for r in unique if r.picture is not None]
        self._process(sorted(with_picture, key=lambda r: (-_area(r.picture, side), -len(r.message.text))))
        text_only = [r for r in unique if r.picture is None]  # also those whose picture could not be opened just now
        self._process(sorted(text_only, key=lambda r: -len(r.message.text)))
        descriptions = {id(r): self.prompter.decode(r.ids) for r in unique}
        for r in unique:
            r.reasons += [TEXT_CUT] * r.message.cut + [EMPTY] * (not descriptions[id(r)])
        vectors = np.zeros((len(requests), self.width), np.float32)
        for i, request in enumerate(requests):
            vectors[i] = request.vector
        issues = [(i, reason) for i, r in enumerate(requests) for reason in r.reasons]
        return MLLMOutput([descriptions[id(r)] for r in requests], vectors, issues)

    def release(self) -> None:
        """Free the weights; they are loaded again when needed."""
        self.__dict__.pop("model", None)
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    # ---- parts, loaded on first use

    @cached_property
    def _text_config(self):
        from transformers import AutoConfig

        try:
            with quiet_loading():
                return AutoConfig.from_pretrained(self.folder, local_files_only=True).get_text_config(decoder=True)
        except Exception as error:  # unknown model types, broken JSON, code that would have to be run
            raise DataError(f"model {self.folder}: its config.json is not understood: {error}") from error

    @cached_property
    def prompter(self) -> Prompter:
        positions = getattr(self._text_config, "max_position_embeddings", None)
        return Prompter(self.folder, positions, self.settings.max_new_tokens, self.settings.max_text_tokens)

    @cached_property
    def model(self):
        return load_decoder(self.folder, self.dtype, self.prompter.tokenizer).to(self.device)

    # ---- from items to vectors

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
            raise DataError(
                f"pictures, texts and fallback_messages must be lists of one length, got {sorted(lengths)}"
            )
        n = lengths.pop()
        messages = self.prompter.messages(prompt, texts if texts is not None else [""] * n)
        fallbacks = self.prompter.messages("", fallback_messages) if fallback_messages is not None else messages
        unique: dict[tuple, _Request] = {}
        requests = []
        for picture, message, fallback in zip(pictures or [None] * n, messages, fallbacks, strict=True):
            missing = pictures is not None and picture is None
            source = str(picture) if isinstance(picture, str | Path) else id(picture)
            key = (source, message, fallback)
            if key not in unique:
                unique[key] = _Request(picture, fallback if missing else message, fallback, [NO_PICTURE] * missing)
            requests.append(unique[key])
        return requests

    def _process(self, requests: list[_Request]) -> None:
        """Fill in `ids` and `vector`. A request whose picture cannot be opened loses it, and is skipped."""
        for batch, inputs in self._batches(requests):
            self._process_batch(batch, inputs)

    def _batches(self, requests: list[_Request]) -> Iterator[tuple]:
        """Batches with their inputs; a second thread prepares the next one while the model computes."""
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
        """The requests whose pictures can be opened, and the model's inputs for them."""
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
        return kept, self.prompter.inputs([r.message.text for r in kept], pictures or None) if kept else None

    def _process_batch(self, batch: list[_Request], inputs: Any) -> None:
        """As `_process`, for one batch; it is split in halves until it fits into memory."""
        if not batch:
            return
        try:
            inputs = inputs.to(self.device, dtype=self.dtype)
            tokens, vectors = continue_greedily(self.model, inputs, self.settings.max_new_tokens)
        except torch.OutOfMemoryError:
            if len(batch) == 1:
                raise SettingsError(
                    f"{self.name}: not even one item fits into the memory of {self.device}; "
                    "lower max_picture_side or max_text_tokens, or choose a smaller model"
                ) from None
        else:
            for i, request in enumerate(batch):
                request.ids, request.vector = tokens[i], vectors[i]
            return
        half = (len(batch) + 1) // 2
        self._batch_size = min(self._batch_size, half)
        del inputs
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        for part in (batch[:half], batch[half:]):
            self._process_batch(*self._prepare(part))


def _open(picture: Picture, max_side: int) -> Image.Image:
    return bounded_rgb(picture, max_side) if isinstance(picture, Image.Image) else open_picture(str(picture), max_side)


def _area(picture: Picture, max_side: int) -> float:
    """Pixels of a scaled picture, read from its header: in many models the number of tokens grows with it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if isinstance(picture, Image.Image):
                width, height = picture.size
            else:
                with Image.open(str(picture)) as opened:
                    width, height = opened.size
    except Exception:  # `_prepare` opens it again and reports the error
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
