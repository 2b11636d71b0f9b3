"""What the README promises: its outputs are those of its lines (`test_wheel.py` runs them), what it names is there."""

from __future__ import annotations

import os
import re
import shlex

import pytest
from helpers.readme_output import README, ROOT, blocks, example_command, run_blocks, with_outputs
from helpers.small_material import make_material

from dmesr_core import cli
from dmesr_core.models import backbones
from dmesr_core.training import fit, settings

PAGE = README.read_text(encoding="utf-8")
TRAIN, ASK = blocks(PAGE)
OWN_BACKBONE = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[2]


@pytest.mark.skipif(not os.environ.get("DMESR_README"), reason="minutes: set DMESR_README to compare its outputs")
def test_its_outputs_are_those_of_this_machine(tmp_path):
    assert PAGE == with_outputs(PAGE, run_blocks(PAGE, tmp_path, example_command(PAGE)))


def test_its_lines_are_few():
    for code, output in (TRAIN, ASK):
        assert len([line for line in code.splitlines() if line.strip()]) <= 10
        assert output.strip()


def test_outputs_are_put_where_they_belong():
    page = with_outputs(PAGE, ["first\n", "second\n"])
    assert [output for _, output in blocks(page)] == ["first\n", "second\n"]
    assert with_outputs(page, [TRAIN[1], ASK[1]]) == PAGE


def test_the_commands_it_shows_are_understood(capsys):
    commands = {line.split("  #")[0].strip() for line in PAGE.splitlines() if re.match(r"(\.venv/bin/)?dmesr \w", line)}
    commands |= {line.split(" >")[0] for line in re.findall(r"`(dmesr \w[^`]*)`", PAGE)}
    assert len(commands) > 8
    for command in sorted(commands):
        _, verb, *options = shlex.split(command)
        with pytest.raises(SystemExit) as ended:  # the help comes when the options before it are right
            cli.main([verb, *options, "--help"])
        assert ended.value.code == 0, command
        text = capsys.readouterr().out
        assert not [flag for flag in options if flag.startswith("--") and flag not in text], command


def test_a_backbone_of_your_own_can_be_trained(monkeypatch):
    monkeypatch.setattr(backbones, "BACKBONES", dict(backbones.BACKBONES))  # forgotten afterwards
    material = make_material()
    names = dict(features=material.features, split=material.split)
    exec(compile(OWN_BACKBONE, "README.md", "exec"), names)
    assert repr(names["model"]).startswith("<DMESR with Recent:")
    report = fit.fit(names["model"], material.split, settings.TrainSettings(epochs=4), progress=False)
    assert report.loss[-1] < report.loss[0]


def test_what_it_links_to_is_there():
    for target in re.findall(r"\]\(([^)#]+)\)", PAGE):
        if not target.startswith("https://"):
            assert (ROOT / target).is_file(), target
    for chapter in re.findall(r"blob/main/(book/\S+?\.ipynb)", PAGE):
        assert (ROOT / chapter).is_file(), chapter


def test_the_commands_it_names_are_in_the_makefile():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"(?:^|`)make (\w[\w-]*)", PAGE, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
