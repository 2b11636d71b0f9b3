"""A cold start: a shop before some of its items came, and where a model ranks them that never saw anybody buy one."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dmesr_core.data.catalogue import Catalogue
from dmesr_core.data.datasets import Dataset
from dmesr_core.data.interactions import Interactions
from dmesr_core.data.sequences import Cases, Split
from dmesr_core.evaluation.bootstrap import Paired, paired_bootstrap
from dmesr_core.evaluation.cold_items import cold_items
from dmesr_core.evaluation.ranking import rank_cases
from dmesr_core.models.recommender import Recommender
from dmesr_core.models.scorers import Scorer, model_scorer, popularity

FEW = 8  # items: the bootstrap of fewer gives intervals that are far too narrow
MOST_HELD_BACK, SHARE_HELD_BACK = 20, 0.05  # where no item is new by itself


@dataclass(frozen=True, eq=False)
class ColdStart:
    """A data set, taken apart into the shop before its new items came, and the cases that ask for these.

    The new items are the cold ones, which occur in no training sequence. If no test case asks for one of them, the
    latest items are held back instead, with every event of theirs.
    """

    old: Catalogue
    new: Catalogue
    opening: Split  # of the log without the new items; its items are those of `old`, in this order
    cases: Cases  # the test cases of the whole split that ask for a new item
    is_new: np.ndarray  # (N+1,) bool, by item number of the whole catalogue
    counts: np.ndarray  # (N+1,) int64, training events of each item; the new ones have none
    held_back: bool  # True: training on the whole log sees the new items

    @classmethod
    def of(cls, dataset: Dataset, split: Split) -> ColdStart:
        """Take the new items out of a data set; `split` is that of its whole log."""
        catalogue, log, test = dataset.require_catalogue(), dataset.interactions, split.test
        is_new = cold_items(split.train_counts)
        held_back = not is_new[test.targets].any()
        if held_back:
            is_new = latest_items(log, np.unique(test.targets))
        rows, old = np.flatnonzero(is_new[test.targets]), np.flatnonzero(~is_new)[1:]
        parts = {part: getattr(test, part)[rows] for part in ("targets", "times", "users")}
        return cls(
            catalogue.subset(old), catalogue.subset(np.flatnonzero(is_new)), log.subset(old).leave_one_out(),
            replace(test, histories=test.histories.take(rows), **parts), is_new,
            np.where(is_new, 0, split.train_counts), held_back,
        )  # fmt: skip

    @property
    def n_items(self) -> int:
        """N, old and new."""
        return len(self.is_new) - 1

    def popularity(self) -> np.ndarray:
        """Rank by popularity before the new items came, (C,): they share the last places."""
        return self.rank(popularity(self.counts))

    def rank(self, scorer: Recommender | Scorer) -> np.ndarray:
        """Where the item that was bought stands in each case among old and new ones, 1 is best, (C,) float64.

        Args:
            scorer: a model of the shop, to which the new items were added; or a scorer of `cases`.
        """
        if not isinstance(scorer, Recommender):
            return rank_cases(scorer, self.cases, self.n_items).rank
        number = np.zeros(self.n_items + 1, np.int64)  # that of the model: old items first, then the new ones
        number[np.argsort(self.is_new, kind="stable")] = np.arange(self.n_items + 1)
        events = self.cases.histories.packed()
        histories = replace(events, shared_items=number[events.shared_items])
        cases = replace(self.cases, histories=histories, targets=number[self.cases.targets])
        return rank_cases(model_scorer(scorer, self.n_items), cases, self.n_items).rank

    def chance(self) -> float:
        """The mean rank that pure chance gives."""
        return float(1 + self._others().mean() / 2)

    def places(self, ranks: np.ndarray) -> np.ndarray:
        """The share of the other items that stand below the one that was bought, (C,): 1 is the top, chance is 0.5."""
        return 1 - (ranks - 1) / np.maximum(self._others(), 1)

    def _others(self) -> np.ndarray:
        """Items that are ranked in each case beside the one that was bought: those of the history are not, (C,)."""
        pairs = zip(self.cases.histories, self.cases.targets, strict=True)
        left_out = np.array([len(set(history.tolist()) - {int(target)}) for history, target in pairs])
        return self.n_items - 1 - left_out

    def over_chance(self, ranks: np.ndarray, n: int = 2000, seed: int = 0) -> Paired:
        """By how much the mean place is above that of pure chance; the interval resamples the new items.

        Of few items a bootstrap knows too little: with fewer than `FEW` the interval is everything that is possible.
        """
        return self._change(self.places(ranks), np.full(len(ranks), 0.5), 0.5, n, seed)

    def over(self, ranks: np.ndarray, others: np.ndarray, n: int = 2000, seed: int = 0) -> Paired:
        """By how much the mean place is above that of another model; intervals as in `over_chance`."""
        return self._change(self.places(ranks), self.places(others), 1.0, n, seed)

    def over_among_first(self, ranks: np.ndarray, others: np.ndarray, k: int, n: int = 2000, seed: int = 0) -> Paired:
        """As `over`, for the share of cases whose item is among the first `k`."""
        return self._change(ranks <= k, others <= k, 1.0, n, seed)

    def _change(self, a: np.ndarray, b: np.ndarray, largest: float, n: int, seed: int) -> Paired:
        found = paired_bootstrap(a, b, n, seed, units=self.cases.targets)
        enough = len(np.unique(self.cases.targets)) >= FEW
        return found if enough else found._replace(low=-largest, high=largest, p=1.0)

    def most_bought(self, k: int) -> np.ndarray:
        """The `k` new items that most cases ask for (fewer where there are no more), most first."""
        items, cases = np.unique(self.cases.targets, return_counts=True)
        return items[np.argsort(-cases, kind="stable")[:k]]

    def known_history(self, case: int) -> np.ndarray:
        """The items of a history that the shop had before the new ones came, oldest first."""
        history = self.cases.histories[case]
        return history[~self.is_new[history]]

    def best_case(self, ranks: np.ndarray) -> int:
        """The case that is ranked best; of those whose history holds old items only, if there are any."""
        plain = np.array([not self.is_new[history].any() for history in self.cases.histories])
        return int(np.argmin(np.where(plain | ~plain.any(), ranks, np.inf)))


def latest_items(log: Interactions, among: np.ndarray) -> np.ndarray:
    """(N+1,) bool: those of the items `among` whose first event is latest; a twentieth of all items, 20 at most."""
    first = np.full(log.n_items + 1, np.inf)
    np.minimum.at(first, log.item, log.time)
    n = min(MOST_HELD_BACK, max(1, int(SHARE_HELD_BACK * log.n_items)))
    latest = np.zeros(log.n_items + 1, bool)
    latest[among[np.argsort(-first[among], kind="stable")[:n]]] = True
    return latest
