"""What chapter 2 says about its data and the ceiling, and the captions of its products."""

from __future__ import annotations

from collections.abc import Mapping

from dmesr_core.data.catalogue import Catalogue
from dmesr_core.errors import DataError
from dmesr_core.plots.data import Tile

_DEARER = {
    "pulls": "the last purchase carries more than all before it",
    "types": "taste carries more than the last purchase",
}


def data_note(source: str, is_bazaar: bool) -> str:
    """Which data the run uses, at the start of the chapter."""
    if is_bazaar:
        return (
            "This copy of the book runs on the Bazaar, so the numbers below belong to the world of all other chapters."
        )
    return (
        f"This copy of the book runs on other data ({source}), for which nobody knows the facts, "
        "the process or the ceiling. This chapter shows the Bazaar beside it, so that you see what is missing; "
        "your data's pictures and statistics are in the section on real data."
    )


def real_data_note(source: str, is_bazaar: bool, mllm: str) -> str:
    """What the section on real data can show in this run; `mllm` is "tiny" for the shipped model."""
    if is_bazaar:
        return "This run was given the Bazaar, so there is nothing to set beside the table above. Its favourites:"
    note = f"This run was given {source}: its most popular items are below, and its statistics in the table. "
    note += "It has no known facts, no known process and no ceiling: the road and the fact oracle are missing. "
    if mllm == "tiny":
        note += "And the tiny MLLM has seen nothing but the Bazaar: it does not understand these pictures."
    return note


def cold_note(scores: Mapping[str, Mapping[str, tuple[float, float, float]]]) -> str:
    """Ceiling and popularity on cold targets, given name -> group -> (mean, low, high) of the groups with cases."""
    if "cold" not in scores["ceiling"]:
        return "(In a world this small there may be no such case; here there is none.)"
    ceiling, popularity = (scores[name]["cold"][0] for name in ("ceiling", "popularity"))
    return f"There the ceiling is {ceiling:.3f}, and popularity {popularity:.3f}."


def dearer_part(costs: Mapping[str, float]) -> str:
    """Which part of the process is worth more: "pulls" or "types" -> what the predictor loses without it."""
    return _DEARER[max(_DEARER, key=lambda part: costs[part])]


def product_tile(catalogue: Catalogue, k: int, label: str = "", also: str = "brand", mark: str = "") -> Tile:
    """The picture of item `k` of the Bazaar; its caption has three visible facts and `also`, one that must be read."""
    facts = catalogue.facts
    if facts is None:
        raise DataError("only products with known facts, those of the Bazaar, have this caption")
    seen = " ".join(facts[fact][k - 1] for fact in ("pattern", "colour", "category"))
    return Tile(catalogue.item(k).picture, f"{seen}, {facts[also][k - 1]}", mark, label)
