"""Settings of `dmesr train` and its relatives: a TOML file, flags that win over it, and the defaults of the package."""

from __future__ import annotations

import difflib
import inspect
import json
import re
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from dmesr_core.errors import SettingsError
from dmesr_core.features.mllm import MLLMSettings
from dmesr_core.features.text_encoder import MAX_TOKENS, MINILM
from dmesr_core.models.backbones import BackboneSettings, make_backbone
from dmesr_core.models.bag_of_words import BagOfWords
from dmesr_core.models.baselines import LLMESR, LLMEmb
from dmesr_core.models.dmesr import DMESR
from dmesr_core.models.dmesr_settings import DMESRSettings
from dmesr_core.models.feature_recommender import FeatureRecommender
from dmesr_core.models.id_recommender import IDRecommender
from dmesr_core.models.mixture import mixed
from dmesr_core.models.recommender import Recommender, seeded
from dmesr_core.setting_types import check_types
from dmesr_core.training.settings import TrainSettings

MODELS: dict[str, Any] = {
    "dmesr": DMESR, "id": IDRecommender, "raw": FeatureRecommender, "llm_esr": LLMESR, "llm_emb": LLMEmb,
    "words": BagOfWords,
}  # fmt: skip
SPLITS = ("leave-one-out", "global-time")
_NONE = "none"  # TOML has no word for None
Tables = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class DataSettings:
    """How a folder is read and split."""

    k_core: int = 0  # drop users and items with fewer events; 0 keeps all
    on_unknown: str = "error"  # events whose item is not in items.csv: error | drop
    split: str = "leave-one-out"  # leave-one-out | global-time
    min_history: int = 1  # users (or cases) with fewer earlier events are no test
    valid: float = 0.1  # global-time: share of the events by which the best epoch is chosen
    test: float = 0.1  # global-time: share of the events that are the test, the last ones

    def __post_init__(self) -> None:
        """Raises SettingsError: names the setting and the values it may have."""
        check_types(self)
        if self.split not in SPLITS:
            raise SettingsError(f"unknown split {self.split!r}: choose one of {', '.join(SPLITS)}")
        if self.on_unknown not in ("error", "drop"):
            raise SettingsError(f"on_unknown must be 'error' or 'drop', got {self.on_unknown!r}")
        if self.k_core < 0:
            raise SettingsError(f"k_core must be at least 0, got {self.k_core}")


@dataclass(frozen=True)
class Settings:
    """Everything that decides what `dmesr train` makes of a folder, checked."""

    data: DataSettings
    mllm: MLLMSettings
    encoder: str
    max_tokens: int  # of an item's words
    kind: str  # a key of `MODELS`
    options: dict[str, Any]  # of `DMESRSettings`, or keyword arguments of the other kinds
    backbone: BackboneSettings
    training: TrainSettings

    @property
    def needs_features(self) -> bool:
        return self.kind != "id"

    def build(self, features: Any, split: Any) -> Recommender:
        """The untrained model; `features` is not used by kind "id"."""
        seed = self.training.seed
        if self.kind == "id":
            return IDRecommender.build(split, self.backbone, seed=seed, **self.options)
        if self.kind == "dmesr":
            return DMESR.build(features, split, self._dmesr(), seed=seed)
        return MODELS[self.kind].build(features, split, self.backbone, seed=seed, **self.options)

    def check(self) -> None:
        """What the parts do not check alone.

        Raises:
            SettingsError: settings that do not go together.
        """
        if self.kind == "dmesr":
            try:
                self._dmesr()
            except SettingsError as error:
                raise SettingsError(f"[model]: {error}") from None
        with seeded(self.training.seed):  # checks it
            objective, softmaxes = make_backbone(self.backbone).objective, self.softmaxes()
        self.training.check_backbone(objective)
        try:
            self.training.check_backbone(objective, softmaxes)
        except SettingsError as error:
            ways = {"dmesr": 'injection = "sum"', "raw": "mixture = false"}
            one = ways.get(self.kind, "softmaxes = 1")
            raise SettingsError(f"[training]: {error}; {one} under [model] makes one softmax") from None

    def softmaxes(self) -> int:
        """More than 1: a mixture."""
        if self.kind == "dmesr":
            return self._dmesr().softmaxes
        softmaxes = self.options.get("softmaxes", 3 if self.options.get("mixture") else 1)
        mixed(make_backbone(self.backbone), self.backbone.width, softmaxes)  # checks it
        return softmaxes

    def _dmesr(self) -> DMESRSettings:
        return DMESRSettings(**{**self.options, "backbone": self.backbone})


def read_settings(file: str | Path | None, flags: dict[tuple[str, str], Any]) -> tuple[Settings, Tables]:
    """Settings, and the same as tables: the defaults, what the file changes, what the flags change.

    Args:
        file: TOML with any of the tables data, features, model, backbone and training; None: none.
        flags: (table, key) -> value; they win over the file.

    Raises:
        SettingsError: a file that cannot be read, a table or key that does not exist (names the near ones), a value
            that a setting may not have (names the table).
    """
    asked = {} if file is None else _read(Path(file))
    for (table, key), value in flags.items():
        asked.setdefault(table, {})[key] = value
    kind = asked.get("model", {}).get("kind", "dmesr")
    if kind not in MODELS:
        raise SettingsError(f"unknown model {kind!r}: choose one of {', '.join(MODELS)} (--model, or kind in [model])")
    tables = defaults(kind)
    where = "" if file is None else f"{file}: "
    for table, entries in asked.items():
        if table not in tables:
            raise SettingsError(f"{where}unknown table [{table}]{near(table, tables)}")
        for key, value in entries.items():
            if key not in tables[table]:
                raise SettingsError(f"{where}unknown key {key!r} in [{table}]{near(key, tables[table])}")
            tables[table][key] = _from_toml(value)
    return _checked(tables, where), tables


