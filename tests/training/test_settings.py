"""Training settings check themselves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.cycle_world import QUICK, build, cycle_split

from dmesr_core.errors import SettingsError
from dmesr_core.training.fit import fit
from dmesr_core.training.settings import TrainSettings


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "epochs"),
        ({"loss": "hinge"}, "'hinge'.*ce, sampled, bce, gbce"),
        ({"negatives": 0}, "negatives"),
        ({"gbce_t": 1.5}, "gbce_t"),
        ({"history_loss_weight": -1.0}, "history_loss_weight"),
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
    with pytest.raises(SettingsError, match=message):
        TrainSettings(**changes)


@pytest.mark.parametrize("name", ["history_loss_weight", "item_dropout"])
def test_what_a_causal_backbone_needs_is_refused_by_others(name):
    split = cycle_split()
    with pytest.raises(SettingsError, match=f"{name}.*causal"):
        fit(build(split, "bert4rec"), split, replace(QUICK, **{name: 0.1}), progress=False)


@pytest.mark.parametrize("changes", [{"loss": "bce"}, {"loss": "gbce"}, {"history_loss_weight": 0.1}])
def test_a_mixture_is_not_trained_with_losses_of_single_scores(changes):
    settings = TrainSettings(**changes)
    settings.check_backbone("next", 1)
    with pytest.raises(SettingsError, match="a mixture of softmaxes is trained with loss 'ce' or 'sampled'"):
        settings.check_backbone("next", 3)
    TrainSettings(loss="sampled").check_backbone("next", 3)
