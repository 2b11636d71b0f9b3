"""What is said about losses: counts and the first example of each kind, and nothing where nothing was lost."""

from __future__ import annotations

import logging

from dmesr_core.features.reasons import ItemError, list_issues, one_line, warn_of_losses

NONE = {"items": 3, "fallbacks": []}


def said(caplog, report, fine_cut=()) -> list[str]:
    with caplog.at_level(logging.WARNING):
        warn_of_losses(report, "24 tokens for tiny", "40 tokens for MiniLM", list(fine_cut))
    return caplog.messages


def test_nothing_is_said_where_nothing_was_lost(caplog):
    assert said(caplog, NONE) == []


def test_each_kind_of_loss_is_said_once_with_its_first_example(caplog):
    reasons = {
        "picture": [[], ["no picture"], [], ["broken picture: picture x.png: gone"]],
        "text": [[], ["text cut"], ["text cut", "empty description"], []],
    }
    issues = list_issues(("a", "b", "c"), reasons)
    assert said(caplog, {"items": 3, **issues}, ["b", "c"]) == [
        "2 of 3 items have no usable picture: their text view is used (first: item 'a', picture view: no picture)",
        "2 of 3 texts cut to 24 tokens for tiny (first: item 'a', text view: text cut)",
        "1 of 6 descriptions are empty (first: item 'b', text view: empty description)",
        "2 of 3 texts cut to 40 tokens for MiniLM (first: item 'b', fine view: text cut)",
    ]
    counts = {name: value for name, value in issues.items() if name != "fallbacks"}
    assert counts == {"no_picture": 1, "broken_picture": 1, "text_cut": 2, "empty_description": 1}


def test_errors_of_others_are_put_on_one_short_line():
    assert one_line("a\n  b") == "a b"
    assert one_line(KeyError()) == "KeyError"
    assert len(one_line("x" * 1000)) == 301


def test_an_item_error_knows_its_place():
    error = ItemError(3, "is odd")
    assert (error.index, error.reason, str(error)) == (3, "is odd", "input 3: is odd")
