"""Linear probes of all facts of a catalogue, for the item vectors of several models.

Items that training has seen are probed with cross-validation; cold items by a probe that learned from the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dmesr_core.data.bazaar.facts import CATEGORIES, FACTS, WORD_FACTS
from dmesr_core.data.bazaar.world import World
from dmesr_core.evaluation import probes
from dmesr_core.evaluation.bootstrap import Paired
from dmesr_core.evaluation.erasure import WITHIN
from dmesr_core.evaluation.multiple_comparisons import simultaneous
from dmesr_core.evaluation.results import Result

# The two shapes mean something else in each category, so a probe of the shape also gets the category, and chance is
# computed within categories.
_SHAPE, _CATEGORY = "shape", WITHIN["shape"]


@dataclass(frozen=True)
class FactProbe:
    """What is needed to probe any vectors of one catalogue."""

    codes: dict[str, np.ndarray]  # fact -> (N,) int; item k is number k - 1, shapes differ between categories
    trained: np.ndarray  # numbers of the probed items that occur in training
    cold: np.ndarray  # numbers of the probed items that do not
    seed: int = 0  # of the folds

    @classmethod
    def make(
        cls, codes: Mapping[str, np.ndarray], train_counts: np.ndarray, at_most: int = 2_000, seed: int = 0
    ) -> FactProbe:
        """Probe whole series, `at_most` items in all: of a large catalogue a part will do.

        Args:
            codes: fact -> (N,) int, the shape within its category, as `bazaar.facts.Facts` holds them.
            train_counts: (N+1,) events of each item in training, entry 0 is the padding.
        """
        chosen = probes.whole_groups(codes["series"], at_most, seed)
        events = train_counts[1:][chosen]
        own = {fact: codes[fact] for fact in FACTS}
        own[_SHAPE] = own[_SHAPE] + 2 * own[_CATEGORY]
        return cls(own, chosen[events > 0], chosen[events == 0], seed)

    def right(self, vectors: np.ndarray, fact: str) -> np.ndarray:
        """Of which items (N, d) a probe gets the fact right: (N,) bool, False for items that are not probed."""
        x, y, right = vectors, self.codes[fact], np.zeros(len(vectors), bool)
        if fact == _SHAPE:
            x = np.concatenate([x, np.eye(len(CATEGORIES))[self.codes[_CATEGORY]]], axis=1)
        right[self.trained] = probes.cross_probe(x[self.trained], y[self.trained], seed=self.seed)
        if len(self.cold):
            right[self.cold] = probes.probe(x[self.trained], y[self.trained], x[self.cold], y[self.cold])
        return right

    def all_right(self, vectors: np.ndarray) -> dict[str, np.ndarray]:
        """Fact -> as `right`."""
        return {fact: self.right(vectors, fact) for fact in self.codes}

    def chance(self, fact: str, items: np.ndarray) -> float:
        """Accuracy on these items of always guessing the most frequent value (of the item's category, for shapes)."""
        y = self.codes[fact][items]
        if fact != _SHAPE:
            return probes.most_frequent(y)
        category = self.codes[_CATEGORY][items]
        return sum(int(np.bincount(y[category == c]).max()) for c in set(category)) / len(y)

    def recovered(self, right: np.ndarray, fact: str, items: np.ndarray) -> float:
        """`probes.recovered` on some items, given what `right` said of all; 0 for fewer than two items."""
        return probes.recovered(right[items], self.chance(fact, items)) if len(items) > 1 else 0.0

    @property
    def n_values(self) -> dict[str, int]:
        """Number of different values of each fact."""
        return {fact: len(np.unique(code)) for fact, code in self.codes.items()}

    def from_words(self, facts: Iterable[str]) -> dict[str, float]:
        """How much of these facts a probe recovers from the facts that are in the words, one-hot, and nothing else."""
        one_hot = [np.eye(self.codes[f].max() + 1)[self.codes[f]] for f in WORD_FACTS]
        vectors = np.concatenate(one_hot, axis=1)
        return {f: self.recovered(self.right(vectors, f), f, self.trained) for f in facts}


@dataclass(frozen=True)
class FactLine:
    """A line of the table of facts."""

    fact: str
    counted: np.ndarray  # (N,) bool, the items that count


COLOUR, WRITTEN = "colour, not written", "colour, written"  # the colour counts apart where the words name it
_GROUPS = {  # as figures write it -> as texts write it
    "only in the\npicture": "only in the picture",
    "only in\nthe words": "only in the words",
    "both": "in both",
}


def colour_is_written(world: World) -> np.ndarray:
    """Whether the words of each item name its colour, (N,) bool."""
    names, codes = world.facts.vocabulary["colour"], world.facts.codes["colour"]
    words = (world.catalogue.words(k) for k in range(1, len(codes) + 1))
    named = (probes.mentioned_facts(text, {"colour": names[c]}) for text, c in zip(words, codes, strict=True))
    return np.array([found["colour"] for found in named])


def unused_facts(world: World) -> set[str]:
    """Facts that no shopper goes by: neither a taste nor a series that goes together depends on them."""
    return {fact for fact in FACTS if fact not in world.process.settings.likes and fact != "series"}


def marked(fact: str, unused: set[str]) -> str:
    """The fact as figures name it, with ° where no shopper goes by it."""
    return f"{fact} °" if fact in unused else fact


def fact_lines(written: np.ndarray, unused: set[str]) -> dict[str, FactLine]:
    """Label -> line, in the order of `FACTS`.

    Args:
        written: (N,) bool, see `colour_is_written`.
    """
    lines: dict[str, FactLine] = {}
    for fact in FACTS:
        if fact == "colour":
            lines |= {COLOUR: FactLine(fact, ~written), WRITTEN: FactLine(fact, written)}
        else:
            lines[marked(fact, unused)] = FactLine(fact, np.ones(len(written), bool))
    return lines


def line_groups(lines: Mapping[str, FactLine]) -> dict[str, list[str]]:
    """Where a fact can be found, as figures write it -> labels of its lines."""
    picture, words, both = _GROUPS
    seen = [p for p, line in lines.items() if line.fact in ("colour", "pattern", "shape") and p != WRITTEN]
    read = [p for p, line in lines.items() if line.fact in WORD_FACTS and line.fact != "category"]
    category = [p for p, line in lines.items() if line.fact == "category"]
    return {picture: seen, words: read, both: [*category, WRITTEN]}


def with_means(
    tables: Mapping[str, Mapping[str, Mapping[str, float]]], groups: Mapping[str, Sequence[str]]
) -> tuple[dict[str, dict[str, dict[str, float]]], dict[str, list[str]]]:
    """Tables (as `FactReadings.tables`) and groups (as `line_groups`), with the mean of each group as its last line."""
    label = {group: f"mean, {group.split()[-1]}" for group in groups}
    wider = {
        title: {
            model: {**of, **{label[group]: float(np.mean([of[f] for f in some])) for group, some in groups.items()}}
            for model, of in table.items()
        }
        for title, table in tables.items()
    }
    return wider, {group: [*some, label[group]] for group, some in groups.items()}


@dataclass(frozen=True)
class FactReadings:
    """What probes read off the vectors of several models."""

    probe: FactProbe
    lines: dict[str, FactLine]
    right: dict[str, dict[str, np.ndarray]]  # model -> fact -> (N,) bool

    @classmethod
    def read(cls, probe: FactProbe, lines: dict[str, FactLine], vectors: Mapping[str, np.ndarray]) -> FactReadings:
        """Probe the vectors (N, d) of each model for each fact."""
        return cls(probe, lines, {name: probe.all_right(table) for name, table in vectors.items()})

    @property
    def panels(self) -> dict[str, np.ndarray]:
        """Title -> the probed items of that kind; without cold items there is one panel."""
        cold = {"cold items": self.probe.cold} if len(self.probe.cold) else {}
        return {"items with purchases": self.probe.trained} | cold

    def share(self, model: str, label: str, items: np.ndarray) -> float:
        """How much of the fact of a line is recovered, on those of the items that count."""
        line = self.lines[label]
        return self.probe.recovered(self.right[model][line.fact], line.fact, items[line.counted[items]])

    def tables(self, labels: Mapping[str, str]) -> dict[str, dict[str, dict[str, float]]]:
        """Title of a panel -> label of a model -> label of a line -> share that is recovered."""
        return {
            title: {labels[m]: {line: self.share(m, line, items) for line in self.lines} for m in self.right}
            for title, items in self.panels.items()
        }

    def group_means(self, model: str) -> dict[str, float]:
        """Where facts can be found, as texts write it -> mean over its lines, on items that occur in training."""
        return {
            _GROUPS[group]: float(np.mean([self.share(model, line, self.probe.trained) for line in lines]))
            for group, lines in line_groups(self.lines).items()
        }

    def gains(
        self, model: str, baselines: Iterable[str], n: int = 2000, seed: int = 0
    ) -> dict[str, dict[str, Paired]]:  # fmt: skip
        """Where facts can be found -> baseline -> how much more often a probe of `model` is right about an item.

        Cases are the items that occur in training; all intervals hold at once.
        """
        pairs = {
            (_GROUPS[group], b): (self._accuracy(model, group, lines), self._accuracy(b, group, lines))
            for group, lines in line_groups(self.lines).items()
            for b in baselines
        }
        found: dict[str, dict[str, Paired]] = {}
        for (group, b), gain in simultaneous(pairs, "right", n, seed).items():
            found.setdefault(group, {})[b] = gain
        return found

    def training_shares(self) -> list[float]:
        """All shares on items that occur in training, without the line `WRITTEN`, for which few items count."""
        return [self.share(m, line, self.probe.trained) for m in self.right for line in self.lines if line != WRITTEN]

    def before_and_after(self, before: str, after: str, unused: set[str]) -> dict[str, tuple[float, float]]:
        """What is recovered from the vectors of two models, of the facts that shoppers go by and of those `unused`."""
        kinds = {"go by": [f for f in FACTS if f not in unused], "ignored": [f for f in FACTS if f in unused]}
        return {
            kind: (self._mean_recovered(before, some), self._mean_recovered(after, some))
            for kind, some in kinds.items()
        }

    def _mean_recovered(self, model: str, facts: Iterable[str]) -> float:
        """Mean over facts of what is recovered on items that occur in training, to two decimals."""
        shares = [self.probe.recovered(self.right[model][f], f, self.probe.trained) for f in facts]
        return round(float(np.mean(shares)), 2) + 0.0  # no negative zero

    def _accuracy(self, model: str, group: str, labels: Sequence[str]) -> Result:
        """How often a probe is right about each item of training, over the lines that count for it."""
        lines, items = [self.lines[label] for label in labels], self.probe.trained
        counted = np.array([line.counted[items] for line in lines])  # (lines, n)
        right = np.array([self.right[model][line.fact][items] for line in lines])
        return Result(model, {"right": (right & counted).sum(0) / counted.sum(0)}, group)
