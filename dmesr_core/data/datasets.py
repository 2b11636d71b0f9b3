"""The data sets that the package knows by name: one table for chapters, experiments, the command line and users."""

from __future__ import annotations

import difflib
import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dmesr_core import files, profiles
from dmesr_core.data.bazaar.words import ALWAYS, MENTIONED, NEVER
from dmesr_core.data.bazaar.world import World, make_world
from dmesr_core.data.catalogue import Catalogue
from dmesr_core.data.checks import check_whole
from dmesr_core.data.folder import load_folder
from dmesr_core.data.html_tables import html_table
from dmesr_core.data.interactions import Interactions
from dmesr_core.data.movielens import load_movielens
from dmesr_core.data.sequence_file import load_sequence_file
from dmesr_core.errors import SettingsError

DATA_FOLDER = "DMESR_DATA"  # environment variable: a folder that holds the folders of data sets (`DatasetSpec.folder`)


@dataclass(frozen=True)
class Dataset:
    """A log of events, with the catalogue of its items and the world that made it where there are any."""

    name: str
    catalogue: Catalogue | None  # None: nothing is known about the items but their numbers
    interactions: Interactions
    world: World | None = None  # Bazaar only

    def __repr__(self) -> str:
        return f"<Dataset {self.name!r}: {self.catalogue!r}, {self.interactions!r}>"

    def _repr_html_(self) -> str:
        log = self.interactions
        counts = html_table(
            f"Dataset {self.name!r}", ("items", "users", "events"),
            [(f"{log.n_items:,}", f"{log.n_users:,}", f"{len(log):,}")],
        )  # fmt: skip
        return counts + (log if self.catalogue is None else self.catalogue)._repr_html_()

    def require_catalogue(self) -> Catalogue:
        """The catalogue.

        Raises:
            SettingsError: the data set has none.
        """
        if self.catalogue is None:
            having = ", ".join(name for name, spec in DATASETS.items() if spec.has_catalogue)
            raise SettingsError(f"data {self.name!r} has neither pictures nor texts; data that has them: {having}")
        return self.catalogue


@dataclass(frozen=True)
class DatasetSpec:
    """How the data set of one name is loaded: generated (the Bazaar) or read from a folder or file."""

    name: str
    # (path, options) -> catalogue and log, or the log alone; None: a Bazaar, which is generated
    read: Callable[..., tuple[Catalogue, Interactions] | Interactions] | None = None
    folder: str = ""  # its folder within the folder that `DMESR_DATA` names; "": it has no usual place
    file: str = ""  # the file in that folder that is read; "": the folder itself
    has_catalogue: bool = True
    size: tuple[int, int] | None = None  # items and shoppers of a Bazaar; None: those of the profile
    world: int = 0  # of a Bazaar: is added to the seed that is asked for
    mentioned: Mapping[str, float] = field(default_factory=lambda: MENTIONED)  # what texts of a Bazaar say of looks

    @property
    def needs_folder(self) -> bool:
        return self.read is not None

    @property
    def options(self) -> tuple[str, ...]:
        """The options of `load_dataset` that this data set has: the keyword arguments of its reader."""
        return () if self.read is None else tuple(inspect.signature(self.read).parameters)[1:]

    def path(self, folder: str | Path | None) -> Path:
        """The folder or file to read: below `folder`, else at its usual place.

        Raises:
            SettingsError: no folder is given and there is no usual place, or `DMESR_DATA` is not set.
        """
        if not folder and self.folder and os.environ.get(DATA_FOLDER):
            folder = Path(os.environ[DATA_FOLDER]) / self.folder
        if not folder:
            other = f", or set {DATA_FOLDER} to the folder that holds {self.folder}/" if self.folder else ""
            raise SettingsError(
                f"data {self.name!r} is read from a folder or file: pass its path (--data-dir on the command line)"
                f"{other}"
            )
        path = Path(folder)
        return path / self.file if self.file and not path.is_file() else path


DATASETS = {
    spec.name: spec
    for spec in (
        DatasetSpec("bazaar"),
        DatasetSpec("bazaar-sparse", size=(4_800, 3_000)),
        *(DatasetSpec(f"bazaar-{world}", world=world) for world in (1, 2, 3)),  # other products, tastes and shoppers
        DatasetSpec("bazaar-unwritten", mentioned=NEVER),  # how a product looks is in its picture alone
        DatasetSpec("bazaar-written", mentioned=ALWAYS),  # a picture shows nothing that is not written
        DatasetSpec("movielens", load_movielens, "movielens_posters"),
        DatasetSpec("folder", load_folder),
        DatasetSpec("beauty", load_sequence_file, "sequences", "Beauty.txt", has_catalogue=False),
        DatasetSpec("toys", load_sequence_file, "sequences", "Toys_and_Games.txt", has_catalogue=False),
        DatasetSpec("sequences", load_sequence_file, has_catalogue=False),
    )
}


