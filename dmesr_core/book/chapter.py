"""One run of a chapter of the book: its settings, data, features, and the numbers that it reports.

A chapter starts with `this = chapter.start("03_look_and_read", profile=profile, ...)`, passes every number that its
prose mentions to `this.glue`, and ends with `this.finish()`. It runs alike in the book, in Colab, in plain Jupyter and
in tests; only where the numbers are written differs.
"""

from __future__ import annotations

import json
import math
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dmesr_core import profiles
from dmesr_core.errors import DataError, SettingsError
from dmesr_core.files import cache_dir, write_json
from dmesr_core.profiles import Profile

if TYPE_CHECKING:
    from dmesr_core.data.datasets import Dataset
    from dmesr_core.features.item_features import Features
    from dmesr_core.features.mllm import MLLM

# Environment variables that the runner sets for the kernel of a chapter.
NUMBERS_FILE = "DMESR_NUMBERS"  # the file that `finish` writes; below the cache folder if not set
RECORDS = "DMESR_RECORDS"  # files of the runner's records of the other chapters, separated as in PATH

TOO_SHORT = "(not judged: a smoke run is too short to show anything)"  # in place of a conclusion
MAX_SEED = 2**31 - 1  # not every library takes larger ones, and chapters count on from theirs

# A fifth of the items, and the first cases and users, are measured on or looked at.
MIN_ITEMS, MIN_USERS = 30, 40

# Files that this process has read through this module and that are neither code nor settings. `stamps.report_kernel`
# collects them at the end of a chapter: when one changes, the chapter runs again.
read_files: set[Path] = set()


