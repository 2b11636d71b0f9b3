"""`dmesr recommend`: a history, a file of histories, all users of a folder; items that came later; ids as written."""

from __future__ import annotations

import csv
import re

import pytest
from helpers.small_models import trained

from dmesr_core import cli
from dmesr_core.cli.recommend import read_histories
from dmesr_core.data.catalogue import read_catalogue
from dmesr_core.errors import DataError


def rows_of(file):
    with file.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture
def ids(shop):
    return read_catalogue(shop).ids


def test_a_strangers_history_gets_titles(model, shop, ids, capsys):
    assert cli.main(["recommend", str(model), "--history", f"{ids[2]}, {ids[5]}", "--k", "3"]) == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split() == ["item", "title", "score"] and len(lines) == 3
    titles = dict(zip(ids, read_catalogue(shop).titles, strict=True))
    assert all(titles[line.split()[0]] in line for line in lines)
    assert not {ids[2], ids[5]} & {line.split()[0] for line in lines}
    assert cli.main(["recommend", str(model), "--history", ids[2], "--k", "36", "--include-seen"]) == 0
    assert ids[2] in capsys.readouterr().out


def test_a_mixture_says_which_view_each_recommendation_comes_from(tmp_path, capsys):
    mixture = trained("mixture")
    mixture.save(tmp_path / "mixture")
    trained("dmesr").save(tmp_path / "plain")
    line = ["--history", ",".join(mixture.names().ids[:2]), "--k", "2", "--views"]
    assert cli.main(["recommend", str(tmp_path / "mixture"), *line]) == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split() == ["item", "title", "score", "whole", "item", "picture", "text"] and len(lines) == 2
    for found in lines:
        assert sum(int(share) for share in re.findall(r"(\d+)%", found)) == pytest.approx(100, abs=1)
    assert cli.main(["recommend", str(tmp_path / "plain"), *line]) == 1
    assert "one softmax" in capsys.readouterr().err


def test_users_of_a_file_keep_their_ids_and_the_order_of_time(model, ids, tmp_path, capsys):
    file, out, other = (tmp_path / name for name in ("histories.csv", "next.csv", "other.csv"))
    file.write_text(f"user,item,time\n007,{ids[1]},2024-02-02\n007,{ids[0]},2024-02-01\nNA,{ids[3]},2024-01-01\n")
    assert cli.main(["recommend", str(model), "--histories", str(file), "--k", "2", "--out", str(out)]) == 0
    assert [row["user"] for row in rows_of(out)] == ["NA", "NA", "007", "007"]
    file.write_text(f"user,item\n007,{ids[0]}\n007,{ids[1]}\nNA,{ids[3]}\n")
    assert cli.main(["recommend", str(model), "--histories", str(file), "--k", "2", "--out", str(other)]) == 0
    assert other.read_text() == out.read_text()


def test_unknown_ids_are_skipped_or_an_error(model, ids, tmp_path, capsys):
    assert cli.main(["recommend", str(model), "--history", f"{ids[0]},nothing"]) == 0
    for line in (["--history", f"{ids[0]},nothing", "--on-unknown", "error"], ["--history", "nothing"]):
        assert cli.main(["recommend", str(model), *line]) == 1
        assert "nothing" in capsys.readouterr().err
    assert cli.main(["recommend", str(model), "--history", " , "]) == 1
    assert "--history names no item" in capsys.readouterr().err


def test_all_users_of_a_folder_and_items_that_came_later(model, shop, tmp_path, capsys):
    out = tmp_path / "next.csv"
    later = set(read_catalogue(shop / "later").ids)
    line = ["recommend", str(model), "--data", str(shop), "--k", "40", "--out", str(out)]
    assert cli.main(line) == 0
    assert not later & {row["item"] for row in rows_of(out)}
    assert cli.main([*line, "--new-items", str(shop / "later")]) == 0
    assert "4 items that the model did not know were added" in capsys.readouterr().err
    rows = rows_of(out)
    assert later <= {row["item"] for row in rows} and len({row["user"] for row in rows}) == 60
    assert cli.main(["recommend", str(model), "--history", min(later), "--new-items", str(shop / "later")]) == 0


def test_another_mllm_or_a_model_by_id_alone_is_said_before_the_work(
    model, id_model, shop, ids, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("dmesr_core.cli.steps.extract_features", lambda *_, **__: pytest.fail("extracted"))
    line = ["--history", ids[0], "--new-items", str(shop / "later")]
    assert cli.main(["recommend", str(id_model), *line]) == 1
    assert "IDRecommender knows items by what was bought with them alone" in capsys.readouterr().err
    config = tmp_path / "my.toml"
    config.write_text("[features]\nmax_new_tokens = 7\n")
    assert cli.main(["recommend", str(model), *line, "--config", str(config)]) == 1
    assert "name the one that it was trained with, with --mllm (or the same --config)" in capsys.readouterr().err


def test_places_and_devices_are_checked(model, ids, tmp_path, capsys):
    for options, message in (
        (["--out", str(tmp_path / "next.xlsx")], "name a file that ends in .csv or .parquet"),
        (["--device", "gpu9"], "gpu9"),
        (["--k", "0"], "k"),
    ):
        assert cli.main(["recommend", str(model), "--history", ids[0], *options]) == 1
        said = capsys.readouterr().err
        assert message in said and said.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("user,item\n", "there is a header but no event below it"),
        ("user,product\na,b\n", "lacks the column 'item'"),
        ("user,item\na,b\na,\n", "row 2: the item id is empty"),
        ("user,item\n,b\n", "row 1: the user id is empty"),
        ("user,item,time\na,b,soon\n", "row 1: the time is not a finite number or date"),
    ],
)
def test_a_wrong_file_of_histories_names_the_row(content, message, tmp_path):
    (tmp_path / "histories.csv").write_text(content)
    with pytest.raises(DataError, match=f"histories.csv.*{message}"):
        read_histories(tmp_path / "histories.csv")
