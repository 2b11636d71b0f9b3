"""The fusion against torch's own attention, and its limiting cases."""

import torch
import torch.nn.functional as F

from dmesr_core.models.fusion import CrossAttentionFusion


def inputs(n=5, views=2, length=7, width=16, width_fine=12, seed=0):
    g = torch.Generator().manual_seed(seed)
    mask = torch.arange(length)[None] < torch.tensor([7, 3, 1, 5, 0])[:n, None]
    return torch.randn(n, views, width, generator=g), torch.randn(n, length, width_fine, generator=g), mask


def fusion():
    torch.manual_seed(0)
    return CrossAttentionFusion(16, 12, heads=4).eval()


def test_equals_multi_head_attention_with_projected_keys_and_values():
    module = fusion()
    aligned, fine, mask = inputs()
    found, _ = module.attend(aligned, fine, mask)
    rows = mask.any(1)  # torch's attention has no answer for an item without words
    out, _ = F.multi_head_attention_forward(
        module.norm(aligned).transpose(0, 1)[:, rows], fine.transpose(0, 1)[:, rows], fine.transpose(0, 1)[:, rows],
        16, 4, None, torch.cat([module.query.bias, torch.zeros(32)]), None, None, False, 0.0,
        module.out.weight, module.out.bias, training=False, key_padding_mask=~mask[rows],
        use_separate_proj_weight=True, q_proj_weight=module.query.weight,
        k_proj_weight=module.key.reshape(16, 12), v_proj_weight=module.value.reshape(16, 12),
    )  # fmt: skip
    torch.testing.assert_close(found[rows], out.transpose(0, 1), atol=1e-5, rtol=1e-5)


def test_an_item_without_words_finds_nothing_and_stays_finite():
    module = fusion()
    aligned, fine, mask = inputs()
    found, weights = module.attend(aligned, fine, mask)
    assert (found[4] == 0).all() and (weights[4] == 0).all()
    assert torch.isfinite(module(aligned, fine, mask)).all()
    torch.testing.assert_close(weights[:4].sum(-1), torch.ones(4, 2, 4))


def test_padding_tokens_play_no_part():
    module = fusion()
    aligned, fine, mask = inputs()
    loud = torch.where(mask[..., None], fine, torch.full_like(fine, 1e4))
    torch.testing.assert_close(module(aligned, loud, mask), module(aligned, fine, mask))
    longer = module(aligned, F.pad(fine, (0, 0, 0, 3)), F.pad(mask, (0, 3)))
    torch.testing.assert_close(longer, module(aligned, fine, mask))


def test_the_order_of_tokens_and_of_items_does_not_matter():
    module = fusion()
    aligned, fine, mask = inputs()
    out = module(aligned, fine, mask)
    order = torch.randperm(7, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(module(aligned, fine[:, order], mask[:, order]), out)
    items = torch.tensor([3, 1, 4, 0, 2])
    torch.testing.assert_close(module(aligned[items], fine[items], mask[items]), out[items])


def test_identical_views_stay_identical_and_gradient_reaches_everything():
    module = fusion()
    aligned, fine, mask = inputs()
    twins = aligned[:, :1].repeat(1, 2, 1)
    out = module(twins, fine, mask)
    torch.testing.assert_close(out[:, 0], out[:, 1])
    aligned.requires_grad_()
    module(aligned, fine, mask).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in module.parameters())
    assert (aligned.grad.abs().sum(-1) > 0).all()
