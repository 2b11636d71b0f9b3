"""Features as arrays: matched to items by id."""

from __future__ import annotations

import json
import pickle
import shutil
from dataclasses import replace

import numpy as np
import pytest
from helpers.small_material import N, make_material
from IPython.core.formatters import HTMLFormatter

from dmesr_core import files
from dmesr_core.data.item_names import ItemNames
from dmesr_core.errors import DataError, SettingsError
from dmesr_core.features import item_features
from dmesr_core.features.item_features import Features

NAMES = ItemNames(tuple("abcdefghijkl"), tuple("ABCDEFGHIJKL"))


def named():
    features = make_material().features
    return replace(features, item_names=NAMES, tokens=[[], *([id] for id in NAMES.ids)])


def test_features_are_matched_by_id():
    features = named()
    chosen = NAMES.subset([3, 12, 1])
    found = features.matching(chosen)
    assert len(found) == 3
    assert found.item_names == chosen
    assert found.tokens == [[], ["c"], ["l"], ["a"]]
    for name in ("coarse_picture", "coarse_text", "fine", "fine_mask", "sentence"):
        assert np.array_equal(getattr(found, name), getattr(features, name)[[0, 3, 12, 1]])


def test_features_stay_as_they_are_where_there_is_nothing_to_match():
    features = named()
    assert features.matching(None) is features
    assert features.matching(NAMES) is features
    assert make_material().features.matching(NAMES).item_names is None
    assert len(features) == N


def test_an_item_without_features_is_named():
    with pytest.raises(DataError, match="2 of 3 items have no features, the first is 'new'"):
        named().matching(ItemNames(("a", "new", "newer"), ("", "", "")))


ARRAYS = ("coarse_picture", "coarse_text", "fine", "fine_mask")
OTHERS = ("descriptions_picture", "descriptions_text", "tokens", "report", "item_names", "made_by")


def whole() -> Features:
    """Features with everything that can be kept."""
    features = named()
    mask = np.zeros_like(features.fine_mask)
    mask[1:, 0] = True
    report = {"items": N, "fallbacks": [("b", "picture", "gone")], "seconds": 0.1, "computed_by_view": {"text": 3}}
    texts = ["", *(f"a <b>{id}</b> שלום 🙂 \u2028" for id in NAMES.ids)]
    return replace(
        features, fine_mask=mask, report=report, made_by={"mllm": "x"}, descriptions_picture=texts,
        descriptions_text=texts[:1] + texts[:0:-1],
    )  # fmt: skip


@pytest.fixture
def saved(tmp_path):
    whole().save(tmp_path / "new" / "folder")
    return tmp_path / "new" / "folder"


def assert_equal(a: Features, b: Features) -> None:
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
        assert getattr(a, name).dtype == getattr(b, name).dtype
    for name in OTHERS:
        assert getattr(a, name) == getattr(b, name), name


def test_what_is_saved_is_loaded(saved):
    assert_equal(Features.load(saved), whole())
    assert sorted(file.name for file in saved.iterdir()) == ["features.json", "features.safetensors"]
    assert json.loads((saved / "features.json").read_text(encoding="utf-8"))["version"] == 2


def test_features_without_names_or_tokens_are_kept_too(tmp_path):
    features = make_material().features
    features.save(str(tmp_path))
    assert_equal(Features.load(str(tmp_path)), features)
    whole().save(tmp_path)  # in the place of the old ones
    assert_equal(Features.load(tmp_path), whole())


def test_features_of_the_first_version_have_no_texts(saved):
    change_json(saved, version=1, texts="gone")
    assert Features.load(saved).texts == []


def test_texts_follow_their_items():
    features = replace(named(), texts=["", *NAMES.titles])
    assert features.matching(NAMES.subset([3, 12, 1])).texts == ["", "C", "L", "A"]


def test_rows_that_were_chosen_are_saved_as_they_are(tmp_path):
    chosen = whole().matching(NAMES.subset([3, 12, 1]))
    chosen.save(tmp_path)
    assert_equal(Features.load(tmp_path), chosen)


