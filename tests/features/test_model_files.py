"""Model folders: where they are found, which files they need, and what their hash depends on."""

from __future__ import annotations

import math
import shutil

import pytest
from helpers.tiny_models import load_on_cpu
from safetensors.torch import load_file, save_file

from dmesr_core.errors import DataError, SettingsError
from dmesr_core.features.mllm import MLLM
from dmesr_core.features.model_files import count_weights, find_model
from dmesr_core.features.prompts import TEXT_PROMPT


def test_missing_and_broken_files_are_named(folders, tmp_path):
    with pytest.raises(SettingsError, match="no such folder"):
        MLLM.load(str(tmp_path / "nowhere"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"no config\.json"):
        MLLM.load(tmp_path / "empty")
    folder = shutil.copytree(folders["llava"], tmp_path / "folder")
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="weights cannot be loaded"):
        load_on_cpu(folder).describe(None, ["a"], TEXT_PROMPT)
    some = load_file(folders["llava"] / "model.safetensors")
    gone = next(name for name in some if "mlp" in name)
    del some[gone]
    save_file(some, weights, metadata={"format": "pt"})
    with pytest.raises(DataError, match=r"1 weights are missing, the first is .*mlp"):
        load_on_cpu(folder).describe(None, ["a"], TEXT_PROMPT)
    weights.rename(folder / "pytorch_model.bin")
    with pytest.raises(DataError, match="no weights"):
        load_on_cpu(folder)
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {"a": "model-1.safetensors"}}')
    with pytest.raises(DataError, match=r"1 weight files are missing, the first is model-1\.safetensors"):
        load_on_cpu(folder)


def test_an_unreachable_hub_is_reported(monkeypatch, tmp_path):
    """Without a network: an error that says so. An incomplete local copy is not used."""
    from huggingface_hub.errors import LocalEntryNotFoundError

    tried = []

    def offline(name, local_files_only=False, **_):
        tried.append(local_files_only)
        if local_files_only and name == "owner/half":
            return str(tmp_path)  # only some of its files
        raise LocalEntryNotFoundError("no")

    monkeypatch.setattr("huggingface_hub.snapshot_download", offline)
    with pytest.raises(SettingsError, match=r"half: there is no such folder .*hub cannot be reached.*give a folder"):
        find_model("owner/half")
    assert tried == [True, False]
    with pytest.raises(SettingsError, match="not a hub name"):
        find_model("a/b/c")


def test_a_complete_local_copy_needs_no_network(monkeypatch, folders):
    calls = []

    def cached(name, local_files_only=False, **_):
        calls.append(local_files_only)
        return str(folders["llava"])

    monkeypatch.setattr("huggingface_hub.snapshot_download", cached)
    assert MLLM.load("owner/model").folder == folders["llava"]
    assert calls == [True]


def test_fingerprint_depends_on_content_and_limits_only(folders, tmp_path):
    first = load_on_cpu(folders["llava"]).fingerprint
    copy = shutil.copytree(folders["llava"], tmp_path / "copy")
    (copy / "README.md").write_text("a model card changes nothing")
    assert load_on_cpu(copy).fingerprint == first
    assert load_on_cpu(copy, batch_size=1).fingerprint == first
    assert load_on_cpu(copy, max_new_tokens=9).fingerprint != first
    assert load_on_cpu(copy, max_picture_side=9).fingerprint != first
    weights = load_file(copy / "model.safetensors")
    weights[next(iter(weights))].view(-1)[0] += 1
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    assert load_on_cpu(copy).fingerprint != first


def test_weights_are_counted_over_all_files(tmp_path, folders):
    weights = load_file(folders["llava"] / "model.safetensors")
    expected = sum(math.prod(w.shape) for w in weights.values())
    names = sorted(weights)
    for part in (0, 1):
        save_file({name: weights[name] for name in names[part::2]}, tmp_path / f"model-{part}.safetensors")
    assert count_weights(folders["llava"]) == count_weights(tmp_path) == expected
