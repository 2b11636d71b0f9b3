"""`dmesr example`: a folder that can be trained on, and numbers out of range in one line."""

from __future__ import annotations

import pytest

from dmesr_core import cli
from dmesr_core.data.datasets import load_dataset


def test_a_shop_is_written_and_counted(tmp_path, capsys):
    folder = tmp_path / "shop"
    assert cli.main(["example", str(folder), "--items", "24", "--shoppers", "12", "--later", "2"]) == 0
    said = capsys.readouterr().out
    log = load_dataset(folder).interactions
    assert f"{folder}: 22 items, {log.n_users} users, {len(log)} events" in said
    assert f"{folder / 'later'}: 2 items" in said and f"dmesr train {folder}" in said


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--items", "3"], "items must be a whole number of 20 or more, got 3"),
        (["--later", "151"], "later must be at most half of the items (150)"),
        (["--seed", "-1"], "seed must be a whole number of 0 or more"),
    ],
)
def test_numbers_out_of_range(options, message, tmp_path, capsys):
    assert cli.main(["example", str(tmp_path / "shop"), *options]) == 1
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1
    assert not (tmp_path / "shop").exists()
