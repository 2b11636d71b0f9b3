"""`dmesr recommend`: what a kept model recommends, for a history, a file of histories, or a folder."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from dmesr_core.cli.output import as_text, check_table_file, progress, say, write_table
from dmesr_core.cli.parsing import add_flags, add_verb, given
from dmesr_core.errors import DataError

if TYPE_CHECKING:  # so that the help does not load torch
    from dmesr_core.data.interactions import Interactions


def add_parser(verbs: Any) -> None:
    """The parser of the verb."""
    parser = add_verb(
        verbs, "recommend", "recommend items for histories, also of users whom the model has never seen", _run,
        "dmesr recommend my_model --data my_shop --new-items my_shop/later --k 5 --out next.csv",
        "features that were computed are kept",
    )  # fmt: skip
    parser.add_argument("kept", metavar="MODEL", help="folder of the model, as dmesr train writes it")
    ask = parser.add_mutually_exclusive_group(required=True)
    ask.add_argument("--history", metavar="ID,ID,...", help="ids of one user's items, oldest first")
    ask.add_argument(
        "--histories", metavar="FILE.csv", help="a row per event: columns user, item and, if the rows are not in "
        "order, time",
    )  # fmt: skip
    ask.add_argument("--data", metavar="FOLDER", help="all users of a folder, after their last event")
    parser.add_argument("--k", type=int, default=10, metavar="N", help="items per user (default: %(default)s)")
    parser.add_argument("--include-seen", action="store_true", help="items of the history, too (default: others only)")
    parser.add_argument(
        "--views", action="store_true", help="where each recommendation comes from: the share of each softmax of a "
        "mixture of views, such as that of the picture (default: not said)",
    )  # fmt: skip
    parser.add_argument(
        "--on-unknown", default="skip", choices=("skip", "error"), help="ids that the model does not know: skip and "
        "count them, or error (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--new-items", metavar="FOLDER", help="a catalogue (items.csv, pictures/) of items that came after training: "
        "they can be recommended, and stand in histories, by their pictures and texts (default: none)",
    )  # fmt: skip
    parser.add_argument(
        "--out", default="", metavar="FILE", help="a table as .csv or .parquet (default: readable text on stdout)"
    )
    parser.add_argument("--device", default=None, help="cpu, cuda, ... (default: cpu)")
    add_flags(parser, ("--mllm", "--encoder"))


def _run(options: argparse.Namespace) -> None:
    check_table_file(options.out, "--out")
    from dmesr_core.cli import steps
    from dmesr_core.cli.settings import read_settings
    from dmesr_core.data.catalogue import read_catalogue
    from dmesr_core.models.recommender import Recommender

    settings, _ = read_settings(options.config, given(options) | {("data", "on_unknown"): _in_log(options)})
    model = Recommender.load(options.kept, options.device)
    histories: Any
    if options.history is not None:
        histories = [id.strip() for id in options.history.split(",") if id.strip()]
        if not histories:
            raise DataError("--history names no item: write ids with commas between, as --history B000003,B000010")
    elif options.histories:
        histories = read_histories(options.histories)
    else:
        histories = steps.load(options.data, settings.data).interactions
    if options.new_items:
        steps.add_new_items(model, read_catalogue(options.new_items), settings, options.new_items)
    progress("recommending")
    table = model.recommend(histories, options.k, not options.include_seen, options.on_unknown, options.views)
    if options.history is not None:
        table = table.drop(columns="user")
        if table.empty:
            raise DataError(f"none of the ids is an item of the model: {options.history}; {_examples(model)}")
    if options.out:
        write_table(table, options.out)
        say(f"{len(table):,} recommendations: {options.out}")
        return
    shares = model.softmax_names() if options.views else ()
    texts = table.assign(score=table["score"].map("{:.3f}".format))
    texts = texts.assign(**{name: texts[name].map("{:.0%}".format) for name in shares}).astype(str)
    say(as_text(list(texts.columns), texts.to_numpy().tolist(), right=("score", *shares)))


def read_histories(file: str) -> Interactions:
    """A log of items that need be in no catalogue; without a column `time` the rows are in order.

    Raises:
        DataError: the file cannot be read, lacks a column, or has a row without user or item; names the row.
    """
    from dmesr_core.data.catalogue import Catalogue
    from dmesr_core.data.csv_files import clean_id, name_rows, read_table, rows_where
    from dmesr_core.data.interactions import Interactions

    table = read_table(file, ("user", "item"))
    if table.empty:
        raise DataError(f"{file}: there is a header but no event below it")
    items = table["item"].map(clean_id)
    if (items == "").any():
        raise DataError(f"{file}: {name_rows(rows_where((items == '').to_numpy()))}: the item id is empty")
    ids = tuple(dict.fromkeys(items))
    catalogue = Catalogue(ids, ("",) * len(ids), ("",) * len(ids), (None,) * len(ids))
    times = table["time"] if "time" in table.columns else range(len(table))
    return Interactions.from_columns(table["user"], items, times, catalogue, where=file)


def _in_log(options: argparse.Namespace) -> str:
    """What becomes of events of a folder whose item is not in its items.csv."""
    return "drop" if options.on_unknown == "skip" else "error"


def _examples(model: Any) -> str:
    return f"its ids look like {', '.join(model.names().ids[:3])}"
