"""What every backbone must do: see no future, ignore padding, treat each user alone."""

import pytest
import torch

from dmesr_core.errors import SettingsError
from dmesr_core.models.backbones import BACKBONES, BackboneSettings, TwoTowers, make_backbone, register_backbone

SIZE = dict(width=16, max_len=10, layers=2, heads=2, dropout=0.3)


def build(name, wrap=False, head=False):
    torch.manual_seed(0)
    backbone = make_backbone(BackboneSettings(name, **SIZE, head=head)).eval()
    return TwoTowers(backbone).eval() if wrap else backbone


def history(lengths=(6, 3, 1), width=16):
    x = torch.randn(len(lengths), max(lengths), width, generator=torch.Generator().manual_seed(1))
    mask = torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None]
    return x * mask[..., None], mask


@pytest.mark.parametrize("head", [False, True])
@pytest.mark.parametrize("name", ["sasrec", "gru4rec"])
def test_causal_backbones_never_see_the_future(name, head):
    backbone, (x, mask) = build(name, head=head), history()
    changed = x.clone()
    changed[:, 3:] *= -2  # not a shift: layer norm would take it away
    torch.testing.assert_close(backbone(changed, mask)[:, :3], backbone(x, mask)[:, :3])
    assert (backbone(changed, mask)[0, 3:] - backbone(x, mask)[0, 3:]).abs().max() > 1e-3


def test_bert4rec_looks_both_ways():
    backbone, (x, mask) = build("bert4rec"), history()
    changed = x.clone()
    changed[0, 5] += torch.randn(16, generator=torch.Generator().manual_seed(4))
    assert (backbone(changed, mask)[0, 0] - backbone(x, mask)[0, 0]).abs().max() > 1e-4


@pytest.mark.parametrize("name", list(BACKBONES))
def test_padding_and_neighbours_change_nothing(name):
    backbone, (x, mask) = build(name), history()
    together = backbone(x, mask)
    for row, length in enumerate((6, 3, 1)):
        alone = backbone(x[row : row + 1, :length], mask[row : row + 1, :length])
        torch.testing.assert_close(together[row, :length], alone[0], atol=1e-5, rtol=1e-5)




@pytest.mark.parametrize("name", list(BACKBONES))
def test_two_towers_run_one_backbone_on_each_half(name):
    towers, (x, mask) = build(name, wrap=True), history(width=16)
    y = torch.randn(x.shape, generator=torch.Generator().manual_seed(2))
    out = towers(torch.cat([x, y], -1), mask)
    torch.testing.assert_close(out[..., :16], towers.backbone(x, mask), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(out[..., 16:], towers.backbone(y, mask), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", list(BACKBONES))
def test_a_head_adds_to_what_the_backbone_expects(name):
    headed, (x, mask) = build(name, head=True), history()
    plain = headed.backbone(x, mask)
    assert (headed(x, mask) - plain)[mask].abs().min(dim=1).values.max() > 1e-3
    torch.nn.init.zeros_(headed.head[-1].weight)
    torch.testing.assert_close(headed(x, mask), plain)


def test_sasrec_attention_equals_torch_multi_head_attention():
    from dmesr_core.models.backbones import Attention

    torch.manual_seed(0)
    ours = Attention(16, 2, 0.0).eval()
    theirs = torch.nn.MultiheadAttention(16, 2, batch_first=True).eval()
    theirs.in_proj_weight.data, theirs.in_proj_bias.data = ours.qkv.weight.data, ours.qkv.bias.data
    theirs.out_proj.weight.data, theirs.out_proj.bias.data = ours.out.weight.data, ours.out.bias.data
    x = torch.randn(3, 6, 16)
    causal = torch.nn.Transformer.generate_square_subsequent_mask(6)
    torch.testing.assert_close(ours(x, causal=True), theirs(x, x, x, attn_mask=causal)[0], atol=1e-5, rtol=1e-5)




def test_unknown_names_and_odd_widths_are_refused():
    with pytest.raises(SettingsError, match="'lstm'.*sasrec, gru4rec, bert4rec"):
        make_backbone(BackboneSettings("lstm"))
    with pytest.raises(SettingsError, match="width 15"):
        make_backbone(BackboneSettings("sasrec", width=15))


@pytest.mark.parametrize(("size", "value"), [("width", 0), ("max_len", 0), ("layers", 0), ("layers", -1), ("heads", 0)])
def test_sizes_below_one_are_refused(size, value):
    with pytest.raises(SettingsError, match=f"{size} must be at least 1, got {value}"):
        BackboneSettings(**{size: value})


@pytest.mark.parametrize("dropout", [-0.1, 1.0, float("nan")])
def test_a_dropout_that_is_no_share_is_refused(dropout):
    with pytest.raises(SettingsError, match=f"dropout must be at least 0 and below 1, got {dropout}"):
        BackboneSettings(dropout=dropout)


def test_a_backbone_is_registered_by_name():
    with pytest.raises(SettingsError, match="register_backbone takes the name"):
        register_backbone(BACKBONES["sasrec"])
