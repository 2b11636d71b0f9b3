"""Prompts, and how they become the inputs of an image-text model: chat format, tokens, length limits.

Everything specific to a model comes from its own processor and chat template. A `Prompter` is used from two threads
(one prepares a batch while the model computes another), and tokenizers are not thread-safe: hence the lock.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from dmesr_core.errors import SettingsError
from dmesr_core.features.model_files import loading, set_pad_token
from dmesr_core.features.reasons import one_line

PICTURE_PROMPT = "Describe the product in the picture."
TEXT_PROMPT = "Summarise this product text: "  # followed by the item's words
KEYWORD_PROMPT = "List keywords for this product: "  # followed by the item's words

_PROBE = "plain words"  # what a chat template is tried with
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

    Raises:
        SettingsError: no chat template, or one that cannot be used. DataError: files that cannot be read.
    """

    def __init__(self, folder: Path, positions: int | None, max_new_tokens: int, max_text_tokens: int):
        self.folder = folder
        self.processor = load_processor(folder)
        self.tokenizer = self.processor.tokenizer
        self.positions, self.max_new_tokens, self.max_text_tokens = positions, max_new_tokens, max_text_tokens
        self._lock = threading.Lock()
        # Control tokens (<image>, end of turn, ...) must not come from an item's words.
        marks = set(self.tokenizer.all_special_tokens)
        marks |= {str(token) for token in self.tokenizer.added_tokens_decoder.values() if token.special}
        longest_first = sorted(marks, key=len, reverse=True)
        self._marks = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")
        self._takes_parts = self._find_content_form()

    def messages(self, prompt: str, texts: Sequence[str]) -> list[Message]:
        """`prompt + text` for each text, cut to the limits of the model and of `max_text_tokens`.

        Raises:
            SettingsError: the prompt alone is too long.
        """
        room = self.room(prompt)
        return [self._message(prompt, self._clean(text), room) for text in texts]

    def room(self, prompt: str) -> int:
        """The length limit of a text behind `prompt`, in tokens; errors as `messages`."""
        room = self.max_text_tokens
        if self.positions:
            frame = len(self.tokenizer(self.render(prompt, with_picture=False))["input_ids"])
            room = min(room, self.positions - self.max_new_tokens - frame - _MERGES)
        if room < 1:
            raise SettingsError(
                f"the model has {self.positions} positions: too few for max_new_tokens={self.max_new_tokens} "
                f"and the prompt {prompt[:60]!r}"
            )
        return room

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
        """The user's message in the model's own chat format, up to the start of the model's answer.

        Raises:
            SettingsError: a picture is wanted, and the chat template has no place for one.
        """
        if not with_picture:
            return self._render([{"type": "text", "text": text}] if self._takes_parts else text)
        problem = "takes strings only"
        if self._takes_parts:
            try:
                rendered = self._render([{"type": "image"}, {"type": "text", "text": text}])
                if rendered != self.render(text, with_picture=False):
                    return rendered
                problem = "leaves pictures out"
            except SettingsError as error:
                problem = str(error)
        raise SettingsError(
            f"model {self.folder}: its chat template has no place for a picture ({problem}): choose an image-text "
            "model whose template takes pictures, or give items without pictures: then only the text view is used"
        )

    def _render(self, content: str | list[dict]) -> str:
        conversation = [{"role": "user", "content": content}]
        try:
            return self.processor.apply_chat_template(conversation, add_generation_prompt=True, tokenize=False)
        except Exception as error:  # templates are programs
            raise SettingsError(one_line(error)) from None

    def _find_content_form(self) -> bool:
        """Whether the chat template takes a message as a list of parts; False: as a string."""
        problems = []
        for parts in (True, False):
            try:
                rendered = self._render([{"type": "text", "text": _PROBE}] if parts else _PROBE)
            except SettingsError as error:
                problems.append(str(error))
                continue
            # Some templates print a list as it is in Python.
            if _PROBE in rendered and not re.search(r"""['"]type['"]""", rendered):
                return parts
            problems.append(f"gives {one_line(rendered, 60)!r}")
        raise SettingsError(
            f"model {self.folder}: its chat template cannot be used: with a list of parts: {problems[0]}; "
            f"with a string: {problems[1]}"
        )

    def inputs(self, texts: list[str], pictures: list[Image.Image] | None) -> Any:
        """The model's inputs for one batch, padded on the left, on the CPU. All messages have a picture, or none.

        Raises:
            SettingsError: the batch is longer than the model's positions allow, or there is no place for a picture.
            Exception: whatever the model's processor raises if it refuses an input.
        """
        with self._lock:
            rendered = {text: self.render(text, pictures is not None) for text in set(texts)}
            first = rendered[texts[0]]
            bos = self.tokenizer.bos_token  # most chat templates contain it
            usual = {
                "padding": True, "return_tensors": "pt", "add_special_tokens": not (bos and first.startswith(bos)),
            }  # fmt: skip
            prompts = [rendered[text] for text in texts]
            if pictures:
                inputs = self.processor(text=prompts, images=[[picture] for picture in pictures], **usual)
            else:
                inputs = self._text_inputs(prompts, usual)
        needed = inputs["input_ids"].shape[1] + self.max_new_tokens
        if self.positions and needed > self.positions:
            where = " with a picture" if pictures else ""
            raise SettingsError(
                f"the model has {self.positions} positions, but {needed} are needed{where}: "
                "lower max_picture_side, max_text_tokens or max_new_tokens"
            )
        return inputs

    def _text_inputs(self, prompts: list[str], usual: dict[str, Any]) -> Any:
        """Some processors (PaliGemma) refuse a prompt without a picture; its tokenizer does not."""
        try:
            return self.processor(text=prompts, images=None, **usual)
        except Exception:  # many types
            from transformers import BatchFeature

            return BatchFeature(self.tokenizer(prompts, **usual))

    def check(self, prompt: str, picture: Image.Image | None) -> Any:
        """The inputs for one plain prompt.

        Raises:
            SettingsError: the model's processor cannot make them; says why.
        """
        try:
            return self.inputs([prompt], [picture] if picture else None)
        except SettingsError:
            raise
        except Exception as error:  # many types
            what = f"a plain grey picture of {picture.width} x {picture.height} pixels" if picture else "a plain text"
            hint = "; another max_picture_side may help" if picture else ""
            raise SettingsError(
                f"model {self.folder}: its processor refuses even {what}: {one_line(error)}{hint}"
            ) from error

    def decode(self, ids: list[int]) -> str:
        """Tokens of an answer as text."""
        with self._lock:
            return self.tokenizer.decode(ids, skip_special_tokens=True).strip()


def load_processor(folder: Path) -> Any:
    """The processor with Pillow as backend for pictures, so that vectors do not depend on installed packages."""
    with loading(f"model {folder}: its processor cannot be loaded"):
        from transformers import AutoImageProcessor, AutoProcessor

        processor = AutoProcessor.from_pretrained(folder, local_files_only=True)
        if getattr(processor, "image_processor", None) is None or getattr(processor, "tokenizer", None) is None:
            raise SettingsError(
                f"model {folder}: not an image-text model: its processor has no picture part or no tokenizer"
            )
        processor.image_processor = AutoImageProcessor.from_pretrained(folder, backend="pil", local_files_only=True)
    tokenizer = processor.tokenizer
    processor.chat_template = processor.chat_template or tokenizer.chat_template
    if not processor.chat_template:
        raise SettingsError(
            f"model {folder}: it has no chat template, so it cannot be prompted; choose an -Instruct model"
        )
    tokenizer.padding_side = "left"  # all answers of a batch begin at the same position
    if not set_pad_token(tokenizer):
        raise SettingsError(f"model {folder}: its tokenizer has no token for padding, and none to take its place")
    return processor
