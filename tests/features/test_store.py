"""The store on disk: what was written is read, and damage, full disks and killed processes lose nothing else."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from dmesr_core import files
from dmesr_core.errors import DataError
from dmesr_core.features import store
from dmesr_core.features.store import FeatureStore, Record, make_key


def some_records(n: int, start: int = 0) -> dict[str, Record]:
    rng = np.random.default_rng(start)
    return {
        make_key("test", k): Record(rng.normal(size=(k % 3 + 1, 4)).astype(np.float16), {"k": k, "text": "שלום 🙂\n"})
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
def test_a_damaged_shard_is_set_aside(tmp_path, damage, caplog):
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
    again = FeatureStore(tmp_path)
    assert len(again) == (10 if damage == "flipped" else 5)
    found = dict(again.read(a | b))
    assert [f"shard {shard.stem} is incomplete or damaged" in message for message in caplog.messages] == [True]
    assert set(found) == set(b)
    assert len(again) == 5
    assert not any(key in again for key in a)
    again.write(a)
    assert_holds(tmp_path, a | b)


@pytest.mark.parametrize("content", [b"", b"{", b'{"records": 5}\n', b"\xff\xfe", b'[]\n{"key": 1}\n'])
def test_a_damaged_index_is_set_aside(tmp_path, content, caplog):
    FeatureStore(tmp_path).write(some_records(5))
    (index,) = tmp_path.glob("*.jsonl")
    index.write_bytes(content)
    assert len(FeatureStore(tmp_path)) == 0
    assert ["incomplete or damaged" in message for message in caplog.messages] == [True]
    assert len(FeatureStore(tmp_path)) == 0
    assert len(caplog.messages) == 1  # silent the second time


def test_unfinished_files_are_ignored_and_deleted_when_old(tmp_path):
    a = some_records(5)
    FeatureStore(tmp_path).write(a)
    (shard,) = tmp_path.glob("*.safetensors")
    orphan, temporary = tmp_path / "orphan.safetensors", tmp_path / "x.jsonl.123.tmp"
    shutil.copy(shard, orphan)
    temporary.write_bytes(b'{"rec')
    assert_holds(tmp_path, a)
    assert orphan.exists() and temporary.exists()  # another process may still be writing them
    for file in (orphan, temporary):
        os.utime(file, (time.time() - 7200,) * 2)
    assert_holds(tmp_path, a)
    assert not orphan.exists() and not temporary.exists()


@pytest.mark.parametrize("point", ["data", "index"])
def test_a_full_disk_is_reported_and_loses_nothing(tmp_path, monkeypatch, point):
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


def test_unusable_folders_are_reported(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(DataError, match="cannot be read"):
        FeatureStore(file)
    with pytest.raises(DataError, match=r"cannot be written.*DMESR_CACHE"):
        FeatureStore(file / "below").write(some_records(1))


def test_whether_the_folder_can_be_written_is_known_before(tmp_path):
    FeatureStore(tmp_path / "new" / "folder").check_writable()
    assert list((tmp_path / "new" / "folder").iterdir()) == []
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file" / "below", "/proc/nowhere"):
        with pytest.raises(DataError, match=r"nothing can be written there .*DMESR_CACHE"):
            FeatureStore(folder).check_writable()


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


def test_a_killed_writer_does_not_damage_the_store(tmp_path):
    """One process is killed (signal 9) while another writes: all complete shards are readable."""
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
