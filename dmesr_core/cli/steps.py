"""Steps that several verbs share: reading a folder, splitting its log, features, items that came later."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from dmesr_core.cli.output import note, on_terminal, progress
from dmesr_core.cli.settings import DataSettings, Settings
from dmesr_core.data.catalogue import Catalogue
from dmesr_core.data.datasets import Dataset, load_dataset
from dmesr_core.data.interactions import Interactions
from dmesr_core.data.item_names import ItemNames
from dmesr_core.data.sequences import Split
from dmesr_core.errors import SettingsError
from dmesr_core.features.extract import extract_features
from dmesr_core.features.item_features import Features
from dmesr_core.features.mllm import MLLM, MLLMSettings
from dmesr_core.features.text_encoder import TextEncoder
from dmesr_core.models.recommender import Recommender


def load(folder: str, settings: DataSettings) -> Dataset:
    """The folder as a data set."""
    progress(f"reading {folder}")
    return load_dataset("folder", folder, k_core=settings.k_core, on_unknown=settings.on_unknown)


def split(log: Interactions, settings: DataSettings) -> Split:
    """The log in training, validation and test."""
    if settings.split == "global-time":
        return log.global_time(settings.valid, settings.test, min_history=settings.min_history)
    return log.leave_one_out(settings.min_history)


def features_of(catalogue: Catalogue, settings: Settings, model: Recommender | None = None) -> Features:
    """Features of a catalogue; those of the cache are taken from there.

    Args:
        model: they are to be added to this one, so they must come from the same models and prompts.

    Raises:
        SettingsError: the MLLM or the text encoder is another one than that of the model, said before the work.
    """
    chosen: MLLMSettings = settings.mllm
    made_by = {} if model is None else model.made_by
    if made_by:
        prompts = made_by.get("picture_prompt", chosen.picture_prompt), made_by.get("text_prompt", chosen.text_prompt)
        chosen = replace(chosen, picture_prompt=prompts[0], text_prompt=prompts[1])
    mllm, encoder = MLLM.load(chosen), TextEncoder.load(settings.encoder)
    for part, found, name, flag in (
        ("mllm", mllm.fingerprint, chosen.name, "--mllm"),
        ("encoder", encoder.fingerprint, settings.encoder, "--encoder"),
    ):
        if made_by and made_by.get(part) != found:
            raise SettingsError(
                f"the model was not trained with {name}: name the one that it was trained with, with {flag} (or the "
                "same --config)"
            )
    progress(f"looking at {len(catalogue):,} items and reading their texts ({chosen.name})")
    return extract_features(catalogue, mllm, encoder, progress=on_terminal(), max_tokens=settings.max_tokens)


def add_new_items(model: Recommender, catalogue: Catalogue, settings: Settings, where: str) -> None:
    """Add the items that the model does not know yet, and say how many.

    Raises:
        SettingsError, DataError: as `Recommender.add_items`; a model by ID alone before the work.
    """
    unknown = np.flatnonzero(model.names().numbers(catalogue.ids) == 0) + 1
    if not len(unknown):
        return
    if not reads_features(model):
        model.append_items(Features.empty(1, 1))  # says what can be done
    new = catalogue.subset(unknown)
    model.add_items(new, features_of(new, settings, model))
    note(f"{where}: {len(new):,} items that the model did not know were added to it, by their pictures and texts")


def reads_features(model: Recommender) -> bool:
    """Whether items can be added to a model."""
    return model.kind != "id"


def for_model(log: Interactions, names: ItemNames) -> Interactions:
    """The events of a log with the items of a model, numbered as there; its report counts those that are dropped."""
    catalogue = Catalogue(names.ids, names.titles, ("",) * len(names), (None,) * len(names))
    ids: Any = np.array(log.names().ids, dtype=object)
    users: Any = np.array(log.user_ids, dtype=object)
    return Interactions.from_columns(users[log.user], ids[log.item - 1], log.time, catalogue, on_unknown="drop")
