"""Extraction: each item gets its own features, equal inputs are computed once, and an interrupted run continues."""

from __future__ import annotations

import errno
import shutil
import tempfile
import zlib
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.fake_models import FakeEncoder, FakeMLLM, fake_vector
from helpers.tiny_models import load_on_cpu, make_model, make_pictures, make_text_encoder

from dmesr_core import files
from dmesr_core.data.catalogue import Catalogue
from dmesr_core.errors import DataError, SettingsError
from dmesr_core.features import extract, store, stored_results
from dmesr_core.features.extract import extract_features
from dmesr_core.features.mllm import MLLM, MLLMSettings
from dmesr_core.features.prompts import TEXT_PROMPT
from dmesr_core.features.store import FeatureStore, Record, make_key
from dmesr_core.features.text_encoder import TextEncoder


@pytest.fixture
def catalogue(tmp_path) -> Catalogue:
    """Six items: 1 and 2 share a picture and all words; 3 has no picture, 4 a broken one, 5 one that is gone."""
    folder = tmp_path / "pictures"
    paths = make_pictures(folder, 3)
    broken = folder / "broken.png"
    broken.write_bytes(b"broken")
    copy = folder / "copy.png"
    shutil.copy(paths[0], copy)
    return Catalogue(
        ids=("0", "b", "c", "d", "e", "f"),
        titles=("Teapot", "Teapot", "Sofa", "Lamp", "Chair", "Rug"),
        texts=("red", "red", "", "bright", "long and high", "soft"),
        pictures=(paths[0], copy, None, broken, folder / "gone.png", paths[1]),
    )


def run(catalogue, kept, mllm=None, encoder=None, **more):
    mllm, encoder = mllm or FakeMLLM(), encoder or FakeEncoder()
    return extract_features(catalogue, mllm, encoder, kept, progress=False, **more)


def test_every_item_gets_its_own_features(catalogue, tmp_path):
    got = run(catalogue, FeatureStore(tmp_path / "store"))
    words = [catalogue.words(k) for k in range(1, 7)]
    settings = MLLMSettings("x")
    assert got.descriptions_text == [""] + [settings.text_prompt + w for w in words]
    hashes = {k: zlib.crc32(catalogue.pictures[k - 1].read_bytes()) for k in (1, 2, 6)}
    descriptions = {k: f"{settings.picture_prompt}{number}" for k, number in hashes.items()}
    for k in range(1, 7):
        np.testing.assert_array_equal(got.coarse_text[k], fake_vector(got.descriptions_text[k]))
        assert got.descriptions_picture[k] == descriptions.get(k, got.descriptions_text[k])
        np.testing.assert_array_equal(got.coarse_picture[k], fake_vector(got.descriptions_picture[k]))
        n = len(got.tokens[k])
        assert got.tokens[k] == ["[CLS]", *words[k - 1].split(), "[SEP]"]
        assert got.fine_mask[k].tolist() == [True] * n + [False] * (got.fine.shape[1] - n)
        np.testing.assert_array_equal(got.fine[k, :n, 1], np.arange(n))
        assert not got.fine[k, n:].any()
    assert not any(table[0].any() for table in (got.coarse_picture, got.coarse_text, got.fine, got.fine_mask))
    assert (got.tokens[0], got.descriptions_picture[0]) == ([], "")
    assert (got.fine.dtype, got.coarse_text.dtype) == (np.float16, np.float32)
    assert got.fine.shape[1] == max(map(len, got.tokens))


