"""Prompts, and how they become the inputs of an image-text model: chat format, tokens, length limits.

Everything specific to a model comes from its own processor and chat template. A `Prompter` is used from two threads
(one prepares a batch while the model computes another), and tokenizers are not thread-safe: hence the lock.
"""

from __future__ import annotations

import importlib.util
import re
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from dmesr_core.errors import DataError, SettingsError
from dmesr_core.features.model_files import quiet_loading

PICTURE_PROMPT = "Describe the product in the picture."
TEXT_PROMPT = "Summarise this product text: "  # followed by the item's words
KEYWORD_PROMPT = "List keywords for this product: "  # followed by the item's words

_MERGES = 8  # tokens kept free: where two texts are joined, their tokens may differ from those of each text alone


class Message(NamedTuple):
    """The text part of the user's turn."""

    text: str
    cut: bool = False  # whether its end was cut off to fit


class Prompter:
    """The processor of the model in `folder`, and its length limits.

    Args:
        folder: the model's files.
        positions: length limit of the model in tokens, prompt and answer together; None without one.
        max_new_tokens: tokens kept free for the answer.
        max_text_tokens: length limit of a text that follows a prompt.
    """

    def __init__(self, folder: Path, positions: int | None, max_new_tokens: int, max_text_tokens: int):
        self.processor = load_processor(folder)
        self.tokenizer = self.processor.tokenizer
        self.positions, self.max_new_tokens, self.max_text_tokens = positions, max_new_tokens, max_text_tokens
        self._lock = threading.Lock()
        # Control tokens (<image>, end of turn, ...) must not come from an item's words.
        marks = set(self.tokenizer.all_special_tokens)
        marks |= {str(token) for token in self.tokenizer.added_tokens_decoder.values() if token.special}
        longest_first = sorted(marks, key=len, reverse=True)
        self._marks = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")

    def messages(self, prompt: str, texts: Sequence[str]) -> list[Message]:
        """`prompt + text` for each text, cut to the limits of the model and of `max_text_tokens`.

        Raises:
            SettingsError: the prompt alone is too long.
        """
        room = self.max_text_tokens
        if self.positions:
            frame = len(self.tokenizer(self.render(prompt, with_picture=False))["input_ids"])
            room = min(room, self.positions - self.max_new_tokens - frame - _MERGES)
        if room < 1:
            raise SettingsError(
                f"the model has {self.positions} positions: too few for max_new_tokens={self.max_new_tokens} "
                f"and the prompt {prompt[:60]!r}"
            )
        return [self._message(prompt, self._clean(text), room) for text in texts]

    def _message(self, prompt: str, text: str, room: int) -> Message:
        if len(text.encode()) <= room:  # a token has at least one byte
            return Message(prompt + text)
        ids = self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        if len(ids) <= room:
            return Message(prompt + text)
        return Message(prompt + self._clean(self.tokenizer.decode(ids[:room])).rstrip("\ufffd"), cut=True)

    def _clean(self, text: str) -> str:
        """Replace control tokens, and lone surrogates, which tokenizers reject."""
        return self._marks.sub(" ", text.encode("utf-8", "replace").decode("utf-8"))

    def render(self, text: str, with_picture: bool) -> str:
        """The user's message in the model's own chat format, up to the start of the model's answer."""
        content = [{"type": "image"}] * with_picture + [{"type": "text", "text": text}]
        conversation = [{"role": "user", "content": content}]
        return self.processor.apply_chat_template(conversation, add_generation_prompt=True, tokenize=False)

    def inputs(self, texts: list[str], pictures: list[Image.Image] | None) -> Any:
        """The model's inputs for one batch, padded on the left, on the CPU. All messages have a picture, or none.

        Raises:
            SettingsError: the batch is longer than the model's positions allow.
        """
        with self._lock:
            rendered = {text: self.render(text, pictures is not None) for text in set(texts)}
            first = rendered[texts[0]]
            bos = self.tokenizer.bos_token  # most chat templates contain it
            inputs = self.processor(
                text=[rendered[text] for text in texts],
                images=[[picture] for picture in pictures] if pictures else None,
                padding=True,
                return_tensors="pt",
                add_special_tokens=not (bos and first.startswith(bos)),
            )
        needed = inputs["input_ids"].shape[1] + self.max_new_tokens
        if self.positions and needed > self.positions:
            raise SettingsError(
                f"the model has {self.positions} positions, but {needed} are needed with a picture: "
                "lower max_picture_side, max_text_tokens or max_new_tokens"
            )
        return inputs

    def decode(self, ids: list[int]) -> str:
        """Tokens of an answer as text."""
        with self._lock:
            return self.tokenizer.decode(ids, skip_special_tokens=True).strip()


def load_processor(folder: Path) -> Any:
    """The processor with Pillow as backend for pictures, so that vectors do not depend on installed packages."""
    from transformers import AutoImageProcessor, AutoProcessor

    try:
        with quiet_loading():
            processor = AutoProcessor.from_pretrained(folder, local_files_only=True)
            if getattr(processor, "image_processor", None) is None or getattr(processor, "tokenizer", None) is None:
                raise SettingsError(
                    f"model {folder}: not an image-text model: its processor has no picture part or no tokenizer"
                )
            processor.image_processor = AutoImageProcessor.from_pretrained(folder, backend="pil", local_files_only=True)
    except SettingsError:
        raise
    except Exception as error:  # transformers and its dependencies raise many types here
        if not importlib.util.find_spec("torchvision") and re.search("torchvision|video ?processor", str(error), re.I):
            raise SettingsError(
                f"model {folder}: its processor has a video part that needs torchvision: install torchvision, "
                f"or choose another model, for instance of the Idefics3, LLaVA or Gemma 3 family ({error})"
            ) from None
        if isinstance(error, ImportError):
            raise SettingsError(f"model {folder}: its processor needs another package: {error}") from None
        raise DataError(f"model {folder}: its processor cannot be loaded: {error}") from error
    tokenizer = processor.tokenizer
    processor.chat_template = processor.chat_template or tokenizer.chat_template
    if not processor.chat_template:
        raise SettingsError(
            f"model {folder}: it has no chat template, so it cannot be prompted; choose an -Instruct model"
        )
    tokenizer.padding_side = "left"  # all answers of a batch begin at the same position
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return processor
