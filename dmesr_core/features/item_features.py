"""Features of items, as arrays: the vectors of two views, the token states of their words, and where they come from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from dmesr_core.data.item_names import ItemNames
from dmesr_core.errors import DataError


@dataclass(frozen=True)
class Features:
    """Features of N items. Row and entry 0 belong to padding: zeros, "" and []."""

    coarse_picture: np.ndarray  # (N+1, d_c) float32; an item without a usable picture has its text vector here
    coarse_text: np.ndarray  # (N+1, d_c) float32
    fine: np.ndarray  # (N+1, L, d_f) float16; 0 at padding
    fine_mask: np.ndarray  # (N+1, L) bool; True at real tokens
    descriptions_picture: list[str]  # N+1
    descriptions_text: list[str]  # N+1
    tokens: list[list[str]]  # N+1; entry k has as many tokens as row k of the mask has True
    report: dict  # see `extract_features`
    item_names: ItemNames | None = None  # of the N items; None: item k is row k, whatever its id
    made_by: dict[str, str] = field(default_factory=dict)  # the models and prompts, see `extract_features`

    def __repr__(self) -> str:
        (n, width), (_, length, fine) = self.coarse_text.shape, self.fine.shape
        return f"<Features of {n - 1:,} items: two views of width {width}, up to {length} tokens of width {fine}>"

    def __len__(self) -> int:
        """N, without the padding."""
        return len(self.coarse_text) - 1

    @classmethod
    def empty(cls, coarse_width: int, fine_width: int) -> Features:
        """Features of no items."""
        coarse = np.zeros((1, coarse_width), np.float32)
        fine, mask = np.zeros((1, 0, fine_width), np.float16), np.zeros((1, 0), bool)
        return cls(coarse, coarse, fine, mask, [""], [""], [[]], {})

    def matching(self, item_names: ItemNames | None) -> Features:
        """The features of these items, in their order; rows are matched by id.

        Raises:
            DataError: an item without features; names the first. Without names on one side, rows are matched by
                position, and their number must be equal (the caller checks that).
        """
        if self.item_names is None or item_names is None or self.item_names.ids == item_names.ids:
            return self
        numbers = self.item_names.numbers(item_names.ids)
        if (missing := np.flatnonzero(numbers == 0)).size:
            raise DataError(
                f"{len(missing):,} of {len(item_names):,} items have no features, the first is "
                f"{item_names.ids[missing[0]]!r}: extract them from a catalogue that holds these items"
            )
        rows = np.concatenate([[0], numbers])
        return replace(
            self, item_names=item_names, fine=self.fine[rows], fine_mask=self.fine_mask[rows],
            coarse_picture=self.coarse_picture[rows], coarse_text=self.coarse_text[rows],
            descriptions_picture=[self.descriptions_picture[row] for row in rows],
            descriptions_text=[self.descriptions_text[row] for row in rows], tokens=[self.tokens[row] for row in rows],
        )  # fmt: skip

    def check_finite(self) -> None:
        """DataError if a value is NaN or infinite; names the item."""
        for name in ("coarse_picture", "coarse_text", "fine"):
            array = np.asarray(getattr(self, name))
            wrong = np.flatnonzero(~np.isfinite(array).reshape(len(array), -1).all(1))
            if wrong.size:
                k = int(wrong[0])
                item = f"item {k}" if self.item_names is None or k == 0 else f"item {self.item_names.ids[k - 1]!r}"
                raise DataError(f"the features of {item} are not finite ({name}): extract them anew")

    @property
    def sentence(self) -> np.ndarray:
        """(N+1, d_f) float32: sentence vectors of length 1, the mean of an item's fine states; row 0 is zero."""
        total = np.stack([states.sum(0, dtype=np.float32) for states in self.fine])  # (N+1, d_f)
        return total / np.linalg.norm(total, axis=1, keepdims=True).clip(1e-12)
