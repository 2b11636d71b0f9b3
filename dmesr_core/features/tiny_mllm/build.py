"""The parts of the tiny MLLM before any training: tokenizer, processor, and an Idefics3 with random weights.

Idefics3 (Laurençon et al., 2024; the family of SmolVLM) in miniature: a SigLIP-like vision tower cuts the 64 × 64
picture into 64 patches, a connector turns each 2 × 2 of them into one token, and a small Llama reads those 16
tokens like words. Everything is an ordinary transformers class, so that a folder of it loads like any other model.
"""

from __future__ import annotations

from functools import cache

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

from dmesr_core.features.tiny_mllm import tasks as data

PAD, USER, ASSISTANT, END = "<pad>", "<|user|>", "<|assistant|>", "<end_of_utterance>"
SPECIALS = (PAD, "<unk>", END, USER, ASSISTANT, "<fake_token_around_image>", "<global-img>", "<image>")
IMAGE_TOKENS = 16  # language tokens per picture: (64 / patch 8 / scale factor 2) squared
MAX_TOKENS = 1024  # longest prompt that the model is meant for
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


def chat(prompt: str, sees: bool) -> str:
    """The prompt as the chat template writes it, the picture already spelled out as the processor does."""
    image = f"<fake_token_around_image><global-img>{'<image>' * IMAGE_TOKENS}<fake_token_around_image>" if sees else ""
    return f"{USER}{image}{prompt}{END}{ASSISTANT}"


def build_tokenizer(seed: int, n_products: int = 3000) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer learnt from the words of `n_products` training products: nothing is unknown to it."""
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(_learnt_bpe(seed, n_products)), pad_token=PAD, unk_token="<unk>",
        eos_token=END, padding_side="left", model_max_length=MAX_TOKENS, clean_up_tokenization_spaces=False,
        additional_special_tokens=list(SPECIALS[3:]),
    )  # fmt: skip
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


@cache
def _learnt_bpe(seed: int, n_products: int) -> str:
    """The merges of the tokenizer, as JSON."""
    rng = np.random.default_rng([seed, 11])
    corpus = ["yes", "no"] * 10
    for facts in data.sample_facts_of("train", n_products, seed):
        for task in (data.picture_task, data.words_task, data.keyword_task):
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
    """Tokenizer and image processor in one; every picture becomes one 64 × 64 square, scaled to -1..1."""
    edge = {"longest_edge": data.SIDE}
    image_processor = Idefics3ImageProcessorPil(
        size=edge, max_image_size=edge, do_image_splitting=False, do_resize=True, resample=1, do_convert_rgb=True,
        do_rescale=True, rescale_factor=1 / 255, do_normalize=True, image_mean=[0.5] * 3, image_std=[0.5] * 3,
    )  # fmt: skip
    return Idefics3Processor(
        image_processor=image_processor, tokenizer=tokenizer, image_seq_len=IMAGE_TOKENS, chat_template=CHAT_TEMPLATE
    )


def build_model(tokenizer: PreTrainedTokenizerFast, seed: int) -> Idefics3ForConditionalGeneration:
    """A fresh model (about 1.2 million weights) whose start depends on `seed` only."""
    config = Idefics3Config(
        vision_config={
            "hidden_size": 96, "intermediate_size": 256, "num_hidden_layers": 4, "num_attention_heads": 3,
            "image_size": data.SIDE, "patch_size": 8,
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
        torch.manual_seed(seed)  # transformers draws the first weights from the global generator
        model = Idefics3ForConditionalGeneration(config)
    model.generation_config = GenerationConfig(
        eos_token_id=tokenizer.eos_token_id, pad_token_id=0, max_new_tokens=48, do_sample=False
    )
    return model


def normalise(pixels: np.ndarray) -> torch.Tensor:
    """(B, 64, 64, 3) uint8 to what the image processor would hand over: (B, 3, 64, 64) float32 in -1..1."""
    return torch.from_numpy(np.array(pixels)).permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)
