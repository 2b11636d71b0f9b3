"""`dmesr evaluate`: the metrics of a kept model on a folder."""

from __future__ import annotations

import argparse
from typing import Any

from dmesr_core.cli.output import check_table_file, note, progress
from dmesr_core.cli.parsing import add_flags, add_verb, given
from dmesr_core.cli.train import show_results


def add_parser(verbs: Any) -> None:
    """The parser of the verb."""
    parser = add_verb(
        verbs, "evaluate", "measure a kept model on a folder, with popularity beside it", _run,
        "dmesr evaluate my_model my_shop --part valid --results metrics.csv",
        "features that were computed are kept",
    )  # fmt: skip
    parser.add_argument("kept", metavar="MODEL", help="folder of the model, as dmesr train writes it")
    parser.add_argument("folder", help="folder of the data; read and split as in training if the flags are the same")
    parser.add_argument("--part", default="test", choices=("test", "valid"), help="of the split (default: %(default)s)")
    parser.add_argument(
        "--results", default="", metavar="FILE", help="all metrics with intervals, as .csv or .parquet (default: none)"
    )
    parser.add_argument("--device", default=None, help="cpu, cuda, ... (default: cpu)")
    add_flags(parser, ("--k-core", "--on-unknown", "--split", "--mllm", "--encoder"))


def _run(options: argparse.Namespace) -> None:
    check_table_file(options.results, "--results")
    from dmesr_core.cli import steps
    from dmesr_core.cli.settings import read_settings
    from dmesr_core.evaluation.metrics import evaluate
    from dmesr_core.models.recommender import Recommender
    from dmesr_core.models.scorers import popularity

    settings, _ = read_settings(options.config, given(options))
    model = Recommender.load(options.kept, options.device)
    data = steps.load(options.folder, settings.data)
    if steps.reads_features(model):
        steps.add_new_items(model, data.require_catalogue(), settings, options.folder)
    log = steps.for_model(data.interactions, model.names())
    if dropped := log.report["unknown_items_dropped"]:
        note(f"{options.folder}: {dropped:,} events left out: their items came after training, and this model knows "
            "items by their ID alone")  # fmt: skip
    split = steps.split(log, settings.data)
    progress("ranking")
    results = [
        evaluate(popularity(split), split, options.part, name="popularity"),
        evaluate(model, split, options.part, name=model.kind),
    ]
    show_results(results, "popularity", options.results)