def load_dataset(
    name: str | Path,
    folder: str | Path | None = None,
    *,
    profile: str | None = None,
    seed: int = 0,
    k_core: int | None = None,
    min_rating: float | None = None,
    on_unknown: str | None = None,
    keep_bare: bool | None = None,
) -> Dataset:
    """The data set called `name`, or the one at a path: `load_dataset("bazaar")`, `load_dataset("my_shop")`.

    What was dropped, cut, tied or unmatched is said (`logging`) and counted in the `report` of catalogue and log.

    An option that is None has the default of the data set's own reader: `data.movielens.load_movielens`,
    `data.folder.load_folder`, `data.sequence_file.load_sequence_file` (for `beauty`, `toys` and `sequences`, which
    have no catalogue, and none of these options). Their docstrings say which files and columns they read.

    Args:
        name: a name in `DATASETS`; or the path of a folder (read as `folder`) or of a file (read as `sequences`).
        folder: the folder or file to read; None: the usual place below the folder that the environment variable
            `DMESR_DATA` names. The Bazaar is generated and takes none.
        profile: the size of the Bazaar, see `profiles.get`; other data sets are read as they are.
        seed: of the Bazaar.
        k_core: drop users and items with fewer events; items are numbered anew (`movielens`: 5, `folder`: 0, all stay).
        min_rating: ignore ratings with fewer stars (`movielens` only; all count).
        on_unknown: "error", or "drop" events whose item is not in the catalogue (`folder` only; "error").
        keep_bare: keep items without text or picture (`movielens` only; False. A `folder` always keeps them).

    Raises:
        SettingsError: an unknown name, a folder that is lacking or not wanted, an option that the data set does not
            have or a value out of its range.
        DataError: what is read is wrong; names the file, the row or the id.

    Example:
        >>> import pathlib, tempfile
        >>> from dmesr_core import load_dataset
        >>> shop = pathlib.Path(tempfile.mkdtemp())
        >>> _ = (shop / "items.csv").write_text("id,title,text\\nB1,Red cup,\\nB2,Blue cup,For tea.\\n")
        >>> _ = (shop / "interactions.csv").write_text("user,item,time\\nann,B1,2024-05-01\\n")
        >>> load_dataset(shop).interactions
        <Interactions: 1 events of 1 users with 2 items>
    """
    check_whole("seed", seed, 0)
    if profile is not None:
        profiles.get(profile)
    spec, folder = _find(name, folder)
    given = {"k_core": k_core, "min_rating": min_rating, "on_unknown": on_unknown, "keep_bare": keep_bare}
    options = _options(spec, given)
    if spec.read is None:
        if folder:
            raise SettingsError(f"data {spec.name!r} is generated and reads no folder: leave out {str(folder)!r}")
        return _bazaar(spec, profile, seed)
    loaded = spec.read(spec.path(folder), **options)
    if isinstance(loaded, Interactions):
        return Dataset(spec.name, None, loaded)
    return Dataset(spec.name, *loaded)


def _options(spec: DatasetSpec, given: dict[str, Any]) -> dict[str, Any]:
    """The options that are given; SettingsError for one that the data set does not have."""
    options = {option: value for option, value in given.items() if value is not None}
    if unknown := [option for option in options if option not in spec.options]:
        known = f"it has {', '.join(spec.options)}" if spec.options else "it has none of these"
        raise SettingsError(f"data {spec.name!r} has no option {', '.join(unknown)}: {known}")
    return options


def dataset_spec(name: str) -> DatasetSpec:
    """The entry of a name in `DATASETS`.

    Raises:
        SettingsError: an unknown name; lists those that there are.
    """
    if name not in DATASETS:
        raise SettingsError(f"unknown data {name!r}{_meant(name)}: choose one of {', '.join(DATASETS)}")
    return DATASETS[name]


def _meant(name: str) -> str:
    """The nearest name of a data set, as a question; "" if none is near."""
    near = difflib.get_close_matches(name.lower(), DATASETS, n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _find(name: str | Path, folder: str | Path | None) -> tuple[DatasetSpec, str | Path | None]:
    """The entry, and the folder or file to read, where `name` is the name of a data set or the path of one."""
    if folder or (isinstance(name, str) and name in DATASETS):
        return dataset_spec(str(name)), folder
    path = Path(name) if isinstance(name, str | Path) and str(name) else None
    if path is None:
        raise SettingsError(
            f"unknown data {str(name)!r}: choose one of {', '.join(DATASETS)}, or give the path of a folder or file"
        )
    if path.is_dir():
        return DATASETS["folder"], path
    if path.suffix.lower() in (".csv", ".tsv"):
        raise SettingsError(
            f"{str(path)!r} is a table: give the folder that holds items.csv and interactions.csv, such as "
            f"load_dataset({str(path.parent)!r}); a log of one user per line is read by "
            f"load_dataset('sequences', {str(path)!r})"
        )
    if path.is_file():
        return DATASETS["sequences"], path
    raise SettingsError(
        f"unknown data {str(name)!r}{_meant(str(name))}: there is no such folder or file in {Path.cwd()}"
        f"{_near_path(path)}. Give the path of a folder or file that exists, or one of {', '.join(DATASETS)}"
    )


def _near_path(path: Path) -> str:
    """What is called nearly like a path that does not exist, as a part of a sentence; "" if nothing is."""
    parent = path.parent
    if not parent.is_dir():
        return f", nor a folder {str(parent)!r}"
    near = difflib.get_close_matches(path.name, [entry.name for entry in os.scandir(parent)], n=1)
    return f" (there is {str(parent / near[0])!r})" if near else ""


def _bazaar(spec: DatasetSpec, profile: str | None, seed: int) -> Dataset:
    """The Bazaar of the entry's size, else that of the profile; pictures are drawn once, into the cache folder."""
    chosen = profiles.get(profile)
    n_items, n_shoppers = spec.size or (chosen.n_items, chosen.n_shoppers)
    seed += spec.world
    writing = "" if spec.mentioned == MENTIONED else f"-{spec.name}"
    folder = files.cache_dir() / "bazaar" / f"{n_items}-items-seed-{seed}{writing}"
    world = make_world(n_items, n_shoppers, seed, folder, mentioned=spec.mentioned)
    return Dataset(spec.name, world.catalogue, world.interactions, world)