@dataclass
class Chapter:
    """One run of one chapter."""

    name: str  # file name of the notebook, without .ipynb
    profile: Profile  # sizes of data, trainings and bootstraps
    data: str  # bazaar, movielens or folder
    data_dir: str  # folder of the data; "" for the Bazaar
    mllm: str  # "tiny" for the shipped one, a hub name, or a folder
    seed: int  # of all random numbers
    numbers: dict[str, Any] = field(default_factory=dict)  # glued or recorded so far
    _dataset: Dataset | None = field(default=None, repr=False)

    def dataset(self) -> Dataset:
        """The catalogue and the log; made or read at the first call, the same object afterwards.

        Raises:
            DataError: the data are wrong, or too few to teach anything with (`MIN_ITEMS`, `MIN_USERS`).
        """
        from dmesr_core.data.datasets import load_dataset

        if self._dataset is None:
            folder = self.data_dir or None
            loaded = load_dataset(self.data, folder, profile=self.profile.name, seed=self.seed)
            if self.data != "bazaar":
                _check_size(loaded, self.data_dir)
            self._dataset = loaded
        return self._dataset

    def items_with_pictures(self, at_least: int = 3) -> list[int]:
        """Numbers of the items whose picture can be opened (of the Bazaar, which draws them itself: all).

        Raises:
            DataError: fewer than `at_least`.
        """
        catalogue = self.dataset().require_catalogue()
        there = [k for k, path in enumerate(catalogue.pictures, start=1) if path]
        found = there if self.data == "bazaar" else [k for k in there if _opens(catalogue.item(k).picture)]
        if len(found) < at_least:
            raise DataError(
                f"{self.data_dir}: {len(found)} of {len(catalogue):,} items have a picture that can be opened "
                f"({len(there):,} have a file); {self.name} shows what a model says about pictures, and needs "
                f"{at_least} of them"
            )
        return found

    def model(self) -> MLLM:
        """The multimodal LLM of this run; its weights are read when it is first used."""
        from dmesr_core.features.mllm import MLLM

        return MLLM.load(self.mllm)

    def features(self, dataset: Dataset | None = None) -> Features:
        """Features of all items from the MLLM and the text encoder; stored on disk, so computed only once.

        Args:
            dataset: the chapter's own if None.
        """
        from dmesr_core.features.extract import extract_features

        return extract_features((dataset or self.dataset()).require_catalogue(), self.mllm)

    def glue(self, name: str, value: Any, fmt: str = "") -> None:
        """Record a number and show it in the prose, at ``{glue:text}`name` ``.

        Args:
            name: letters, digits and `_ @ . -`; used once in a chapter.
            value: a number, a text, or a pair of numbers (an interval).
            fmt: format of the number in the prose, as in `format(value, fmt)`: ".3f", ".0%". The chapter's file keeps
                full precision.

        Raises:
            SettingsError: the value is a table, or see `record`.
        """
        self.record(name, value)
        plain = self.numbers[name]
        if isinstance(plain, dict):
            raise SettingsError(f"{name!r} is a table: glue one number at a time, or use record for the whole table")
        text = ", ".join(format(v, fmt) for v in plain) if isinstance(plain, list) else format(plain, fmt)
        _show(name, f"[{text}]" if isinstance(plain, list) else text)

    def conclude(self, name: str, sentence: str) -> None:
        """`glue` what trainings of this run show, in words; a smoke run says that it is too short to show it."""
        self.glue(name, TOO_SHORT if self.profile.name == "smoke" else sentence)

    def conclude_stored(self, name: str, sentence: str) -> None:
        """As `conclude`, of trainings that are stored in full length for the Bazaar, and run now for other data."""
        if self.data == "bazaar":
            self.glue(name, sentence)
        else:
            self.conclude(name, sentence)

    def record(self, name: str, value: Any) -> None:
        """Write a value to the chapter's file of numbers, without showing it in the prose; dicts may be nested.

        Raises:
            SettingsError: the name is used already, or has other characters than `glue` allows.
            DataError: the value contains something else than finite numbers, texts, and lists or dicts of them.
        """
        if not re.fullmatch(r"[A-Za-z][\w@.-]*", name):
            raise SettingsError(f"{name!r} cannot name a number: start with a letter; letters, digits, _ @ . - follow")
        if name in self.numbers:
            raise SettingsError(f"the number {name!r} is there already: glue or record each name once in a chapter")
        self.numbers[name] = _plain(value, name)

    def record_known(self, name: str, value: Any) -> None:
        """As `record`; nothing where the value is None or empty, because these data do not have it."""
        if value is not None and value != {}:
            self.record(name, value)

    def finish(self) -> Path:
        """Write the numbers to the chapter's JSON file and return its path."""
        fallback = cache_dir() / "numbers" / self.profile.name / f"{self.name}.json"
        file = Path(os.environ.get(NUMBERS_FILE) or fallback)
        file.parent.mkdir(parents=True, exist_ok=True)
        settings = {key: getattr(self, key) for key in ("data", "data_dir", "mllm", "seed")}
        content = {"chapter": self.name, "profile": self.profile.name, **settings, "numbers": self.numbers}
        write_json(file, content)
        return file


def start(
    name: str, *, profile: str = "cpu", data: str = "bazaar", data_dir: str = "", mllm: str = "tiny", seed: int = 0
) -> Chapter:
    """Begin a chapter: check its settings and set the style of its figures.

    The environment variable `DMESR_PROFILE` replaces the profile "cpu", which the notebooks are saved with: tests
    cannot set a notebook's parameters, and choose small sizes in this way.

    Raises:
        SettingsError: an unknown profile, or see `check_settings`.
    """
    from dmesr_core.plots import style

    chosen = profiles.get((os.environ.get("DMESR_PROFILE") or profile) if profile == "cpu" else profile)
    check_settings(data, data_dir, mllm, seed)
    style.apply_style()
    _show_texts_as_they_are()
    return Chapter(name, chosen, data, str(data_dir), mllm, seed)


