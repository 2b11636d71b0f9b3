"""Variants: every row of the table can be built and trained, and looks at no more than it says."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.small_material import BACKBONE, TRAIN, N, make_material

from dmesr_core.errors import SettingsError
from dmesr_core.experiments.material import Material
from dmesr_core.experiments.run import run
from dmesr_core.experiments.variants import KINDS, VARIANTS, Variant, build, needs_of
from dmesr_core.models.backbones import BACKBONES
from dmesr_core.models.dmesr_settings import PLAIN, DMESRSettings


@pytest.mark.parametrize("name", list(VARIANTS))
def test_every_row_of_the_table_can_be_trained(name):
    row = run(name, VARIANTS[name], make_material(), BACKBONE, TRAIN, None)
    assert row.result().per_case["ndcg@10"].shape == (40,)
    if name != "popularity":
        assert len(row.report["loss"]) == 2 and row.parameters > 0
    assert "full catalogue of 12 items" in row.protocols["full"]


def test_ours_in_chapter_9_is_the_default_of_the_package():
    assert DMESRSettings(**(PLAIN | VARIANTS["dmesr_views"].changes)) == DMESRSettings()
    assert DMESRSettings(**(PLAIN | VARIANTS["dmesr"].changes)) == DMESRSettings(**PLAIN) != DMESRSettings()


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_seed_decides_the_first_weights(kind):
    first, again, other = (
        build(Variant(kind), make_material(), BACKBONE, seed).eval().item_table() for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert first.shape[0] == N + 1 and not first[0].any()
    assert not torch.equal(first, other)


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("backbone", list(BACKBONES))
def test_whether_items_have_a_bias_is_up_to_the_backbone(kind, backbone):
    """Else a comparison of two variants would be of two things at once."""
    model = build(Variant(kind), make_material(), replace(BACKBONE, name=backbone), 0)
    assert (model.bias is not None) == (backbone == "bert4rec")


@pytest.mark.parametrize("kind", list(KINDS))
def test_what_a_variant_does_not_need_can_be_left_out_and_changes_nothing(kind):
    material, variant = make_material(), Variant(kind)
    needs = needs_of(variant)
    bare = Material(
        material.split,
        material.features if "features" in needs else None,
        material.facts if "facts" in needs else None,
    )
    assert bare.hashes(needs) == material.hashes(needs)
    tables = [build(variant, m, BACKBONE, 0).eval().item_table() for m in (material, bare)]
    assert torch.equal(*tables)


@pytest.mark.parametrize("kind", ["raw", "dmesr", "llm_esr", "llm_emb"])
def test_other_features_are_other_data(kind):
    material = make_material()
    features = replace(
        material.features, fine=material.features.fine + np.float16(1), coarse_text=material.features.coarse_text + 1
    )
    needs = needs_of(Variant(kind))
    assert replace(material, features=features).hashes(needs) != material.hashes(needs)


@pytest.mark.parametrize("field", ["texts", "descriptions_picture"])
def test_other_words_are_other_data(field):
    material = make_material()
    features = replace(material.features, **{field: [*getattr(material.features, field)[:-1], "another word"]})
    needs = needs_of(Variant("words"))
    assert replace(material, features=features).hashes(needs) != material.hashes(needs)


def test_a_mixture_on_facts_has_a_softmax_for_what_is_seen_and_one_for_what_is_read():
    material = replace(make_material(), fact_views=((0, 1, 2), (2, 3, 4, 5)))
    model = build(Variant("facts", {"mixture": True}), material, BACKBONE, 0).eval()
    whole, seen, read = model.item_table().chunk(3, dim=1)
    weight = model.projection.weight
    torch.testing.assert_close(seen[1:], torch.as_tensor(material.facts)[1:, :3] @ weight[:, :3].T)
    torch.testing.assert_close(read[1:], torch.as_tensor(material.facts)[1:, 2:6] @ weight[:, 2:6].T)
    plain = build(Variant("facts"), material, BACKBONE, 0).eval()
    assert plain.item_table().shape == whole.shape


def test_another_split_is_other_data():
    assert make_material(0).fingerprint == make_material(0).fingerprint
    assert len({make_material(0).fingerprint, make_material(1).fingerprint, make_material(0, "time").fingerprint}) == 3


def test_what_cannot_be_built_is_refused_by_name():
    material = make_material()
    with pytest.raises(SettingsError, match="only the Bazaar"):
        build(VARIANTS["fact_oracle"], replace(material, facts=None), BACKBONE, 0)
    with pytest.raises(SettingsError, match="needs features"):
        build(VARIANTS["raw"], replace(material, features=None), BACKBONE, 0)
    with pytest.raises(SettingsError, match="'cnn'.*llm_esr"):
        build(Variant("cnn"), material, BACKBONE, 0)
    with pytest.raises(SettingsError, match="no model"):
        build(VARIANTS["popularity"], material, BACKBONE, 0)
