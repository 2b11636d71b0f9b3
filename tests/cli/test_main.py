"""The command line as a whole: its help, its errors, what is missing."""

from __future__ import annotations

import re
import subprocess
import sys
import time

import pytest

from dmesr_core import __version__, cli


def test_version(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert (ended.value.code, capsys.readouterr().out) == (0, f"dmesr {__version__}\n")


@pytest.mark.parametrize("line", [[], ["bake"], ["book", "--seed", "x"]])
def test_a_wrong_command_line(line, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(line)
    assert ended.value.code == 2


VERBS = ("example", "train", "evaluate", "recommend", "extract", "book", "experiment")


def test_help_comes_at_once():
    clock = time.monotonic()
    for line in ("'--help'", "'train', '--help'", "'recommend', '--help'"):
        code = f"from dmesr_core.cli import main; main([{line}])"
        done = subprocess.run([sys.executable, "-X", "importtime", "-c", code], capture_output=True, text=True)
        assert done.returncode == 0
        assert "torch" not in done.stderr and "pandas" not in done.stderr
    assert time.monotonic() - clock < 20


def help_of(capsys, *line: str) -> str:
    with pytest.raises(SystemExit) as ended:
        cli.main([*line, "--help"])
    assert ended.value.code == 0
    return capsys.readouterr().out


def test_the_help_shows_all_verbs_and_where_to_start(capsys):
    text = help_of(capsys)
    assert all(re.search(rf"\n +{verb}\s", text) for verb in VERBS)
    assert "start here:\n  dmesr example my_shop" in text


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_each_verb_teaches(verb, capsys):
    text = help_of(capsys, verb)
    assert f"example:\n  dmesr {verb} " in text
    assert len(text.split("\n\n")[1]) > 20  # what it does, in a sentence
    *_, flags = text.split("options:\n")
    for flag in flags.split("\n\n")[0].split("\n  -")[1:]:
        takes_a_value = len(flag.split("  ")[0].split()) > 1 and not flag.startswith("h, ")
        chosen_from_many = flag.startswith(("-history ", "-histories ", "-data FOLDER", "-out MODEL"))
        assert not takes_a_value or chosen_from_many or "(default: " in " ".join(flag.split()), flag


@pytest.mark.parametrize(
    ("name", "extra"), [("matplotlib", "plots"), ("umap", "plots"), ("nbformat", "book"), ("papermill", "book")]
)
def test_a_missing_package_is_named_with_the_extra_that_brings_it(name, extra, monkeypatch, tmp_path, capsys):
    def missing(*_, **__):
        raise ModuleNotFoundError(f"No module named '{name}'", name=f"{name}.part")

    monkeypatch.setattr("dmesr_core.data.example_shop.write_example", missing)
    assert cli.main(["example", str(tmp_path / "shop")]) == 1
    assert capsys.readouterr().err == f"dmesr: the package {name} is missing: pip install 'dmesr-core[{extra}]'\n"


def test_packages_that_belong_to_no_extra_are_named_as_they_are(monkeypatch, tmp_path, capsys):
    def missing(*_, **__):
        raise ModuleNotFoundError("No module named 'tokenizers'", name="tokenizers")

    monkeypatch.setattr("dmesr_core.data.example_shop.write_example", missing)
    assert cli.main(["example", str(tmp_path / "shop")]) == 1
    said = capsys.readouterr().err
    assert "tokenizers" in said and "dmesr-core[" not in said


def test_a_torchvision_that_does_not_fit_is_named(monkeypatch, tmp_path, capsys):
    """As transformers passes it on: the reason is below, and the error itself names no module."""

    def misfit(*_, **__):
        try:
            raise RuntimeError("operator torchvision::nms does not exist")
        except RuntimeError as error:
            raise ModuleNotFoundError("Could not import module 'AutoProcessor'. Are its requirements there?") from error

    monkeypatch.setattr("dmesr_core.data.example_shop.write_example", misfit)
    assert cli.main(["example", str(tmp_path / "shop")]) == 1
    said = capsys.readouterr().err
    assert "torchvision does not fit torch" in said and "operator torchvision::nms does not exist" in said
    assert "book" not in said


def test_a_fault_of_our_own_imports_is_shown_whole(monkeypatch, tmp_path):
    def missing(*_, **__):
        raise ModuleNotFoundError("No module named 'dmesr_core.nothing'", name="dmesr_core.nothing")

    monkeypatch.setattr("dmesr_core.data.example_shop.write_example", missing)
    with pytest.raises(ModuleNotFoundError):
        cli.main(["example", str(tmp_path / "shop")])


def test_an_interruption_says_what_became_of_the_work(monkeypatch, tmp_path, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("dmesr_core.features.extract.extract_features", interrupted)
    (tmp_path / "items.csv").write_text("id,title,text\n7,Cup,A cup\n")
    assert cli.main(["extract", str(tmp_path)]) == 130
    assert "the same command goes on from here" in capsys.readouterr().err
