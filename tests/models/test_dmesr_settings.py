"""Settings of DMESR: what makes no sense is refused, with what would."""

import pytest

from dmesr_core.errors import SettingsError
from dmesr_core.models.dmesr_settings import PLAIN, DMESRSettings


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"views": ()}, "picture, text"),
        ({"views": ("sound",)}, "picture, text"),
        ({"views": ("text", "text")}, "picture, text"),
        ({"injection": "product"}, "'product'.*sum, mixture, concat, two_towers"),
        ({"words": True, "injection": "concat"}, "words need vectors of any length"),
        ({"unit": True, "injection": "sum", "id_embedding": True}, "words need vectors of any length"),
        ({"injection": "two_towers", "views": ("text",)}, "needs both views"),
        ({"alpha": -1.0}, "alpha must be 0 or more"),
        ({"items_per_step": 1}, "at least 2 items"),
        ({"id_share": 0.0}, "id_share must be above 0 and at most 1"),
        ({"id_share": 1.5}, "id_share must be above 0 and at most 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes, message):
    with pytest.raises(SettingsError, match=message):
        DMESRSettings(**changes)


def test_unit_vectors_need_a_sum_of_features_and_id():
    for wrong in ({"injection": "concat"}, {"injection": "sum", "id_embedding": False}, {}):
        with pytest.raises(SettingsError, match="unit vectors need injection 'sum' and an ID vector"):
            DMESRSettings(unit=True, **wrong)


@pytest.mark.parametrize(
    ("changes", "softmaxes"),
    [
        (PLAIN, 1),
        ({}, 3),
        ({"views": ("text",)}, 2),
        ({"words": False, "injection": "concat"}, 1),
    ],
)
def test_a_mixture_has_a_softmax_for_the_whole_item_and_one_for_each_view(changes, softmaxes):
    assert DMESRSettings(**changes).softmaxes == softmaxes
