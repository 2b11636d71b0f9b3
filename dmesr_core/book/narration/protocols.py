"""Where the order of contenders depends on the protocol or on the split, in the words of chapter 7."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from dmesr_core.book.narration.verdicts import Difference, by_verdict, listed, verdict
from dmesr_core.experiments.contrasts import Interval, Order, contender_name
from dmesr_core.experiments.study import BACKBONE_NAMES, DATA_TITLES, Cell, DataSplit
from dmesr_core.plots.comparisons import discordant_pairs

Means = Mapping[str, tuple[float, float]]  # contender -> its mean in the one and in the other case


class Reversal(NamedTuple):
    """A clear lead under the full protocol that is a clear loss in the sample."""

    ratio: float  # of the two means under the full protocol
    title: str  # of the data set
    ahead: str  # contender that leads under the full protocol
    behind: str


def order_changes(means: Means) -> list[tuple[str, str]]:
    """Pairs of contenders whose order differs between the two cases."""
    names = list(means)
    return [(names[i], names[j]) for i, j in discordant_pairs(list(means.values()))]


def reversals(means: Mapping[DataSplit, Means], orders: Mapping[Order, Difference]) -> list[Reversal]:
    """Changes of order between the full and the sampled protocol that are clear under both."""
    found = []
    for at, some in means.items():
        for one, other in order_changes(some):
            if _opposite(orders[(at, "full"), one, other], orders[(at, "sampled"), one, other]):
                ahead, behind = (one, other) if some[one][0] > some[other][0] else (other, one)
                ratio = some[ahead][0] / max(some[behind][0], 1e-9)
                found.append(Reversal(ratio, DATA_TITLES[at], ahead, behind))
    return found


def protocol_story(means: Mapping[DataSplit, Means], found: list[Reversal]) -> str:
    """How many pairs change their order between the protocols, and the clear reversal with the largest lead."""
    changed = sum(len(order_changes(some)) for some in means.values())
    pairs = sum(len(some) * (len(some) - 1) // 2 for some in means.values())
    text = f"Of {pairs} pairs of contenders, {changed} change their order with the protocol, "
    if not found:
        return f"{text}none of them clearly under both."
    most = max(found)
    return (
        f"{text}{len(found)} of them clearly under both: in panel {most.title}, {most.ahead} is {most.ratio:.2f} times "
        f"as good as {most.behind} in the full ranking, and behind it in the sample."
    )


def even_chance_rank(chances: np.ndarray) -> int:
    """The last rank whose chance of a hit is at least one half; `chances` of the ranks 1, 2, ..."""
    return int(np.flatnonzero(chances >= 0.5)[-1] + 1)


def split_story(
    scores: Mapping[Cell, Interval], gains: Mapping[Cell, Difference], orders: Mapping[Order, Difference], log: str
) -> str:
    """What is left of DMESR's gain over ID only under the second split of a log, and how many orders change."""
    splits = list(dict.fromkeys(at for at, _, _ in scores if at[0] == log))
    if len(splits) != 2:
        return "There is only one split here, so nothing can be said."
    first, second = splits
    means = {
        contender_name(backbone, variant): (score[0], scores[second, backbone, variant][0])
        for (at, backbone, variant), score in scores.items()
        if at == first and (second, backbone, variant) in scores
    }
    changed, n = order_changes(means), len(means)
    clear = sum(_opposite(orders[(first, "full"), *pair], orders[(second, "full"), *pair]) for pair in changed)
    return (
        f"Without the leak, DMESR is {_with_backbones(gains, second)}; of {n * (n - 1) // 2} pairs of contenders, "
        f"{len(changed)} change their order with the split, {clear or 'none'} of them clearly."
    )


def _with_backbones(gains: Mapping[Cell, Difference], at: DataSplit) -> str:
    """DMESR against ID only on one data set: the backbones of each verdict."""
    found = by_verdict({b: gains[at, b, "id_only"] for b in BACKBONE_NAMES if (at, b, "id_only") in gains})
    words = {"better": "clearly ahead of", "worse": "clearly behind", "undecided": "not told apart from"}
    some = [f"{words[v]} ID only with {listed(BACKBONE_NAMES[b] for b in bs)}" for v, bs in found.items() if bs]
    return ", ".join(some)


def _opposite(one: Difference, other: Difference) -> bool:
    """Whether both are decided, and differently."""
    return {verdict(one), verdict(other)} == {"better", "worse"}
