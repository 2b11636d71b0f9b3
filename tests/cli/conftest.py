"""Fixtures of the command line: an example shop, and a model that was trained on it, once for all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from dmesr_core import cli


@pytest.fixture(scope="session")
def shop(tmp_path_factory) -> Path:
    """A shop of 36 items; 4 more come later."""
    folder = tmp_path_factory.mktemp("front_door") / "shop"
    assert cli.main(["example", str(folder), "--items", "40", "--shoppers", "60", "--later", "4"]) == 0
    return folder


@pytest.fixture(scope="session")
def model(shop) -> Path:
    """A DMESR that was trained on it for two epochs."""
    folder = shop.parent / "model"
    assert cli.main(["train", str(shop), "--out", str(folder), "--epochs", "2", "--no-baselines"]) == 0
    return folder


@pytest.fixture(scope="session")
def id_model(shop) -> Path:
    """A model by ID alone."""
    folder = shop.parent / "id_model"
    assert cli.main(["train", str(shop), "--out", str(folder), "--epochs", "2", "--no-baselines", "--model", "id"]) == 0
    return folder