def test_the_report_names_items_with_fallbacks(catalogue, tmp_path):
    got = run(catalogue, FeatureStore(tmp_path / "store")).report
    found = {(id, view): reason for id, view, reason in got["fallbacks"]}
    assert set(found) == {("c", "picture"), ("d", "picture"), ("e", "picture"), ("e", "text")}
    assert found["c", "picture"] == "no picture"
    assert found["d", "picture"].startswith(f"broken picture: picture {catalogue.pictures[3]}")
    assert found["e", "picture"].startswith(f"broken picture: picture {catalogue.pictures[4]}")
    counts = {name: got[name] for name in ("no_picture", "broken_picture", "text_cut", "empty_description", "items")}
    assert counts == {"no_picture": 1, "broken_picture": 2, "text_cut": 1, "empty_description": 0, "items": 6}
    assert got["seconds"] > 0
    assert got["fine_cut"] == 0
    assert run(catalogue, FeatureStore(tmp_path / "store"), max_tokens=4).report["fine_cut"] == 1  # of 2 to 6 tokens


def test_equal_content_is_computed_once_and_never_again(catalogue, tmp_path):
    mllm, encoder, folder = FakeMLLM(), FakeEncoder(), tmp_path / "store"
    first = run(catalogue, FeatureStore(folder), mllm, encoder)
    assert first.report["computed_by_view"] == {"text": 5, "picture": 3, "fine": 5}
    assert (first.report["computed"], first.report["reused"]) == (13, 0)
    assert len(mllm.inputs) == 8
    before = sorted(p.name for p in folder.iterdir())
    second = run(catalogue, FeatureStore(folder), mllm, encoder)
    assert (second.report["computed"], second.report["reused"]) == (0, 13)
    assert (len(mllm.inputs), len(encoder.inputs)) == (8, 5)
    assert sorted(p.name for p in folder.iterdir()) == before
    assert second.report["fallbacks"] == first.report["fallbacks"]
    for name in ("coarse_picture", "coarse_text", "fine", "fine_mask", "sentence"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    assert second.tokens == first.tokens
    assert second.descriptions_picture == first.descriptions_picture


def test_only_what_changed_is_computed(catalogue, tmp_path):
    folder = tmp_path / "store"
    run(catalogue, FeatureStore(folder))

    def computed(catalogue, mllm=None, **more):
        return run(catalogue, FeatureStore(folder), mllm, **more).report["computed_by_view"]

    backwards = catalogue.subset(range(6, 0, -1))
    assert computed(backwards) == {"text": 0, "picture": 0, "fine": 0}
    shutil.copy(catalogue.pictures[5], catalogue.pictures[0])  # item 1 has the picture of item 6 now
    assert computed(catalogue) == {"text": 0, "picture": 0, "fine": 0}
    other = Catalogue(catalogue.ids, catalogue.titles, (*catalogue.texts[:5], "hard"), catalogue.pictures)
    assert computed(other) == {"text": 1, "picture": 0, "fine": 1}
    assert computed(catalogue, max_tokens=3) == {"text": 0, "picture": 0, "fine": 5}
    assert computed(catalogue, FakeMLLM("another model")) == {"text": 5, "picture": 3, "fine": 0}


def test_a_broken_picture_that_moved_is_reported_where_it_is(catalogue, tmp_path):
    run(catalogue, FeatureStore(tmp_path / "store"))
    moved = catalogue.pictures[3].rename(tmp_path / "moved.png")
    pictures = (*catalogue.pictures[:3], moved, *catalogue.pictures[4:])
    other = Catalogue(catalogue.ids, catalogue.titles, catalogue.texts, pictures)
    report = run(other, FeatureStore(tmp_path / "store")).report
    assert report["computed"] == 0
    assert ("d", "picture", f"broken picture: picture {moved}: broken") in report["fallbacks"]


def test_permuted_items_get_permuted_features(catalogue, tmp_path):
    a = run(catalogue, FeatureStore(tmp_path / "a"))
    b = run(catalogue.subset([3, 1, 6, 2, 5, 4]), FeatureStore(tmp_path / "b"))
    order = [0, 3, 1, 6, 2, 5, 4]
    np.testing.assert_array_equal(b.coarse_picture, a.coarse_picture[order])
    np.testing.assert_array_equal(b.fine, a.fine[order])


def test_an_interrupted_extraction_continues(catalogue, tmp_path, monkeypatch):
    monkeypatch.setattr(stored_results, "SHARD", 2)
    folder, mllm = tmp_path / "store", FakeMLLM()
    mllm.dies_after = 3  # in the second of three shards of texts
    with pytest.raises(KeyboardInterrupt):
        run(catalogue, FeatureStore(folder), mllm)
    assert len(FeatureStore(folder)) == 2
    mllm.dies_after = 10**9
    got = run(catalogue, FeatureStore(folder), mllm)
    assert got.report["computed_by_view"]["text"] == 3
    np.testing.assert_array_equal(got.coarse_text, run(catalogue, FeatureStore(tmp_path / "other")).coarse_text)


def test_a_shard_damaged_since_the_start_is_computed_again(catalogue, tmp_path, caplog):
    folder = tmp_path / "store"
    expected = run(catalogue, FeatureStore(folder))
    kept = FeatureStore(folder)
    for shard in folder.glob("*.safetensors"):
        content = shard.read_bytes()
        shard.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    got = run(catalogue, kept)
    assert any("damaged" in message for message in caplog.messages)
    assert got.report["computed"] == 13
    np.testing.assert_array_equal(got.coarse_picture, expected.coarse_picture)
    np.testing.assert_array_equal(got.fine, expected.fine)


def test_a_store_that_forgets_everything_is_an_error(catalogue, tmp_path, monkeypatch):
    monkeypatch.setattr(FeatureStore, "read", lambda self, keys: iter(()))
    with pytest.raises(DataError, match="cannot be read back"):
        run(catalogue, FeatureStore(tmp_path / "store"))


def test_a_full_disk_during_extraction(catalogue, tmp_path, monkeypatch):
    kept, original, written = FeatureStore(tmp_path / "store"), files.write_atomically, []

    def full(file, data):
        if len(written) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(file)
        original(file, data)

    monkeypatch.setattr(store, "write_atomically", full)
    with pytest.raises(DataError, match="disk is full. The 5 results"):
        run(catalogue, kept)
    monkeypatch.undo()
    assert run(catalogue, FeatureStore(kept.folder)).report["computed_by_view"] == {"text": 0, "picture": 3, "fine": 5}


def test_sentence_is_the_mean_direction(catalogue, tmp_path):
    got = run(catalogue, FeatureStore(tmp_path / "store"))
    mean = got.fine[5][got.fine_mask[5]].astype(np.float32).mean(0)
    np.testing.assert_allclose(got.sentence[5], mean / np.linalg.norm(mean), rtol=1e-5)
    assert not got.sentence[0].any()


def test_with_a_real_model(catalogue, tmp_path, monkeypatch):
    folder = make_model("idefics3", tmp_path / "model")
    settings = MLLMSettings(str(folder), device="cpu", max_new_tokens=6, batch_size=4)
    kept = FeatureStore(tmp_path / "store")
    got = extract_features(catalogue, MLLM.load(settings), FakeEncoder(), kept, progress=False)
    alone = MLLM.load(settings).embed([catalogue.pictures[5]], None, settings.picture_prompt)
    np.testing.assert_allclose(got.coarse_picture[6], alone.vectors[0], atol=1e-4)
    np.testing.assert_array_equal(got.coarse_picture[[3, 4, 5]], got.coarse_text[[3, 4, 5]])
    assert got.report["broken_picture"] == 2

    def never(*_):
        raise AssertionError("weights were loaded although all results are stored")

    monkeypatch.setattr("dmesr_core.features.mllm.load_decoder", never)
    again = extract_features(catalogue, MLLM.load(settings), FakeEncoder(), FeatureStore(kept.folder), progress=False)
    assert again.report["computed"] == 0
    np.testing.assert_array_equal(again.coarse_picture, got.coarse_picture)
    np.testing.assert_array_equal(again.coarse_text, got.coarse_text)


def test_names_and_folders_stand_for_models_and_stores(catalogue, tmp_path, monkeypatch):
    """Without arguments: the tiny MLLM, MiniLM and the cache folder. A name or a folder is loaded."""
    loaded = []
    monkeypatch.setattr(MLLM, "load", lambda name: loaded.append(str(name)) or FakeMLLM())
    monkeypatch.setattr(TextEncoder, "load", lambda *name: loaded.append(name) or FakeEncoder())
    monkeypatch.setenv("DMESR_CACHE", str(tmp_path / "cache"))
    first = extract_features(catalogue, progress=False)
    assert loaded == ["tiny", ()]
    assert len(FeatureStore(tmp_path / "cache" / "features")) == first.report["computed"] == 13
    again = extract_features(catalogue, "owner/model", tmp_path / "encoder", str(tmp_path / "store"), progress=False)
    assert loaded[2:] == ["owner/model", (tmp_path / "encoder",)]
    assert len(FeatureStore(tmp_path / "store")) == again.report["computed"] == 13
    np.testing.assert_array_equal(again.coarse_picture, first.coarse_picture)


def test_stored_keys_never_change(catalogue, tmp_path):
    """Another key would make every stored feature useless."""
    run(catalogue, FeatureStore(tmp_path / "store"))
    words, picture = catalogue.words(3), extract.picture_hash(catalogue.pictures[5])[0]
    kept = FeatureStore(tmp_path / "store")
    assert make_key("coarse", "model", "Summarise this product text: ", None, words) in kept
    assert make_key("coarse", "model", "Describe the product in the picture.", picture, "") in kept
    assert make_key("fine", "encoder", 40, words) in kept


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (None, "the data set has no pictures or texts"),
        ("my_shop", r'got str: for a folder of your own, load_dataset\("folder", \'my_shop\'\).catalogue'),
        (SimpleNamespace(catalogue=Catalogue(("a",), ("A",), ("",), (None,))), "SimpleNamespace: give its .catalogue"),
        ([1], "got list"),
    ],
)
def test_only_a_catalogue_has_features(what, message):
    with pytest.raises(SettingsError, match=message):
        extract_features(what)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"mllm": 3}, "mllm must be an MLLM, MLLMSettings, or what MLLM.load takes .*; got int"),
        ({"mllm": FakeEncoder()}, "mllm must be .*; got FakeEncoder"),
        ({"encoder": FakeMLLM()}, "encoder must be a TextEncoder.*; got FakeMLLM"),
        ({"encoder": MLLMSettings("x")}, "encoder must be a TextEncoder.*; got MLLMSettings"),
        ({"store": 3}, "store must be a FeatureStore, or a folder; got int"),
        ({"max_tokens": 1}, "max_tokens must be at least 2"),
        ({"max_tokens": True}, "max_tokens must be at least 2"),
        ({"max_tokens": 8.0}, "max_tokens must be at least 2"),
        ({"max_tokens": None}, "max_tokens must be at least 2"),
    ],
)
def test_wrong_arguments_are_refused(catalogue, tmp_path, wrong, message):
    usual = {"mllm": FakeMLLM(), "encoder": FakeEncoder(), "store": tmp_path / "store"}
    with pytest.raises(SettingsError, match=message):
        extract_features(catalogue, **{**usual, **wrong}, progress=False)


