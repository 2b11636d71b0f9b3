"""Signatures of dataclasses in the API reference can be parsed."""

from __future__ import annotations

import ast
import inspect
from dataclasses import dataclass, field

from dmesr_core.book.api_signatures import FACTORY, with_defaults
from dmesr_core.models.backbones import BackboneSettings


@dataclass
class Made:
    name: str
    counts: dict = field(default_factory=dict)
    backbone: BackboneSettings = field(default_factory=BackboneSettings)
    rest: tuple = (1, 2)


def test_defaults_that_are_made_anew_are_shown_as_calls():
    before = str(inspect.signature(Made))
    after = with_defaults(before, Made)
    assert FACTORY in before and FACTORY not in after
    ast.parse(f"def f{after}: ...")
    assert "= dict(), " in after and "= BackboneSettings(), " in after


def test_other_signatures_stay():
    assert with_defaults("(x, y=1)", print) == "(x, y=1)"
    assert with_defaults("()", int) == "()"
