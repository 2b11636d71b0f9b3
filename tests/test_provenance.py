"""Where a number comes from."""

import subprocess

import numpy as np

from dmesr_core import provenance


def test_what_is_said_about_code_is_not_code():
    plain = "def f(x):\n    return x + 1\n"
    dressed = (
        '"""About."""\n\n# why\ndef f(x):  # what\n    """Adds one.\n\n    # really\n    """\n\n    return x + 1\n'
    )
    assert provenance.bare(dressed) == provenance.bare(plain)
    assert provenance.bare(plain.replace("1", "2")) != provenance.bare(plain)
    text = 's = """# no comment"""\nt = "# none"\n'
    assert provenance.bare(text) == text.strip()


def test_the_hash_is_of_the_model_code(monkeypatch, tmp_path):
    before = provenance.code_hash.__wrapped__()
    assert before == provenance.code_hash()
    for file in provenance._PACKAGE.glob("*.py"):
        (tmp_path / file.name).write_text(file.read_text())
    monkeypatch.setattr(provenance, "_PACKAGE", tmp_path)
    (tmp_path / "cli.py").write_text("changed = True\n")
    (tmp_path / "align.py").write_text("# a remark\n" + (tmp_path / "align.py").read_text())
    assert provenance.code_hash.__wrapped__() == before
    (tmp_path / "align.py").write_text((tmp_path / "align.py").read_text() + "\nx = 1\n")
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
