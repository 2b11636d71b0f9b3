"""A backbone that lacks something, or gives a wrong shape, is refused with a sentence that says what."""

from __future__ import annotations

import pytest
import torch

from dmesr_core.errors import SettingsError
from dmesr_core.models.backbones import BACKBONES, Backbone, BackboneSettings, make_backbone, register_backbone


@pytest.fixture
def register(monkeypatch):
    """Registers a class of one method, or none, under the name "mine"; it is forgotten after the test."""
    monkeypatch.setattr("dmesr_core.models.backbones.BACKBONES", dict(BACKBONES))

    def with_methods(objective="next", **methods):
        def start(self, settings):
            super(Backbone, self).__init__()
            self.weight = torch.nn.Parameter(torch.randn(settings.width))

        methods = {"__init__": start, **methods}
        return register_backbone("mine")(
            type("Mine", (Backbone,), {"objective": objective, "item_bias": False, **methods})
        )

    return with_methods


def test_a_backbone_without_its_methods_is_refused_when_registered(register):
    with pytest.raises(SettingsError, match=r"Mine has no method forward\(x, mask\)"):
        register()
    with pytest.raises(SettingsError, match=r"Mine has no method mask_vector\(\), which a cloze backbone needs"):
        register("cloze", forward=lambda self, x, mask: x)
    register("cloze", forward=lambda self, x, mask: x, mask_vector=lambda self: self.weight)
    assert make_backbone(BackboneSettings("mine", width=4)).objective == "cloze"


def test_something_else_than_a_backbone_is_refused_when_registered():
    for other in (torch.nn.Linear, lambda settings: None):
        with pytest.raises(SettingsError, match="is no subclass of Backbone"):
            register_backbone("mine")(other)


@pytest.mark.parametrize("head", [False, True])
@pytest.mark.parametrize(
    ("forward", "found"),
    [
        (lambda self, x, mask: x[:, -1], r"\(2, 8\)"),
        (lambda self, x, mask: x[..., :4], r"\(2, 3, 4\)"),
        (lambda self, x, mask: x.transpose(0, 1), r"\(3, 2, 8\)"),
        (lambda self, x, mask: (x, mask), "a tuple"),
        (lambda self, x, mask: None, "a NoneType"),
    ],
)
def test_a_prediction_of_the_wrong_shape_is_refused_when_built(register, forward, found, head):
    register(forward=forward)
    with pytest.raises(SettingsError, match=rf"Mine.forward gave {found} for .*\(2, 3, 8\)"):
        make_backbone(BackboneSettings("mine", width=8, head=head))


def test_a_mask_vector_of_the_wrong_shape_is_refused_when_built(register):
    register("cloze", forward=lambda self, x, mask: x, mask_vector=lambda self: self.weight[None])
    with pytest.raises(SettingsError, match=r"Mine.mask_vector gave \(1, 8\), wanted .*\(8,\)"):
        make_backbone(BackboneSettings("mine", width=8))


def test_an_error_in_a_forward_says_where_it_was_and_stays_visible(register):
    register(forward=lambda self, x, mask: x @ x)
    with pytest.raises(SettingsError, match=r"Mine.forward failed .*\(2, 3, 8\).*: ") as caught:
        make_backbone(BackboneSettings("mine", width=8))
    assert isinstance(caught.value.__cause__, RuntimeError)


@pytest.mark.parametrize("objective", [None, "first"])
def test_an_objective_that_does_not_exist_is_refused(register, objective):
    with pytest.raises(SettingsError, match="Mine needs objective .'next' or 'cloze'. and item_bias"):
        register(objective, forward=lambda self, x, mask: x)


def test_the_check_of_a_new_backbone_draws_no_random_number(register):
    """Weights of the item table are drawn after the backbone: they must not depend on what the check draws."""
    register(forward=lambda self, x, mask: x + torch.randn_like(x))
    torch.manual_seed(0)
    torch.randn(8)
    wanted = torch.randn(3)
    torch.manual_seed(0)
    backbone = make_backbone(BackboneSettings("mine", width=8))
    torch.testing.assert_close(torch.randn(3), wanted)
    assert backbone.training  # as it was made


@pytest.mark.parametrize("max_len", [1, 2])
@pytest.mark.parametrize("name", list(BACKBONES))
def test_short_limits_are_no_error(name, max_len):
    assert make_backbone(BackboneSettings(name, width=8, max_len=max_len)).training
