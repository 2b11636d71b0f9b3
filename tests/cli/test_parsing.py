"""Flags of several verbs: their defaults are those of the settings, and only what was given is passed on."""

from __future__ import annotations

import argparse

from dmesr_core.cli.parsing import FLAGS, add_flags, given
from dmesr_core.cli.settings import defaults


def parse(*line: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_flags(parser, FLAGS)
    return parser.parse_args(line)


def test_the_help_shows_the_defaults_of_the_settings():
    tables = defaults("dmesr")
    assert {name: str(tables[flag.table][flag.key]) for name, flag in FLAGS.items()} == {
        name: flag.default for name, flag in FLAGS.items()
    }
    assert all(isinstance(tables[flag.table][flag.key], flag.type) for flag in FLAGS.values())


def test_only_what_was_given_is_passed_on():
    assert given(parse()) == {}
    assert given(parse("--k-core", "5", "--model", "id")) == {("data", "k_core"): 5, ("model", "kind"): "id"}
    assert parse("--config", "my.toml").config == "my.toml"
