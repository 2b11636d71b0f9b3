"""What item vectors know about facts, and what is used of it, in words."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from dmesr_core.book.narration.verdicts import Difference, by_verdict, choose, listed

_UNKNOWN = "(unknown here)"  # where the facts about items are not known
_BASELINES = {"id_only": "ID only", "no_fusion": "DMESR without fusion"}


def control(values: Sequence[float] | None) -> str:
    """Range and mean of what a probe recovers where there is nothing to find; None: no facts are known."""
    if values is None:
        return "(nothing to probe without known facts)"
    return f"between {min(values):.2f} and {max(values):.2f}, on average {np.mean(values):+.3f}"


def knows(shares: Mapping[str, float] | None) -> str:
    """What a probe recovers, by where facts can be found."""
    return _UNKNOWN if shares is None else ", ".join(f"{value:.0%} {where}" for where, value in shares.items())


def story(gains: Mapping[str, Mapping[str, Difference]] | None) -> str:
    """How often a probe of DMESR is right, compared with probes of two baselines.

    Args:
        gains: "only in the picture" and "only in the words" -> baseline -> difference per item.
    """
    if gains is None:
        return "The facts about these items are not known, so nothing can be asked: this section needs the Bazaar."

    def more(where: str, baseline: str) -> str:
        c = gains[where][baseline]
        words = choose(c, "is right more often", "is right less often", "is not told apart")
        return f"{words} ({100 * c.diff:+.1f} points [{100 * c.low:+.1f}, {100 * c.high:+.1f}])"

    return " ".join(
        f"Compared with a probe of {name}, one of DMESR {more('only in the picture', b)} on facts that must be seen, "
        f"and {more('only in the words', b)} on facts that must be read."
        for b, name in _BASELINES.items()
    )


def training(kept: Mapping[str, tuple[float, float]] | None) -> str:
    """What training keeps of the facts that shoppers go by, and of those that nobody goes by.

    Args:
        kept: "go by" and "ignored" -> what is recovered (before training, after it).
    """
    if kept is None:
        return "What training changes about them cannot be said either."
    used, unused = kept["go by"], kept["ignored"]
    text = "Of the facts that shoppers go by, a probe recovers {:.0%} before training and {:.0%} after; ".format(*used)
    text += "of those that nobody goes by, {:.0%} and {:.0%}.".format(*unused)
    lost_used, lost_unused = used[0] - used[1], unused[0] - unused[1]
    if lost_unused > max(lost_used, 0) + 0.1:
        text += " More was lost of the second kind than of the first."
    return text


def leak(shares: Mapping[str, float] | None) -> str:
    """How much of the facts of pictures can be guessed from the facts of words."""
    return _UNKNOWN if shares is None else " and ".join(f"{value:.0%} of the {fact}" for fact, value in shares.items())


def erasure(costs: Mapping[str, Difference] | None, unused: Collection[str]) -> str:
    """Which facts a model needs.

    Args:
        costs: fact -> change of the score when it is erased; None: no facts are known.
        unused: facts that no shopper goes by.
    """
    if costs is None:
        return "This needs the Bazaar, too: without known facts there is nothing to take out."
    found = by_verdict(costs)
    needed = sorted(found["worse"], key=lambda fact: costs[fact].diff)
    text = "No fact is shown to be needed."
    if needed:
        text = f"Taking out costs for: {', '.join(f'{f} ({costs[f].diff:+.4f})' for f in needed)}."
        wrongly = [f for f in needed if f in unused]
        text += (
            f" No shopper goes by {listed(wrongly)}: there, what goes with the fact may be what is missed."
            if wrongly
            else " No fact that shoppers ignore is among these."
        )
    if found["better"]:
        text += f" Without it the score rises: {listed(found['better'])}."
    if undecided := found["undecided"]:
        largest = max(-costs[f].low for f in undecided)
        text += f" Open: {listed(undecided)}. Zero is inside their intervals, and so is a cost of up to {largest:.4f}."
        if used := [f for f in undecided if f not in unused]:
            text += f" Of these, shoppers do go by {listed(used)}."
    return text


def random_erasure(changes: Mapping[str, float] | None, n_values: Mapping[str, int]) -> str:
    """The smallest and the largest change of the score when a random fact is erased.

    Args:
        changes: fact whose values were assigned at random -> change; None: no facts are known.
        n_values: how many values it has.
    """
    if changes is None:
        return _UNKNOWN
    ends = [pick(changes, key=lambda fact: changes[fact]) for pick in (min, max)]
    return " and ".join(f"{changes[f]:+.4f} ({f}, {n_values[f]} values)" for f in ends)


def implied(fact: str, recovered: Mapping[str, float] | None) -> str:
    """How much of a fact a probe recovers after others are erased, a line each; None: no facts are known."""
    if recovered is None:
        return "this needs the Bazaar's facts"
    lines = [f"{name:>8}: {share:+.2f}" for name, share in recovered.items()]
    return "\n".join([f"the {fact}, as far as a probe recovers it, after taking out", *lines])
