"""What the README promises: its lines run, and what it names is there."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from helpers.small_material import make_material
from helpers.small_shop import write_shop

from dmesr_core.models import backbones
from dmesr_core.training import fit, settings

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
LIBRARY, OWN_BACKBONE = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.fixture
def my_shop(tmp_path, monkeypatch):
    """A folder as the README describes it, below the working folder."""
    monkeypatch.chdir(tmp_path)
    return write_shop(tmp_path / "my_shop", 40, 30, tmp_path / "drawn")


@pytest.mark.slow
def test_the_ten_lines_run(my_shop, capsys):
    lines = LIBRARY.replace("fit(model, split)", "fit(model, split, TrainSettings(epochs=1))")
    names: dict = {"TrainSettings": settings.TrainSettings}
    exec(compile(lines, "README.md", "exec"), names)
    assert "ndcg@10" in capsys.readouterr().out
    best = np.asarray(names["best"])
    assert best.shape == (len(names["split"].test.targets), 10)
    assert ((best >= 1) & (best <= 40)).all()


def test_a_backbone_of_your_own_can_be_trained(monkeypatch):
    monkeypatch.setattr(backbones, "BACKBONES", dict(backbones.BACKBONES))  # forgotten afterwards
    material = make_material()
    names = dict(features=material.features, split=material.split)
    exec(compile(OWN_BACKBONE, "README.md", "exec"), names)
    assert type(names["model"].backbone).__name__ == "Recent"
    report = fit.fit(names["model"], material.split, settings.TrainSettings(epochs=4), progress=False)
    assert report.loss[-1] < report.loss[0]


def test_what_it_links_to_is_there():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("https://"):
            assert (ROOT / target).is_file(), target
    for chapter in re.findall(r"blob/main/(book/\S+?\.ipynb)", README):
        assert (ROOT / chapter).is_file(), chapter


def test_the_commands_it_names_are_in_the_makefile():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"(?:^|`)make (\w[\w-]*)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
