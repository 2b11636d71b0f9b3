"""What a chapter of the book needs around it: its settings, its data, its features, and a place for its numbers.

A chapter starts with `this = chapter.start("03_look_and_read", profile=profile, ...)`, hands every number that its
prose mentions to `this.glue`, and ends with `this.finish()`. It runs the same in the book, in Colab, in plain Jupyter
and under test: what differs is only where the numbers go.
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
from dmesr_core.files import cache_dir
from dmesr_core.profiles import Profile

if TYPE_CHECKING:
    from dmesr_core.data.datasets import Dataset
    from dmesr_core.features.extract import Features
    from dmesr_core.features.mllm import MLLM

# Set by the runner for the kernel of a chapter.
NUMBERS_FILE = "DMESR_NUMBERS"  # where `finish` writes; without it, below the cache folder
RECORDS = "DMESR_RECORDS"  # the runner's records of the other chapters, in the book's order, as in PATH

_read_files: set[Path] = set()  # files that a chapter's result depends on, beyond code and settings; for the runner


@dataclass
class Chapter:
    """One run of one chapter."""

    name: str  # file name of the notebook, without .ipynb
    profile: Profile  # how large everything is
    data: str  # bazaar, movielens or folder
    data_dir: str  # folder of the data; "" for the Bazaar
    mllm: str  # "tiny" for the shipped one, else a hub name or a folder
    seed: int  # where all randomness starts
    numbers: dict[str, Any] = field(default_factory=dict)  # what was glued or recorded so far
    _dataset: Dataset | None = field(default=None, repr=False)

    def dataset(self) -> Dataset:
        """The catalogue and the log; made or read when first asked for, then the same object."""
        from dmesr_core.data import datasets

        if self._dataset is None:
            self._dataset = datasets.load(self.data, self.profile.name, self.seed, self.data_dir or None)
        return self._dataset

    def model(self) -> MLLM:
        """The multimodal LLM of this run; its weights are read when it is first asked something."""
        from dmesr_core.features.mllm import MLLM

        return MLLM.load(mllm_name(self.mllm))

    def features(self, dataset: Dataset | None = None) -> Features:
        """What the MLLM and the text encoder say about every item; stored on disk, so computed only once.

        Without a `dataset` it is the chapter's own.
        """
        from dmesr_core.features.extract import extract
        from dmesr_core.features.store import FeatureStore
        from dmesr_core.features.text_encoder import TextEncoder

        catalogue = (dataset or self.dataset()).catalogue
        return extract(catalogue, self.model(), TextEncoder.load(), FeatureStore(cache_dir() / "features"))

    def glue(self, name: str, value: Any, fmt: str = "") -> None:
        """Keep a number and make it available to the prose, where ``{glue:text}`name` `` stands for it.

        Args:
            name: letters, digits and `_ @ . -`; used once in a chapter.
            value: a number, a text, or a pair of numbers (an interval).
            fmt: how the prose shows it, as in `format(value, fmt)`: ".3f", ".0%". The file keeps full precision.
        """
        self.record(name, value)
        plain = self.numbers[name]
        if isinstance(plain, dict):
            raise SettingsError(f"{name!r} is a table: glue one number at a time, or use record")
        text = ", ".join(format(v, fmt) for v in plain) if isinstance(plain, list) else format(plain, fmt)
        _show(name, f"[{text}]" if isinstance(plain, list) else text)

    def record(self, name: str, value: Any) -> None:
        """Keep a value for the chapter's file of numbers without using it in the prose; nested dicts are fine.

        Raises:
            SettingsError: the name is used already, or is not a name.
            DataError: the value holds something that is not a finite number, a text, or a list or dict of them.
        """
        if not re.fullmatch(r"[A-Za-z][\w@.-]*", name):
            raise SettingsError(f"{name!r} cannot name a number: start with a letter; letters, digits, _ @ . - follow")
        if name in self.numbers:
            raise SettingsError(f"the number {name!r} is there already: glue or record each name once in a chapter")
        self.numbers[name] = _plain(value, name)

    def finish(self) -> Path:
        """Write the numbers to the chapter's JSON file and return its path."""
        fallback = cache_dir() / "numbers" / self.profile.name / f"{self.name}.json"
        file = Path(os.environ.get(NUMBERS_FILE) or fallback)
        file.parent.mkdir(parents=True, exist_ok=True)
        settings = {key: getattr(self, key) for key in ("data", "data_dir", "mllm", "seed")}
        content = {"chapter": self.name, "profile": self.profile.name, **settings, "numbers": self.numbers}
        file.write_text(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
        return file


def start(
    name: str, *, profile: str = "cpu", data: str = "bazaar", data_dir: str = "", mllm: str = "tiny", seed: int = 0
) -> Chapter:
    """Begin a chapter: check its settings and set the style of its figures.

    Where `profile` still is the notebook's own "cpu", the environment variable `DMESR_PROFILE` wins: that is how a
    test, which cannot set parameters, asks for small sizes.

    Raises:
        SettingsError: an unknown profile or data, or a data set without its folder.
    """
    from dmesr_core.data import datasets
    from dmesr_core.plots import style

    chosen = profiles.get((os.environ.get("DMESR_PROFILE") or profile) if profile == "cpu" else profile)
    if data not in datasets.SOURCES:
        raise SettingsError(f"unknown data {data!r}: choose one of {', '.join(datasets.SOURCES)}")
    if data != "bazaar" and not (data_dir and Path(data_dir).is_dir()):
        raise SettingsError(f"data {data!r} needs data_dir, the folder that holds it; got {data_dir!r}")
    style.apply_style()
    return Chapter(name, chosen, data, str(data_dir), mllm, int(seed))


def mllm_name(name: str) -> str:
    """What stands for a model: "tiny" is the one that comes with the package, anything else is itself."""
    from dmesr_core.features import tiny_mllm

    return str(tiny_mllm.checkpoint_folder()) if name == "tiny" else name


def run_records() -> list[dict[str, Any]]:
    """What the runner wrote about the other chapters, in the book's order; empty outside a run of the book."""
    files = [Path(name) for name in os.environ.get(RECORDS, "").split(os.pathsep) if name]
    _read_files.update(files)  # also those that are not there: when they come, this chapter must run again
    return [json.loads(file.read_text(encoding="utf-8")) for file in files if file.is_file()]


def benchmark(name: str) -> dict[str, Any] | None:
    """What `make bench-<name>` found when it last ran: from the checkout, else from the package; None without both."""
    package = Path(__file__).resolve().parent.parent
    files = [package.parent / "benchmarks" / f"{name}.json", package / "results" / f"bench_{name}.json"]
    _read_files.update(files)
    return next((json.loads(file.read_text(encoding="utf-8")) for file in files if file.is_file()), None)


def _plain(value: Any, name: str) -> Any:
    """`value` as what JSON knows: numbers of numpy and torch become Python's, tuples and arrays lists."""
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
    """Hand a text to the book's pages if they are being made, else print it."""
    try:
        from myst_nb import glue
    except ImportError:  # Colab and plain Jupyter
        print(f"{name} = {text}")
    else:
        glue(name, text, display=False)
