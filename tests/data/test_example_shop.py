"""The example shop: it has the form of one's own data, is the same each time, and overwrites nothing else."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dmesr_core.data.bazaar.world import make_world
from dmesr_core.data.catalogue import read_catalogue
from dmesr_core.data.datasets import load_dataset
from dmesr_core.data.example_shop import write_example
from dmesr_core.data.pictures import open_picture
from dmesr_core.errors import SettingsError


def files_of(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_it_holds_what_the_bazaar_holds(tmp_path):
    world = make_world(24, 15, 3, tmp_path / "drawn", progress=False)
    data = load_dataset(write_example(tmp_path / "shop", 24, 15, seed=3))
    catalogue, log = data.require_catalogue(), data.interactions
    assert (catalogue.ids, catalogue.titles, catalogue.texts) == (
        world.catalogue.ids, world.catalogue.titles, world.catalogue.texts
    )  # fmt: skip
    assert catalogue.facts is None and catalogue.report["no_picture"] == 0
    assert all(open_picture(path) == open_picture(other) for path, other in zip(
        catalogue.pictures, world.catalogue.pictures, strict=True))  # fmt: skip
    assert (log.user_ids, log.item.tolist()) == (world.interactions.user_ids, world.interactions.item.tolist())
    assert np.abs(log.time - world.interactions.time).max() < 1  # dates are written to the second


def test_later_items_are_those_launched_last_and_leave_no_trace(tmp_path):
    whole, part = write_example(tmp_path / "whole", 40, 60), write_example(tmp_path / "part", 40, 60, later=6)
    launch = make_world(40, 60, 0, tmp_path / "drawn", progress=False).process.launch_week
    later, shop = read_catalogue(part / "later"), load_dataset(part)
    assert len(later) == 6 and len(shop.require_catalogue()) == 34
    weeks = dict(zip(read_catalogue(whole).ids, launch, strict=True))
    assert min(weeks[id] for id in later.ids) >= max(weeks[id] for id in shop.require_catalogue().ids)
    assert all(path is not None and path.is_file() for path in later.pictures)
    assert len(list((part / "pictures").iterdir())) == 34
    events = pd.read_csv(whole / "interactions.csv")
    pd.testing.assert_frame_equal(
        pd.read_csv(part / "interactions.csv"), events[~events["item"].isin(later.ids)].reset_index(drop=True)
    )


def test_it_is_the_same_each_time_and_another_with_another_seed(tmp_path):
    first = files_of(write_example(tmp_path / "a", 24, 12, later=2))
    assert files_of(write_example(tmp_path / "b", 24, 12, later=2)) == first
    (tmp_path / "a" / "pictures").rename(tmp_path / "pictures")  # as if it had been interrupted
    assert files_of(write_example(tmp_path / "a", 24, 12, later=2)) == first
    assert files_of(write_example(tmp_path / "c", 24, 12, later=2, seed=1)) != first


def test_nothing_else_is_overwritten(tmp_path):
    folder = write_example(tmp_path / "shop", 24, 12, later=2)
    before = files_of(folder)
    for settings in ({"later": 0}, {"later": 3}, {"later": 2, "seed": 1}):
        with pytest.raises(SettingsError, match="is of another shop, and would be lost"):
            write_example(folder, 24, 12, **settings)
    assert files_of(folder) == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(SettingsError, match=r"mine: holds something else \(letter.txt\)"):
        write_example(tmp_path / "mine", 24, 12)
    with pytest.raises(SettingsError, match="letter.txt: this is a file"):
        write_example(tmp_path / "mine" / "letter.txt", 24, 12)
    assert files_of(tmp_path / "mine") == {"letter.txt": b"dear"}


@pytest.mark.parametrize(
    "wrong",
    [{"items": 19}, {"shoppers": 9}, {"later": -1}, {"later": 13}, {"seed": -1}, {"items": 24.0}, {"seed": True}],
)
def test_numbers_out_of_range_are_named(wrong, tmp_path):
    with pytest.raises(SettingsError, match=f"{next(iter(wrong))} must be"):
        write_example(tmp_path / "shop", **({"items": 24, "shoppers": 12} | wrong))
    assert not (tmp_path / "shop").exists()
