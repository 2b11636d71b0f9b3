"""Material: the split, features and facts that a training may use, and hashes of each."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dmesr_core.data.sequences import Split
from dmesr_core.features.item_features import Features
from dmesr_core.files import digest


@dataclass(frozen=True, eq=False)
class Material:
    """What a training may use; a variant leaves out what it does not need."""

    split: Split
    features: Features | None = None  # for raw, llm_esr, llm_emb and dmesr
    facts: np.ndarray | None = None  # (N+1, F) true facts, Bazaar only
    name: str = "data"  # of the data set, in tables
    share: float = 1.0  # of the training sequences that is used, see `subsample_training`
    fact_views: tuple[tuple[int, ...], ...] = ()  # columns of the facts that can be seen, and of those that can be read

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the split: equal for trainings on the same events with the same test cases."""
        s = self.split
        cases = (
            array
            for c in (s.valid, s.test)
            for array in (c.histories.chunked_items(), c.histories.offsets, c.targets, c.users)
        )
        return digest(np.array([s.n_items]), s.train.items, s.train.offsets, *cases)

    @cached_property
    def _features_hash(self) -> str:
        f = self.features
        if f is None:
            return ""
        words = "\0".join([*f.texts, *f.descriptions_picture]).encode()  # those that a model may learn vectors of
        arrays = f.coarse_picture, f.coarse_text, f.fine, f.fine_mask
        return digest(*arrays, np.frombuffer(words, np.uint8))

    @cached_property
    def _facts_hash(self) -> str:
        return "" if self.facts is None else digest(self.facts)

    def hashes(self, needs: Collection[str]) -> list[str]:
        """Hashes of the data that decide a result: of the split, and of the features and facts if among the `needs`."""
        return [self.fingerprint, self._features_hash * ("features" in needs), self._facts_hash * ("facts" in needs)]
