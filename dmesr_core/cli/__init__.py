"""The command `dmesr`: an example shop, models trained, measured and asked on one's own data; the book; experiments."""

from __future__ import annotations

import argparse
import logging
import sys

from dmesr_core import __version__
from dmesr_core.cli import book, evaluate, example, experiment, extract, recommend, train
from dmesr_core.cli.parsing import HelpFormat
from dmesr_core.errors import BookError, DataError, SettingsError

_EXTRAS = {  # package that is missing -> the extra that brings it
    **dict.fromkeys(("matplotlib", "mpl_toolkits", "cycler", "seaborn", "umap"), "plots"),
    **dict.fromkeys(
        ("jupyter_book", "myst_nb", "papermill", "nbformat", "nbclient", "yaml", "ipykernel", "sphinx", "IPython"),
        "book",
    ),
}  # fmt: skip
_START = """start here:
  dmesr example my_shop --later 20                         a shop to try everything on; your own data has the same form
  dmesr train my_shop --out my_model                       looks, reads, trains, measures, and keeps the model
  dmesr recommend my_model --history B000003,B000010       ids in, ids and titles out
  dmesr recommend my_model --data my_shop --new-items my_shop/later --out next.csv

dmesr VERB --help shows what a verb can do."""


def main(arguments: list[str] | None = None) -> int:
    """Run one verb; the exit status: 0 done, 1 something failed (said on stderr), 2 the command line is wrong."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(format="dmesr: %(message)s")  # what was dropped, cut or skipped is said
    try:
        options.do(options)
    except (DataError, SettingsError, BookError) as error:
        return _failed(str(error))
    except ImportError as error:
        if (error.name or "").startswith("dmesr_core"):
            raise
        return _failed(_missing(error))
    except OSError as error:  # a folder where a file should be, no right to write, a full disk
        return _failed(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except KeyboardInterrupt:
        _failed(f"interrupted; {options.again}")
        return 130
    return 0


def _failed(why: str) -> int:
    print(f"dmesr: {why}", file=sys.stderr)
    return 1


def _missing(error: ImportError) -> str:
    """Which package is missing, and what brings it."""
    chain: list[str] = []
    step: BaseException | None = error
    while step is not None and str(step) not in chain:
        chain.append(str(step))
        step = step.__cause__ or step.__context__
    if any("torchvision" in text for text in chain):
        return (
            f"torchvision does not fit torch, or is missing ({chain[-1]}): install the torchvision of this torch "
            "(pip install --upgrade torch torchvision), or pip uninstall torchvision: only few models need it"
        )
    package = (error.name or "").partition(".")[0]
    if package in _EXTRAS:
        return f"the package {package} is missing: pip install 'dmesr-core[{_EXTRAS[package]}]'"
    if package:
        return f"the package {package} is missing or broken ({chain[-1]}): pip install --force-reinstall {package}"
    return f"a package is missing or broken: {'; '.join(chain)}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "dmesr", description="Sequential recommenders that look at pictures and read texts, on your own data.",
        epilog=_START, formatter_class=HelpFormat,
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"dmesr {__version__}")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    for verb in (example, train, evaluate, recommend, extract, book, experiment):
        verb.add_parser(verbs)
    return parser
