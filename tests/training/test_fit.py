"""The loop: it learns, it repeats itself to the bit, it resumes, and it refuses nonsense."""

import itertools
import re
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.cycle_world import QUICK, N, build, cycle_split, mrr

from dmesr_core.data.interactions import Interactions
from dmesr_core.data.sequences import Sequences
from dmesr_core.errors import DataError, SettingsError
from dmesr_core.models.backbones import BACKBONES
from dmesr_core.training.callbacks import EMA
from dmesr_core.training.fit import TrainReport, fit, training_histories, validation_ndcg
from dmesr_core.training.losses import LOSSES
from dmesr_core.training.settings import TrainSettings


@pytest.mark.parametrize("name", list(BACKBONES))
def test_every_backbone_learns_what_can_be_learned(name):
    split = cycle_split()
    model = build(split, name)
    before = mrr(model, split)
    report = fit(model, split, QUICK, progress=False)
    assert before < 0.6 and mrr(model, split) > 0.9
    assert report.loss[-1] < report.loss[0] / 2
    assert report.valid[report.best_epoch] == max(report.valid)


def test_the_same_seed_gives_the_same_weights_and_metrics_to_the_bit():
    split = cycle_split()
    runs = []
    for seed in (0, 0, 1):
        model = build(split)
        report = fit(model, split, TrainSettings(epochs=3, batch_size=16, seed=seed), progress=False)
        runs.append((report.loss, report.valid, model.state_dict()))
    assert runs[0][:2] == runs[1][:2] and runs[0][0] != runs[2][0]
    assert all(torch.equal(runs[0][2][k], runs[1][2][k]) for k in runs[0][2])


class Stop(Exception):
    pass


@pytest.mark.parametrize(("changes", "ema"), [({}, ()), ({"item_dropout": 0.2}, (0.9,))])
def test_an_interrupted_training_resumes_to_the_same_result(tmp_path, changes, ema):
    split, settings = cycle_split(), TrainSettings(epochs=5, batch_size=16, **changes)

    def train(model, settings=settings, **others):
        return fit(model, split, settings, callbacks=map(EMA, ema), progress=False, **others)

    whole = build(split)
    want = train(whole)

    calls = []

    def interrupted(model):
        if len(calls) == 3:
            raise Stop
        calls.append(1)
        return validation_ndcg(model, split)

    with pytest.raises(Stop):
        train(build(split), validate=interrupted, checkpoint=tmp_path)
    torch.manual_seed(999)  # a new process would start elsewhere
    resumed = build(split, seed=5)
    got = train(resumed, checkpoint=tmp_path)
    assert got.loss == want.loss and got.valid == want.valid
    assert all(
        torch.equal(a, b) for a, b in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True)
    )
    with pytest.raises(SettingsError, match="other settings"):
        train(build(split), TrainSettings(epochs=6), checkpoint=tmp_path)


def test_item_dropout_belongs_to_training_alone():
    split = cycle_split()
    model, plain = build(split), build(split)
    report = fit(model, split, replace(QUICK, item_dropout=0.5), progress=False)
    before = fit(plain, split, QUICK, progress=False)
    assert report.loss[-1] > 2 * before.loss[-1]  # half of the time the item that says it all is hidden
    assert mrr(model, split) > 0.9


@pytest.mark.parametrize("name", ["sasrec", "bert4rec"])
@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_learns_what_can_be_learned(loss, name):
    split = cycle_split()
    model = build(split, name)
    before = mrr(model, split)
    report = fit(model, split, replace(QUICK, loss=loss, negatives=4), progress=False)
    assert report.loss[-1] < 0.8 * report.loss[0]
    assert mrr(model, split) > max(0.6, 1.5 * before)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_history_loss_teaches_that_nothing_is_taken_twice(loss):
    split = cycle_split()

    def own_items_above_others(**changes):
        model = build(split)
        fit(model, split, replace(QUICK, epochs=8, loss=loss, negatives=4, **changes), progress=False)
        items = torch.tensor([[1, 2, 3, 4, 5, 6]])
        scores = model.scores(model.user(model.item_table(), items), model.item_table())[0]
        return float((scores[1:7].max() - scores[7]).detach())

    assert own_items_above_others(history_loss_weight=5.0) < min(0, own_items_above_others() - 0.2)


def test_long_histories_are_cut_so_that_every_event_is_predicted_once():
    pieces = training_histories(Sequences.from_lists([list(range(1, 12)), [5, 6]]), 4)
    assert all(len(piece) <= 4 for piece in pieces)
    pairs = [(int(a), int(b)) for piece in pieces for a, b in itertools.pairwise(piece)]
    assert sorted(pairs) == sorted([*itertools.pairwise(range(1, 12)), (5, 6)])


