"""Callbacks: the average of the weights, the time limit, and hooks of one's own."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.cycle_world import QUICK, build, cycle_split
from helpers.small_material import BACKBONE, TRAIN, make_material

from dmesr_core.errors import SettingsError
from dmesr_core.experiments import variants
from dmesr_core.training.callbacks import EMA, Callback, TimeLimit
from dmesr_core.training.fit import fit


def test_ema_validates_and_keeps_the_average_of_the_weights(monkeypatch):
    split = cycle_split()
    model = build(split)
    steps, validated = [], []

    class Watched(torch.optim.AdamW):
        def step(self, *args, **kwargs):
            done = super().step(*args, **kwargs)
            steps.append(model.embedding.weight.detach().clone())
            return done

    def validate(m):
        validated.append(m.embedding.weight.detach().clone())
        return len(validated)  # the last is the best

    monkeypatch.setattr(torch.optim, "AdamW", Watched)
    fit(model, split, replace(QUICK, epochs=3), callbacks=[EMA(0.9)], validate=validate, progress=False)
    mean, wanted = steps[0], []
    for step, weights in enumerate(steps, start=1):
        mean = weights if step == 1 else 0.9 * mean + 0.1 * weights
        if step % (len(steps) // 3) == 0:
            wanted.append(mean)
    for got, want in zip([*validated, model.embedding.weight.detach()], [*wanted, wanted[-1]], strict=True):
        torch.testing.assert_close(got, want)
    assert not torch.allclose(validated[-1], steps[-1])


def test_a_model_can_be_trained_on_with_an_ema():
    material = make_material()
    model = variants.build(variants.VARIANTS["llm_emb"], material, BACKBONE, 0)
    first, second = (fit(model, material.split, TRAIN, callbacks=[EMA(0.9)], progress=False) for _ in range(2))
    assert second.loss[0] < first.loss[0]  # it goes on from the averaged weights


def test_a_time_limit_ends_training_with_a_low_learning_rate():
    split = cycle_split()
    rates = []

    class Watched(torch.optim.AdamW):
        def step(self, *args, **kwargs):
            rates.append(self.param_groups[0]["lr"])
            return super().step(*args, **kwargs)

    settings = replace(QUICK, epochs=100_000, patience=100_000)
    began = time.perf_counter()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.optim, "AdamW", Watched)
        report = fit(build(split), split, settings, callbacks=[TimeLimit(1.0)], progress=False)
    assert time.perf_counter() - began < 10
    assert 1 <= len(report.loss) < 100_000
    assert rates[0] < 0.5 * max(rates) and rates[-1] < 0.5 * max(rates) and max(rates) <= settings.learning_rate


def test_a_time_limit_that_is_over_at_once_leaves_one_step():
    split, steps = cycle_split(), []

    class Count(Callback):
        def on_step(self, run):
            steps.append(run.schedule.get_last_lr())

    report = fit(build(split), split, QUICK, callbacks=[TimeLimit(1e-9), Count()], progress=False)
    assert len(steps) == 1 and len(report.valid) == 1


def test_hooks_are_called_in_order_and_named_in_the_report():
    split, calls = cycle_split(), []

    class Log(Callback):
        def on_setup(self, run):
            calls.append("setup")

        def on_start(self, run):
            calls.append("start")

        def on_epoch_start(self, run):
            calls.append("epoch")

        def on_step(self, run):
            calls.append("step")

    settings = replace(QUICK, epochs=2, batch_size=1000)
    report = fit(build(split), split, settings, callbacks=[Log()], progress=False)
    assert calls == ["setup", "start", "epoch", "step", "epoch", "step"]
    assert len(report.callbacks) == 1 and "Log" in report.callbacks[0]


def test_a_checkpoint_of_other_callbacks_is_refused(tmp_path):
    split, settings = cycle_split(), replace(QUICK, epochs=1)
    fit(build(split), split, settings, callbacks=[EMA(0.9)], checkpoint=tmp_path, progress=False)
    with pytest.raises(SettingsError, match="callbacks"):
        fit(build(split), split, settings, callbacks=[EMA(0.8)], checkpoint=tmp_path, progress=False)


@pytest.mark.parametrize("decay", [0.0, 1.0, -0.1, np.nan])
def test_a_decay_that_makes_no_sense_is_refused(decay):
    with pytest.raises(SettingsError, match="decay of an EMA must be above 0 and below 1"):
        EMA(decay)


@pytest.mark.parametrize("seconds", [0.0, -1.0, np.inf, np.nan])
def test_a_time_limit_that_makes_no_sense_is_refused(seconds):
    with pytest.raises(SettingsError, match="time limit must be positive"):
        TimeLimit(seconds)
