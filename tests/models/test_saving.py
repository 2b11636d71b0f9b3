"""Saved models: the same scores after a round trip, and a reason for every folder that is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers.small_models import KINDS, N, make_catalogue, make_features, make_split, scores_by_id, trained
from safetensors.torch import load_file, save_file

from dmesr_core.errors import DataError, SettingsError
from dmesr_core.models.backbones import BACKBONES, Backbone, BackboneSettings, register_backbone
from dmesr_core.models.dmesr import DMESR
from dmesr_core.models.id_recommender import IDRecommender
from dmesr_core.models.recommender import Recommender
from dmesr_core.training.fit import fit
from dmesr_core.training.settings import TrainSettings

HISTORY = ["item-ab", "item-ad", "item-aa"]
EVERY = [(kind, "sasrec") for kind in KINDS] + [
    (kind, backbone) for kind in ("id", "llm_esr", "dmesr", "two_towers") for backbone in ("gru4rec", "bert4rec")
]


@pytest.mark.parametrize(("kind", "backbone"), EVERY)
def test_a_loaded_model_gives_the_same_scores_to_the_last_bit(kind, backbone, tmp_path):
    model = trained(kind, backbone)
    model.save(tmp_path / "kept")
    loaded = Recommender.load(tmp_path / "kept")
    assert type(loaded) is type(model) and not loaded.training
    assert loaded.names() == model.names()
    threads = torch.get_num_threads()
    try:
        for n in (1, 2, 3):
            torch.set_num_threads(n)
            assert torch.equal(loaded.item_table(), model.item_table())
            got, want = (m.recommend([HISTORY, HISTORY[:1]], k=N, exclude_seen=False) for m in (loaded, model))
            assert got.equals(want)
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("kind", ["id", "dmesr"])
def test_another_process_gives_the_same_scores(kind, tmp_path):
    model = trained(kind)
    model.save(tmp_path / "kept")
    code = (
        f"from dmesr_core import Recommender; m = Recommender.load({str(tmp_path / 'kept')!r}); "
        f"print(m.recommend({HISTORY!r}, k=9)[['item', 'title', 'score']].to_json(double_precision=15))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    want = model.recommend(HISTORY, k=9)[["item", "title", "score"]]
    assert json.loads(found.stdout) == json.loads(want.to_json(double_precision=15))


def test_a_loaded_model_can_be_trained_on(tmp_path):
    model = trained("dmesr")
    model.save(tmp_path / "kept")
    split, settings = make_split(make_catalogue()), TrainSettings(epochs=2, batch_size=16)
    reports = [fit(m, split, settings, progress=False) for m in (model, DMESR.load(tmp_path / "kept"))]
    assert reports[0].loss == reports[1].loss


def test_what_is_written_can_be_read_without_this_package(tmp_path):
    model = trained("dmesr")
    model.save(tmp_path / "kept")
    files = sorted(file.name for file in (tmp_path / "kept").iterdir())
    assert files == ["items.json", "items.safetensors", "model.json", "weights.safetensors"]
    head = json.loads((tmp_path / "kept" / "model.json").read_text())
    assert head["kind"] == "dmesr" and head["format"] == 1
    assert head["config"]["settings"]["backbone"]["name"] == "sasrec"
    assert {"python", "torch", "dmesr"} <= set(head["versions"])
    names = json.loads((tmp_path / "kept" / "items.json").read_text())
    assert names["ids"][:2] == ["item-aa", "item-ab"] and names["titles"][0] == "Title of item-aa"
    assert load_file(tmp_path / "kept" / "items.safetensors")["known"].shape == (N + 1,)


def test_a_second_save_takes_the_place_of_the_first(tmp_path):
    first, second = trained("id"), trained("dmesr")
    first.save(tmp_path / "kept")
    second.save(tmp_path / "kept")
    assert scores_by_id(DMESR.load(tmp_path / "kept"), HISTORY) == scores_by_id(second, HISTORY)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_a_save_that_fails_leaves_the_old_model(tmp_path, monkeypatch):
    model = trained("id")
    model.save(tmp_path / "kept")
    monkeypatch.setattr("dmesr_core.models.saving.write_json", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        trained("dmesr").save(tmp_path / "kept")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert isinstance(IDRecommender.load(tmp_path / "kept"), IDRecommender)


def test_nothing_but_a_saved_model_is_replaced(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    with pytest.raises(SettingsError, match="exists and is no saved model"):
        trained("id").save(tmp_path / "thesis")
    with pytest.raises(SettingsError, match="exists and is no saved model"):
        trained("id").save(tmp_path / "thesis" / "chapter.txt")
    trained("id").save(tmp_path / "kept")
    (tmp_path / "kept" / "notes.txt").write_text("mine")
    with pytest.raises(SettingsError, match="other files beside a saved model .notes.txt."):
        trained("id").save(tmp_path / "kept")
    assert (tmp_path / "kept" / "notes.txt").read_text() == "mine"


def test_a_model_of_another_kind_is_refused(tmp_path):
    trained("id").save(tmp_path / "kept")
    with pytest.raises(SettingsError, match=r"holds a model of class IDRecommender, not DMESR: IDRecommender.load or"):
        DMESR.load(tmp_path / "kept")


def edit_head(folder: Path, **changes) -> None:
    head = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(head | changes))


def damage(folder: Path, how: str) -> None:
    if how == "newer":
        edit_head(folder, format=99)
    elif how == "foreign":
        (folder / "model.json").write_text('{"model_type": "bert"}')
    elif how == "half":
        (folder / "model.json").write_text((folder / "model.json").read_text()[:80])
    elif how == "strange kind":
        edit_head(folder, kind="oracle")
    elif how == "unknown setting":
        head = json.loads((folder / "model.json").read_text())
        head["config"]["settings"]["wings"] = 2
        edit_head(folder, config=head["config"])
    elif how == "cut weights":
        file = folder / "weights.safetensors"
        file.write_bytes(file.read_bytes()[:-8])
    elif how == "no weights":
        (folder / "weights.safetensors").unlink()
    elif how == "other rows":
        rows = load_file(folder / "items.safetensors")
        save_file({name: rows[name].clone() for name in rows if name == "known"}, folder / "items.safetensors")
    elif how == "no head":
        (folder / "model.json").unlink()


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("newer", "in a newer format .99.: upgrade this package"),
        ("foreign", "model.json: not written by this package, or damaged"),
        ("half", "model.json: not written by this package, or damaged"),
        ("unknown setting", "does not fit this version of the package .it was saved by dmesr .*wings"),
        ("cut weights", "weights.safetensors: the file was changed or damaged"),
        ("no weights", "weights.safetensors: the file is missing"),
        ("other rows", "items.safetensors: the file was changed or damaged"),
        ("no head", "there is no model.json, so this is no saved model"),
    ],
)
def test_a_folder_that_cannot_be_read_is_refused_with_a_reason(how, message, tmp_path):
    trained("dmesr").save(tmp_path / "kept")
    damage(tmp_path / "kept", how)
    with pytest.raises(DataError, match=message):
        DMESR.load(tmp_path / "kept")


def test_what_is_not_there_or_not_known(tmp_path):
    with pytest.raises(DataError, match="nowhere: there is no such folder"):
        DMESR.load(tmp_path / "nowhere")
    trained("id").save(tmp_path / "kept")
    damage(tmp_path / "kept", "strange kind")
    with pytest.raises(SettingsError, match="kind 'oracle': import the module that defines it first"):
        Recommender.load(tmp_path / "kept")


def test_a_backbone_of_ones_own_must_be_registered_before_loading(tmp_path, monkeypatch):
    monkeypatch.setattr("dmesr_core.models.backbones.BACKBONES", dict(BACKBONES))

    @register_backbone("mine")
    class Mine(Backbone):
        objective, item_bias = "next", True

        def __init__(self, settings):
            super().__init__()
            self.out = torch.nn.Linear(settings.width, settings.width)

        def forward(self, x, mask):
            return self.out(x)

    catalogue = make_catalogue()
    model = IDRecommender.build(make_split(catalogue), BackboneSettings("mine", width=16))
    model.save(tmp_path / "kept")
    assert torch.equal(Recommender.load(tmp_path / "kept").item_table(), model.item_table())
    monkeypatch.undo()
    with pytest.raises(SettingsError, match="kept: unknown backbone 'mine'.*register"):
        Recommender.load(tmp_path / "kept")


def test_no_file_of_a_saved_model_is_a_pickle(tmp_path):
    trained("llm_emb").save(tmp_path / "kept")
    for file in (tmp_path / "kept").iterdir():
        assert file.suffix in (".json", ".safetensors")
    source = Path(sys.modules["dmesr_core.models.saving"].__file__).read_text()
    assert "torch.load(" not in source.replace("safetensors.torch.load(", "") and "import pickle" not in source


def test_features_in_another_order_make_the_same_model():
    catalogue = make_catalogue()
    shuffled = make_features(catalogue.subset([3, 1, 2, *range(15, 3, -1)]))
    split = make_split(catalogue)
    one, other = DMESR.build(make_features(catalogue), split), DMESR.build(shuffled, split)
    assert torch.equal(one.eval().item_table(), other.eval().item_table())


@pytest.mark.parametrize("device", ["gpu9", "cuda:77", ""])
def test_a_device_that_is_not_there(device, tmp_path):
    trained("id").save(tmp_path / "mine")
    if not device:
        assert Recommender.load(tmp_path / "mine", device).known.device.type == "cpu"
        return
    with pytest.raises(SettingsError, match=f"device '{device}': unknown, or this machine cannot use it"):
        Recommender.load(tmp_path / "mine", device)
