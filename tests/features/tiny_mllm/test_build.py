"""Tokenizer and inputs of the tiny MLLM before training."""

from __future__ import annotations

import torch
from helpers.tiny_models import draw_products
from transformers import AutoProcessor

from dmesr_core.features.prompts import PICTURE_PROMPT
from dmesr_core.features.tiny_mllm import build, tasks


def test_own_encoding_equals_the_processors(smoke):
    """Training makes token ids and pixels without the processor, for speed: they must be the same."""
    processor = AutoProcessor.from_pretrained(smoke[0], backend="pil")
    (_, picture), *_ = draw_products(1)
    content = [{"type": "image", "image": picture}, {"type": "text", "text": PICTURE_PROMPT}]
    theirs = processor.apply_chat_template(
        [[{"role": "user", "content": content}]],
        add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt",
    )  # fmt: skip
    ours = processor.tokenizer(build.chat(PICTURE_PROMPT, True), add_special_tokens=False)["input_ids"]
    assert theirs["input_ids"][0].tolist() == ours
    assert torch.allclose(theirs["pixel_values"][0], build.normalise(tasks.resize(picture)[None]), atol=1e-5)


def test_tokenizer_encodes_every_character():
    tokenizer = build.build_tokenizer(0, n_products=40)
    for text in ("yes", "Grüße — 茶壶 🫖 شاي", "Stovael"):
        assert tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) == text


def test_the_table_of_parts_counts_all_weights_but_the_output_head(shipped):
    """The output head shares its weights with the word vectors of the language model."""
    table = build.part_table(shipped.model)
    assert [row["part"] for row in table] == ["vision tower", "connector", "language model"]
    counts = [int(row["weights"].replace(",", "")) for row in table]
    assert sum(counts) == sum(p.numel() for p in shipped.model.parameters())
    assert table[1]["gives"] == f"({build.IMAGE_TOKENS}, 128)"
