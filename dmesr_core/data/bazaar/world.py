"""A world of the Bazaar: its catalogue, its log, and the facts and the process that they were generated from."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from dmesr_core.data.bazaar.drawing import draw, drawing_version
from dmesr_core.data.bazaar.facts import Facts, sample_facts
from dmesr_core.data.bazaar.shoppers import Process, ShopperSettings, make_process
from dmesr_core.data.bazaar.words import MENTIONED, write
from dmesr_core.data.catalogue import Catalogue
from dmesr_core.data.interactions import Interactions
from dmesr_core.data.sequences import Cases
from dmesr_core.files import write_atomically

# Each part of a world has its own random generator, so more shoppers do not change the products.
_FACTS, _PROCESS, _SHOPPERS, _ITEM = range(4)
PICTURE_SIDE = 128  # pixels


@dataclass(frozen=True)
class World:
    """A catalogue and a log with the true facts and the process that they were generated from."""

    catalogue: Catalogue
    interactions: Interactions
    facts: Facts  # row k - 1 is item k
    process: Process
    seed: int

    def __repr__(self) -> str:
        return f"<World of seed {self.seed}: {len(self.catalogue):,} items, {self.interactions.n_users:,} shoppers>"

    def ceiling(self, cases: Cases) -> Callable[[list[np.ndarray], np.ndarray], torch.Tensor]:
        """A scorer (see `dmesr_core.models.scorers`): the exact probability of each item to be bought next.

        For the given cases only, since the probabilities also depend on the times of the events.
        """

        def score(histories: list[np.ndarray], case_indices: np.ndarray) -> torch.Tensor:
            out = np.empty((len(histories), len(self.catalogue) + 1))
            lengths = np.array([len(h) for h in histories])
            for length in np.unique(lengths):  # the forward algorithm runs on histories of one length at a time
                rows = np.flatnonzero(lengths == length)
                index = case_indices[rows]
                times = np.stack([cases.histories.times_of(c) for c in index])
                past = np.stack([histories[r] for r in rows])
                out[rows] = self.process.next_item(past, times, cases.times[index])
            return torch.from_numpy(out)

        return score

    def fact_vectors(self) -> np.ndarray:
        """True facts, one-hot, (N+1, F) float32; row 0 (padding) is zero."""
        codes = self.facts.one_hot()
        return np.concatenate([np.zeros((1, codes.shape[1]), np.float32), codes])


def make_world(
    n_items: int,
    n_shoppers: int,
    seed: int,
    folder: str | Path,
    settings: ShopperSettings | None = None,
    progress: bool = True,
    mentioned: Mapping[str, float] = MENTIONED,
) -> World:
    """Generate the world of `seed`; pictures that are not in `folder` yet are drawn into it.

    Only the pictures are stored: all else is generated in seconds, the same each time.

    Args:
        folder: of this world alone, with its size, seed and `mentioned`.
        mentioned: what texts say of how products look, see `words.write`.
    """
    facts = sample_facts(n_items, np.random.default_rng([seed, _FACTS]))
    process = make_process(facts, np.random.default_rng([seed, _PROCESS]), settings)
    user, item, time = process.sample(n_shoppers, np.random.default_rng([seed, _SHOPPERS]))
    folder = Path(folder)
    _check_folder(folder, n_items, seed)
    truths = [facts.of(i) for i in range(n_items)]
    titles, texts, pictures = [], [], []
    quiet = None if progress else True  # None: quiet where the output is not a terminal
    for i in tqdm(range(n_items), desc="drawing the Bazaar", disable=quiet, leave=False, mininterval=1.0):
        rng = np.random.default_rng([seed, _ITEM, i])
        truth = truths[i]
        title, text = write(truth, rng, mentioned)
        path = folder / f"{i + 1:06d}.png"
        if not path.exists():
            picture = draw(truth["category"], truth["colour"], truth["pattern"], truth["shape"], rng, PICTURE_SIDE)
            part = path.with_suffix(f".{os.getpid()}.tmp")  # other processes may draw the same world
            picture.save(part, format="png")
            part.replace(path)  # atomic: no incomplete picture
        titles.append(title)
        texts.append(text)
        pictures.append(path)
    ids = tuple(f"B{i + 1:06d}" for i in range(n_items))
    known = {f: tuple(truth[f] for truth in truths) for f in facts.codes}
    catalogue = Catalogue(ids, tuple(titles), tuple(texts), tuple(pictures), facts=known, report={"items": n_items})
    interactions = Interactions.from_columns(
        [f"shopper-{u + 1:06d}" for u in user], [ids[k - 1] for k in item], time, catalogue
    )
    return World(catalogue, interactions, facts, process, seed)


def _check_folder(folder: Path, n_items: int, seed: int) -> None:
    """Delete the pictures in the folder if they are of another world or another version of the drawing code."""
    stamp, want = folder / "world.json", {"n_items": n_items, "seed": seed, "drawing": drawing_version()}
    if stamp.exists() and json.loads(stamp.read_text()) != want:
        for old in folder.glob("*.png"):
            old.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(stamp, json.dumps(want).encode())
