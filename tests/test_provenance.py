"""Where a number comes from."""

import shutil
import subprocess
import sys

import numpy as np

from dmesr_core import provenance
from dmesr_core.provenance import hash_of_statements


def test_comments_docstrings_and_layout_do_not_count():
    plain = "def f(x):\n    return x + 1\n"
    dressed = (
        '"""About."""\n\n# why\ndef f(x):  # what\n    """Adds one.\n\n    # really\n    """\n\n    return x + 1\n'
    )
    assert hash_of_statements([dressed]) == hash_of_statements([plain])
    assert hash_of_statements([plain.replace("1", "2")]) != hash_of_statements([plain])
    assert hash_of_statements(['s = "# a"']) != hash_of_statements(['s = "# b"'])


def test_moving_code_does_not_count():
    first, second = "import a\n\nX = 1\n\ndef f():\n    from b import c\n    return c\n", "Y = 2\n"
    moved = ["from d import X\nY = 2\n\ndef f():\n    from e import c\n    return c\n", "", "X = 1\n"]
    assert hash_of_statements([first, second]) == hash_of_statements(moved)
    assert hash_of_statements([first, second]) != hash_of_statements([first])


def test_the_hash_is_of_the_model_code(monkeypatch, tmp_path):
    before = provenance.code_hash.__wrapped__()
    assert before == provenance.code_hash()
    package = tmp_path / "dmesr_core"
    shutil.copytree(provenance.PACKAGE, package, ignore=shutil.ignore_patterns("results", "checkpoint", "__pycache__"))
    monkeypatch.setattr(provenance, "PACKAGE", package)
    (package / "cli.py").write_text("changed = True\n")
    alignment = package / "models" / "alignment.py"
    alignment.write_text("# a remark\n" + alignment.read_text())
    alignment.rename(package / "models" / "contrast.py")
    assert provenance.code_hash.__wrapped__() == before
    with (package / "models" / "contrast.py").open("a") as file:
        file.write("\nx = 1\n")
    assert provenance.code_hash.__wrapped__() != before


def test_the_commit_of_a_checkout(monkeypatch, tmp_path):
    def git(*arguments):
        names = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        return subprocess.run(
            ["git", "-C", str(tmp_path), *names, *arguments], check=True, capture_output=True, text=True
        )

    monkeypatch.setattr(provenance, "PACKAGE", tmp_path)
    assert provenance.commit() is None
    git("init", "--quiet")
    git("commit", "--quiet", "--allow-empty", "-m", "zero")
    (tmp_path / "errors.py").write_text("a = 1\n")
    assert provenance.commit() is None  # a checkout, but not of this package
    git("add", "errors.py")
    git("commit", "--quiet", "-m", "one")
    head = git("rev-parse", "HEAD").stdout.strip()
    assert provenance.commit() == head
    (tmp_path / "errors.py").write_text("a = 2\n")
    assert provenance.commit() == f"{head}-dirty"
    git("commit", "--quiet", "-am", "two")
    head = git("rev-parse", "HEAD").stdout.strip()
    (tmp_path / "notes.md").write_text("a new file, but no code\n")
    assert provenance.commit() == head
    assert provenance.commit(tmp_path, ["."]) == f"{head}-dirty"
    (tmp_path / "new.py").write_text("b = 1\n")
    assert provenance.commit() == f"{head}-dirty"


def test_peak_memory_counts_from_its_start():
    np.ones(30_000_000)  # 240 MB, freed at once
    memory = provenance.PeakMemory()
    before = memory.megabytes()
    if before is None:  # not Linux
        return
    held = np.ones(20_000_000)
    assert 100 < memory.megabytes() - before < 230
    del held
    assert memory.megabytes() - before > 100  # the peak, not what is held now


def test_a_short_commit_still_says_whether_files_differed():
    head = "0123456789abcdef0123456789abcdef01234567"
    assert provenance.short_commit(head) == "0123456"
    assert provenance.short_commit(f"{head}-dirty") == "0123456+"
    assert provenance.short_commit(None) == "unknown"


def test_versions_are_of_python_the_package_and_what_is_installed():
    assert set(provenance.versions()) == {"dmesr", "python", "torch", "numpy"}
    assert set(provenance.versions(["pandas", "no-such-package"])) == {"dmesr", "python", "pandas"}


def test_the_device_is_the_gpu_where_torch_sees_one(monkeypatch):
    class Torch:
        class cuda:
            is_available = staticmethod(lambda: True)
            get_device_name = staticmethod(lambda: "a GPU")

    monkeypatch.setitem(sys.modules, "torch", Torch)
    assert provenance.device() == "a GPU"
    monkeypatch.delitem(sys.modules, "torch")
    assert "CPU cores" in provenance.device()
