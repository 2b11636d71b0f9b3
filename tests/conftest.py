"""Fixtures of several test files: small catalogues and folders of data, and the folder of real data sets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from dmesr_core.data.catalogue import Catalogue


@pytest.fixture
def make_catalogue():
    """A catalogue of n items called a1, a2, ... without pictures."""

    def make(n: int = 4) -> Catalogue:
        ids = tuple(f"a{k}" for k in range(1, n + 1))
        return Catalogue(ids, tuple(f"Title {id}" for id in ids), tuple(f"Text {id}." for id in ids), (None,) * n)

    return make


@pytest.fixture
def write_folder(tmp_path):
    """Write files (name -> text or bytes) and pictures (names) to a folder; gives its path."""

    def write(files: dict[str, str | bytes], pictures: tuple[str, ...] = ()) -> Path:
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        for name in pictures:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (6, 9), (200, 40, 40)).save(path)
        return tmp_path

    return write


@pytest.fixture(scope="session")
def trial_data() -> Path:
    """The folder of real data that the environment variable DMESR_DATA names; without it the test is skipped."""
    folder = os.environ.get("DMESR_DATA")
    if not folder:
        pytest.skip("no real data: set DMESR_DATA to the folder that holds movielens_posters/")
    return Path(folder)
