"""Where a number comes from."""

import shutil
import subprocess

import numpy as np

from dmesr_core import provenance
from dmesr_core.provenance import hash_of_statements


def test_what_is_said_about_code_is_not_code():
    plain = "def f(x):\n    return x + 1\n"
    dressed = (
        '"""About."""\n\n# why\ndef f(x):  # what\n    """Adds one.\n\n    # really\n    """\n\n    return x + 1\n'
    )
    assert hash_of_statements([dressed]) == hash_of_statements([plain])
    assert hash_of_statements([plain.replace("1", "2")]) != hash_of_statements([plain])
    assert hash_of_statements(['s = "# a"']) != hash_of_statements(['s = "# b"'])


def test_moving_code_is_no_change():
    first, second = "import a\n\nX = 1\n\ndef f():\n    from b import c\n    return c\n", "Y = 2\n"
    moved = ["from d import X\nY = 2\n\ndef f():\n    from e import c\n    return c\n", "", "X = 1\n"]
    assert hash_of_statements([first, second]) == hash_of_statements(moved)
    assert hash_of_statements([first, second]) != hash_of_statements([first])


def test_the_hash_is_of_the_model_code(monkeypatch, tmp_path):
    before = provenance.code_hash.__wrapped__()
    assert before == provenance.code_hash()
    package = tmp_path / "dmesr_core"
    shutil.copytree(provenance._PACKAGE, package, ignore=shutil.ignore_patterns("results", "checkpoint", "__pycache__"))
    monkeypatch.setattr(provenance, "_PACKAGE", package)
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

    monkeypatch.setattr(provenance, "_PACKAGE", tmp_path)
    assert provenance.commit() is None
    git("init", "--quiet")
    (tmp_path / "errors.py").write_text("a = 1\n")
    assert provenance.commit() is None  # a checkout, but not of this package
    git("add", "errors.py")
    git("commit", "--quiet", "-m", "one")
    head = git("rev-parse", "HEAD").stdout.strip()
    assert provenance.commit() == head
    (tmp_path / "errors.py").write_text("a = 2\n")
    assert provenance.commit() == f"{head}-dirty"


def test_peak_memory_counts_from_its_start():
    np.ones(30_000_000)  # 240 MB that are given back
    memory = provenance.PeakMemory()
    before = memory.megabytes()
    if before is None:  # not Linux
        return
    held = np.ones(20_000_000)
    assert 100 < memory.megabytes() - before < 230
    del held
    assert memory.megabytes() - before > 100  # the peak, not what is held now


def test_versions_are_named():
    assert set(provenance.versions()) == {"dmesr", "python", "torch", "numpy"}
