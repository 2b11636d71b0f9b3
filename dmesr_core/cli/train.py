"""`dmesr train`: from a folder to a trained, measured and kept model."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dmesr_core.cli.output import check_folder, check_table_file, on_terminal, progress, say, write_table
from dmesr_core.cli.parsing import FLAGS, add_flags, add_verb, given
from dmesr_core.errors import SettingsError

if TYPE_CHECKING:  # so that the help does not load torch
    from dmesr_core.cli.settings import Settings
    from dmesr_core.data.sequences import Split
    from dmesr_core.evaluation.results import Result

_FEW = 1_000  # training histories, for a model with several softmaxes


def add_parser(verbs: Any) -> None:
    """The parser of the verb."""
    parser = add_verb(
        verbs, "train", "train a model on a folder (items.csv, pictures/, interactions.csv), measure it, and keep it",
        _run, "dmesr train my_shop --out my_model --results metrics.csv",
        "features that were computed are kept, the training begins anew",
    )  # fmt: skip
    parser.add_argument("folder", nargs="?", default="", help="folder of the data; dmesr example writes one")
    parser.add_argument("--out", default="", metavar="MODEL", help="folder of the model; an older one is replaced")
    add_flags(parser, FLAGS)
    parser.add_argument("--print-config", action="store_true", help="show all settings as TOML, and train nothing")
    parser.add_argument(
        "--no-baselines", action="store_true", help="do not measure popularity and a model by ID alone beside it"
    )
    parser.add_argument(
        "--results", default="", metavar="FILE", help="all metrics with intervals, as .csv or .parquet (default: none)"
    )


def _run(options: argparse.Namespace) -> None:
    from dmesr_core.cli.settings import as_toml, read_settings

    settings, tables = read_settings(options.config, given(options))
    if options.print_config:
        print(as_toml(tables), end="")
        return
    if not options.folder or not options.out:
        raise SettingsError("name the folder of the data and where the model goes: dmesr train my_shop --out my_model")
    check_table_file(options.results, "--results")
    _check_model_folder(Path(options.out))
    _train(settings, options)


def _check_model_folder(folder: Path) -> None:
    """What would stop the saving of the model stops now."""
    from dmesr_core.models.saving import check_free

    check_free(folder)
    check_folder(folder.absolute().parent, "--out")


def _train(settings: Settings, options: argparse.Namespace) -> None:
    from dataclasses import replace

    from dmesr_core.cli import steps
    from dmesr_core.evaluation.metrics import evaluate
    from dmesr_core.models.dmesr_settings import PLAIN
    from dmesr_core.models.scorers import popularity
    from dmesr_core.training.fit import fit

    data = steps.load(options.folder, settings.data)
    split = steps.split(data.interactions, settings.data)
    features = steps.features_of(data.require_catalogue(), settings) if settings.needs_features else None
    model = settings.build(features, split)
    progress(f"training {settings.kind}")
    report = fit(model, split, settings.training, progress=on_terminal(), label=settings.kind)
    model.save(options.out)
    results = [evaluate(model, split, name=settings.kind)]
    against = settings.kind
    if not options.no_baselines:
        results.insert(0, evaluate(popularity(split), split, name=(against := "popularity")))
    if not options.no_baselines and settings.kind != "id":  # the same backbone, settings of training and seed
        progress("training a model by ID alone, to compare with")
        by_id = replace(settings, kind="id", options={})
        plain = by_id.build(None, split)
        fit(plain, split, settings.training, progress=on_terminal(), label="id")
        results.insert(1, evaluate(plain, split, name=(against := "id")))
    say(f"{data.interactions!r}, {split.name}")
    say(f"trained for {len(report.loss)} epochs in {report.seconds:.0f} s, best epoch {report.best_epoch + 1}\n")
    show_results(results, against, options.results)
    if settings.kind == "dmesr" and settings.softmaxes() > 1 and len(split.train) < _FEW:
        plain_form = ", ".join(f"{name} = {json.dumps(value)}" for name, value in PLAIN.items())
        say(
            f"{len(split.train):,} histories are few for a mixture of views: compare with the plain DMESR, under "
            f"[model] of a file for --config: {plain_form}"
        )
    say(f"\nmodel kept in {options.out}; ask it: dmesr recommend {options.out} --history {_some_history(split)}")


def show_results(results: list[Result], against: str, file: str) -> None:
    """The main metrics as text, with intervals and the difference to one of the results; all of them to a file."""
    from dmesr_core.cli.output import as_text
    from dmesr_core.evaluation.results import compare

    several = len(results) > 1
    table = compare(results, against=against if several else None)
    shown = [metric for metric in ("ndcg@10", "hr@10") if metric in table.columns]
    rows = []
    for name, row in table.iterrows():
        cells = [f"{row[m]:.4f} [{row[f'{m} low']:.4f}, {row[f'{m} high']:.4f}]" for m in shown]
        if several:
            gain = (row[f"{shown[0]} gain{end}"] for end in ("", " low", " high"))
            cells.append("" if name == against else "{:+.4f} [{:+.4f}, {:+.4f}]".format(*gain))
        rows.append([str(name), *cells])
    say(as_text(["model", *shown, *([f"{shown[0]} against {against}"] if several else [])], rows))
    say(f"in brackets: 95% intervals; {results[0].protocol}")
    if file:
        table = table.reset_index()
        table["protocol"] = results[0].protocol
        write_table(table, file)
        say(f"all metrics: {file}")


def _some_history(split: Split) -> str:
    """A history to begin with, as the command line takes it."""
    from dmesr_core.data.item_names import ItemNames

    names = split.item_names or ItemNames.numbered(split.n_items)
    return ",".join(names.ids[item - 1] for item in split.test.histories[0][-2:])
