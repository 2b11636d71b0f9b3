"""Profiles: chosen by name, else by the environment, else `cpu`."""

from __future__ import annotations

import pytest

from dmesr_core import profiles
from dmesr_core.errors import SettingsError


def test_a_profile_is_chosen_by_name_then_by_the_environment(monkeypatch):
    monkeypatch.setenv("DMESR_PROFILE", "smoke")
    assert profiles.get("gpu").name == "gpu"
    assert profiles.get().name == "smoke"
    monkeypatch.delenv("DMESR_PROFILE")
    assert profiles.get().name == "cpu"


def test_an_unknown_profile_is_refused():
    with pytest.raises(SettingsError, match="unknown profile 'big': choose one of smoke, cpu, gpu"):
        profiles.get("big")


def test_a_larger_profile_has_no_fewer_items_shoppers_or_seeds():
    small, middle, large = (profiles.get(name) for name in ("smoke", "cpu", "gpu"))
    for name in ("n_items", "n_shoppers", "seeds", "ablation_seeds", "max_epochs", "bootstrap"):
        assert getattr(small, name) <= getattr(middle, name) <= getattr(large, name)
