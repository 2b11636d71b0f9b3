"""A training that is interrupted anywhere goes on as if it had not been, and never goes on with another training."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from helpers.small_material import make_material
from safetensors.torch import load_file

from dmesr_core.data.interactions import Interactions
from dmesr_core.errors import DataError, SettingsError
from dmesr_core.experiments.material import Material
from dmesr_core.experiments.variants import VARIANTS, Variant, build
from dmesr_core.features.item_features import Features
from dmesr_core.models.backbones import BackboneSettings
from dmesr_core.training import fit as fit_module
from dmesr_core.training.checkpoint import Checkpoint, training_identity
from dmesr_core.training.fit import fit
from dmesr_core.training.settings import TrainSettings

SIZES = BackboneSettings(width=16, max_len=8)
SETTINGS = TrainSettings(epochs=3, batch_size=16)
DMESR = Variant("dmesr")


def run(folder, material=None, sizes=SIZES, settings=SETTINGS, variant=DMESR, seed=0):
    material = material or make_material()
    model = build(variant, material, sizes, seed)
    return model, fit(model, material.split, settings, checkpoint=folder, progress=False)


def same(model, weights):
    return all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())


class Died(Exception):
    pass


def dies_at(patch, write):
    """Make write number `write` to the disk fail when the new file is complete and not yet in its place."""
    writes, replace_file = iter(range(1_000)), Path.replace

    def unreliable(path, target):
        if next(writes) == write:
            raise Died
        return replace_file(path, target)

    patch.setattr(Path, "replace", unreliable)


@pytest.mark.parametrize("write", range(6))  # two files, three epochs
def test_a_process_that_dies_while_it_writes_loses_an_epoch_at_most(tmp_path, write):
    whole, want = run(None)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Died):
        dies_at(patch, write)
        run(tmp_path)
    resumed, got = run(tmp_path, seed=7 if write else 0)  # before the first file there is nothing to go on from
    assert (got.loss, got.valid, got.best_epoch) == (want.loss, want.valid, want.best_epoch)
    assert same(resumed, whole.state_dict()) and same(whole, load_file(tmp_path / "best.safetensors"))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["best.safetensors", "state.pt"]


def test_a_finished_training_is_read_and_what_it_hands_out_is_repaired(tmp_path):
    whole, want = run(tmp_path)
    best = tmp_path / "best.safetensors"
    best.write_bytes(best.read_bytes()[:100])
    again, got = run(tmp_path, seed=7)
    assert got.loss == want.loss and same(again, whole.state_dict()) and same(whole, load_file(best))


def other_histories(material):
    train_ = material.split.train
    other = replace(train_, shared_items=train_.items[::-1].copy())
    return replace(material, split=replace(material.split, train=other))


def other_cases(material):
    valid = material.split.valid
    return replace(material, split=replace(material.split, valid=replace(valid, targets=np.roll(valid.targets, 1))))


def other_features(material):
    coarse = material.features.coarse_text.copy()
    coarse[3, 2] += 1
    return replace(material, features=replace(material.features, coarse_text=coarse))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        (dict(settings=replace(SETTINGS, epochs=4)), "epochs"),
        (dict(material=other_histories(make_material())), "training histories"),
        (dict(material=other_cases(make_material())), "validation cases"),
        (dict(material=other_features(make_material())), "features and known items"),
        (dict(sizes=replace(SIZES, width=32)), "model"),
        (dict(sizes=replace(SIZES, heads=4)), "model"),  # weights of the same shapes
        (dict(variant=Variant("dmesr", {"alpha": 0.5})), "model"),
        (dict(variant=Variant("dmesr", {"views": ("text",), "dropout": 0.2})), "model, features and known items"),
    ],
)
def test_another_training_is_refused_and_what_differs_is_named(tmp_path, changes, named):
    run(tmp_path)
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(SettingsError, match=rf"other settings or data \({named}\): use another folder, or delete it"):
        run(tmp_path, **changes)
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_more_items_are_another_training(tmp_path):
    split = make_material().split
    run(tmp_path, variant=Variant("id"))
    grown = replace(split, n_items=split.n_items + 1, train_counts=np.append(split.train_counts, 0))
    with pytest.raises(SettingsError, match="number of items"):
        run(tmp_path, Material(grown), variant=Variant("id"))


def test_another_size_of_a_weight_is_another_model_even_if_nothing_else_tells():
    models = [torch.nn.ParameterList([torch.zeros(size)]) for size in (3, 3, 4)]
    first, same_, other = (training_identity(model, make_material().split, {})["model"] for model in models)
    assert first == same_ != other


def test_what_training_never_looks_at_may_change(tmp_path):
    material = make_material()
    whole, _ = run(tmp_path, material)
    test = material.split.test
    again, _ = run(tmp_path, replace(material, split=replace(material.split, test=replace(test, targets=test.users))))
    assert same(again, whole.state_dict())


@pytest.mark.parametrize("length", [0, 10, 2_000, -1])
def test_a_damaged_file_is_named(tmp_path, length):
    run(tmp_path)
    file = tmp_path / "state.pt"
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises(DataError, match=rf"state.pt: cannot be read.*damaged.*delete {tmp_path}"):
        run(tmp_path)


def test_a_file_by_another_version_is_not_taken_for_ours_and_nothing_in_it_is_run(tmp_path):
    torch.save({"epoch": 1}, tmp_path / "state.pt")
    with pytest.raises(DataError, match="another version"):
        run(tmp_path)
    torch.save({"training_identity": Died()}, tmp_path / "state.pt")  # an object of a class that is not torch's own
    with pytest.raises(DataError, match="UnpicklingError"):
        run(tmp_path)


def test_settings_from_numpy_are_as_good_as_others(tmp_path):
    of_numpy = dict(learning_rate=np.float64(0.01), weight_decay=np.float64(0.5), epochs=np.int64(3))
    _, want = run(tmp_path, settings=replace(SETTINGS, **of_numpy))
    _, got = run(tmp_path, settings=replace(SETTINGS, learning_rate=0.01, weight_decay=0.5))
    assert got.loss == want.loss


def test_a_gradient_scaler_goes_on_with_its_scale(tmp_path, monkeypatch):
    """fp16 needs a GPU; its scaler does not."""

    def with_scaler(precision):
        accelerator = Accelerator(mixed_precision=precision)
        # A scale that soon is so large that steps are left out: a training with another scale is another training.
        accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**126, growth_interval=2)
        return accelerator

    monkeypatch.setattr(fit_module, "make_accelerator", with_scaler)
    settings = replace(SETTINGS, epochs=6, patience=6)
    whole, want = run(None, settings=settings)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Died):
        dies_at(patch, 5)
        run(tmp_path, settings=settings)
    resumed, got = run(tmp_path, settings=settings)
    assert got.loss == want.loss and same(resumed, whole.state_dict())
    scale = torch.load(tmp_path / "state.pt", weights_only=True)["parts"]["scaler"]["scale"]
    assert scale != 2.0**126


def test_generators_of_gpus_are_kept_as_far_as_there_are_gpus(tmp_path, monkeypatch):
    states, restored = [torch.arange(4, dtype=torch.uint8), torch.arange(5, dtype=torch.uint8)], []
    monkeypatch.setattr(torch.cuda, "get_rng_state_all", lambda: states)
    monkeypatch.setattr(torch.cuda, "set_rng_state_all", restored.extend)
    saved = Checkpoint(tmp_path, {}, {}, torch.Generator())
    saved.save(1, 0.5, {}, {})
    for gpus in (2, 1, 0):
        restored.clear()
        monkeypatch.setattr(torch.cuda, "device_count", lambda gpus=gpus: gpus)
        saved.load()
        assert [state.tolist() for state in restored] == [state.tolist() for state in states[:gpus]]


def test_nothing_is_kept_without_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(None)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["raw", "llm_esr", "llm_emb", "dmesr"])
def test_the_number_of_threads_is_not_another_training(kind):
    """What is learned from a catalogue is rounded otherwise by two threads: still the same training."""
    rng, n = np.random.default_rng(0), 300
    log = Interactions.from_columns(np.repeat(np.arange(200), 8), rng.integers(1, n + 1, 1600), np.arange(1600), n)
    coarse, mask = rng.normal(size=(2, n + 1, 160)).astype(np.float32), np.ones((n + 1, 6), bool)
    fine, empty = rng.normal(size=(n + 1, 6, 160)).astype(np.float16), [""] * (n + 1)
    material = Material(log.leave_one_out(), Features(*coarse, fine, mask, empty, empty, [[]] * (n + 1), {}))
    threads, found = torch.get_num_threads(), []
    try:
        for number in (1, 2, 3):
            torch.set_num_threads(number)
            model = build(VARIANTS[kind], material, SIZES, 0)
            found.append(training_identity(model, material.split, {}))
    finally:
        torch.set_num_threads(threads)
    assert found[0] == found[1] == found[2]