def change_json(folder, **changes) -> None:
    file = folder / "features.json"
    content = {**json.loads(file.read_text(encoding="utf-8")), **changes}
    file.write_text(json.dumps({key: value for key, value in content.items() if value != "gone"}))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "features.json").unlink(), r"features\.json: it is missing"),
        (lambda f: shutil.rmtree(f), "there is no folder"),
        (lambda f: (f / "features.safetensors").unlink(), r"features\.safetensors: there is no such file"),
        (lambda f: (f / "features.json").write_text("{"), r"features\.json: cannot be read, it is damaged"),
        (lambda f: (f / "features.json").write_bytes(b"\xff\xfe"), r"features\.json: cannot be read"),
        (lambda f: (f / "features.json").write_bytes(pickle.dumps({})), r"features\.json: cannot be read"),
        (lambda f: (f / "features.json").write_text("[]"), "no file of `Features.save`"),
        (lambda f: (f / "features.json").write_text('{"kind": "model"}'), "no file of `Features.save`"),
        (lambda f: change_json(f, version=3), "version 3 was written by a newer dmesr-core.*update"),
        (lambda f: change_json(f, version="gone"), "version None"),
        (lambda f: (f / "features.safetensors").write_bytes(b"x" * 99), r"features\.safetensors: cannot be read"),
        (lambda f: change_json(f, tokens="gone"), r"features\.json: incomplete or damaged: tokens must be a list"),
        (lambda f: change_json(f, descriptions_text=[""]), "the numbers of rows differ: .*'descriptions_text': 1"),
        (lambda f: change_json(f, ids=["a"], titles=["A"]), "the numbers of rows differ: .*'ids': 2"),
        (lambda f: change_json(f, titles=None), "titles must be a list"),
        (lambda f: change_json(f, tokens=[["x"]] + [["x"]] * N), r"item number \[0\] has another number of tokens"),
        (lambda f: change_json(f, report="gone"), "no report"),
    ],
)
def test_damaged_foreign_newer_and_incomplete_folders_are_refused(saved, damage, message):
    damage(saved)
    with pytest.raises(DataError, match=message):
        Features.load(saved)


def test_arrays_of_other_features_are_refused(saved, tmp_path):
    other = replace(whole(), coarse_text=whole().coarse_text + 1)
    other.save(tmp_path / "other")
    shutil.copy(tmp_path / "other" / "features.safetensors", saved)
    with pytest.raises(DataError, match=r"features\.safetensors: it is not the file that features\.json was wr"):
        Features.load(saved)


def test_an_interrupted_save_is_noticed(saved, monkeypatch):
    monkeypatch.setattr(item_features, "write_json", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        replace(whole(), coarse_text=whole().coarse_text + 1).save(saved)
    with pytest.raises(DataError, match="saving was interrupted"):
        Features.load(saved)


def test_what_cannot_be_kept_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    features = whole()
    wrong = {
        "coarse_text must be an array of float32": {"coarse_text": features.coarse_text.astype(float)},
        "two views": {"coarse_picture": features.coarse_picture[:, 1:]},
        "same items and tokens": {"fine_mask": features.fine_mask[:, 1:]},
        "numbers of rows differ": {"descriptions_text": ["x"]},
        "cannot be written as JSON": {"report": {"x": np.zeros(2)}},
        "cannot be written as JSON: Out of range": {"report": {"x": float("nan")}},
    }
    for message, change in wrong.items():
        with pytest.raises(DataError, match=message):
            replace(features, **change).save(tmp_path)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="nothing can be written there"):
        features.save(tmp_path / "file" / "below")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(item_features, "write_atomically", full)
    with pytest.raises(DataError, match="cannot be written .No space left"):
        features.save(tmp_path)


def test_the_array_file_is_one_of_safetensors(saved):
    from safetensors.numpy import load_file

    assert set(load_file(saved / "features.safetensors")) == set(ARRAYS)
    assert files.file_hash(saved / "features.safetensors") in (saved / "features.json").read_text()


def test_a_notebook_shows_three_items_and_escapes_their_texts():
    show = HTMLFormatter()
    shown = show(whole())
    assert shown.count("<tr>") == 4
    assert "a &lt;b&gt;a&lt;/b&gt;" in shown and "<b>" not in shown
    assert f"and {N - 3} more" in shown
    few = show(whole().matching(ItemNames(("b",), ("<i>",))))
    assert few.count("<tr>") == 2 and "&lt;i&gt;" in few and "more" not in few
    assert "<td>1</td>" in show(make_material().features)
    assert len(repr(whole())) < 100
