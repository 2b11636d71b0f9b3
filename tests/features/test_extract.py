"""What extraction leaves on disk, and that it survives what happens to disks and processes."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from helpers.tiny_models import make_model, make_pictures

from dmesr_core import files
from dmesr_core.data.catalogue import Catalogue
from dmesr_core.errors import DataError, SettingsError
from dmesr_core.features import extract as extract_module
from dmesr_core.features import store
from dmesr_core.features.extract import extract
from dmesr_core.features.mllm import MLLM, Described, MLLMSettings
from dmesr_core.features.store import FeatureStore, Record, make_key
from dmesr_core.features.text_encoder import TokenStates

# ---- the store


def some_records(n: int, start: int = 0) -> dict[str, Record]:
    rng = np.random.default_rng(start)
    return {
        make_key("test", k): Record(rng.normal(size=(k % 3 + 1, 4)).astype(np.float16), {"k": k, "said": "שלום 🙂\n"})
        for k in range(start, start + n)
    }


def assert_holds(folder: Path, expected: dict[str, Record]) -> None:
    found = dict(FeatureStore(folder).read(expected))
    assert set(found) == set(expected)
    for key, record in expected.items():
        np.testing.assert_array_equal(found[key].array, record.array)
        assert found[key].array.dtype == record.array.dtype
        assert found[key].note == record.note


def test_what_is_written_is_read(tmp_path):
    a, b = some_records(5), some_records(4, start=5)
    kept = FeatureStore(tmp_path / "new" / "folder")
    assert len(kept) == 0
    kept.write(a)
    kept.write({})
    kept.write(b)
    assert len(kept) == 9
    assert next(iter(a)) in kept
    assert make_key("other") not in kept
    assert_holds(kept.folder, a | b)
    assert dict(kept.read([make_key("other")])) == {}
    assert sorted(p.suffix for p in kept.folder.iterdir()) == [".jsonl"] * 2 + [".safetensors"] * 2


def test_records_without_an_array(tmp_path):
    FeatureStore(tmp_path).write({"k": Record(None, {"broken": "yes"})})
    assert dict(FeatureStore(tmp_path).read(["k"])) == {"k": Record(None, {"broken": "yes"})}


def test_keys_depend_on_every_part_and_its_place():
    keys = [make_key("a", "bc"), make_key("ab", "c"), make_key("bc", "a"), make_key("a", None), make_key("a", "None")]
    assert len(set(keys)) == 5
    assert make_key("a", "bc") == keys[0]


@pytest.mark.parametrize("damage", ["half", "gone", "flipped"])
def test_a_damaged_shard_is_put_aside(tmp_path, damage):
    a, b = some_records(5), some_records(5, start=5)
    FeatureStore(tmp_path).write(a)
    (shard,) = tmp_path.glob("*.safetensors")
    FeatureStore(tmp_path).write(b)
    content = shard.read_bytes()
    if damage == "half":
        shard.write_bytes(content[: len(content) // 2])
    elif damage == "gone":
        shard.unlink()
    else:  # same length, found only when it is read
        shard.write_bytes(content[:-3] + bytes([content[-3] ^ 1]) + content[-2:])
    with pytest.warns(UserWarning, match=f"shard {shard.stem} is incomplete or damaged"):
        again = FeatureStore(tmp_path)
        assert len(again) == (10 if damage == "flipped" else 5)
        found = dict(again.read(a | b))
    assert set(found) == set(b)
    assert len(again) == 5
    assert not any(key in again for key in a)
    again.write(a)
    assert_holds(tmp_path, a | b)


@pytest.mark.parametrize("content", [b"", b"{", b'{"records": 5}\n', b"\xff\xfe", b'[]\n{"key": 1}\n'])
def test_a_damaged_index_is_put_aside(tmp_path, content):
    FeatureStore(tmp_path).write(some_records(5))
    (index,) = tmp_path.glob("*.jsonl")
    index.write_bytes(content)
    with pytest.warns(UserWarning, match="incomplete or damaged"):
        assert len(FeatureStore(tmp_path)) == 0
    assert len(FeatureStore(tmp_path)) == 0  # silent the second time


def test_unfinished_files_do_not_count_and_go_after_a_while(tmp_path):
    a = some_records(5)
    FeatureStore(tmp_path).write(a)
    (shard,) = tmp_path.glob("*.safetensors")
    orphan, temporary = tmp_path / "orphan.safetensors", tmp_path / "x.jsonl.123.tmp"
    shutil.copy(shard, orphan)
    temporary.write_bytes(b'{"rec')
    assert_holds(tmp_path, a)
    assert orphan.exists() and temporary.exists()  # they may be another process's, at work
    for file in (orphan, temporary):
        os.utime(file, (time.time() - 7200,) * 2)
    assert_holds(tmp_path, a)
    assert not orphan.exists() and not temporary.exists()


@pytest.mark.parametrize("point", ["data", "index"])
def test_a_full_disk_is_said_and_loses_nothing(tmp_path, monkeypatch, point):
    a, b = some_records(5), some_records(5, start=5)
    kept = FeatureStore(tmp_path)
    kept.write(a)
    original = files.write_atomically

    def full(file, data):
        if file.suffix == (".safetensors" if point == "data" else ".jsonl"):
            raise OSError(errno.ENOSPC, "No space left on device")
        original(file, data)

    monkeypatch.setattr(store, "write_atomically", full)
    with pytest.raises(DataError, match=r"disk is full. The 5 results stored so far are kept. Free at least .* MB"):
        kept.write(b)
    monkeypatch.undo()
    assert len(list(tmp_path.iterdir())) == 2
    assert_holds(tmp_path, a)
    kept.write(b)
    assert_holds(tmp_path, a | b)


def test_write_atomically_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        files.write_atomically(tmp_path / "x", b"1" * 100_000)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_used(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(DataError, match="cannot be read"):
        FeatureStore(file)
    with pytest.raises(DataError, match=r"cannot be written.*DMESR_CACHE"):
        FeatureStore(file / "below").write(some_records(1))


WRITER = """
    import sys
    import numpy as np
    from dmesr_core.features.store import FeatureStore, Record, make_key
    kept, who = FeatureStore(sys.argv[1]), int(sys.argv[2])
    for shard in range(int(sys.argv[3])):
        kept.write({make_key(who, shard, k): Record(np.full((2, 8), who, np.float32), {"k": k}) for k in range(20)})
        print(shard, flush=True)
