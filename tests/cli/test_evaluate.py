"""`dmesr evaluate`: the metrics of a kept model, also on a folder with items that the model does not know."""

from __future__ import annotations

import csv
import shutil

import pandas as pd
import pytest

from dmesr_core import cli
from dmesr_core.data.datasets import load_dataset
from dmesr_core.evaluation.metrics import evaluate
from dmesr_core.models.recommender import Recommender


@pytest.mark.parametrize("part", ["test", "valid"])
def test_the_metrics_are_those_of_the_library(model, shop, part, tmp_path, capsys):
    file = tmp_path / "metrics.csv"
    assert cli.main(["evaluate", str(model), str(shop), "--part", part, "--results", str(file)]) == 0
    split = load_dataset(shop).interactions.leave_one_out()
    wanted = evaluate(Recommender.load(model), split, part).mean()
    table = pd.read_csv(file, index_col="model")
    assert list(table.index) == ["popularity", "dmesr"]
    assert table.loc["dmesr", list(wanted)].tolist() == pytest.approx(list(wanted.values()))
    assert "ndcg@10 against popularity" in capsys.readouterr().out


@pytest.fixture
def grown(shop, tmp_path):
    """The shop in another order, with the later items in it; one of them was bought."""
    folder = tmp_path / "grown"
    shutil.copytree(shop, folder)
    for picture in (folder / "later" / "pictures").iterdir():
        picture.rename(folder / "pictures" / picture.name)
    old, new = (pd.read_csv(place / "items.csv", dtype=str) for place in (folder, folder / "later"))
    pd.concat([new, old[::-1]]).to_csv(folder / "items.csv", index=False)
    with (folder / "interactions.csv").open("a", newline="") as stream:
        csv.writer(stream).writerow(("shopper-000001", new["id"][0], "2026-01-01"))
    return folder


def test_unknown_items_are_added_and_order_does_not_matter(model, grown, capsys):
    assert cli.main(["evaluate", str(model), str(grown)]) == 0
    said = capsys.readouterr()
    assert "4 items that the model did not know were added to it" in said.err
    assert "full catalogue of 40 items" in said.out


def test_a_model_by_id_alone_leaves_them_out_and_says_so(id_model, shop, grown, capsys):
    assert cli.main(["evaluate", str(id_model), str(shop)]) == 0
    before = capsys.readouterr().out
    assert cli.main(["evaluate", str(id_model), str(grown)]) == 0
    said = capsys.readouterr()
    assert said.out == before  # without that one event the log is the same
    assert "1 events left out: their items came after training" in said.err


def test_what_is_no_model_is_said(shop, capsys):
    assert cli.main(["evaluate", str(shop), str(shop)]) == 1
    assert "there is no model.json" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main(["evaluate", str(shop), str(shop), "--part", "train"])
