"""The study of views in other places: by time, in other worlds, with other texts, on films, with fewer shoppers.

A *place* is a data set with its split and its share of the shoppers. Records of a place carry its name in the field
`data`, so that a `ViewStudy` compares models within each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from dmesr_core.evaluation.bootstrap import Paired
from dmesr_core.experiments import sweep
from dmesr_core.experiments.records import RunRecord
from dmesr_core.experiments.study import BACKBONE_NAMES
from dmesr_core.experiments.view_study import (
    DATA_TITLES,
    EARLIER,
    LABELS,
    OURS,
    SETTING_OF,
    ViewStudy,
    best_settings,
    earlier_records,
)
from dmesr_core.profiles import Profile

BY_TIME = "bazaar by time"
WORLDS = ("bazaar-1", "bazaar-2", "bazaar-3")
UNWRITTEN, WRITTEN = "bazaar-unwritten", "bazaar-written"
TITLES = {  # place -> its name in figures and sentences
    BY_TIME: "the Bazaar by time",
    "bazaar-1": "world 1",
    "bazaar-2": "world 2",
    "bazaar-3": "world 3",
    UNWRITTEN: "looks never written",
    WRITTEN: "looks always written",
    "movielens": "films",
}
PAPER_PARTS = {  # the variant that lacks it
    "alignment": "views_no_alignment",
    "attention to the text": "views_no_fusion",
    "the picture view": "views_text_only",
}
PANELS = {
    "other times and worlds": (BY_TIME, *WORLDS),
    "other texts, and films": (UNWRITTEN, WRITTEN, "movielens"),
}
CATALOGUES = {"bazaar": "1,200 items", "bazaar-sparse": "4,800 items"}  # of which shoppers are taken away
Interval = tuple[float, float, float]  # difference, low, high
# With whom ours is compared in all places, where they were trained there, beside `EARLIER`, which figures leave out.
OPPONENTS = ("id_unit", "llm_emb", "words_mixture", "words_both_mixture", "dmesr", "fact_mixture")


def place_of(record: RunRecord) -> str:
    """The place of a record: "bazaar", "bazaar by time", "bazaar, 0.25"."""
    share = "" if record.share == 1 else f", {record.share:g}"
    return record.data + share + (" by time" if record.split == "global-time" else "")


def elsewhere(profile: Profile) -> ViewStudy:
    """The study by time, in other worlds, with other texts, and on films; best settings of opponents by validation."""
    records = _stored("views_elsewhere", profile)
    return _study(records if profile.name == "smoke" else [*records, *earlier_records(records)])


def fewer(profile: Profile) -> ViewStudy:
    """The study with shares of the shoppers, and with all of them."""
    records, whole = _stored("views_fewer", profile), _stored("views", profile)
    if profile.name != "smoke":
        records, whole = [*records, *earlier_records(records)], [*whole, *earlier_records(whole)]
    at = {(r.data, r.get("backbone"), SETTING_OF.get(r.get("variant"), r.get("variant"))) for r in records}
    everyone = [r for r in best_settings(whole) if (r.data, r.get("backbone"), r.get("variant")) in at]
    return _study([*records, *everyone])


def _stored(grid: str, profile: Profile) -> list[RunRecord]:
    return sweep.load_or_run(grid, profile=profile.name)


def _study(records: Iterable[RunRecord]) -> ViewStudy:
    return ViewStudy.of(best_settings(replace(record, data=place_of(record)) for record in records))


def by_place(
    gains: Mapping[tuple[str, str, str], Paired], places: Mapping[str, str], backbones: Sequence[str] = ("sasrec",)
) -> dict[str, dict[str, Paired]]:
    """Opponent -> title of the place -> gain of ours over it; of several backbones, "GRU4Rec on the Bazaar".

    Args:
        places: place -> its title.
    """
    found: dict[str, dict[str, Paired]] = {}
    for opponent in (*EARLIER, *OPPONENTS):
        for place, title in places.items():
            for backbone in backbones:
                if (place, backbone, opponent) in gains:
                    name = f"{BACKBONE_NAMES[backbone]} on {title}" if len(backbones) > 1 else title
                    found.setdefault(opponent, {})[name] = gains[place, backbone, opponent]
    return found


def by_backbone(
    gains: Mapping[tuple[str, str, str], Paired], titles: Mapping[str, str], backbones: Sequence[str]
) -> dict[str, dict[str, dict[str, Interval]]]:
    """Title of the data -> backbone -> label of the opponent -> gain of ours, for plots; `titles`: data -> title."""
    return {
        title: {BACKBONE_NAMES[b]: _labelled(by_place(gains, {data: title}, (b,)), title) for b in backbones}
        for data, title in titles.items()
    }


def by_panel(gains: Mapping[tuple[str, str, str], Paired]) -> dict[str, dict[str, dict[str, Interval]]]:
    """Title of the panel -> title of the place -> label of the opponent -> gain of ours with SASRec, for plots."""
    there = {place for place, _, _ in gains}
    return {
        panel: {
            TITLES[place]: _labelled(by_place(gains, {place: TITLES[place]}), TITLES[place])
            for place in places
            if place in there
        }
        for panel, places in PANELS.items()
    }


def _labelled(gains: Mapping[str, Mapping[str, Paired]], title: str) -> dict[str, Interval]:
    """Label of the opponent -> difference, low, high in the place with this title."""
    return {LABELS[opponent]: some[title][:3] for opponent, some in gains.items() if opponent not in EARLIER}


def paper_parts(study: ViewStudy, elsewhere: ViewStudy, n: int, seed: int) -> dict[str, dict[str, Paired]]:
    """Part of the paper's DMESR -> title of the place -> what taking it away changes; intervals as in `losses`."""
    places = [(study, data) for data in study.data]
    places += [(elsewhere, place) for place in (UNWRITTEN, WRITTEN) if place in elsewhere.data]
    found: dict[str, dict[str, Paired]] = {part: {} for part in PAPER_PARTS}
    for of, place in places:
        losses = of.losses(place, n, seed)
        for part, variant in PAPER_PARTS.items():
            if variant in losses:
                found[part][title_of(place)] = losses[variant]
    return found