def defaults(kind: str) -> Tables:
    """All tables for a kind of model, with the defaults of the package."""
    features = {"mllm": "tiny", "encoder": MINILM, "max_tokens": MAX_TOKENS, **_values(MLLMSettings("tiny"))}
    del features["name"]
    return {
        "data": _values(DataSettings()), "features": features, "model": {"kind": kind, **_options(kind)},
        "backbone": _values(BackboneSettings()), "training": _values(TrainSettings()),
    }  # fmt: skip


def as_toml(tables: Tables) -> str:
    """The tables as a file for `read_settings`, each setting with what it means where its class says that."""
    notes = {
        "data": _notes(DataSettings), "features": _notes(MLLMSettings), "model": _notes(DMESRSettings),
        "backbone": _notes(BackboneSettings), "training": _notes(TrainSettings),
    }  # fmt: skip
    notes["model"]["kind"] = " | ".join(MODELS)
    blocks = []
    for table, entries in tables.items():
        lines = [f"{key} = {_to_toml(value)}" for key, value in entries.items()]
        said = [notes[table].get(key, "") for key in entries]
        lines = [f"{line}  # {note}" if note else line for line, note in zip(lines, said, strict=True)]
        blocks.append("\n".join([f"[{table}]", *lines]))
    return "\n\n".join(blocks) + "\n"


def near(name: str, others: Any) -> str:
    """Which name was probably meant, or all that there is, for an unknown name."""
    close = difflib.get_close_matches(name, list(others), n=2, cutoff=0.5)
    if close:
        return f": did you mean {' or '.join(close)}?"
    return f": choose one of {', '.join(others)}" if others else ": it has none"


def _checked(tables: Tables, where: str) -> Settings:
    features, model = dict(tables["features"]), dict(tables["model"])
    made: dict[str, Any] = {}
    makers = {
        "data": lambda: DataSettings(**tables["data"]),
        "features": lambda: _features(features),
        "backbone": lambda: BackboneSettings(**tables["backbone"]),
        "training": lambda: TrainSettings(**tables["training"]),
    }
    for table, make in makers.items():
        try:
            made[table] = make()
        except SettingsError as error:
            raise SettingsError(f"{where}[{table}]: {error}") from None
    mllm, encoder, max_tokens = made.pop("features")
    kind = model.pop("kind")
    settings = Settings(mllm=mllm, encoder=encoder, max_tokens=max_tokens, kind=kind, options=model, **made)
    try:
        settings.check()
    except SettingsError as error:
        raise SettingsError(f"{where}{error}") from None
    return settings


def _features(table: dict[str, Any]) -> tuple[MLLMSettings, str, int]:
    encoder, max_tokens = table.pop("encoder"), table.pop("max_tokens")
    if not isinstance(encoder, str):
        raise SettingsError(f"encoder must be a string, got {encoder!r}")
    if isinstance(max_tokens, bool) or not isinstance(max_tokens, int) or max_tokens < 2:
        raise SettingsError(f"max_tokens must be a whole number of at least 2, got {max_tokens!r}")
    return MLLMSettings(table.pop("mllm"), **table), encoder, max_tokens


def _options(kind: str) -> dict[str, Any]:
    """What can be set of a kind of model beside its backbone."""
    if kind == "dmesr":
        options = _values(DMESRSettings())
        del options["backbone"]
        return options
    build = inspect.signature(MODELS[kind].build).parameters.values()
    if any(one.kind is one.VAR_KEYWORD for one in build):  # `build` hands them on
        build = inspect.signature(MODELS[kind].__init__).parameters.values()
        return {one.name: one.default for one in build if one.default is not one.empty}
    return {one.name: one.default for one in build if one.kind is one.KEYWORD_ONLY and one.name != "seed"}


def _values(settings: Any) -> dict[str, Any]:
    return {field.name: getattr(settings, field.name) for field in fields(settings)}


def _notes(cls: Any) -> dict[str, str]:
    """What is said about each field: in a comment beside it, or in the docstring of its class."""
    source, text = inspect.getsource(cls), inspect.getdoc(cls) or ""
    notes = {}
    for name in (field.name for field in fields(cls)):
        beside = re.search(rf"^    {name}: [^\n]*?  # (.+)$", source, re.M)
        if found := beside or re.search(rf"^ +{name}: (.+)$", text, re.M):
            notes[name] = re.sub(r"\bNone\b", f'"{_NONE}"', found[1])
    return notes


def _read(file: Path) -> Tables:
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise SettingsError(f"{file}: there is no such file; dmesr train --print-config > {file} makes one") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file}: this is not TOML: {error}") from None
    for name, entries in content.items():
        if not isinstance(entries, dict):
            raise SettingsError(f"{file}: {name!r} stands in no table: write it below [data], [features], [model], "
                                "[backbone] or [training]")  # fmt: skip
    return content


def _from_toml(value: Any) -> Any:
    if value == _NONE:
        return None
    return tuple(value) if isinstance(value, list) else value


def _to_toml(value: Any) -> str:
    if value is None:
        return f'"{_NONE}"'
    if isinstance(value, tuple):
        return f"[{', '.join(map(_to_toml, value))}]"
    return json.dumps(value, ensure_ascii=False)  # strings, booleans and numbers look the same in both