def test_models_and_store_are_checked_before_the_work_and_only_if_there_is_work(catalogue, tmp_path):
    mllm, encoder, folder = FakeMLLM(), FakeEncoder(), tmp_path / "store"
    run(catalogue, FeatureStore(folder), mllm, encoder)
    run(catalogue, FeatureStore(folder), mllm, encoder)
    assert (mllm.checked, encoder.checked) == ([True], [40])
    without = Catalogue(catalogue.ids, ("x",) * 6, catalogue.texts, (None,) * 6)
    run(without, FeatureStore(folder), mllm, encoder)
    assert mllm.checked == [True, False]  # no pictures: none are tried

    def refuse(max_tokens):
        raise SettingsError("no token states")

    encoder.check, mllm.inputs = refuse, []
    with pytest.raises(SettingsError, match="no token states"):
        run(catalogue, FeatureStore(tmp_path / "other"), mllm, encoder)
    assert (mllm.inputs, mllm.checked) == ([], [True, False])


@pytest.mark.parametrize("way", ["below a file", "read-only"])
def test_a_store_that_cannot_be_written_is_found_before_the_work(catalogue, tmp_path, monkeypatch, way):
    (tmp_path / "file").write_text("")
    mllm, folder = FakeMLLM(), tmp_path / "file" / "store" if way == "below a file" else tmp_path / "store"
    if way == "read-only":
        run(catalogue.subset([1]), FeatureStore(folder))

        def forbidden(**_):
            raise OSError(errno.EROFS, "Read-only file system")

        monkeypatch.setattr(tempfile, "TemporaryFile", forbidden)
    with pytest.raises(DataError, match=r"feature store: folder .*store: nothing can be written there .*DMESR_CACHE"):
        run(catalogue, folder, mllm)
    assert mllm.inputs == [] and mllm.checked == []
    if way == "read-only":
        assert run(catalogue.subset([1]), folder).report["computed"] == 0  # reading is enough here


