"""`dmesr train`: from a folder to a model, a table and a file; what is wrong is said before the work."""

from __future__ import annotations

import pandas as pd
import pytest

from dmesr_core import cli
from dmesr_core.models.recommender import Recommender


def test_a_model_is_trained_measured_and_kept(shop, tmp_path, capsys):
    out, results = tmp_path / "new" / "model", tmp_path / "metrics.csv"
    line = ["train", str(shop), "--out", str(out), "--epochs", "2", "--results", str(results), "--backbone", "gru4rec"]
    assert cli.main(line) == 0
    said = capsys.readouterr()
    assert "ndcg@10 against id" in said.out and "leave-one-out test, 60 cases" in said.out
    assert [row.split()[0] for row in said.out.splitlines() if "[0." in row] == ["popularity", "id", "dmesr"]
    assert "training" not in said.err  # no bar, since this is no terminal
    table = pd.read_csv(results, index_col="model")
    assert list(table.index) == ["popularity", "id", "dmesr"] and {"mrr@20", "ndcg@10 gain low"} <= set(table.columns)
    kept = Recommender.load(out)
    assert repr(kept).startswith("<DMESR with GRU4Rec: 36 items")
    assert kept.softmax_names() == ("whole item", "picture", "text")
    assert "60 histories are few" in said.out and "words = false, injection = \"sum\"" in said.out.replace(",\n", ", ")
    assert "dmesr recommend" in said.out  # what to do next, with ids of this shop
    history = said.out.split("--history ")[1].split()[0]
    assert cli.main(["recommend", str(out), "--on-unknown", "error", "--history", history]) == 0


@pytest.mark.parametrize("kind", ["id", "raw", "llm_esr", "llm_emb"])
def test_other_kinds_and_no_baselines(kind, shop, tmp_path, capsys):
    line = ["train", str(shop), "--out", str(tmp_path / "m"), "--epochs", "1", "--model", kind, "--no-baselines"]
    assert cli.main(line) == 0
    said = capsys.readouterr().out
    assert "against" not in said and "are few" not in said
    assert Recommender.load(tmp_path / "m").n_items == 36


def test_by_id_alone_is_compared_with_popularity_only_and_needs_no_features(shop, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("dmesr_core.cli.steps.extract_features", lambda *_, **__: pytest.fail("looked at pictures"))
    assert cli.main(["train", str(shop), "--out", str(tmp_path / "m"), "--epochs", "1", "--model", "id"]) == 0
    assert "ndcg@10 against popularity" in capsys.readouterr().out


def test_a_file_decides_and_flags_win_over_it(shop, tmp_path):
    config = tmp_path / "my.toml"
    config.write_text('[model]\nkind = "id"\nunit = true\n[backbone]\nwidth = 8\n[training]\nepochs = 50\n')
    line = ["train", str(shop), "--out", str(tmp_path / "m"), "--config", str(config), "--epochs", "1"]
    assert cli.main([*line, "--split", "global-time", "--k-core", "2", "--no-baselines"]) == 0
    kept = Recommender.load(tmp_path / "m")
    assert kept.settings.width == 8 and kept.unit


def test_the_whole_configuration_can_be_printed_and_used(capsys, tmp_path):
    assert cli.main(["train", "--print-config", "--seed", "7"]) == 0
    (tmp_path / "my.toml").write_text(printed := capsys.readouterr().out)
    assert "\nseed = 7  # of the batches" in printed
    assert cli.main(["train", "--print-config", "--config", str(tmp_path / "my.toml")]) == 0
    assert capsys.readouterr().out == printed


@pytest.fixture
def no_work(monkeypatch):
    monkeypatch.setattr("dmesr_core.cli.steps.load_dataset", lambda *_, **__: pytest.fail("worked"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--results", "metrics.txt"], "--results metrics.txt: name a file that ends in .csv or .parquet"),
        (["--results", "no/folder/metrics.csv"], "there is no folder"),
        (["--epochs", "0"], r"[training]: epochs must be at least 1"),
        (["--model", "dmser"], "unknown model 'dmser'"),
        (["--backbone", "sasrce"], "[backbone]: unknown backbone 'sasrce'"),
        (["--split", "random"], "[data]: unknown split 'random': choose one of leave-one-out, global-time"),
        (["--seed", "-1"], "seed"),
        (["--config", "none.toml"], "none.toml: there is no such file"),
    ],
)
def test_what_is_wrong_is_said_before_the_work(options, message, no_work, shop, tmp_path, capsys):
    assert cli.main(["train", str(shop), "--out", str(tmp_path / "m"), *options]) == 1
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1
    assert not (tmp_path / "m").exists()


def test_places_that_cannot_be_written_are_noticed_before_the_work(no_work, shop, tmp_path, capsys):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("dear")
    (tmp_path / "file").write_text("")
    for out, message in (("full", "exists and is no saved model"), ("file/model", "nothing can be written there")):
        assert cli.main(["train", str(shop), "--out", str(tmp_path / out)]) == 1
        assert message in capsys.readouterr().err
    assert cli.main(["train", str(shop)]) == 1
    assert "dmesr train my_shop --out my_model" in capsys.readouterr().err
