"""The newcomer: a wheel is built and installed; the README's lines run in an empty folder, in new processes."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from helpers.readme_output import README, ROOT, blocks, example_command, run_blocks, run_python

from dmesr_core.data.catalogue import read_catalogue

pytestmark = pytest.mark.slow
PAGE = README.read_text(encoding="utf-8")
SMALL = ["--items", "40", "--shoppers", "40", "--later", "8"]
FILMS, FILMS_LATER = 60, 6


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The folder into which the wheel was installed, and nothing else."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"  # a build leaves files beside the sources
    source.mkdir()
    shutil.copytree(ROOT / "dmesr_core", source / "dmesr_core", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "LICENSE-TEXT"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    build = ["wheel", str(source), "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder)]
    subprocess.run([*pip, *build], check=True, cwd=folder, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    target = folder / "installed"
    subprocess.run([*pip, "install", "--no-deps", "--target", str(target), str(wheel)], check=True, cwd=folder)
    return target


def test_the_wheel_holds_what_is_no_code(installed):
    package = installed / "dmesr_core"
    original = ROOT / "dmesr_core"
    for pattern in ("py.typed", "features/tiny_mllm/checkpoint/*", "results/*.jsonl"):
        wanted = {file.relative_to(original) for file in original.glob(pattern)}
        assert wanted == {file.relative_to(package) for file in package.glob(pattern)}, pattern
    for name in ("py.typed", "features/tiny_mllm/checkpoint/model.safetensors"):
        assert (package / name).is_file(), name
    modules = {file.relative_to(original) for file in original.rglob("*.py")}
    assert modules == {file.relative_to(package) for file in package.rglob("*.py")}


def test_it_is_this_copy_that_runs(installed, tmp_path):
    where = run_python("import dmesr_core; print(dmesr_core.__file__)", tmp_path, installed)
    assert Path(where.strip()).is_relative_to(installed)


def test_the_lines_of_the_readme_run(installed, tmp_path):
    train, ask = run_blocks(PAGE, tmp_path, [*example_command(PAGE)[:2], *SMALL], path=installed)
    check_answers(tmp_path / "my_shop", ask)
    (_, shown_train), (_, shown_ask) = blocks(PAGE)  # another shop, so other numbers, but the same tables
    assert labels(train) == labels(shown_train)
    assert train.split()[:4] == shown_train.split()[:4] == ["model", "popularity", "IDRecommender", "DMESR"]
    header = ["user", "item", "title", "score"]
    for printed in (ask, shown_ask):
        headers = [line.split() for line in printed.splitlines() if "user" in line.split()]
        assert headers == [[*header, "whole", "item", "picture", "text"], header]
        assert len(printed.splitlines()) <= 9  # three rows, a blank line, three rows at most


def labels(table: str) -> list[str]:
    """The first cell of each row."""
    return [re.split(r"\s{2,}", line)[0] for line in table.splitlines()]


def check_answers(shop: Path, printed: str) -> None:
    """A stranger's recommendations have titles, and an item that came later is recommended to somebody."""
    first, second = printed.split("user")[1:]
    items, later = read_catalogue(shop), read_catalogue(shop / "later")
    titles = dict(zip(items.ids, items.titles, strict=True))
    rows = [line.split(maxsplit=2) for line in first.strip().splitlines()[1:]]
    assert len(rows) == 3
    assert all(" ".join(titles[id].split())[:20] in " ".join(rest.split()) for _, id, rest in rows)
    found = [line.split() for line in second.strip().splitlines()[1:]]
    assert found and all(set(words) & set(later.ids) for words in found)


@pytest.fixture
def films(trial_data, tmp_path) -> Path:
    """A shop of 60 films, those with most ratings; six of them come later."""
    source, shop = trial_data / "movielens_posters", tmp_path / "my_shop"
    ratings, movies = pd.read_csv(source / "ratings.csv"), pd.read_csv(source / "movies.csv")
    there = movies["movieId"].map(lambda movie: (source / "posters" / f"{movie}.jpg").is_file())
    movies = movies[there & movies["abstract"].notna()].set_index("movieId")
    counts = ratings[ratings["movieId"].isin(movies.index)]["movieId"].value_counts()
    chosen = counts.index[:FILMS].tolist()
    for folder, some in ((shop / "later", chosen[:FILMS_LATER]), (shop, chosen[FILMS_LATER:])):
        (folder / "pictures").mkdir(parents=True)
        with (folder / "items.csv").open("w", newline="", encoding="utf-8") as stream:
            rows = csv.writer(stream)
            rows.writerow(("id", "title", "text"))
            rows.writerows((movie, movies.loc[movie, "title"], movies.loc[movie, "abstract"]) for movie in some)
        for movie in some:
            shutil.copyfile(source / "posters" / f"{movie}.jpg", folder / "pictures" / f"{movie}.jpg")
    log = ratings[ratings["movieId"].isin(chosen[FILMS_LATER:])]
    log = log[log["userId"].isin(log["userId"].unique()[:300])]
    log = log.rename(columns={"userId": "user", "movieId": "item", "timestamp": "time"})
    log[["user", "item", "time"]].to_csv(shop / "interactions.csv", index=False)
    return shop


def test_the_same_lines_run_on_real_films(installed, films, tmp_path):
    some = read_catalogue(films).ids[:2]
    train, ask = (code for code, _ in blocks(PAGE))
    for id, film in zip(("B000003", "B000010"), some, strict=True):
        assert id in ask
        ask = ask.replace(id, film)
    run_python(train, tmp_path, installed)
    check_answers(films, run_python(ask.replace("k=5", "k=20"), tmp_path, installed))
