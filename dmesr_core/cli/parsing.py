"""Parts of the parsers of several verbs: a help that teaches, and flags that set what a settings file sets, too."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple


class HelpFormat(argparse.RawDescriptionHelpFormatter):
    """Lines of 110 characters, with the help of each flag beside it."""

    def __init__(self, prog: str):
        super().__init__(prog, max_help_position=28, width=110)


class Flag(NamedTuple):
    """A flag that takes the place of one entry of a settings file."""

    table: str
    key: str
    help: str
    default: str  # as the help shows it
    type: type = str


MINILM = "sentence-transformers/all-MiniLM-L6-v2"
FLAGS = {
    "--model": Flag("model", "kind", "dmesr, id (ID alone), words, raw (features as is), llm_esr or llm_emb", "dmesr"),
    "--backbone": Flag("backbone", "name", "sasrec, gru4rec or bert4rec", "sasrec"),
    "--epochs": Flag("training", "epochs", "at most; training stops when validation gets no better", "60", int),
    "--seed": Flag("training", "seed", "of the first weights and of training", "0", int),
    "--mllm": Flag("features", "mllm", "what looks and reads: tiny (knows drawn products of the Bazaar only), a name "
                   "on the Hugging Face hub such as HuggingFaceTB/SmolVLM-256M-Instruct, or a folder", "tiny"),
    "--encoder": Flag("features", "encoder", "text encoder: a name on the hub, or a folder", MINILM),
    "--k-core": Flag("data", "k_core", "drop users and items with fewer events; 0 keeps all", "0", int),
    "--on-unknown": Flag("data", "on_unknown", "events whose item is not in items.csv: error, or drop", "error"),
    "--split": Flag("data", "split", "leave-one-out (the last event of each user is the test), or global-time (the "
                    "last tenth of the log is)", "leave-one-out"),
}  # fmt: skip


def add_verb(
    verbs: Any, name: str, does: str, do: Callable[[argparse.Namespace], None], example: str, again: str = ""
) -> argparse.ArgumentParser:
    """A parser whose help says what the verb does, in a sentence, and shows how it is called.

    Args:
        again: what becomes of the work when it is interrupted.
    """
    parser = verbs.add_parser(
        name, help=does, description=f"{does[0].upper()}{does[1:]}.", epilog=f"example:\n  {example}",
        formatter_class=HelpFormat,
    )  # fmt: skip
    parser.set_defaults(do=do, again=again or "nothing was changed")
    return parser


def add_flags(parser: argparse.ArgumentParser, names: Iterable[str]) -> None:
    """Flags of `FLAGS`, and --config, the file that they win over."""
    for name in names:
        flag = FLAGS[name]
        metavar = "N" if flag.type is int else name.strip("-").upper()
        parser.add_argument(name, type=flag.type, metavar=metavar, help=f"{flag.help} (default: {flag.default})")
    parser.add_argument(
        "--config", metavar="FILE", help="settings as TOML, as `dmesr train --print-config` shows them; flags win over "
        "the file (default: none)",
    )  # fmt: skip


def given(options: argparse.Namespace) -> dict[tuple[str, str], Any]:
    """What the flags of `FLAGS` on the command line set: (table, key) -> value."""
    values = {flag: getattr(options, flag.strip("-").replace("-", "_"), None) for flag in FLAGS}
    return {(FLAGS[flag].table, FLAGS[flag].key): value for flag, value in values.items() if value is not None}