def title_of(place: str) -> str:
    """The name of a place in a sentence."""
    return (DATA_TITLES | TITLES).get(place, "your data")


def density(study: ViewStudy) -> dict[str, float]:
    """Place -> events of training per item."""
    return {place: sizes["train_events"] / sizes["items"] for place, sizes in _sizes(study).items()}


def histories(study: ViewStudy) -> dict[str, dict[float, int]]:
    """Title of the catalogue -> events per item -> histories of training."""
    events = density(study)
    found: dict[str, dict[float, int]] = {title: {} for title in CATALOGUES.values()}
    for place, sizes in _sizes(study).items():
        found[CATALOGUES[place.split(",")[0]]][events[place]] = sizes["train_sequences"]
    return found


def _sizes(study: ViewStudy) -> dict[str, dict[str, int]]:
    return {record.data: record.sizes for record in study.records if record.get("variant") == OURS}


def by_density(
    study: ViewStudy, gains: Mapping[tuple[str, str, str], Paired]
) -> dict[str, dict[str, dict[float, Interval]]]:
    """Title of the catalogue -> label of the opponent -> events per item -> gain of ours over it."""
    events = density(study)
    panels: dict[str, dict[str, dict[float, Interval]]] = {}
    for catalogue, title in CATALOGUES.items():
        places = sorted((place for place in events if place.split(",")[0] == catalogue), key=events.__getitem__)
        for opponent, some in by_place(gains, {place: place for place in places}).items():
            if opponent not in EARLIER:
                panels.setdefault(title, {})[LABELS[opponent]] = {
                    events[place]: gain[:3] for place, gain in some.items()
                }
    return panels
