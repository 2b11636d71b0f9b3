"""An MLLM and a text encoder without weights, whose outputs say what they were given."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np

from dmesr_core.features.mllm import MLLMOutput, MLLMSettings
from dmesr_core.features.text_encoder import TokenStates


class FakeMLLM:
    """Its descriptions are its inputs. Counts its inputs, and raises KeyboardInterrupt after `dies_after` of them."""

    def __init__(self, fingerprint: str = "model"):
        self.fingerprint, self.width, self.name, self.folder = fingerprint, 4, "fake", Path("fake")
        self.text_limit = 24
        self.settings = MLLMSettings("fake", batch_size=2)
        self.inputs: list[str] = []
        self.dies_after = 10**9
        self.checked: list[bool] = []  # with which views

    def check(self, pictures=True) -> None:
        self.checked.append(pictures)

    def embed(self, pictures, texts, prompt, fallback_messages=None) -> MLLMOutput:
        described, report = [], []
        n = len(pictures if pictures is not None else texts)
        for i in range(n):
            if len(self.inputs) >= self.dies_after:
                raise KeyboardInterrupt
            content = prompt + texts[i] if texts is not None else prompt
            if pictures is not None:
                data = pictures[i].read_bytes()
                if data.startswith(b"broken"):
                    report.append((i, f"broken picture: picture {pictures[i]}: broken"))
                    content = fallback_messages[i]
                else:
                    content += str(zlib.crc32(data))
            if "long" in content:
                report.append((i, "text cut"))
            self.inputs.append(content)
            described.append(content)
        return MLLMOutput(described, np.stack([fake_vector(d) for d in described]), report)


def fake_vector(description: str) -> np.ndarray:
    return np.random.default_rng(zlib.crc32(description.encode())).normal(size=4).astype(np.float32)


class FakeEncoder:
    """Three numbers per word: the length of the text, the place of the word, and 1."""

    fingerprint, width, name = "encoder", 3, "fake encoder"

    def __init__(self):
        self.inputs: list[str] = []
        self.checked: list[int] = []

    def check(self, max_tokens) -> None:
        self.checked.append(max_tokens)

    def encode(self, texts, max_tokens) -> TokenStates:
        self.inputs += texts
        tokens = [["[CLS]", *text.split(), "[SEP]"][:max_tokens] for text in texts]
        cut = np.array([len(text.split()) + 2 > max_tokens for text in texts])
        longest = max(map(len, tokens))
        mask = np.array([[j < len(t) for j in range(longest)] for t in tokens])
        states = np.array([[[len(t), j, 1] for j in range(longest)] for t in tokens], np.float16) * mask[..., None]
        return TokenStates(states, mask, tokens, cut)
