"""Each backbone against an independent implementation: the same weights give the same scores.

The references are written for reading, the other way round than ours wherever there is a choice: padded on the left,
in fixed slots with a position each, with every mask spelled out. All is in float64, so that equal means equal.

Where published code differs from the published description, ours follows the description:

- SASRec's code of 2018 normalises the queries only, not keys and values, before attention, and adds what comes out to
  the normalised queries; the paper's block is x + dropout(g(norm(x))), as here. RecBole's SASRec is post-norm. In one
  public repository the causal mask is commented out, so each position sees the answer it is asked for.
- BERT4Rec: the authors' code and RecBole have a dense layer, GELU and a norm between the last block and the scores;
  ours has not.
- BERT4Rec: RecBole and transformers count positions from the start of the row; ours count from the end, which is what
  fixed left-padded slots do. Only the numbering differs: `slots` below translates it.
- GRU4Rec was published with one-hot inputs, sessions in parallel and a ranking loss; as a backbone it is a GRU over
  item vectors with one tanh layer behind it. Several re-implementations train it on each user's last item only.
- All three multiply item vectors by sqrt(d) on the way in, as SASRec's code does. Layer norms use torch's 1e-5 where
  the published codes have 1e-8 (SASRec) and 1e-12 (BERT).
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dmesr_core.models.backbones import BACKBONES, BackboneSettings
from dmesr_core.models.id_recommender import IDRecommender

WIDTH, HEADS, LAYERS, SLOTS, ITEMS = 16, 2, 2, 7, 12
HISTORIES = [[3, 9, 1, 12, 5, 7, 2], [4, 4, 11], [8]]  # as long as can be read, padded, and a single item


def model_called(name: str) -> IDRecommender:
    """Our model in float64, all its parameters moved away from their tidy first values."""
    torch.manual_seed(0)
    known = torch.ones(ITEMS + 1, dtype=torch.bool)
    model = IDRecommender(BackboneSettings(name, WIDTH, SLOTS, LAYERS, HEADS, dropout=0.4), known).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model


def our_scores(model: IDRecommender) -> Tensor:
    """Scores of all items after each history, right-padded, all in one batch: (3, N+1)."""
    rows = [h + [0] * (SLOTS - len(h)) for h in HISTORIES]
    with torch.no_grad():
        table = model.item_table()
        return model.scores(model.user(table, torch.tensor(rows)), table)


def left_padded(histories: list[list[int]], n_slots: int) -> Tensor:
    """(B, n_slots) item numbers, the last item in the last slot."""
    return torch.tensor([[0] * (n_slots - len(h)) + h for h in histories])


def slots(position: Tensor) -> Tensor:
    """Our position vectors, counted from the end, as vectors of slots from left to right: (slots, d)."""
    return position.flip(0)


class ReferenceSASRec(nn.Module):
    """SASRec as published, on torch's own attention: left-padded, a mask that is causal and hides the padding."""

    def __init__(self, ours: nn.Module):
        super().__init__()
        self.position = slots(ours.position.weight)
        self.blocks = [self.block(block) for block in ours.blocks]
        self.last_norm = ours.norm

    @staticmethod
    def block(ours: nn.Module) -> dict:
        attention = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True, dtype=torch.float64).eval()
        attention.load_state_dict(
            {
                "in_proj_weight": ours.attention.qkv.weight, "in_proj_bias": ours.attention.qkv.bias,
                "out_proj.weight": ours.attention.out.weight, "out_proj.bias": ours.attention.out.bias,
            }
        )  # fmt: skip
        first, *_, second = ours.feed
        return dict(attention=attention, norm1=ours.norm1, norm2=ours.norm2, first=first, second=second)

    def forward(self, items: Tensor, table: Tensor) -> Tensor:
        """(B, slots) -> what the last slot expects, (B, d)."""
        n = items.shape[1]
        real = items > 0
        x = table[items] * math.sqrt(WIDTH) + self.position  # (B, slots, d)
        past = torch.ones(n, n).tril().bool()  # row: who looks; column: at whom
        allowed = past & real[:, None, :] | torch.eye(n).bool()  # a padding slot looks at itself, so nothing is nan
        hidden = (~allowed).repeat_interleave(HEADS, 0)  # (B * heads, slots, slots)
        for b in self.blocks:
            normed = b["norm1"](x)
            x = x + b["attention"](normed, normed, normed, attn_mask=hidden, need_weights=False)[0]
            normed = b["norm2"](x)
            x = x + b["second"](torch.relu(b["first"](normed)))
        return self.last_norm(x)[:, -1]


def test_sasrec_equals_the_published_description_on_left_padded_slots():
    model = model_called("sasrec")
    with torch.no_grad():
        table = model.item_table()
        theirs = ReferenceSASRec(model.backbone)(left_padded(HISTORIES, SLOTS), table) @ table.T
    torch.testing.assert_close(our_scores(model), theirs, atol=1e-10, rtol=1e-10)