def test_what_is_just_allowed_trains():
    split = cycle_split()
    model = build(split)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    edge = TrainSettings(
        epochs=1, batch_size=1, warmup=0.0, weight_decay=0.0, patience=1, max_grad_norm=np.inf, negatives=1
    )  # fmt: skip
    report = fit(model, split, edge, progress=False)
    assert len(report.valid) == 1 and report.best_epoch == 0
    assert not torch.equal(model.embedding.weight, before["embedding.weight"])


@pytest.mark.parametrize("score", [np.nan, np.inf, -np.inf])
def test_a_validation_score_that_is_not_finite_stops_with_the_epoch(score):
    split = cycle_split()
    scores = iter([0.5, score])
    with pytest.raises(DataError, match=f"validation score of epoch 1 is {score}"):
        fit(build(split), split, QUICK, validate=lambda model: next(scores), progress=False)


def test_without_validation_cases_a_way_to_validate_must_be_given():
    split = cycle_split()
    none = split.valid.targets[:0]
    split = replace(split, valid=replace(split.valid, histories=Sequences.from_lists([]), targets=none, users=none))
    with pytest.raises(DataError, match="no validation cases.*pass `validate`"):
        fit(build(split), split, QUICK, progress=False)
    report = fit(build(split), split, replace(QUICK, epochs=2), validate=lambda model: 1.0, progress=False)
    assert report.valid == [1.0, 1.0]


def test_one_process_can_train_in_one_precision_after_another():
    split, losses = cycle_split(), []
    for precision in ("no", "bf16", "no", "bf16"):
        settings = TrainSettings(epochs=2, batch_size=16, mixed_precision=precision)
        losses.append(fit(build(split), split, settings, progress=False).loss)
    assert losses[0] == losses[2] != losses[1] == losses[3]
    assert losses[0] == pytest.approx(losses[1], rel=0.01)


def test_nothing_to_learn_from_is_refused():
    lonely = Interactions.from_columns([0, 0, 0, 1], [1, 2, 3, 4], [0, 1, 2, 0], N).leave_one_out()
    with pytest.raises(DataError, match="two events"):
        fit(build(lonely), lonely, QUICK, progress=False)


def test_a_loss_that_is_not_a_number_stops_with_the_epoch():
    split = cycle_split()
    model = build(split)
    model.embedding.weight.data[3] = torch.nan
    with pytest.raises(DataError, match="loss of epoch 0 is nan"):
        fit(model, split, QUICK, progress=False)


def test_a_split_of_other_items_is_refused():
    split = cycle_split()
    with pytest.raises(DataError, match=f"built for {N} items, the split has {N + 1}"):
        fit(build(split), replace(split, n_items=N + 1), QUICK, progress=False)


def test_the_bar_is_for_a_terminal(capsys):
    split = cycle_split()
    fit(build(split), split, replace(QUICK, epochs=1), validate=lambda model: 0.5)
    assert capsys.readouterr().err == ""


def test_the_bar_never_shows_losses_of_no_epoch(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    split = cycle_split()
    fit(build(split), split, replace(QUICK, epochs=3), validate=lambda model: 0.5)
    said = capsys.readouterr().err
    assert "training:" in said and not re.search(r" 0/3 [^\r]*loss=", said)


def test_arguments_that_are_something_else(tmp_path):
    split = cycle_split()
    (tmp_path / "file").write_text("x")
    for arguments, message in (
        ({"callbacks": [0.9]}, "callbacks must be a list of callbacks"),
        ({"callbacks": 0.9}, "callbacks must be a list of callbacks"),
        ({"checkpoint": tmp_path / "file"}, "checkpoint must be the name of a folder"),
        ({"checkpoint": 3}, "checkpoint must be the name of a folder"),
        ({"validate": lambda model: None}, "`validate` must return a number, got None"),
    ):
        with pytest.raises(SettingsError, match=message):
            fit(build(split), split, QUICK, progress=False, **arguments)
    with pytest.raises(SettingsError, match="wanted a model, as DMESR.build"):
        fit("sasrec", split)


def test_one_callback_needs_no_list():
    split = cycle_split()
    one, other = (fit(build(split), split, QUICK, callbacks=c, progress=False) for c in (EMA(0.9), [EMA(0.9)]))
    assert one.valid == other.valid and one.callbacks == ["EMA(0.9)"]


def test_a_report_is_one_line():
    split, scores = cycle_split(), iter([0.25, 0.5, 0.125])
    report = fit(build(split), split, replace(QUICK, epochs=3), validate=lambda model: next(scores), progress=False)
    assert re.fullmatch(r"<TrainReport: 3 epochs, best_epoch 1 with validation 0.5000, \d+ s>", repr(report))
    assert len(report.loss) == len(report.valid) == 3
    one = replace(report, valid=[0.25], best_epoch=0, seconds=0.2)
    assert repr(one) == "<TrainReport: 1 epoch, best_epoch 0 with validation 0.2500, 0 s>"
    assert repr(TrainReport({})) == "<TrainReport: no epoch>"
