"""The loop: it learns, it repeats itself to the bit, it resumes, and it refuses nonsense."""

import itertools
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.small_material import BACKBONE, TRAIN, make_material

from dmesr_core.data.interactions import Interactions
from dmesr_core.data.sequences import Sequences
from dmesr_core.errors import DataError, SettingsError
from dmesr_core.evaluation.metrics import evaluate_cases
from dmesr_core.evaluation.scorers import model_scorer
from dmesr_core.experiments import variants
from dmesr_core.models.backbones import BACKBONES, BackboneSettings
from dmesr_core.models.recommender import IDRecommender, known_items
from dmesr_core.training import fit as fit_module
from dmesr_core.training import objectives
from dmesr_core.training.fit import fit
from dmesr_core.training.losses import LOSSES
from dmesr_core.training.settings import TrainSettings

N = 12


def cycle_split(n_users=60, seed=0):
    """A world in which item k is always followed by item k + 1: easy to learn, easy to check."""
    rng = np.random.default_rng(seed)
    users, items, times = [], [], []
    for u in range(n_users):
        start, length = rng.integers(N), rng.integers(4, 9)
        users += [u] * length
        items += [(start + t) % N + 1 for t in range(length)]
        times += list(range(length))
    return Interactions.from_columns(users, items, times, N).leave_one_out()


def build(split, name="sasrec", seed=0):
    torch.manual_seed(seed)
    return IDRecommender(
        BackboneSettings(name, width=16, max_len=10, layers=1, heads=2, dropout=0.1), known_items(split)
    )


def mrr(model, split):
    result = evaluate_cases(model_scorer(model, split.n_items), split.test, split.n_items)
    return result.per_case["mrr@10"].mean()


QUICK = TrainSettings(epochs=60, batch_size=16, learning_rate=0.01, weight_decay=0.01, patience=60)


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


@pytest.mark.parametrize("changes", [{}, {"ema_decay": 0.9, "item_dropout": 0.2}])
def test_an_interrupted_training_resumes_to_the_same_result(tmp_path, changes):
    split, settings = cycle_split(), TrainSettings(epochs=5, batch_size=16, **changes)
    whole = build(split)
    want = fit(whole, split, settings, progress=False)

    calls = []

    def interrupted(model):
        if len(calls) == 3:
            raise Stop
        calls.append(1)
        return fit_module._validation_ndcg(model, split)

    with pytest.raises(Stop):
        fit(build(split), split, settings, validate=interrupted, checkpoint=tmp_path, progress=False)
    torch.manual_seed(999)  # a new process would start elsewhere
    resumed = build(split, seed=5)
    got = fit(resumed, split, settings, checkpoint=tmp_path, progress=False)
    assert got.loss == want.loss and got.valid == want.valid
    assert all(
        torch.equal(a, b) for a, b in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True)
    )
    with pytest.raises(SettingsError, match="other settings"):
        fit(build(split), split, TrainSettings(epochs=6), checkpoint=tmp_path, progress=False)


def test_each_position_predicts_the_next_item_and_padding_predicts_nothing():
    split = cycle_split()
    model = build(split).eval()
    table = model.item_table()
    items = torch.tensor([[3, 4, 5, 6], [7, 8, 0, 0]])
    hidden, targets = objectives.predictions(model, table, items, torch.Generator(), 0.0)
    assert targets.tolist() == [4, 5, 6, 8] and hidden.shape == (4, 16)


def test_item_dropout_hides_whole_items_from_the_backbone_and_asks_for_all_the_same():
    model = build(cycle_split()).eval()
    table = model.item_table()
    items = torch.tensor([[3, 4]]).repeat(40, 1)

    def seen(table, hide):
        hidden, targets = objectives.predictions(model, table, items, torch.Generator().manual_seed(0), hide)
        assert targets.tolist() == [4] * len(items)
        return hidden

    whole, nothing = seen(table, 0.0)[0], seen(torch.zeros_like(table), 0.0)[0]
    without = seen(table, 0.5)
    shown = torch.isclose(without, whole).all(1)
    assert torch.isclose(without, nothing).all(1)[~shown].all() and 10 < shown.sum() < 30
    assert torch.isclose(seen(table, 0.1), whole).all(1).sum() > 30


