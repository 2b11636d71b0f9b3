"""Extraction: each item gets its own features, equal inputs are computed once, and an interrupted run continues."""

from __future__ import annotations

import errno
import shutil
import zlib

import numpy as np
import pytest
from helpers.fake_models import FakeEncoder, FakeMLLM, fake_vector
from helpers.tiny_models import make_model, make_pictures

from dmesr_core import files
from dmesr_core.data.catalogue import Catalogue
from dmesr_core.errors import DataError, SettingsError
from dmesr_core.features import extract, store, stored_results
from dmesr_core.features.extract import extract_features
from dmesr_core.features.mllm import MLLM, MLLMSettings
from dmesr_core.features.store import FeatureStore, make_key
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


def test_a_shard_damaged_since_the_start_is_computed_again(catalogue, tmp_path):
    folder = tmp_path / "store"
    expected = run(catalogue, FeatureStore(folder))
    kept = FeatureStore(folder)
    for shard in folder.glob("*.safetensors"):
        content = shard.read_bytes()
        shard.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.warns(UserWarning, match="damaged"):
        got = run(catalogue, kept)
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


def test_wrong_max_tokens_are_refused(catalogue, tmp_path):
    with pytest.raises(SettingsError, match="max_tokens must be at least 2"):
        run(catalogue, FeatureStore(tmp_path), max_tokens=1)


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


@pytest.mark.parametrize(("what", "message"), [(None, "the data set has no pictures or texts"), ("my_shop", "got str")])
def test_only_a_catalogue_has_features(what, message):
    with pytest.raises(SettingsError, match=message):
        extract_features(what)
