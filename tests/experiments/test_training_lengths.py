"""How long trainings may take on different amounts of data."""

from __future__ import annotations

from dataclasses import replace

import pytest
from helpers.small_material import BACKBONE, TRAIN, make_material

from dmesr_core.experiments.run import run
from dmesr_core.experiments.training_lengths import TrainingLength, equally_long, training_lengths
from dmesr_core.experiments.variants import VARIANTS


@pytest.fixture(scope="module")
def record():
    return run("id_only", VARIANTS["id_only"], make_material(), BACKBONE, TRAIN, None)


def of(record, sequences: int, epochs: int, best: int, name: str = "id_only"):
    return replace(
        record, sizes=record.sizes | {"train_sequences": sequences}, train=record.train | {"epochs": epochs},
        report=record.report | {"best_epoch": best}, variant=record.variant | {"name": name},
    )  # fmt: skip


def test_steps_are_those_of_the_longest_training_and_last_epochs_are_counted(record):
    records = [
        of(record, 40, 2, 1), of(record, 40, 4, 1), of(record, 17, 8, 7), of(record, 40, 90, 0, "raw"),
        replace(of(record, 40, 50, 49), report={}),
    ]  # fmt: skip
    found = training_lengths(records, ("id_only",))  # 16 sequences a step
    assert found == {17: TrainingLength(16, 1, 1), 40: TrainingLength(12, 1, 2)}
    assert list(found) == [17, 40]


def test_within_five_percent_trainings_are_equally_long():
    assert equally_long({1: TrainingLength(100, 0, 1), 2: TrainingLength(105, 0, 1)})
    assert not equally_long({1: TrainingLength(100, 0, 1), 2: TrainingLength(106, 0, 1)})
