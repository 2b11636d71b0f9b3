"""Settings of a chapter, and the file of numbers that it writes."""

from __future__ import annotations

import json

import matplotlib
import numpy as np
import pandas as pd
import pytest
import torch

from dmesr_core.book import chapter
from dmesr_core.errors import DataError, SettingsError


@pytest.fixture(autouse=True)
def outside(monkeypatch, tmp_path):
    """No settings from the environment, a temporary cache, and the style of figures restored afterwards."""
    for name in ("DMESR_PROFILE", chapter.NUMBERS_FILE, chapter.RECORDS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DMESR_CACHE", str(tmp_path / "cache"))
    with matplotlib.rc_context():
        yield


def test_the_environment_chooses_the_profile_only_where_the_notebook_does_not(monkeypatch):
    assert chapter.start("c").profile.name == "cpu"
    monkeypatch.setenv("DMESR_PROFILE", "smoke")
    assert chapter.start("c").profile.name == "smoke"
    assert chapter.start("c", profile="gpu").profile.name == "gpu"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"profile": "big"}, "unknown profile 'big': choose one of smoke, cpu, gpu"),
        ({"data": "amazon"}, "unknown data 'amazon': choose one of bazaar, movielens, folder$"),
        ({"data": "beauty"}, "unknown data 'beauty'"),  # no pictures, no texts
        ({"data": "movielens"}, "needs a data folder that exists; got '': data_dir names it .*--data-dir"),
        ({"data": "movielens", "data_dir": "no/such/folder"}, "got 'no/such/folder'"),
        ({"data_dir": "."}, "data 'bazaar' is generated and reads no folder: leave out its folder, '.'"),
        ({"seed": -1}, "seed must be a whole number from 0 to 2,147,483,647, got -1"),
        ({"seed": 2**31}, "seed must be .* got 2147483648"),
        ({"seed": 1.5}, "seed must be .* got 1.5"),
        ({"seed": True}, "seed must be .* got True"),
        ({"seed": "3"}, "seed must be .* got '3'"),
        ({"mllm": "nope"}, "unknown mllm 'nope': .*tiny.* a folder that exists, .* 'owner/model'"),
        ({"mllm": ""}, "unknown mllm ''"),
        ({"mllm": "./no/such/model"}, "unknown mllm './no/such/model'"),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(SettingsError, match=message):
        chapter.start("c", **settings)


def test_an_unknown_profile_in_the_environment_is_refused(monkeypatch):
    monkeypatch.setenv("DMESR_PROFILE", "huge")
    with pytest.raises(SettingsError, match="unknown profile 'huge'"):
        chapter.start("c")


def test_numbers_keep_full_precision_in_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv(chapter.NUMBERS_FILE, str(tmp_path / "deep" / "c.json"))
    this = chapter.start("c", profile="smoke", seed=3)
    this.glue("third", 1 / 3, ".2f")
    this.glue("interval", (np.float32(0.5), 1), ".1f")
    this.record("table", {"a": {"mean": torch.tensor(2.0)}, 1: np.arange(2), "none": None})
    file = this.finish()
    content = json.loads(file.read_text())
    assert file == tmp_path / "deep" / "c.json"
    assert content["numbers"]["third"] == 1 / 3
    assert content["numbers"]["interval"] == [0.5, 1]
    assert content["numbers"]["table"] == {"a": {"mean": 2.0}, "1": [0, 1], "none": None}
    assert (content["chapter"], content["profile"], content["seed"]) == ("c", "smoke", 3)


def test_without_a_runner_the_numbers_go_to_the_cache(tmp_path):
    file = chapter.start("c", profile="smoke").finish()
    assert file == tmp_path / "cache" / "numbers" / "smoke" / "c.json"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [1.0, float("nan")], {"a": np.inf}])
def test_numbers_that_are_not_finite_are_refused(value):
    with pytest.raises(DataError, match="finite"):
        chapter.start("c").record("x", value)


def test_other_objects_are_refused():
    with pytest.raises(DataError, match=r"the number \"x\['a'\]\" is a set"):
        chapter.start("c").record("x", {"a": {1}})


@pytest.mark.parametrize("name", ["", "1x", "a b", "a`b", "a:b"])
def test_names_that_the_prose_could_not_use_are_refused(name):
    with pytest.raises(SettingsError, match="cannot name a number"):
        chapter.start("c").glue(name, 1)


def test_a_name_is_used_once():
    this = chapter.start("c")
    this.glue("ndcg@10", 0.5)
    with pytest.raises(SettingsError, match="'ndcg@10' is there already"):
        this.record("ndcg@10", 0.6)


def test_a_table_cannot_be_glued():
    with pytest.raises(SettingsError, match="glue one number at a time"):
        chapter.start("c").glue("table", {"a": 1})


