"""Tables: what stands in which row and column."""

from __future__ import annotations

from helpers.study_records import BY_TIME, HOME, make_record, make_study_records

from dmesr_core.evaluation.bootstrap import Paired
from dmesr_core.experiments import tables
from dmesr_core.experiments.budget import LongerTraining
from dmesr_core.experiments.records import write_records
from dmesr_core.experiments.study import Study

GAIN = Paired(0.02, 0.01, 0.03, 0.001)
AT = (HOME, "sasrec", "id_only")


def test_cells_are_named_by_the_title_of_their_data():
    assert tables.flat({AT: GAIN}) == {"Bazaar|sasrec|id_only": GAIN}
    assert tables.by_title({BY_TIME: 1}) == {"Bazaar by time": 1}


def test_panels_hold_intervals_without_p_values():
    assert tables.panels({AT: GAIN}) == {"Bazaar": {"SASRec": {"id_only": (0.02, 0.01, 0.03)}}}
    labelled = tables.panels({AT: (1, 0, 2)}, tables.over(["id_only"]))
    assert labelled == {"Bazaar": {"SASRec": {"over ID only": (1, 0, 2)}}}


def test_sizes_count_trainings_seeds_and_hours():
    study = Study.of(make_study_records({}, backbones=["gru4rec", "sasrec"], seeds=2))
    row = tables.sizes(study).loc["Bazaar"]
    assert (row["items"], row["training events"], row["test cases"]) == (50, 300, 40)
    assert (row["trainings"], row["seeds"]) == (20, "GRU4Rec 2, SASRec 2")
    assert (row["cold targets"], row["hours"]) == ("25%", "0.20")


def test_popularity_stands_in_each_column_and_a_missing_backbone_is_blank():
    cells = {(HOME, "sasrec", "dmesr"): (0.5, 0.4, 0.6), (HOME, "gru4rec", "dmesr"): (0.3, 0.2, 0.4)}
    cells |= {(BY_TIME, "sasrec", "dmesr"): (0.1, 0, 0.2)}
    table = tables.scores(cells, {HOME: (0.1, 0.0, 0.2), BY_TIME: (0, 0, 0)})
    assert list(table) == ["GRU4Rec", "SASRec"]
    assert list(table.index[:2]) == [("Bazaar", "popularity"), ("Bazaar", "DMESR")]
    assert set(table.loc[("Bazaar", "popularity")]) == {"0.100\u00a0[0.000,\u00a00.200]"}
    assert table.loc[("Bazaar by time", "DMESR"), "GRU4Rec"] == ""


def test_gains_stand_with_interval_and_p_value():
    cell = (("Bazaar", "SASRec"), "over ID only")
    assert tables.gains({AT: GAIN}, tables.over(["id_only"])).loc[cell] == "+0.020 [+0.010, +0.030], p = 0.0010"


def test_means_are_named_by_variant():
    study = Study.of(make_study_records({"dmesr": 0}))
    assert tables.means(study.cells(), "ndcg@10").loc[("Bazaar", "SASRec"), "DMESR"] == "1.000"


def test_longer_training_shows_both_gains_and_is_empty_where_it_was_not_tried():
    usual = {("sasrec", "id_only"): 0.1, ("sasrec", "dmesr"): 0.3}
    longer = {("sasrec", "id_only"): 0.2, ("sasrec", "dmesr"): 0.22}
    row = tables.longer_training(LongerTraining(usual, longer, {AT: GAIN})).loc[("SASRec", "ID only")]
    assert list(row) == ["0.100", "0.200", "+0.200", "+0.020\u00a0[+0.010,\u00a0+0.030]"]
    assert tables.longer_training(LongerTraining({}, {}, {})).empty


def test_weight_decays_are_columns_in_order():
    table = tables.weight_decays({("sasrec", "id_only"): {4.0: 0.1, 0.5: 0.2}})
    assert list(table) == [0.5, 4.0]
    assert table.loc[("SASRec", "ID only"), 0.5] == 0.2
    assert tables.weight_decays({}).empty


def test_the_splits_of_one_log_are_rows():
    study = Study.of(make_study_records({}, [HOME, BY_TIME, ("movielens", "leave-one-out")]))
    scores = {key: (0.2 if key[2] == "dmesr" else 0.1, 0.0, 1.0) for key in study.cells()}
    table = tables.splits(study, scores, dict.fromkeys(study.cells(), GAIN), "bazaar")
    assert list(table.index) == [("leave-one-out", "SASRec"), ("global-time", "SASRec")]
    assert list(table.iloc[0]) == ["25%", "0.100", "0.200", "+0.020 [+0.010, +0.030]", "2.00"]


def test_stored_and_new_numbers_stand_side_by_side():
    old, new = make_record("dmesr", above=0), make_record("dmesr", above=20)
    assert tables.trained_again([old], [new]) == {
        "SASRec, DMESR": {
            "stored NDCG@10": "1.0000", "now": "0.0000", "test cases with the same rank": "0.0%", "seconds": "36",
        }
    }  # fmt: skip


def test_hours_of_stored_records_are_told_by_file(tmp_path):
    assert tables.stored_hours(tmp_path) == {}
    write_records([make_record("id_only", seed=seed) for seed in (0, 1)], tmp_path / "few.jsonl")
    write_records([make_record("popularity")], tmp_path / "none.jsonl")  # trained nothing
    assert tables.stored_hours(tmp_path) == {"few": 72 / 3600, "none": 0.0}
    assert tables.hours([make_record("dmesr")]) == 36 / 3600


def test_the_books_own_records_took_hours():
    from dmesr_core.experiments.sweep import RESULTS

    assert all(value > 0 for value in tables.stored_hours(RESULTS).values())