def test_what_was_lost_is_said_once(catalogue, tmp_path, caplog):
    run(catalogue, FeatureStore(tmp_path / "store"), max_tokens=4)
    first, second, third = caplog.messages
    assert first == (
        "3 of 6 items have no usable picture: their text view is used (first: item 'c', picture view: no picture)"
    )
    assert second == "1 of 6 texts cut to 24 tokens for fake (first: item 'e', text view: text cut)"
    assert third.startswith("1 of 6 texts cut to 4 tokens for the text encoder fake encoder (first: item 'e', fine")
    caplog.clear()
    run(catalogue.subset([1, 2, 6]), FeatureStore(tmp_path / "store"))
    assert caplog.messages == []


def test_the_limits_that_are_said_are_those_that_were_used(tmp_path, caplog):
    """120 positions are fewer than the text needs, and 32 are fewer than 40."""
    mllm = load_on_cpu(make_model("llava", tmp_path / "mllm", positions=120))
    encoder = TextEncoder.load(make_text_encoder("roberta", tmp_path / "encoder"), device="cpu")
    given = Catalogue(("a", "b"), ("long", "short"), ("x" * 500, ""), (None, None))
    got = extract_features(given, mllm, encoder, tmp_path / "store", progress=False)
    assert (got.report["text_cut"], got.report["fine_cut"], got.fine.shape[1]) == (1, 1, 32)
    [_, text, fine] = caplog.messages
    assert text.startswith(f"1 of 2 texts cut to {mllm.prompter.room(TEXT_PROMPT)} tokens for {mllm.name}")
    assert fine.startswith(f"1 of 2 texts cut to 32 tokens for the text encoder {encoder.name}")


def test_records_that_do_not_say_whether_a_text_was_cut_are_read(catalogue, tmp_path):
    kept = FeatureStore(tmp_path)
    key = make_key("fine", "encoder", 4, catalogue.words(5))
    kept.write({key: Record(np.zeros((4, 3), np.float16), {"tokens": list("abcd")})})
    assert run(catalogue, kept, max_tokens=4).report["fine_cut"] == 1


@pytest.mark.parametrize(("title", "warns"), [("Small purple umbrella", False), ("A cowboy doll is threatened", True)])
def test_the_tiny_model_says_when_it_does_not_know_the_catalogue(title, warns, tmp_path, caplog):
    catalogue = Catalogue(("a",), (title,), ("",), (None,))
    mllm = MLLM.load(MLLMSettings("tiny", device="cpu"))
    got = extract_features(catalogue, mllm, FakeEncoder(), tmp_path, progress=False)
    assert len(got) == 1  # one item is enough
    said = [message for message in caplog.messages if "only ever seen drawn products of the Bazaar" in message]
    assert len(said) == warns
    if warns:
        assert "name a model from the hub" in said[0]
