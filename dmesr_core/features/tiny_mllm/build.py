"""The parts of the tiny MLLM before training: tokenizer, processor, and an Idefics3 with random weights.

A small Idefics3 (Laurençon et al., 2024; the family of SmolVLM): a SigLIP-like vision tower encodes the 64 × 64
picture as 64 patches, a connector merges each 2 × 2 of them into one token, and a small Llama processes these 16 tokens
together with the text tokens. All classes are those of transformers, so the saved folder loads like any other model.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    GenerationConfig,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3Processor,
    PreTrainedTokenizerFast,
)
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil

from dmesr_core.features.tiny_mllm import tasks

PAD, USER, ASSISTANT, END = "<pad>", "<|user|>", "<|assistant|>", "<end_of_utterance>"
SPECIALS = (PAD, "<unk>", END, USER, ASSISTANT, "<fake_token_around_image>", "<global-img>", "<image>")
IMAGE_TOKENS = 16  # language tokens per picture: (64 / patch 8 / scale factor 2) squared
MAX_TOKENS = 1024  # positions of the model
# A message's content is a string, or a list of {"type": "image"} and {"type": "text", "text": …}.
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|user|>' if message['role'] == 'user' else '<|assistant|>' }}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% elif part['type'] == 'text' %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}"
    "<end_of_utterance>"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def chat(prompt: str, has_picture: bool) -> str:
    """The prompt in the chat format; a picture is already expanded to its tokens, as the processor does it."""
    image = f"<fake_token_around_image><global-img>{'<image>' * IMAGE_TOKENS}<fake_token_around_image>"
    return f"{USER}{image if has_picture else ''}{prompt}{END}{ASSISTANT}"


def build_tokenizer(seed: int, n_products: int = 3000) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer trained on the texts of `n_products` training products; it can encode any text."""
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(_trained_bpe(seed, n_products)), pad_token=PAD, unk_token="<unk>",
        eos_token=END, padding_side="left", model_max_length=MAX_TOKENS, clean_up_tokenization_spaces=False,
        additional_special_tokens=list(SPECIALS[3:]),
    )  # fmt: skip
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


@cache
def _trained_bpe(seed: int, n_products: int) -> str:
    """The trained tokenizer, as JSON."""
    rng = np.random.default_rng([seed, 11])
    corpus = ["yes", "no"] * 10
    for facts in tasks.sample_facts("train", n_products, seed):
        for task in (tasks.picture_task, tasks.text_task, tasks.keyword_task):
            example = task(facts, rng)
            corpus += [example.prompt, example.answer]
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=1200, min_frequency=4, special_tokens=list(SPECIALS), show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    bpe.train_from_iterator(corpus, trainer)
    return bpe.to_str()


def build_processor(tokenizer: PreTrainedTokenizerFast) -> Idefics3Processor:
    """Tokenizer and image processor in one; every picture is resized to 64 × 64 pixels and scaled to -1..1."""
    edge = {"longest_edge": tasks.SIDE}
    image_processor = Idefics3ImageProcessorPil(
        size=edge, max_image_size=edge, do_image_splitting=False, do_resize=True, resample=1, do_convert_rgb=True,
        do_rescale=True, rescale_factor=1 / 255, do_normalize=True, image_mean=[0.5] * 3, image_std=[0.5] * 3,
    )  # fmt: skip
    return Idefics3Processor(
        image_processor=image_processor, tokenizer=tokenizer, image_seq_len=IMAGE_TOKENS, chat_template=CHAT_TEMPLATE
    )


def build_model(tokenizer: PreTrainedTokenizerFast, seed: int) -> Idefics3ForConditionalGeneration:
    """An untrained model (about 1.2 million weights); its initial weights depend on `seed` only."""
    config = Idefics3Config(
        vision_config={
            "hidden_size": 96, "intermediate_size": 256, "num_hidden_layers": 4, "num_attention_heads": 3,
            "image_size": tasks.SIDE, "patch_size": 8,
        },
        text_config={
            "model_type": "llama", "vocab_size": len(tokenizer), "hidden_size": 128, "intermediate_size": 384,
            "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 4,
            "max_position_embeddings": MAX_TOKENS, "pad_token_id": 0, "bos_token_id": None,
            "eos_token_id": tokenizer.eos_token_id, "tie_word_embeddings": True,
            "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
        },
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"), scale_factor=2, pad_token_id=0,
        tie_word_embeddings=True,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # transformers draws the initial weights from the global generator
        model = Idefics3ForConditionalGeneration(config)
    model.generation_config = GenerationConfig(
        eos_token_id=tokenizer.eos_token_id, pad_token_id=0, max_new_tokens=48, do_sample=False
    )
    return model


def normalise(pixels: np.ndarray) -> torch.Tensor:
    """(B, 64, 64, 3) uint8 to (B, 3, 64, 64) float32 in -1..1, as the image processor does it."""
    return torch.from_numpy(np.array(pixels)).permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)


def part_table(model: Any) -> list[dict[str, str]]:
    """One row for each part of the model: its name, its input, the shape of its output, its number of weights."""
    vision, language = model.config.vision_config, model.config.text_config
    side = vision.patch_size
    patches = (vision.image_size // side) ** 2
    tokens = patches // model.config.scale_factor**2  # the connector merges squares of patches
    parts = {
        "vision tower": (model.model.vision_model, f"{patches} patches of {side} × {side} pixels",
                         f"({patches}, {vision.hidden_size})"),
        "connector": (model.model.connector, f"{patches} patch vectors", f"({tokens}, {language.hidden_size})"),
        "language model": (model.model.text_model, f"{tokens} picture tokens, then words",
                           f"(tokens, {language.hidden_size})"),
    }  # fmt: skip
    return [
        {"part": name, "takes": takes, "gives": gives, "weights": f"{sum(p.numel() for p in part.parameters()):,}"}
        for name, (part, takes, gives) in parts.items()
    ]