def test_averaging_judges_and_keeps_a_running_mean_of_the_weights(monkeypatch):
    split = cycle_split()
    model = build(split)
    steps, judged = [], []

    class Watched(torch.optim.AdamW):
        def step(self, *args, **kwargs):
            done = super().step(*args, **kwargs)
            steps.append(model.embedding.weight.detach().clone())
            return done

    def validate(m):
        judged.append(m.embedding.weight.detach().clone())
        return len(judged)  # the last is the best

    monkeypatch.setattr(torch.optim, "AdamW", Watched)
    fit(model, split, replace(QUICK, epochs=3, ema_decay=0.9), validate=validate, progress=False)
    mean, wanted = steps[0], []
    for step, weights in enumerate(steps, start=1):
        mean = weights if step == 1 else 0.9 * mean + 0.1 * weights
        if step % (len(steps) // 3) == 0:
            wanted.append(mean)
    for got, want in zip([*judged, model.embedding.weight.detach()], [*wanted, wanted[-1]], strict=True):
        torch.testing.assert_close(got, want)
    assert not torch.allclose(judged[-1], steps[-1])


def test_a_model_can_be_trained_on_with_a_running_mean():
    material = make_material()
    model = variants.build(variants.VARIANTS["llm_emb"], material, BACKBONE, 0)  # it remembers its last step
    for _ in range(2):
        fit(model, material.split, replace(TRAIN, ema_decay=0.9), progress=False)


def test_item_dropout_belongs_to_training_alone():
    split = cycle_split()
    model, plain = build(split), build(split)
    report = fit(model, split, replace(QUICK, item_dropout=0.5), progress=False)
    before = fit(plain, split, QUICK, progress=False)
    assert report.loss[-1] > 2 * before.loss[-1]  # half of the time the item that says it all is hidden
    assert mrr(model, split) > 0.9


def test_cloze_hides_what_it_asks_for_and_always_asks():
    split = cycle_split()
    model = build(split, "bert4rec").eval()
    table = model.item_table()
    items = torch.tensor([[3, 4, 5, 6], [7, 8, 0, 0], [9, 0, 0, 0]]).repeat(20, 1)
    hidden, targets = objectives.predictions(model, table, items, torch.Generator().manual_seed(0), 0.3)
    assert (targets > 0).all() and len(targets) >= len(items)
    changed = table.clone()
    changed[9] *= -1  # rows that ask for item 9 hide it, so its own vector must not matter
    again, _ = objectives.predictions(model, changed, items, torch.Generator().manual_seed(0), 0.3)
    torch.testing.assert_close(again[targets == 9], hidden[targets == 9])


def test_cloze_asks_for_the_end_of_every_beginning_and_shows_nothing_behind_it():
    model = build(cycle_split(), "bert4rec").eval()
    table = model.item_table()
    items = torch.tensor([[3, 4, 5, 6, 0]]).repeat(30, 1)
    never = 0.0  # the lot hides nothing, so that each row is a beginning of the history
    hidden, targets = objectives.predictions(model, table, items, torch.Generator().manual_seed(0), never)
    assert set(targets.tolist()) == {4, 5, 6}
    changed = table.clone()
    changed[5:] *= -1
    again, _ = objectives.predictions(model, changed, items, torch.Generator().manual_seed(0), never)
    early = targets == 4
    torch.testing.assert_close(again[early], hidden[early])
    assert not torch.isclose(again[~early], hidden[~early]).all(1)[targets[~early] == 6].any()  # 5 is in sight there


def step_loss(model, split, items, seed=0, **settings):
    step = objectives.Step(model, np.asarray(split.train_counts), TrainSettings(**settings), torch.device("cpu"))
    return step(items, torch.Generator().manual_seed(seed))[0].item()


def test_sampled_softmax_with_every_item_drawn_is_the_full_softmax_and_fewer_come_close():
    split = cycle_split()
    model = build(split).eval()
    items = torch.tensor([[3, 4, 5, 6], [7, 8, 9, 0]])
    full = step_loss(model, split, items)

    def sampled(negatives, seed=0):
        return step_loss(model, split, items, seed, loss="sampled", negatives=negatives)

    assert sampled(100_000) == pytest.approx(full, abs=1e-3)
    estimate = np.mean([sampled(4, seed) for seed in range(200)])
    assert abs(estimate - full) < 0.06  # without the correction it is three times as far off


@pytest.mark.parametrize("name", ["sasrec", "bert4rec"])
@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_learns_what_can_be_learned(loss, name):
    split = cycle_split()
    model = build(split, name)
    before = mrr(model, split)
    report = fit(model, split, replace(QUICK, loss=loss, negatives=4), progress=False)
    assert report.loss[-1] < 0.8 * report.loss[0]
    assert mrr(model, split) > max(0.6, 1.5 * before)


def test_gbce_with_t_zero_is_bce_and_with_more_it_weighs_what_came_less():
    split = cycle_split()
    model = build(split).eval()
    items = torch.tensor([[3, 4, 5, 6], [7, 8, 9, 0]])
    bce = step_loss(model, split, items, loss="bce", negatives=3)
    same = step_loss(model, split, items, loss="gbce", negatives=3, gbce_t=0.0)
    assert same == pytest.approx(bce)
    assert step_loss(model, split, items, loss="gbce", negatives=3, gbce_t=1.0) < bce


@pytest.mark.parametrize("settings", [dict(loss="bce", negatives=8), dict(loss="gbce", negatives=8, gbce_t=0.5)])
def test_binary_losses_start_at_the_best_constant_score(settings):
    split = cycle_split()
    model = build(split)
    with torch.no_grad():
        model.embedding.weight.zero_()  # all scores are zero
    items = torch.arange(1, 9)[None]

    def loss(constant):
        model.bias = torch.nn.Parameter(torch.full((split.n_items + 1,), constant))
        return step_loss(model, split, items, **settings)

    assert loss(0.0) < min(loss(-0.2), loss(0.2))


@pytest.mark.parametrize("loss", LOSSES)
def test_not_again_teaches_that_nothing_is_taken_twice(loss):
    split = cycle_split()

    def own_items_above_others(**changes):
        model = build(split)
        fit(model, split, replace(QUICK, epochs=8, loss=loss, negatives=4, **changes), progress=False)
        items = torch.tensor([[1, 2, 3, 4, 5, 6]])
        scores = model.scores(model.user(model.item_table(), items), model.item_table())[0]
        return float((scores[1:7].max() - scores[7]).detach())

    assert own_items_above_others(history_loss_weight=5.0) < min(0, own_items_above_others() - 0.2)


def test_softmax_leaves_out_items_that_training_never_saw():
    users, items = np.repeat(np.arange(20), 5), np.tile([1, 2, 3, 4, 5], 20)
    split = Interactions.from_columns(users, items, np.tile(np.arange(5), 20), 9).leave_one_out()
    model = build(split).eval()  # no dropout: the loss can be checked to the last digits
    step = objectives.Step(model, np.asarray(split.train_counts), TrainSettings(), torch.device("cpu"))
    assert step.known.tolist() == [1, 2, 3]
    loss, _, n = step(torch.tensor([[1, 2, 3]]), torch.Generator())
    everything = model.item_table()
    hidden = model.backbone(F.embedding(torch.tensor([[1, 2]]), everything), torch.ones(1, 2).bool())[0]
    want = F.cross_entropy(hidden @ everything[1:4].T, torch.tensor([1, 2]))
    assert n == 2
    torch.testing.assert_close(loss, want)


def test_long_histories_are_cut_so_that_every_event_is_predicted_once():
    pieces = fit_module._histories(Sequences.from_lists([list(range(1, 12)), [5, 6]]), 4)
    assert all(len(piece) <= 4 for piece in pieces)
    pairs = [(int(a), int(b)) for piece in pieces for a, b in itertools.pairwise(piece)]
    assert sorted(pairs) == sorted([*itertools.pairwise(range(1, 12)), (5, 6)])


def test_training_stops_when_its_time_is_up_and_its_learning_rate_has_fallen_by_then():
    split = cycle_split()
    rates = []

    class Watched(torch.optim.AdamW):
        def step(self, *args, **kwargs):
            rates.append(self.param_groups[0]["lr"])
            return super().step(*args, **kwargs)

    settings = replace(QUICK, epochs=100_000, patience=100_000, max_seconds=1.0)
    began = time.perf_counter()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.optim, "AdamW", Watched)
        report = fit(build(split), split, settings, progress=False)
    assert time.perf_counter() - began < 10
    assert 1 <= len(report.loss) < 100_000
    assert rates[0] < 0.5 * max(rates) and rates[-1] < 0.5 * max(rates) and max(rates) <= settings.learning_rate


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "epochs"),
        ({"loss": "hinge"}, "'hinge'.*ce, sampled, bce, gbce"),
        ({"negatives": 0}, "negatives"),
        ({"gbce_t": 1.5}, "gbce_t"),
        ({"max_seconds": 0.0}, "max_seconds"),
        ({"history_loss_weight": -1.0}, "history_loss_weight"),
        ({"ema_decay": 1.0}, "ema_decay must be at least 0 and below 1, got 1.0"),
        ({"item_dropout": 1.0}, "item_dropout must be at least 0 and below 1, got 1.0"),
        ({"patience": 0}, "patience must be at least 1, got 0"),
        ({"max_grad_norm": 0}, "max_grad_norm must be positive, got 0"),
        ({"max_grad_norm": np.nan}, "max_grad_norm must be positive, got nan"),
        ({"warmup": -1}, "warmup must be at least 0 and below 1, got -1"),
        ({"warmup": 1.0}, "warmup"),
        ({"weight_decay": -0.1}, "weight_decay"),
        ({"learning_rate": np.nan}, "learning_rate must be positive, got nan"),
        ({"mask_probability": 1.0}, "mask_probability"),
        ({"mixed_precision": "half"}, "'half'.*no, bf16, fp16"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes, message):
    split = cycle_split()
    with pytest.raises(SettingsError, match=message):
        fit(build(split), split, TrainSettings(**changes), progress=False)


@pytest.mark.parametrize("name", ["history_loss_weight", "item_dropout"])
def test_what_a_causal_backbone_needs_is_refused_by_others(name):
    split = cycle_split()
    with pytest.raises(SettingsError, match=f"{name}.*causal"):
        fit(build(split, "bert4rec"), split, replace(QUICK, **{name: 0.1}), progress=False)


def test_what_is_just_allowed_trains():
    split = cycle_split()
    model = build(split)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    edge = TrainSettings(
        epochs=1, batch_size=1, warmup=0.0, weight_decay=0.0, patience=1, max_grad_norm=np.inf, negatives=1,
        max_seconds=1e-9,
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
