"""`dmesr extract`: features of a catalogue, computed and written."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from dmesr_core.cli.output import check_folder, on_terminal, say
from dmesr_core.cli.parsing import add_verb


def add_parser(verbs: Any) -> None:
    """The parser of the verb."""
    parser = add_verb(
        verbs, "extract", "compute the features of a catalogue: what a multimodal LLM sees and reads", _run,
        "dmesr extract my_shop --mllm HuggingFaceTB/SmolVLM-256M-Instruct",
        "what was computed is kept; the same command goes on from here",
    )  # fmt: skip
    parser.add_argument("folder", help="folder of the catalogue: items.csv and pictures/")
    parser.add_argument("--mllm", default="tiny", help="tiny, a hub name, or a folder (default: %(default)s)")
    parser.add_argument("--out", default="", metavar="FOLDER", help="where the features go (default: the catalogue's)")


def _run(options: argparse.Namespace) -> None:
    from dmesr_core.data.catalogue import read_catalogue
    from dmesr_core.features.extract import extract_features
    from dmesr_core.files import write_atomically

    catalogue = read_catalogue(options.folder)
    out = Path(options.out or options.folder)
    check_folder(out, "--out")
    features = extract_features(catalogue, options.mllm, progress=on_terminal())
    features.save(out)
    write_atomically(out / "descriptions.csv", _descriptions(catalogue.ids, features))
    report = {key: value for key, value in features.report.items() if isinstance(value, (int, float)) and value}
    say(", ".join(f"{key} {value:.4g}" for key, value in report.items()))
    for item, view, reason in features.report["fallbacks"][:20]:
        say(f"item {item}, {view}: {reason}")
    say(f"written to {out}: features.safetensors and features.json (Features.load reads them), descriptions.csv")


def _descriptions(ids: tuple[str, ...], features: Any) -> str:
    import csv
    import io

    stream = io.StringIO(newline="")
    rows = csv.writer(stream)
    rows.writerow(("id", "picture", "text"))
    rows.writerows(zip(ids, features.descriptions_picture[1:], features.descriptions_text[1:], strict=True))
    return stream.getvalue()