"""


def writer(folder: Path, who: int, shards: int) -> subprocess.Popen:
    code = textwrap.dedent(WRITER)
    return subprocess.Popen(
        [sys.executable, "-c", code, str(folder), str(who), str(shards)], stdout=subprocess.PIPE, text=True
    )


def test_two_writers_and_a_kill(tmp_path):
    """One process is killed at work (signal 9) while another writes: what was committed is whole, and it goes on."""
    victim, other = writer(tmp_path, 1, 100_000), writer(tmp_path, 2, 30)
    for _ in range(10):
        victim.stdout.readline()
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    assert other.wait() == 0
    victim.stdout.close()
    other.stdout.close()
    after = FeatureStore(tmp_path)  # a warning would be an error here
    for who, shards in ((1, 10), (2, 30)):
        keys = [make_key(who, shard, k) for shard in range(shards) for k in range(20)]
        found = dict(after.read(keys))
        assert len(found) == len(keys)
        assert all((record.array == who).all() for record in found.values())
    after.write(some_records(3))
    assert_holds(tmp_path, some_records(3))


# ---- extraction, with models that only hash what they get


class FakeMLLM:
    """Says what it was given. Counts what it is asked, and dies on command."""

    def __init__(self, fingerprint: str = "model"):
        self.fingerprint, self.width = fingerprint, 4
        self.settings = MLLMSettings("fake", batch_size=2)
        self.asked: list[str] = []
        self.dies_after = 10**9

    def embed(self, pictures, texts, prompt, fallback_messages=None) -> Described:
        described, report = [], []
        n = len(pictures if pictures is not None else texts)
        for i in range(n):
            if len(self.asked) >= self.dies_after:
                raise KeyboardInterrupt
            content = prompt + texts[i] if texts is not None else prompt
            if pictures is not None:
                data = pictures[i].read_bytes()
                if data.startswith(b"broken"):
                    report.append((i, f"broken picture: picture {pictures[i]}: broken"))
                    content = fallback_messages[i]
                else:
                    content += str(zlib.crc32(data))
            if "long" in content:
                report.append((i, "text cut"))
            self.asked.append(content)
            described.append(content)
        return Described(described, np.stack([vector(d) for d in described]), report)


def vector(said: str) -> np.ndarray:
    return np.random.default_rng(zlib.crc32(said.encode())).normal(size=4).astype(np.float32)


class FakeEncoder:
    fingerprint, width = "encoder", 3

    def __init__(self):
        self.asked: list[str] = []

    def encode(self, texts, max_tokens) -> TokenStates:
        self.asked += texts
        tokens = [["[CLS]", *text.split(), "[SEP]"][:max_tokens] for text in texts]
        longest = max(map(len, tokens))
        mask = np.array([[j < len(t) for j in range(longest)] for t in tokens])
        states = np.array([[[len(t), j, 1] for j in range(longest)] for t in tokens], np.float16) * mask[..., None]
        return TokenStates(states, mask, tokens)


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
    return extract(catalogue, mllm, encoder, kept, progress=False, **more)


def test_every_item_gets_its_own_features(catalogue, tmp_path):
    got = run(catalogue, FeatureStore(tmp_path / "store"))
    words = [catalogue.words(k) for k in range(1, 7)]
    ask = MLLMSettings("x")
    assert got.descriptions_text == [""] + [ask.text_prompt + w for w in words]
    looked = {k: ask.picture_prompt + str(zlib.crc32(catalogue.pictures[k - 1].read_bytes())) for k in (1, 2, 6)}
    for k in range(1, 7):
        np.testing.assert_array_equal(got.coarse_text[k], vector(got.descriptions_text[k]))
        assert got.descriptions_picture[k] == looked.get(k, got.descriptions_text[k])
        np.testing.assert_array_equal(got.coarse_picture[k], vector(got.descriptions_picture[k]))
        n = len(got.tokens[k])
        assert got.tokens[k] == ["[CLS]", *words[k - 1].split(), "[SEP]"]
        assert got.fine_mask[k].tolist() == [True] * n + [False] * (got.fine.shape[1] - n)
        np.testing.assert_array_equal(got.fine[k, :n, 1], np.arange(n))
        assert not got.fine[k, n:].any()
    assert not any(table[0].any() for table in (got.coarse_picture, got.coarse_text, got.fine, got.fine_mask))
    assert (got.tokens[0], got.descriptions_picture[0]) == ([], "")
    assert (got.fine.dtype, got.coarse_text.dtype) == (np.float16, np.float32)
    assert got.fine.shape[1] == max(map(len, got.tokens))


def test_the_report_names_who_was_treated_differently(catalogue, tmp_path):
    got = run(catalogue, FeatureStore(tmp_path / "store")).report
    found = {(id, view): reason for id, view, reason in got["fallbacks"]}
    assert set(found) == {("c", "picture"), ("d", "picture"), ("e", "picture"), ("e", "text")}
    assert found["c", "picture"] == "no picture"
    assert found["d", "picture"].startswith(f"broken picture: picture {catalogue.pictures[3]}")
    assert found["e", "picture"].startswith(f"broken picture: picture {catalogue.pictures[4]}")
    counts = {name: got[name] for name in ("no_picture", "broken_picture", "text_cut", "empty_description", "items")}
    assert counts == {"no_picture": 1, "broken_picture": 2, "text_cut": 1, "empty_description": 0, "items": 6}
    assert got["seconds"] > 0
    assert got["fine_at_limit"] == 0
    assert run(catalogue, FeatureStore(tmp_path / "store"), max_tokens=4).report["fine_at_limit"] == 5


def test_equal_content_is_computed_once_and_never_again(catalogue, tmp_path):
    mllm, encoder, folder = FakeMLLM(), FakeEncoder(), tmp_path / "store"
    first = run(catalogue, FeatureStore(folder), mllm, encoder)
    assert first.report["computed_by_view"] == {"text": 5, "picture": 3, "fine": 5}
    assert (first.report["computed"], first.report["reused"]) == (13, 0)
    assert len(mllm.asked) == 8
    before = sorted(p.name for p in folder.iterdir())
    second = run(catalogue, FeatureStore(folder), mllm, encoder)
    assert (second.report["computed"], second.report["reused"]) == (0, 13)
    assert (len(mllm.asked), len(encoder.asked)) == (8, 5)
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
    shutil.copy(catalogue.pictures[5], catalogue.pictures[0])  # item 1 looks like item 6 now
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


def test_interrupted_work_goes_on(catalogue, tmp_path, monkeypatch):
    monkeypatch.setattr(extract_module, "_SHARD", 2)
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


def test_wrong_settings(catalogue, tmp_path):
    with pytest.raises(SettingsError, match="max_tokens must be at least 2"):
        run(catalogue, FeatureStore(tmp_path), max_tokens=1)


# ---- and with a real (random) model


def test_with_a_real_model(catalogue, tmp_path, monkeypatch):
    folder = make_model("idefics3", tmp_path / "model")
    settings = MLLMSettings(str(folder), device="cpu", max_new_tokens=6, batch_size=4)
    kept = FeatureStore(tmp_path / "store")
    got = extract(catalogue, MLLM.load(settings), FakeEncoder(), kept, progress=False)
    alone = MLLM.load(settings).embed([catalogue.pictures[5]], None, settings.picture_prompt)
    np.testing.assert_allclose(got.coarse_picture[6], alone.vectors[0], atol=1e-4)
    np.testing.assert_array_equal(got.coarse_picture[[3, 4, 5]], got.coarse_text[[3, 4, 5]])
    assert got.report["broken_picture"] == 2

    def never(*_):
        raise AssertionError("the weights were read although nothing was missing")

    monkeypatch.setattr("dmesr_core.features.mllm.load_decoder", never)
    again = extract(catalogue, MLLM.load(settings), FakeEncoder(), FeatureStore(kept.folder), progress=False)
    assert again.report["computed"] == 0
    np.testing.assert_array_equal(again.coarse_picture, got.coarse_picture)
    np.testing.assert_array_equal(again.coarse_text, got.coarse_text)
