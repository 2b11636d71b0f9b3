"""`dmesr example`: a small shop to play with, in the form of one's own data."""

from __future__ import annotations

import argparse
from typing import Any

from dmesr_core.cli.output import on_terminal, say
from dmesr_core.cli.parsing import add_verb


def add_parser(verbs: Any) -> None:
    """The parser of the verb."""
    parser = add_verb(
        verbs, "example", "write a small shop (items.csv, pictures/, interactions.csv) to try everything on",
        _run, "dmesr example my_shop --later 20",
    )  # fmt: skip
    parser.add_argument("folder", help="a new folder; it gets the form that your own data should have")
    parser.add_argument("--items", type=int, default=300, metavar="N", help="products (default: %(default)s)")
    parser.add_argument("--shoppers", type=int, default=400, metavar="N", help="people who buy (default: %(default)s)")
    parser.add_argument(
        "--later", type=int, default=0, metavar="N", help="so many of the items, those launched last, go to "
        "FOLDER/later instead: items that come after a model was trained (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the shop (default: %(default)s)")


def _run(options: argparse.Namespace) -> None:
    from dmesr_core.data.datasets import load_dataset
    from dmesr_core.data.example_shop import write_example

    folder = write_example(
        options.folder, options.items, options.shoppers, options.later, options.seed, progress=on_terminal()
    )
    data = load_dataset("folder", folder)
    log = data.interactions
    say(f"{folder}: {log.n_items:,} items, {log.n_users:,} users, {len(log):,} events")
    if options.later:
        say(f"{folder / 'later'}: {options.later:,} items that come later")
    say(f"next: dmesr train {folder} --out my_model")
