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
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from dmesr_core.errors import DataError, SettingsError
from dmesr_core.features.devices import best_dtype, choose_device, is_out_of_memory
from dmesr_core.features.generation import continue_greedily, load_decoder
from dmesr_core.features.mllm_requests import Picture, Request, make_requests
from dmesr_core.features.mllm_settings import MLLMSettings
from dmesr_core.features.model_files import find_model, fingerprint, loading
from dmesr_core.features.prompts import Prompter
from dmesr_core.features.reasons import BROKEN_PICTURE, EMPTY, TEXT_CUT, ItemError, one_line
from dmesr_core.features.tiny_mllm import checkpoint_folder

_TINY = "tiny"  # name of the model that comes with the package
_RECIPE = 1  # part of the fingerprint: raise it when a change of this file changes vectors or descriptions
_PROBE_SIDE = 1024  # pixels: `check` shows the model a plain picture that is no larger


@dataclass(frozen=True)
class MLLMOutput:
    """Descriptions and vectors of n items."""

    descriptions: list[str]  # n
    vectors: np.ndarray  # (n, width) float32
    issues: list[tuple[int, str]]  # (index, reason): missing or broken pictures, cut texts, empty descriptions


class MLLM:
    """An image-text model that describes items and turns them into vectors. `MLLM.load` finds its files.

    Weights are loaded on first use. Attributes: `folder`, `settings`, `name`, `device`, `dtype`, `width` (length of an
    item's vector), `fingerprint` (hash of all that changes the output, but the prompts).

    Example:
        >>> from dmesr_core import MLLM, load_dataset
        >>> catalogue = load_dataset("bazaar", profile="smoke").catalogue
        >>> model = MLLM.load("tiny")
        >>> model.width
        128
        >>> model.describe([catalogue.pictures[0]], None, "Describe the product in the picture.")
        ['a purple plain chair, high']
        >>> model.describe(None, [catalogue.words(1)], "Summarise this product text: ")
        ['a small linen chair for gifts']
    """

    def __init__(self, folder: Path, settings: MLLMSettings):
        self.folder, self.settings, self.name = folder, settings, settings.name
        self.device = choose_device(settings.device)
        self.dtype = getattr(torch, settings.dtype) if settings.dtype else best_dtype(self.device)
        self._batch_size = settings.batch_size

    def __repr__(self) -> str:
        return f"<MLLM {self.name!r} on {self.device}, {str(self.dtype).removeprefix('torch.')}>"

    @classmethod
    def load(cls, settings: MLLMSettings | str | Path) -> MLLM:
        """Find the files of a model; its weights are loaded on first use.

        Args:
            settings: "tiny" for the model that comes with the package (write `./tiny` for a folder of that name), a
                folder, a hub name, or settings whose `name` is one of these.

        Raises:
            SettingsError: no such model, or a device that is not on this machine.
            DataError: its folder lacks files.

        Example:
            >>> from dmesr_core.features.mllm import MLLM, MLLMSettings
            >>> MLLM.load(MLLMSettings("tiny", device="cpu", max_new_tokens=20))
            <MLLM 'tiny' on cpu, float32>
        """
        if not isinstance(settings, MLLMSettings | str | Path):
            raise SettingsError(f"MLLM.load takes a name, a folder or MLLMSettings, got {type(settings).__name__}")
        settings = settings if isinstance(settings, MLLMSettings) else MLLMSettings(str(settings))
        return cls(checkpoint_folder() if settings.name == _TINY else find_model(settings.name, (_TINY,)), settings)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of everything that changes the output except the prompts: files, number type, and the limits."""
        s, dtype = self.settings, str(self.dtype).removeprefix("torch.")
        parts = (_RECIPE, fingerprint(self.folder), dtype, s.max_picture_side, s.max_new_tokens, s.max_text_tokens)
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    @property
    def width(self) -> int:
        """Length of an item's vector."""
        return self._text_config.hidden_size

    @property
    def text_limit(self) -> int:
        """The length that an item's words are cut to in the text view, in tokens."""
        return self.prompter.room(self.settings.text_prompt)

    def check(self, pictures: bool = True) -> None:
        """Try the model on plain words and, if `pictures`, on a plain picture: then what it lacks is found at once.

        Raises:
            SettingsError: no place for a picture in its chat template, a processor or a model that refuses even plain
                input, too few positions, too little memory. DataError: broken files, or states that are not finite.
        """
        self._try_view(with_picture=False)
        if pictures:
            self._try_view(with_picture=True)

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
            fallback_messages: n whole messages for items whose picture is missing, broken, or refused by the model
                (default: the same as with a picture).

        Returns:
            `MLLMOutput` with vectors (n, width). Its issues name items with a missing, broken or refused picture (if
            `pictures` are given), with a text that was cut, or with an empty description. The vector of an empty
            description is the state that predicts its end.

        Raises:
            SettingsError: the model has no chat template or needs what is not installed; it refuses even plain input;
                memory or positions run out.
            DataError: broken model files, lists of different length, or an input with states that are not finite.

        Example:
            >>> from dmesr_core import MLLM, load_dataset
            >>> catalogue = load_dataset("bazaar", profile="smoke").catalogue
            >>> model = MLLM.load("tiny")
            >>> found = model.embed([catalogue.pictures[0], None], None, model.settings.picture_prompt)
            >>> found.vectors.shape, found.issues
            ((2, 128), [(1, 'no picture')])
        """
        requests = make_requests(self.prompter, pictures, texts, prompt, fallback_messages)
        unique = list({id(request): request for request in requests}.values())
        side = self.settings.max_picture_side
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"PIL\.")  # of odd pictures: what matters is in the issues
            with_picture = [r for r in unique if r.picture is not None]
            self._process(sorted(with_picture, key=lambda r: (-r.area(side), -len(r.message.text))))
            text_only = [r for r in unique if r.picture is None]  # also those that have lost their picture just now
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
        with loading(f"model {self.folder}: its config.json is not understood"):
            from transformers import AutoConfig

            return AutoConfig.from_pretrained(self.folder, local_files_only=True).get_text_config(decoder=True)

    @cached_property
    def prompter(self) -> Prompter:
        positions = getattr(self._text_config, "max_position_embeddings", None)
        return Prompter(self.folder, positions, self.settings.max_new_tokens, self.settings.max_text_tokens)

    @cached_property
    def model(self):
        return load_decoder(self.folder, self.dtype, self.prompter.tokenizer).to(self.device)

    # ---- from items to vectors

    def _process(self, requests: list[Request]) -> None:
        """Fill in `ids` and `vector`. A request whose picture cannot be used loses it, and is skipped."""
        for batch, inputs in self._batches(requests):
            self._process_batch(batch, inputs)

    def _batches(self, requests: list[Request]) -> Iterator[tuple[list[Request], Any]]:
        """Batches with their inputs; a second thread prepares the next one while the model computes."""
        with ThreadPoolExecutor(1) as pool:
            start, waiting = 0, None
            while start < len(requests) or waiting:
                batch = requests[start : start + self._batch_size]
                start += len(batch)
                upcoming = pool.submit(self._prepare, batch) if batch else None
                if waiting:
                    yield from waiting.result()
                waiting = upcoming

    def _prepare(self, batch: list[Request]) -> list[tuple[list[Request], Any]]:
        """Those requests whose pictures can be used, with the model's inputs: one batch, if the processor takes it."""
        opened: list[tuple[Request, Image.Image | None]] = []
        for request in batch:
            try:
                picture = request.open(self.settings.max_picture_side) if request.picture is not None else None
                opened.append((request, picture))
            except DataError as error:
                request.drop_picture(f"{BROKEN_PICTURE}: {error}")
        try:
            return self._as_batch(opened)
        except Exception as error:  # of the processor: many types
            if len(opened) == 1:
                self._refuse(opened[0][0], "the model's processor", error)
                return []
        alone = {}  # each by itself, to find those that are refused
        for pair in opened:
            try:
                alone[pair[0].index] = self._as_batch([pair])
            except Exception as error:
                self._refuse(pair[0], "the model's processor", error)
        try:
            return self._as_batch([pair for pair in opened if pair[0].index in alone])
        except Exception:  # it takes each of them, but not all together
            return [batch for batches in alone.values() for batch in batches]

    def _as_batch(self, opened: list[tuple[Request, Image.Image | None]]) -> list[tuple[list[Request], Any]]:
        """One batch with its inputs, or none for no requests."""
        if not opened:
            return []
        pictures = [picture for _, picture in opened if picture is not None]
        inputs = self.prompter.inputs([request.message.text for request, _ in opened], pictures or None)
        return [([request for request, _ in opened], inputs)]

    def _process_batch(self, batch: list[Request], inputs: Any) -> None:
        """As `_process`, for one batch; it is split in halves until it fits into memory."""
        try:
            tokens, vectors = self._run(inputs, self.settings.max_new_tokens)
        except (DataError, SettingsError):  # of loading the weights
            raise
        except Exception as error:  # of the model: many types
            full = is_out_of_memory(error)
            if len(batch) == 1 and full:
                raise self._no_room() from None
            if len(batch) == 1:
                return self._refuse(batch[0], "the model", error)
            size = (len(batch) + 1) // 2 if full else 1
            self._batch_size = min(self._batch_size, size) if full else self._batch_size
        else:
            for i, request in enumerate(batch):
                if not np.isfinite(vectors[i]).all():
                    raise ItemError(request.index, self._not_finite())
                request.ids, request.vector = tokens[i], vectors[i]
            return
        del inputs
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        for start in range(0, len(batch), size):
            for part in self._prepare(batch[start : start + size]):
                self._process_batch(*part)

    def _run(self, inputs: Any, max_new_tokens: int) -> tuple[list[list[int]], np.ndarray]:
        return continue_greedily(self.model, inputs.to(self.device, dtype=self.dtype), max_new_tokens)

    # ---- what goes wrong

    def _refuse(self, request: Request, part: str, error: Exception) -> None:
        """A request that a part of the model refuses loses its picture, unless a plain picture is refused as well.

        Raises:
            SettingsError: even plain input is refused. ItemError: the request has no picture to lose.
        """
        with_picture = request.picture is not None
        self._try_view(with_picture, run=part == "the model")
        if not with_picture:
            raise ItemError(request.index, f"{part} refuses its words: {one_line(error)}") from error
        request.drop_picture(f"{BROKEN_PICTURE}: {request.picture_name}: {part} refuses it ({one_line(error)})")

    def _try_view(self, with_picture: bool, run: bool = True) -> None:
        """Prepare plain input and, if `run`, give it to the model."""
        side = min(self.settings.max_picture_side, _PROBE_SIDE)
        prompt = self.settings.picture_prompt if with_picture else self.settings.text_prompt
        self.prompter.messages(prompt, [""])  # raises an error if the prompt is too long
        inputs = self.prompter.check(prompt, Image.new("RGB", (side, side), "grey") if with_picture else None)
        if not run:
            return
        try:
            vectors = self._run(inputs, max_new_tokens=1)[1]
        except (DataError, SettingsError):
            raise
        except Exception as error:
            if is_out_of_memory(error):
                raise self._no_room() from None
            what = "a plain grey picture" if with_picture else "plain words without a picture"
            raise SettingsError(f"model {self.name}: it cannot be run on {what}: {one_line(error)}") from error
        if not np.isfinite(vectors).all():
            raise DataError(f"model {self.name}: {self._not_finite()}")

    def _no_room(self) -> SettingsError:
        return SettingsError(
            f"{self.name}: not even one item fits into the memory of {self.device}; "
            "lower max_picture_side or max_text_tokens, or choose a smaller model"
        )

    def _not_finite(self) -> str:
        advice = "its weights are damaged" if self.dtype == torch.float32 else "try dtype='float32'"
        return f"the model's states are not finite in {str(self.dtype).removeprefix('torch.')}; {advice}"