def bert_with_weights_of(model: IDRecommender) -> nn.Module:
    """Hugging Face's BERT, with our weights: post-norm, gelu."""
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=ITEMS + 1, hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
        layer_norm_eps=1e-5, intermediate_size=4 * WIDTH, hidden_act="gelu",
        max_position_embeddings=SLOTS + 1, type_vocab_size=1, pad_token_id=0, attn_implementation="eager",
    )  # fmt: skip
    bert = BertModel(config, add_pooling_layer=False).double().eval()
    ours = model.backbone
    own = {
        "embeddings.word_embeddings.weight": model.item_table(),
        "embeddings.position_embeddings.weight": slots(ours.position.weight),
        "embeddings.token_type_embeddings.weight": torch.zeros(1, WIDTH),
    }
    same_layer = {"embeddings.LayerNorm": ours.norm}
    for i, block in enumerate(ours.blocks):
        layer = f"encoder.layer.{i}"
        for part, rows in zip(("query", "key", "value"), range(3), strict=True):
            cut = slice(rows * WIDTH, (rows + 1) * WIDTH)
            own[f"{layer}.attention.self.{part}.weight"] = block.attention.qkv.weight[cut]
            own[f"{layer}.attention.self.{part}.bias"] = block.attention.qkv.bias[cut]
        same_layer |= {
            f"{layer}.attention.output.dense": block.attention.out,
            f"{layer}.attention.output.LayerNorm": block.norm1,
            f"{layer}.intermediate.dense": block.feed[0],
            f"{layer}.output.dense": block.feed[2],
            f"{layer}.output.LayerNorm": block.norm2,
        }
    for name, layer in same_layer.items():
        own |= {f"{name}.weight": layer.weight, f"{name}.bias": layer.bias}
    missing, unexpected = bert.load_state_dict(own, strict=False)
    assert not unexpected
    assert not [name for name in missing if not name.endswith("position_ids")]
    return bert


def test_bert4rec_equals_hugging_faces_bert_on_left_padded_slots():
    model = model_called("bert4rec")
    bert = bert_with_weights_of(model)
    with torch.no_grad():
        items = left_padded(HISTORIES, SLOTS)
        asked = torch.full((len(items), 1), -1)  # the slot of the mask, behind the last item
        real = torch.cat([items, asked], 1) != 0  # (B, slots + 1)
        mask = model.backbone.mask_vector().expand(len(items), 1, WIDTH)
        vectors = torch.cat([model.item_table()[items], mask], 1) * math.sqrt(WIDTH)
        positions = torch.arange(SLOTS + 1).expand(len(items), -1)
        out = bert(inputs_embeds=vectors, attention_mask=real.long(), position_ids=positions)
        scores = out.last_hidden_state[:, -1] @ model.item_table().T + model.bias * model.known
    torch.testing.assert_close(our_scores(model), scores, atol=1e-10, rtol=1e-10)


def test_bert4rec_blocks_equal_those_of_recbole():
    """Its BERT4Rec agrees in the blocks; it has no sqrt(d), and counts positions from the start."""
    layers = pytest.importorskip("recbole.model.layers", reason="RecBole is where make bench-peers put it")
    ours = model_called("bert4rec").backbone
    theirs = layers.TransformerEncoder(LAYERS, HEADS, WIDTH, 4 * WIDTH, 0.0, 0.0, "gelu", 1e-5).double().eval()
    with torch.no_grad():
        for block, layer in zip(ours.blocks, theirs.layer, strict=True):
            attention, feed = layer.multi_head_attention, layer.feed_forward
            parts = zip(block.attention.qkv.weight.chunk(3), block.attention.qkv.bias.chunk(3), strict=True)
            for linear, (weight, bias) in zip((attention.query, attention.key, attention.value), parts, strict=True):
                linear.weight.copy_(weight)
                linear.bias.copy_(bias)
            attention.dense.load_state_dict(block.attention.out.state_dict())
            attention.LayerNorm.load_state_dict(block.norm1.state_dict())
            feed.dense_1.load_state_dict(block.feed[0].state_dict())
            feed.dense_2.load_state_dict(block.feed[2].state_dict())
            feed.LayerNorm.load_state_dict(block.norm2.state_dict())
        x, mask = torch.randn(2, 5, WIDTH, dtype=torch.float64), torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]).bool()
        hidden = x
        for block in ours.blocks:
            hidden = block(hidden, mask)
        additive = (~mask).double()[:, None, None, :] * -1e4
        expected = theirs(x, additive)[-1]
    torch.testing.assert_close(hidden[mask], expected[mask], atol=1e-10, rtol=1e-10)


def gru_by_hand(weights: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    """One history (T, d) through stacked gated recurrent units, gate by gate: outputs of the last layer, (T, h)."""

    def sigmoid(v: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-v))

    for i in range(LAYERS):
        w, u = weights[f"gru.weight_ih_l{i}"], weights[f"gru.weight_hh_l{i}"]
        b, c = weights[f"gru.bias_ih_l{i}"], weights[f"gru.bias_hh_l{i}"]
        h, out = np.zeros(u.shape[1]), []
        for row in x:
            in_reset, in_update, in_new = np.split(w @ row + b, 3)
            was_reset, was_update, was_new = np.split(u @ h + c, 3)
            reset, update = sigmoid(in_reset + was_reset), sigmoid(in_update + was_update)
            new = np.tanh(in_new + reset * was_new)
            h = (1 - update) * new + update * h
            out.append(h)
        x = np.stack(out)
    return x


def test_gru4rec_equals_a_gru_written_by_hand():
    model = model_called("gru4rec")
    weights = {name: value.numpy() for name, value in model.backbone.state_dict().items()}
    table = model.item_table().detach().numpy()
    expected = []
    for history in HISTORIES:  # one by one, without any padding
        state = gru_by_hand(weights, table[history] * math.sqrt(WIDTH))[-1]
        user = np.tanh(weights["out.weight"] @ state + weights["out.bias"]) * math.sqrt(WIDTH)
        expected.append(table @ user)
    np.testing.assert_allclose(our_scores(model).numpy(), np.stack(expected), atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize("name", list(BACKBONES))
def test_float32_is_close_to_float64(name):
    model = model_called(name)
    exact = our_scores(model)
    rough = our_scores(model.float()).double()
    assert (rough - exact).abs().max() < 1e-5 * exact.abs().max()
