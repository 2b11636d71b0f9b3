"""Recommenders: a backbone and an item table. Subclasses say where the table comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dmesr_core.data.catalogue import Catalogue
from dmesr_core.data.item_names import ItemNames
from dmesr_core.data.sequences import Split, check_split
from dmesr_core.errors import DataError, SettingsError
from dmesr_core.features.item_features import Features
from dmesr_core.models.backbones import Backbone
from dmesr_core.models.item_inputs import all_or_nothing
from dmesr_core.models.mixture import mixture_scores
from dmesr_core.models.recommending import Histories, RememberedTable, recommend
from dmesr_core.models.saving import KINDS, load_model, save_model

# Vectors of n items (n, D), and a function that computes what the model adds to the recommendation loss (or None).
# A function, so that evaluation does not pay for it, and so that it is computed after the recommendation loss.
Encoded = tuple[Tensor, Callable[[], Tensor | None] | None]


def known_items(split: Split) -> Tensor:
    """(N+1,) bool: items that occur in training."""
    return torch.as_tensor(np.asarray(split.train_counts) > 0)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """First weights are drawn from torch's global generator: seeded inside, and left outside as it was.

    Raises:
        SettingsError: a seed that is no whole number from 0 on.
    """
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise SettingsError(f"seed must be a whole number of 0 or more, got {seed!r}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(seed))
        yield


def matched(features: Features, split: Split) -> Features:
    """The features of a split's items, in its order.

    Raises:
        SettingsError: something else than features or a split. DataError: an item without features, or features of
            another number of items where one side has no ids to match by.
    """
    if not isinstance(features, Features):
        found = type(features).__name__
        raise SettingsError(f"wanted features, as extract_features(catalogue) makes them; got {found}")
    check_split(split)
    features = features.matching(split.item_names)
    if len(features) != split.n_items:
        raise DataError(
            f"features of {len(features):,} items for a split of {split.n_items:,}, and no ids to match them by: "
            "extract them from the catalogue that was loaded together with the log"
        )
    features.check_finite()
    return features


class Recommender(nn.Module):
    """A backbone and an item table: the base of all models.

    A subclass implements `encode_items`; to be saved it has a `kind`, `config` and `from_config`, too, and
    `append_items` if items can be added to it.

    Args:
        backbone: reads vectors of a history, and predicts the vector of the next item.
        max_len: longest history that is read, in items.
        known: (N+1,) bool, True for items that occur in training. Others have no ID vector and no bias (zeros):
            an untrained random vector would be noise.

    Example:
        >>> import torch
        >>> from dmesr_core import BackboneSettings, IDRecommender, Recommender
        >>> model = IDRecommender(BackboneSettings(width=8), torch.ones(4).bool())  # three items, "1" to "3"
        >>> isinstance(model, Recommender), model.n_items
        (True, 3)
        >>> model.recommend(["2", "3"], k=1)[["user", "item"]].to_dict("records")
        [{'user': 0, 'item': '1'}]
    """

    kind: ClassVar[str] = ""  # its name in a saved folder; "": cannot be saved
    known: Tensor  # (N+1,) bool

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "kind" in vars(cls) and cls.kind:
            KINDS[cls.kind] = cls

    def __init__(self, backbone: Backbone, max_len: int, known: Tensor):
        super().__init__()
        self.backbone, self.max_len = backbone, max_len
        known = known.bool().clone()
        known[0] = False  # padding
        self.register_buffer("known", known, persistent=False)
        self.bias = nn.Parameter(torch.zeros(len(known))) if backbone.item_bias else None
        self.item_names: ItemNames | None = None
        self.made_by: dict[str, str] = {}  # the models behind its features, see `Features`
        self._table = RememberedTable()

    def __repr__(self) -> str:
        backbone = type(getattr(self.backbone, "backbone", self.backbone)).__name__  # inside a mixture or two towers
        weights = sum(weight.numel() for weight in self.parameters())
        return f"<{type(self).__name__} with {backbone}: {self.n_items:,} items, {weights:,} weights>"

    # ---- from items to scores

    @property
    def n_items(self) -> int:
        """N, without the padding."""
        return len(self.known) - 1

    def encode_items(self, items: Tensor) -> Encoded:
        """The vectors of `items` (n,) and the auxiliary loss of this encoding; the vector of item 0 is zero."""
        raise NotImplementedError

    def item_table(self, items: Tensor | None = None) -> Tensor:
        """Vectors of `items` (n,), or of all: (N+1, D). Row 0, the padding, is zero."""
        if items is None:
            items = torch.arange(self.n_items + 1, device=self.known.device)
        return self.encode_items(items)[0]

    def item_bias(self, items: Tensor) -> Tensor | None:
        """(n,) what is added to the scores of `items`, whatever the history; None for nothing."""
        return None if self.bias is None else self.bias[items] * self.known[items]

    def user(self, table: Tensor, items: Tensor) -> Tensor:
        """User vectors: what the model expects after each history, (B, T) right-padded item numbers -> (B, D)."""
        length = (items > 0).sum(1)  # (B,)
        x, mask = F.embedding(items, table), items > 0
        rows = torch.arange(len(items), device=items.device)
        if self.backbone.objective == "cloze":
            x, mask = F.pad(x, (0, 0, 0, 1)), F.pad(mask, (0, 1))
            x[rows, length] = self.backbone.mask_vector().to(x.dtype)
            mask[rows, length] = True
            return self.backbone(x, mask)[rows, length]
        return self.backbone(x, mask)[rows, (length - 1).clamp(min=0)]

    def scores(self, user: Tensor, table: Tensor) -> Tensor:
        """(B, D), (N+1, D) -> (B, N+1)"""
        bias = None if self.bias is None else self.bias * self.known
        if self.backbone.softmaxes > 1:
            return mixture_scores(user, table, self.backbone.softmaxes, self.known, bias)
        scores = user @ table.T
        return scores if bias is None else scores + bias

    def check_items(self, split: Split) -> None:
        """DataError unless the items of a split are those of the model, in its order."""
        if self.n_items != split.n_items:
            raise DataError(f"the model was built for {self.n_items:,} items, the split has {split.n_items:,}")
        if self.item_names is None or split.item_names is None or self.item_names.ids == split.item_names.ids:
            return
        pairs = zip(self.item_names.ids, split.item_names.ids, strict=True)
        k, (mine, other) = next((k, pair) for k, pair in enumerate(pairs, start=1) if pair[0] != pair[1])
        raise DataError(
            f"item {k} of the model is {mine!r}, that of the split is {other!r}: both must come from the same "
            "catalogue in the same order"
        )

    # ---- use

    def recommend(
        self, histories: Histories, k: int = 10, exclude_seen: bool = True, unknown: str = "skip", views: bool = False
    ) -> pd.DataFrame:
        """The `k` best next items for each history: ids in, ids and titles out. Users need not be known.

        Args:
            histories: a list of item ids, oldest first (one user); a list of such lists (users 0, 1, ...); a dict
                user -> list of ids; or `Interactions`, whose users are asked for what comes after their last event.
            k: recommendations per user; fewer where fewer items are left.
            exclude_seen: leave out the items of the history.
            unknown: what becomes of ids that the model does not know: "skip" (they are left out of the history, and
                counted) or "error".
            views: say where each recommendation of a mixture comes from: a column per softmax (`softmax_names`) with
                its share in the item's chance, from 0 to 1.

        Returns:
            A table with the columns user, item (id), title and score (a logit, in a mixture the log of a chance; higher
            is better, comparable within one user), best first. Its `attrs` hold `unknown_ids` (skipped) and
            `without_history` (users who get no rows, because nothing is left of their history); both are also logged
            if there are any.

        Raises:
            SettingsError: `k` or `unknown` out of range, or `views` of a model with one softmax.
            DataError: an unknown id with "error", or histories of another form.

        Example:
            >>> import torch
            >>> from dmesr_core import BackboneSettings, IDRecommender
            >>> model = IDRecommender(BackboneSettings(width=8), torch.ones(4).bool())
            >>> table = model.recommend({"ann": ["2", "1"], "bob": ["3", "new"]}, k=1)
            >>> table.user.to_list(), table.attrs["unknown_ids"]
            (['ann', 'bob'], 1)
        """
        return recommend(self, self._table, histories, k, exclude_seen, unknown, views)

    def recommendable(self) -> np.ndarray:
        """(N+1,) bool: the items that can be recommended, because something is known about them."""
        some = torch.ones(self.n_items + 1, dtype=torch.bool)
        some[0] = False
        return some.numpy()

    def softmax_names(self) -> tuple[str, ...]:
        """What the softmaxes of a mixture see, in order; () for one softmax."""
        k = self.backbone.softmaxes
        return () if k == 1 else ("whole item", *(f"view {number}" for number in range(1, k)))

    def names(self) -> ItemNames:
        """Ids and titles; numbers as ids where the model was built without a catalogue."""
        return ItemNames.numbered(self.n_items) if self.item_names is None else self.item_names

    def add_items(self, catalogue: Catalogue, features: Features) -> None:
        """Add items that came after training: they get a vector from their pictures and words, without retraining.

        From then on they can be recommended and stand in histories. Scores of the other items stay. The new items
        have no ID vector, as all items that training has not seen.

        Args:
            catalogue: the new items, or a catalogue with old ones among them, which are left as they are.
            features: of these items, by the MLLM and text encoder whose features the model was built with.

        Raises:
            SettingsError: a model that knows items by their ID alone, or features by other models.
            DataError: no new item, items without features, or features of another width.

        Example:
            >>> import numpy as np
            >>> from dmesr_core import DMESR, Catalogue, Features, Interactions
            >>> def made_up(rows):  # what extract_features makes of rows - 1 items
            ...     coarse, fine = np.random.rand(2, rows, 6), np.random.rand(rows, 3, 8)
            ...     mask, words = np.ones((rows, 3), bool), [""] * rows
            ...     return Features(*coarse, fine, mask, words, words, [[]] * rows, {}, texts=words)
            >>> split = Interactions.from_columns("aaabbb", [1, 2, 3] * 2, range(6), 3).leave_one_out()
            >>> model = DMESR.build(made_up(4), split)
            >>> new = Catalogue(("cup",), ("A blue cup",), ("New.",), (None,))
            >>> model.add_items(new, made_up(2))
            >>> "cup" in set(model.recommend(["1", "2"], k=4).item)
            True
        """
        if not isinstance(catalogue, Catalogue) or not isinstance(features, Features):
            raise SettingsError(
                "add_items takes a catalogue and its features, as load_dataset(...).catalogue and extract_features "
                f"make them; got {type(catalogue).__name__} and {type(features).__name__}"
            )
        new = catalogue.names.subset(np.flatnonzero(self.names().numbers(catalogue.ids) == 0) + 1)
        if not len(new):
            raise DataError(f"all {len(catalogue):,} items of the catalogue are in the model already")
        if self.made_by and features.made_by and self.made_by != features.made_by:
            differ = [name for name in self.made_by if self.made_by[name] != features.made_by.get(name)]
            raise SettingsError(
                f"the features come from another {' and '.join(differ)} than those that the model was built with: "
                "extract them with the same"
            )
        if features.item_names is None:
            features = replace(features, item_names=catalogue.names)
        features = features.matching(new)
        features.check_finite()
        names = self.names() + new
        with all_or_nothing(self):
            self.append_items(features)
        self.grow(len(new))
        self.item_names = names

    def append_items(self, features: Features) -> None:
        """Rows for more items in everything that is made from features; see `add_items`."""
        raise SettingsError(
            f"{type(self).__name__} knows items by what was bought with them alone, so a new one has no vector: train "
            "again with its first purchases, or use a model that reads features, such as DMESR"
        )

    def grow(self, n: int) -> None:
        """Zeros for `n` more items in everything that is learned per item: training has not seen them."""
        self.known = F.pad(self.known, (0, n))
        if self.bias is not None:
            self.bias = nn.Parameter(F.pad(self.bias.detach(), (0, n)))

    # ---- keep

    def save(self, folder: str | Path) -> None:
        """Write the model to `folder`: settings, weights, ids and titles, and what encodes its items; no pickle.

        Args:
            folder: made if it is not there. If it holds a saved model, that is replaced, all at once: a reader finds
                the old or the new one.

        Raises:
            SettingsError: a kind of model that cannot be saved, or a folder that holds something else.

        Example:
            >>> import tempfile, torch
            >>> from dmesr_core import BackboneSettings, IDRecommender
            >>> model = IDRecommender(BackboneSettings(width=8), torch.ones(4).bool())
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     model.save(f"{folder}/mine")
            ...     same = IDRecommender.load(f"{folder}/mine")
            >>> same.recommend(["1"]).equals(model.recommend(["1"]))
            True
        """
        save_model(self, Path(folder))

    @classmethod
    def load(cls, folder: str | Path, device: str | None = None) -> Self:
        """The model in `folder`, as `save` wrote it, in evaluation mode.

        `Recommender.load` takes any kind. On the machine that saved it the scores are the same to the last bit.

        Args:
            folder: where `save` wrote it.
            device: such as "cuda"; None: the CPU.

        Raises:
            DataError: no model there, or one that is damaged, foreign, or by a newer version of this package.
            SettingsError: a model of another kind than this class, or with a backbone that is not registered.

        Example:
            >>> from dmesr_core import Recommender
            >>> Recommender.load("nowhere")  # doctest: +ELLIPSIS
            Traceback (most recent call last):
            dmesr_core.errors.DataError: nowhere: there is no such folder; model.save(folder) writes one...
        """
        model = load_model(Path(folder), device)
        if not isinstance(model, cls):
            raise SettingsError(
                f"{folder} holds a model of class {type(model).__name__}, not {cls.__name__}: "
                f"{type(model).__name__}.load or Recommender.load reads it"
            )
        return model

    def config(self) -> dict[str, Any]:
        """Everything that `from_config` needs, as plain values for JSON."""
        raise SettingsError(f"{type(self).__name__} cannot be saved: it lacks `kind`, `config` and `from_config`")

    @classmethod
    def from_config(cls, config: dict[str, Any], known: Tensor) -> Self:
        """An untrained model of this shape, with rows for no item yet: `load` fills it."""
        raise NotImplementedError
