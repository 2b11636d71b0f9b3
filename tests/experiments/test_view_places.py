"""The study in other places: what a place is, whom it compares, how dense its purchases are."""

from __future__ import annotations

from dataclasses import replace

import pytest
from helpers.study_records import make_record, spread

from dmesr_core import profiles
from dmesr_core.experiments import grids, sweep, view_places, view_study
from dmesr_core.experiments.grid import jobs
from dmesr_core.experiments.records import RunRecord
from dmesr_core.experiments.view_places import CATALOGUES, OPPONENTS, PANELS, TITLES, by_place, place_of
from dmesr_core.experiments.view_study import LABELS, OURS, SETTING_OF

LEFT_OUT = {"popularity", OURS, "views_text_only", "views_no_alignment", "views_no_fusion"}


@pytest.fixture
def stored(monkeypatch):
    """The records of a grid are those that a test puts here."""
    grids_of: dict[str, list[RunRecord]] = {}
    monkeypatch.setattr(sweep, "load_or_run", lambda grid, profile: list(grids_of[grid]))
    return grids_of


def some(at=("bazaar", "leave-one-out"), share=1.0, events=300, **changes):
    sizes = {"items": 50, "train_events": events, "test_cases": 40, "train_sequences": round(40 * share)}
    names = ("id_unit", "fact_mixture_no_id", OURS)
    above = {"id_unit": spread(3, 9), "fact_mixture_no_id": spread(3, 9), OURS: 2}
    made = [make_record(name, at, above=above[name], share=share, sizes=sizes, **changes) for name in names]
    return [as_trained(r) for r in made]


def as_trained(record):
    own = {"kind": "id", "changes": {}}
    return replace(record, variant=record.variant | own, backbone=record.backbone | {"dropout": 0.2})


def test_every_place_of_the_grids_has_a_title_and_every_opponent_a_label():
    asked = {(data, job.name) for data, some in jobs(grids.get("views_elsewhere")).items() for job in some}
    by_time = {"global-time": " by time", "leave-one-out": ""}
    assert {data.name + by_time[data.split] for data, _ in asked} == TITLES.keys()
    assert [place for places in PANELS.values() for place in places] == list(TITLES)
    few = {(data, job.name) for data, some in jobs(grids.get("views_fewer")).items() for job in some}
    assert {data.name for data, _ in few} == CATALOGUES.keys()
    for names in ({name for _, name in asked}, {name for _, name in few}):
        assert {SETTING_OF.get(name, name) for name in names - LEFT_OUT} <= set(OPPONENTS) <= LABELS.keys()


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({}, "bazaar"),
        ({"share": 0.125}, "bazaar, 0.125"),
        ({"at": ("bazaar", "global-time")}, view_places.BY_TIME),
        ({"at": ("bazaar-1", "leave-one-out")}, "bazaar-1"),
    ],
)
def test_a_place_is_data_split_and_share(changes, place):
    assert place_of(make_record("id_unit", **changes)) == place


def test_elsewhere_compares_within_each_place(stored):
    stored["views_elsewhere"] = [*some(("bazaar", "global-time")), *some(("bazaar-2", "leave-one-out"))]
    study = view_places.elsewhere(profiles.get("smoke"))
    assert study.data == [view_places.BY_TIME, "bazaar-2"]
    gains = study.gains(n=200, seed=0)
    found = by_place(gains, TITLES)
    assert set(found) == {"id_unit", "fact_mixture"}  # the best setting stands for all
    assert list(found["id_unit"]) == ["the Bazaar by time", "world 2"]
    assert all(gain.low > 0 for gain in found["id_unit"].values())
    panels = view_places.by_panel(gains)
    assert list(panels["other times and worlds"]) == ["the Bazaar by time", "world 2"]
    assert panels["other times and worlds"]["world 2"] == {
        LABELS[name]: gains["bazaar-2", "sasrec", name][:3] for name in ("id_unit", "fact_mixture")
    }


def test_parts_of_the_paper_are_taken_away_wherever_that_was_tried(stored):
    at = ("bazaar-written", "leave-one-out")
    lacking = [make_record("views_no_fusion", at, above=9), make_record("views_text_only", at)]
    stored["views_elsewhere"] = [*some(at), *map(as_trained, lacking)]
    here = ("folder", "leave-one-out")
    own = view_study.ViewStudy.of([*some(here), make_record("views_no_fusion", here, above=9)])
    elsewhere = view_places.elsewhere(profiles.get("smoke"))
    found = view_places.paper_parts(own, elsewhere, n=200, seed=0)
    assert {part: list(places) for part, places in found.items()} == {
        "alignment": [], "attention to the text": ["your data", "looks always written"],
        "the picture view": ["looks always written"],
    }  # fmt: skip
    assert found["attention to the text"]["looks always written"].diff < 0


def test_several_backbones_are_named_beside_the_data():
    gains = {("bazaar", b, "raw"): view_study.Paired(1.0, 0.5, 1.5, 0.1) for b in ("sasrec", "gru4rec")}
    found = by_place(gains, {"bazaar": "the Bazaar"}, ("gru4rec", "sasrec", "bert4rec"))
    assert found == {"raw": dict.fromkeys(("GRU4Rec on the Bazaar", "SASRec on the Bazaar"), (1.0, 0.5, 1.5, 0.1))}
    cells = view_places.by_backbone(gains | {("bazaar", "sasrec", "id_unit"): view_study.Paired(2, 1, 3, 0.1)},
                                    {"bazaar": "the Bazaar"}, ("gru4rec", "sasrec"))  # fmt: skip
    assert cells == {"the Bazaar": {"GRU4Rec": {}, "SASRec": {LABELS["id_unit"]: (2, 1, 3)}}}  # raw: in the text alone


def test_the_density_is_that_of_training_and_all_shoppers_come_last(stored):
    stored["views_fewer"] = [*some(share=0.5, events=150), *some(share=0.25, events=75)]
    other = [replace(r, backbone=r.backbone | {"name": "gru4rec"}) for r in some()]
    stored["views"] = [*some(), *other, *some(("bazaar-sparse", "leave-one-out"))]
    study = view_places.fewer(profiles.get("smoke"))
    assert view_places.density(study) == {"bazaar, 0.5": 3.0, "bazaar, 0.25": 1.5, "bazaar": 6.0}
    assert view_places.histories(study) == {"1,200 items": {3.0: 20, 1.5: 10, 6.0: 40}, "4,800 items": {}}
    assert {backbone for _, backbone, _ in study.results} == {"sasrec"}
    panels = view_places.by_density(study, study.gains(n=200, seed=0))
    assert set(panels) == {"1,200 items"}
    assert set(panels["1,200 items"]) == {"ID only, of one length", "fact oracle, mixed"}
    line = panels["1,200 items"]["ID only, of one length"]
    assert list(line) == [1.5, 3.0, 6.0] and all(low > 0 for _, low, _ in line.values())
