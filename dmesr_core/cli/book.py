"""`dmesr book`: run the chapters that need it, then make the pages."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from dmesr_core.cli.output import say
from dmesr_core.cli.parsing import add_verb
from dmesr_core.errors import SettingsError


def add_parser(verbs: Any) -> None:
    """The parser of the verb."""
    parser = add_verb(
        verbs, "book", "run the chapters that need it, then make the pages", _run,
        "dmesr book --profile smoke --only 03",
        "the same command goes on from here",
    )  # fmt: skip
    parser.add_argument("--root", default=".", help="folder of the book, with _toc.yml (default: here)")
    parser.add_argument("--profile", default="cpu", help="smoke, cpu or gpu (default: %(default)s)")
    parser.add_argument("--data", default="bazaar", help="bazaar, movielens or folder (default: %(default)s)")
    parser.add_argument("--data-dir", default="", help="folder of the data, for all but the bazaar (default: none)")
    parser.add_argument("--mllm", default="tiny", help="tiny, a hub name, or a folder (default: %(default)s)")
    parser.add_argument("--seed", default=0, type=int, help="of everything (default: %(default)s)")
    parser.add_argument("--only", nargs="+", default=[], metavar="CHAPTER", help="such as 03; no pages (default: all)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="one more parameter (default: none)"
    )
    parser.add_argument("--no-render", action="store_true", help="run the chapters, make no pages")
    parser.add_argument(
        "--cell-timeout", type=int, default=None, metavar="SECONDS", help="of one cell (default: no limit)"
    )


def _run(options: argparse.Namespace) -> None:
    from dmesr_core.book.notebooks import read_value
    from dmesr_core.book.render import render
    from dmesr_core.book.runner import RunSettings, run_book

    more: dict[str, Any] = {}
    for pair in options.set:
        name, equals, value = pair.partition("=")
        if not equals:
            raise SettingsError(f"--set takes name=value, got {pair!r}")
        more[name] = read_value(value)
    usual = {key: getattr(options, key) for key in ("profile", "data", "data_dir", "mllm", "seed")}
    settings = RunSettings(Path(options.root), more=more, cell_timeout=options.cell_timeout, **usual)
    run_book(settings, options.only, say=say)
    if options.only or options.no_render:
        say(f"executed: {settings.executed}")
        return
    page, made = render(settings)
    say(f"pages {'made' if made else 'up to date'}: open {page}")
