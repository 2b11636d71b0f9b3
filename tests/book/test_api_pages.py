"""Signatures and docstrings in the API reference."""

from __future__ import annotations

import ast
import inspect
from dataclasses import dataclass, field

from dmesr_core.book.api_pages import FACTORY, with_code, with_defaults
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


def test_strings_and_metrics_in_the_text_are_code_and_examples_stay():
    before = ['How: "sum" or "" (`f("x")`), as in "two words", NDCG@10.', "", "Example:", '    >>> f("x")', '    "y"']
    after = with_code(before)
    assert after[0] == 'How: `"sum"` or `""` (`f("x")`), as in "two words", `NDCG@10`.'
    assert after[1:] == before[1:]
