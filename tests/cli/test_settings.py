"""Settings from a TOML file and flags: round trips, unknown names, and whose word wins."""

from __future__ import annotations

import tomllib
from dataclasses import fields

import pytest

from dmesr_core.cli.settings import MODELS, as_toml, defaults, read_settings
from dmesr_core.errors import SettingsError
from dmesr_core.features.mllm import MLLMSettings
from dmesr_core.models.backbones import BackboneSettings
from dmesr_core.models.dmesr_settings import DMESRSettings
from dmesr_core.training.settings import TrainSettings


@pytest.fixture
def read(tmp_path):
    """Settings of a file with this content, and of flags."""

    def of(content: str, flags=None):
        (tmp_path / "my.toml").write_text(content, encoding="utf-8")
        return read_settings(tmp_path / "my.toml", flags or {})

    return of


@pytest.mark.parametrize("kind", MODELS)
def test_what_is_printed_reads_back_as_the_same(kind, read):
    settings, tables = read_settings(None, {("model", "kind"): kind})
    assert read(as_toml(tables)) == (settings, tables)


def test_the_defaults_are_those_of_the_package():
    settings, tables = read_settings(None, {})
    assert (settings.backbone, settings.training, settings.kind) == (BackboneSettings(), TrainSettings(), "dmesr")
    assert settings.mllm == MLLMSettings("tiny")
    keys = {field.name for field in fields(DMESRSettings)} - {"backbone"}
    assert set(tables["model"]) == {"kind", *keys}


def test_the_printed_file_says_what_settings_mean():
    text = as_toml(defaults("dmesr"))
    assert tomllib.loads(text)["training"]["epochs"] == TrainSettings().epochs
    lines = dict(line.split(" = ", 1) for line in text.splitlines() if " = " in line)
    assert "# " in lines["alpha"] and "# " in lines["on_unknown"] and "# " in lines["max_new_tokens"]
    assert '"none"' in lines["items_per_step"]  # how to write what Python calls None


def test_a_file_changes_some_and_flags_win(read):
    content = (
        '[training]\nepochs = 3\nseed = 4\n[model]\nviews = ["text"]\nitems_per_step = "none"\n[features]\nmllm = "x"\n'
    )
    settings, _ = read(content, {("training", "seed"): 9})
    assert (settings.training.epochs, settings.training.seed, settings.mllm.name) == (3, 9, "x")
    assert settings.options["views"] == ("text",) and settings.options["items_per_step"] is None
    assert settings.training.batch_size == TrainSettings().batch_size


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[trainign]\nepochs = 3\n", r"my.toml: unknown table \[trainign\]: did you mean training\?"),
        ("[training]\nepoch = 3\n", r"my.toml: unknown key 'epoch' in \[training\]: did you mean epochs\?"),
        ("[backbone]\nxyzzy = 3\n", r"unknown key 'xyzzy' in \[backbone\]: choose one of name, width"),
        ("[training]\nepochs = 0\n", r"my.toml: \[training\]: epochs must be at least 1, got 0"),
        ("[training]\nepochs = '3'\n", r"\[training\]: epochs must be a whole number, got '3'"),
        ("[model]\nalpha = -1\n", r"my.toml: \[model\]: alpha must be 0 or more"),
        ("[model]\nkind = 'dmser'\n", "unknown model 'dmser': choose one of dmesr, id"),
        ("[model]\nkind = 'id'\nalpha = 1\n", r"unknown key 'alpha' in \[model\]"),
        ("[data]\nk_core = -1\n", r"\[data\]: k_core must be at least 0"),
        ("[data]\non_unknown = 'skip'\n", r"\[data\]: on_unknown must be 'error' or 'drop'"),
        ("[features]\nmax_tokens = 1\n", r"\[features\]: max_tokens must be a whole number of at least 2"),
        ("[features]\nmllm = ''\n", r"\[features\]: name is empty"),
        ("[features]\nencoder = 3\n", r"\[features\]: encoder must be a string"),
        ("[training]\nseed = -1\n", "seed must be a whole number of 0 or more, got -1"),
        ("[training]\nitem_dropout = 0.1\n[backbone]\nname = 'bert4rec'\n", "item_dropout must be 0 but for a causal"),
        ("[training]\nloss = 'gbce'\n", r"\[training\]: .*'ce' or 'sampled'.*; injection = \"sum\" under \[model\]"),
        (
            "[training]\nhistory_loss_weight = 0.1\n[model]\nkind = 'words'\nsoftmaxes = 3\n",
            r"history_loss_weight 0.*; softmaxes = 1 under \[model\]",
        ),
        (
            "[training]\nloss = 'bce'\n[model]\nkind = 'raw'\nmixture = true\n",
            r"'bce'.*; mixture = false under \[model\]",
        ),
        ("epochs = 3\n", "'epochs' stands in no table"),
        ("[training\n", "this is not TOML"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(content, message, read):
    with pytest.raises(SettingsError, match=message):
        read(content)


def test_advice_on_losses_of_one_softmax_can_be_followed(read):
    assert read("[training]\nloss = 'gbce'\n[model]\ninjection = 'sum'\n")[0].training.loss == "gbce"


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(
        SettingsError, match="there is no such file; dmesr train --print-config > .*none.toml makes one"
    ):
        read_settings(tmp_path / "none.toml", {})
    with pytest.raises(SettingsError, match="cannot be read"):
        read_settings(tmp_path, {})
    (tmp_path / "latin.toml").write_bytes(b"[data]\n# \xe9\n")
    with pytest.raises(SettingsError, match="cannot be read"):
        read_settings(tmp_path / "latin.toml", {})