def test_a_smoke_run_concludes_nothing(monkeypatch):
    """Two epochs show nothing: the sentence says so in place of its verdict. Stored trainings are as long as any."""
    own = dict(data="folder", data_dir=".")
    for settings, live, stored in (
        ({"profile": "smoke"}, chapter.TOO_SHORT, "better"),
        ({"profile": "smoke", **own}, chapter.TOO_SHORT, chapter.TOO_SHORT),
        ({"profile": "cpu"}, "better", "better"),
        ({"profile": "gpu", **own}, "better", "better"),
    ):
        this = chapter.start("c", **settings)
        this.conclude("live", "better")
        this.conclude_stored("stored", "better")
        assert this.numbers == {"live": live, "stored": stored}
    assert "too short" in chapter.TOO_SHORT


def test_in_a_plain_notebook_the_number_is_printed(monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "myst_nb", None)  # as in Colab: importing it fails
    this = chapter.start("c")
    this.glue("share", 0.1234, ".1%")
    this.glue("interval", (0.1, 0.2), ".2f")
    assert capsys.readouterr().out == "share = 12.3%\ninterval = [0.10, 0.20]\n"


def test_what_is_not_known_is_not_recorded():
    this = chapter.start("c")
    this.record_known("nothing", None)
    this.record_known("empty", {})
    this.record_known("zero", 0.0)
    assert this.numbers == {"zero": 0.0}


def test_records_of_other_chapters_are_read_where_they_exist(tmp_path, monkeypatch):
    assert chapter.run_records() == []
    (tmp_path / "a.stamp.json").write_text('{"chapter": "a"}')
    files = [str(tmp_path / f"{name}.stamp.json") for name in "ab"]
    monkeypatch.setenv(chapter.RECORDS, __import__("os").pathsep.join(files))
    monkeypatch.setattr(chapter, "read_files", set())
    assert chapter.run_records() == [{"chapter": "a"}]
    assert {file.name for file in chapter.read_files} == {"a.stamp.json", "b.stamp.json"}  # the missing one too


def test_the_data_set_is_loaded_once(monkeypatch):
    made = []
    monkeypatch.setattr(
        "dmesr_core.data.datasets.load_dataset", lambda *args, **settings: made.append((args, settings)) or object()
    )
    this = chapter.start("c", profile="smoke", seed=7)
    assert this.dataset() is this.dataset()
    assert made == [(("bazaar", None), {"profile": "smoke", "seed": 7})]


def test_a_table_shows_texts_of_users_as_they_are():
    chapter.start("c")
    table = pd.DataFrame({"title": ["<b>Ba$$in"]})
    for html in (table.to_html(notebook=True), table.style.to_html()):
        assert "&lt;b&gt;Ba$$in" in html
        assert "mathjax_ignore" in html or "tex2jax_ignore" in html


@pytest.fixture
def folder(write_folder):
    """A chapter on a folder with n items, and as many users, of whom `bought` have three events."""

    def make(n, bought, pictures=()):
        items = "id,title,text\n" + "".join(f"a{k},t{k},x\n" for k in range(n))
        events = [(u, k) for u in range(n) for k in range(3 if u < bought else 2)]
        log = "user,item,time\n" + "".join(f"u{u},a{k % n},{k}\n" for u, k in events)
        path = write_folder({"items.csv": items, "interactions.csv": log}, pictures)
        return chapter.start("c", profile="smoke", data="folder", data_dir=str(path))

    return make


@pytest.mark.parametrize(
    ("n", "bought", "message"),
    [
        (1, 1, ": 1 item, and 1 of 1 users have three events .* need at least 30 items and 40 such users"),
        (2, 2, ": 2 items, "),
        (50, 0, ": 50 items, and 0 of 50 users have three events"),
    ],
)
def test_too_few_data_are_refused_where_they_are_loaded(folder, n, bought, message):
    with pytest.raises(DataError, match=message):
        folder(n, bought).dataset()


def test_items_with_pictures_are_those_that_can_be_opened(folder, tmp_path):
    this = folder(50, 50, [f"pictures/a{k}.png" for k in range(4)])
    assert this.items_with_pictures() == [1, 2, 3, 4]
    (tmp_path / "pictures" / "a1.png").write_bytes(b"broken")
    assert this.items_with_pictures() == [1, 3, 4]
    with pytest.raises(DataError, match=r"3 of 50 items have a picture that .* \(4 have a file\); c .* needs 4"):
        this.items_with_pictures(at_least=4)


def test_a_benchmark_is_read_from_the_checkout_then_from_the_package_and_may_be_absent(tmp_path, monkeypatch):
    package = tmp_path / "dmesr_core"
    (package / "results").mkdir(parents=True)
    (tmp_path / "benchmarks").mkdir()
    monkeypatch.setattr(chapter, "__file__", str(package / "book" / "chapter.py"))
    monkeypatch.setattr(chapter, "read_files", set())
    assert chapter.benchmark("peers") is None
    (package / "results" / "bench_peers.json").write_text('{"from": "package"}')
    assert chapter.benchmark("peers") == {"from": "package"}
    (tmp_path / "benchmarks" / "peers.json").write_text('{"from": "checkout"}')
    assert chapter.benchmark("peers") == {"from": "checkout"}
    assert {file.name for file in chapter.read_files} == {"peers.json", "bench_peers.json"}