def check_settings(data: str, data_dir: str | Path, mllm: str, seed: int) -> None:
    """Check the settings that all chapters have, beside the profile (see `profiles.get`).

    Raises:
        SettingsError: unknown data, data without its folder or with one that it does not read, a model that is neither
            a folder nor a name of the hub, a seed out of range.
    """
    if data != "bazaar":
        from dmesr_core.data.datasets import DATASETS  # here, because it loads torch

        # Chapters look at pictures and texts, of the Bazaar or of a folder; its other worlds are for experiments.
        choices = [name for name, s in DATASETS.items() if s.has_catalogue and (s.needs_folder or name == "bazaar")]
        if data not in choices:
            raise SettingsError(f"unknown data {data!r}: choose one of {', '.join(choices)}")
        if not (data_dir and Path(data_dir).is_dir()):
            raise SettingsError(
                f"data {data!r} needs a data folder that exists; got {str(data_dir)!r}: data_dir names it in a "
                "notebook, --data-dir on the command line"
            )
    elif data_dir:
        raise SettingsError(f"data 'bazaar' is generated and reads no folder: leave out its folder, {str(data_dir)!r}")
    # Hub names have an owner; whether there is such a model shows when its files are looked for.
    if mllm != "tiny" and not (mllm and Path(mllm).is_dir()) and not re.fullmatch(r"\w[\w.-]*/[\w.-]+", mllm):
        raise SettingsError(
            f"unknown mllm {mllm!r}: choose 'tiny', a folder that exists, or a name of the hub such as 'owner/model'"
        )
    if type(seed) is not int or not 0 <= seed <= MAX_SEED:
        raise SettingsError(f"seed must be a whole number from 0 to {MAX_SEED:,}, got {seed!r}")


def _check_size(dataset: Dataset, data_dir: str) -> None:
    """That there is enough to measure on, said where the data are loaded and not by a loss that is nan."""
    items, lengths = len(dataset.require_catalogue()), dataset.interactions.histories().lengths
    users = int((lengths >= 3).sum())
    if items < MIN_ITEMS or users < MIN_USERS:
        raise DataError(
            f"{data_dir}: {items:,} {'item' if items == 1 else 'items'}, and {users:,} of {len(lengths):,} users have "
            f"three events or more (the last two are kept for tests); chapters need at least {MIN_ITEMS} items and "
            f"{MIN_USERS} such users to have something to choose from and to measure on"
        )


def _opens(picture: Path | None) -> bool:
    from dmesr_core.data.pictures import open_picture

    try:
        return picture is not None and bool(open_picture(picture))
    except DataError:
        return False


def _show_texts_as_they_are() -> None:
    """No formula in a table of users' texts: MathJax would take what is between dollar signs for one."""
    import pandas as pd

    pd.set_option("display.html.use_mathjax", False)
    pd.set_option("styler.html.mathjax", False)
    pd.set_option("styler.format.escape", "html")


def run_records() -> list[dict[str, Any]]:
    """The runner's records of the other chapters, in the book's order; empty outside a run of the book."""
    files = [Path(name) for name in os.environ.get(RECORDS, "").split(os.pathsep) if name]
    read_files.update(files)  # missing files too: when they appear, this chapter must run again
    return [json.loads(file.read_text(encoding="utf-8")) for file in files if file.is_file()]


def benchmark(name: str) -> dict[str, Any] | None:
    """Results of the last `make bench-<name>`: from the checkout, else from the package, else None."""
    package = Path(__file__).resolve().parent.parent
    files = [package.parent / "benchmarks" / f"{name}.json", package / "results" / f"bench_{name}.json"]
    read_files.update(files)
    return next((json.loads(file.read_text(encoding="utf-8")) for file in files if file.is_file()), None)


def _plain(value: Any, name: str) -> Any:
    """`value` in types of JSON: scalars of numpy and torch become Python's, tuples and arrays become lists."""
    if isinstance(value, dict):
        return {str(key): _plain(v, f"{name}[{key!r}]") for key, v in value.items()}
    if hasattr(value, "tolist"):  # numpy and torch, scalars and arrays
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [_plain(v, f"{name}[{i}]") for i, v in enumerate(value)]
    if isinstance(value, np.generic):
        value = value.item()
    if not isinstance(value, (bool, int, float, str, type(None))):
        raise DataError(f"the number {name!r} is a {type(value).__name__}: give a number, a text, or a list or dict")
    if isinstance(value, float) and not math.isfinite(value):
        raise DataError(f"the number {name!r} is {value}: a chapter reports finite numbers only")
    return value


def _show(name: str, text: str) -> None:
    """Glue a text into the page if MyST-NB is installed, else print it."""
    try:
        from myst_nb import glue
    except ImportError:  # Colab and plain Jupyter
        print(f"{name} = {text}")
    else:
        glue(name, text, display=False)
