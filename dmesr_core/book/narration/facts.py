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


def story(gains: Mapping[str, Mapping[str, Difference]] | None) -> str:
    """How often a probe of DMESR is right, compared with probes of two baselines.

    Args:
        gains: "only in the picture" and "only in the words" -> baseline -> difference per item.
    """
    if gains is None:
        return "The facts about these items are not known, so nothing can be asked: this section needs the Bazaar."

    def more(where: str, baseline: str) -> str:
        c = gains[where][baseline]
        words = choose(c, "right more often", "right less often", "not told apart")
        return f"{words} ({100 * c.diff:+.1f} points [{100 * c.low:+.1f}, {100 * c.high:+.1f}])"

    parts = [
        f"against {name} it is {more('only in the picture', b)} on what must be seen and "
        f"{more('only in the words', b)} on what must be read"
        for b, name in _BASELINES.items()
    ]
    return f"A probe of DMESR knows this much more: {'; '.join(parts)}."


def erasure(costs: Mapping[str, Difference] | None, unused: Collection[str]) -> str:
    """Which facts a model needs, the dearest first.

    Args:
        costs: fact -> change of the score when it is erased; None: no facts are known.
        unused: facts that no shopper goes by.
    """
    if costs is None:
        return "This needs the Bazaar, too: without known facts there is nothing to take out."
    found = by_verdict(dict(sorted(costs.items(), key=lambda of: of[1].diff)))
    needed = found["worse"]
    parts = [f"DMESR needs {listed(needed)}" if needed else "DMESR is not shown to need any fact"]
    if wrongly := [fact for fact in needed if fact in unused]:
        parts.append(f"no shopper goes by {listed(wrongly)}, so what goes with it may be what is missed")
    if found["better"]:
        parts.append(f"the score rises without {listed(found['better'])}")
    if undecided := [fact for fact in found["undecided"] if fact not in unused]:
        parts.append(f"of what shoppers go by, zero is inside the interval of {listed(undecided)}")
    return "; ".join(parts) + "."
