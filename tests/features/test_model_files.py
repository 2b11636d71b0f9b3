"""Model folders: where they are found, which files they need, and what their hash depends on."""

from __future__ import annotations

import json
import math
import shutil
import sys

import pytest
from helpers.tiny_models import load_on_cpu
from safetensors.torch import load_file, save_file

from dmesr_core.errors import DataError, SettingsError
from dmesr_core.features.mllm import MLLM
from dmesr_core.features.model_files import count_weights, find_model, loading
from dmesr_core.features.prompts import TEXT_PROMPT
from dmesr_core.features.text_encoder import TextEncoder


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


@pytest.fixture
def offline(monkeypatch):
    """No hub, and nothing in its cache."""
    from huggingface_hub.errors import LocalEntryNotFoundError

    def unreachable(*_, **__):
        raise LocalEntryNotFoundError("no")

    monkeypatch.setattr("huggingface_hub.snapshot_download", unreachable)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("name", ["tinny", "Tiny", "tiny ", "tny", "tiny_", "TINY"])
def test_a_misspelled_name_is_said_first(name):
    with pytest.raises(SettingsError, match=f"model {name}: there is no such model") as error:
        MLLM.load(name)
    assert 'did you mean "tiny"?' in str(error.value)
    assert "hub" not in str(error.value)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("name", ["all-MiniLM-L6-v2", "all-minilm-l6-v2"])
def test_a_text_encoder_without_its_owner_is_recognised(name):
    with pytest.raises(SettingsError, match='did you mean "sentence-transformers/all-MiniLM-L6-v2"'):
        TextEncoder.load(name)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("name", ["smolvlm", "owner/model", "models/smolvlm", "bert-base-uncased", "owner/tiny"])
def test_another_name_is_first_a_folder_and_then_one_of_the_hub(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    with pytest.raises(SettingsError) as error:
        MLLM.load(name)
    message = str(error.value)
    folder, missing = ("models", "smolvlm") if name.startswith("models") else ("", name.split("/")[0])
    assert f"model {name}: there is no such folder ({tmp_path / folder} has no {missing})" in message
    assert message.index("no such folder") < message.index("hub")
    assert "did you mean" not in message


@pytest.mark.parametrize("name", ["./tiny", "/nowhere/model", "~/nowhere", "a/b/c", "models\\smolvlm", "../x"])
def test_what_can_only_be_a_path_is_not_looked_up_on_the_hub(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.snapshot_download", None)
    with pytest.raises(SettingsError, match="there is no such folder .* has no .*it is not a hub name"):
        MLLM.load(name)


def test_a_file_is_not_a_model(tmp_path):
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"")
    with pytest.raises(SettingsError, match="this is a file; give the folder"):
        MLLM.load(file)


@pytest.fixture
def misfit(tmp_path, monkeypatch):
    """A torchvision whose extension was built for another torch."""
    package, info = tmp_path / "site" / "torchvision", tmp_path / "site" / "torchvision-0.1.0.dist-info"
    for folder in (package, info):
        folder.mkdir(parents=True)
    (package / "__init__.py").write_text('raise RuntimeError("operator torchvision::nms does not exist")')
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: torchvision\nVersion: 0.1.0\n")
    monkeypatch.syspath_prepend(package.parent)
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)


@pytest.mark.usefixtures("misfit")
def test_a_torchvision_that_does_not_fit_torch_is_said():
    message = r"model x: cannot be loaded: torchvision 0\.1\.0 and torch \d.* do not fit together .operator torchvision"
    with pytest.raises(SettingsError, match=message + ".*`pip list`.*pip uninstall torchvision"):
        with loading("model x: cannot be loaded"):
            raise ModuleNotFoundError("Could not import module 'CLIPProcessor'. Are its requirements defined?")
    with pytest.raises(DataError, match="^other: a file is broken$"), loading("other"):
        raise DataError("other: a file is broken")


@pytest.mark.usefixtures("misfit")
def test_a_processor_whose_torchvision_does_not_fit_says_so(folders, tmp_path):
    folder = shutil.copytree(folders["qwen2_vl"], tmp_path / "qwen")
    file = folder / "processor_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "processor_class": "Qwen2VLProcessor"}))
    with pytest.raises(SettingsError, match="its processor cannot be loaded: torchvision .* do not fit together"):
        load_on_cpu(folder).check()


def test_a_missing_package_is_named():
    with pytest.raises(SettingsError, match="model x: it needs another package: No module named 'sentencepiece'"):
        with loading("model x"):
            raise ModuleNotFoundError("No module named 'sentencepiece'")


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
