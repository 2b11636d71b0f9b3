"""Tiny image-text models with random weights, one folder per family, and pictures: test inputs without a hub.

The models have all parts of a real one: a processor, a chat template, weights.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers as t
from PIL import Image
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers.utils import logging

from dmesr_core.features.mllm import MLLM, MLLMSettings
from dmesr_core.features.tiny_mllm import tasks

FAMILIES = ("idefics3", "llava", "gemma3")  # without those that need torchvision

_SPECIALS = ("<pad>", "<|start|>", "<|end|>", "<fake_token_around_image>", "<global-img>", "<image>", "<video>",
             "<end_of_utterance>", "<start_of_image>", "<end_of_image>", "<image_soft_token>")  # fmt: skip
_CHAT = (
    "{% for m in messages %}<|start|>{{ m['role'] }}\n{% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}IMAGE{% else %}{{ c['text'] }}{% endif %}{% endfor %}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant\n{% endif %}"
)
# Chat templates whose content must be a string: they raise a TypeError, raise a TemplateError, or print a list.
_FRAME = "{% for m in messages %}<|start|>{{ m['role'] }}\nCONTENT{% endfor %}<|start|>assistant\n"
STRING_TEMPLATES = {
    "adds": _FRAME.replace("CONTENT", "{{ m['content'] + '<|end|>' }}"),
    "raises": _FRAME.replace(
        "CONTENT", "{% if m['content'] is not string %}{{ raise_exception('only text') }}{% endif %}{{ m['content'] }}"
    ),
    "prints": _FRAME.replace("CONTENT", "{{ m['content'] }}<|end|>"),
}
# Takes a list, and leaves pictures out without a word.
BLIND_TEMPLATE = _FRAME.replace("CONTENT", "{% for c in m['content'] %}{{ c['text'] }}{% endfor %}<|end|>")


def make_tokenizer(family: str) -> t.PreTrainedTokenizerFast:
    """A tokenizer with one token per byte, so that it can encode any text."""
    vocabulary = [*_SPECIALS, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE({token: i for i, token in enumerate(vocabulary)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(_SPECIALS))
    extra, mark = {}, "<image>"
    if family == "gemma3":
        extra = {"boi_token": "<start_of_image>", "eoi_token": "<end_of_image>", "image_token": "<image_soft_token>"}
        mark = "<start_of_image>"
    if family == "qwen2_vl":
        extra = {"image_token": "<image>", "video_token": "<video>"}
    return t.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="<|end|>",
        chat_template=_CHAT.replace("IMAGE", mark),
        extra_special_tokens=extra,
    )


def _vision(**more: int | str) -> dict:
    base = {"hidden_size": 24, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    return {**base, "image_size": 32, "patch_size": 8, **more}


def _text(family: str, tokenizer: t.PreTrainedTokenizerFast, positions: int) -> dict:
    return {
        "model_type": {"gemma3": "gemma3_text", "qwen2_vl": "qwen2_vl_text"}.get(family, "llama"),
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "max_position_embeddings": positions,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        "tie_word_embeddings": True,
    }


def _idefics3(tokenizer: t.PreTrainedTokenizerFast, text: dict) -> tuple:
    config = t.Idefics3Config(
        vision_config=_vision(),
        text_config=text,
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        scale_factor=2,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=True,
    )
    image_processor = t.Idefics3ImageProcessorPil(
        size={"longest_edge": 32}, max_image_size={"longest_edge": 32}, do_image_splitting=False
    )
    return config, t.Idefics3Processor(image_processor, tokenizer, image_seq_len=4)


def _llava(tokenizer: t.PreTrainedTokenizerFast, text: dict) -> tuple:
    config = t.LlavaConfig(
        vision_config=_vision(model_type="siglip_vision_model"),
        text_config=text,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=16,
        vision_feature_select_strategy="full",
        vision_feature_layer=-1,
        tie_word_embeddings=True,
    )
    image_processor = t.SiglipImageProcessorPil(size={"height": 32, "width": 32})
    return config, t.LlavaProcessor(image_processor, tokenizer, patch_size=8, vision_feature_select_strategy="full")


def _gemma3(tokenizer: t.PreTrainedTokenizerFast, text: dict) -> tuple:
    config = t.Gemma3Config(
        vision_config=_vision(),
        text_config={**text, "sliding_window": 32, "layer_types": ["sliding_attention", "full_attention"]},
        mm_tokens_per_image=4,
        boi_token_index=tokenizer.convert_tokens_to_ids("<start_of_image>"),
        eoi_token_index=tokenizer.convert_tokens_to_ids("<end_of_image>"),
        image_token_index=tokenizer.convert_tokens_to_ids("<image_soft_token>"),
    )
    image_processor = t.Gemma3ImageProcessorPil(size={"height": 32, "width": 32}, do_pan_and_scan=False)
    return config, t.Gemma3Processor(image_processor, tokenizer, image_seq_length=4)


def _qwen2_vl(tokenizer: t.PreTrainedTokenizerFast, text: dict) -> tuple:
    rope = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 3, 3]}
    config = t.Qwen2VLConfig(
        vision_config={"depth": 1, "embed_dim": 24, "hidden_size": 32, "num_heads": 2, "mlp_ratio": 2},
        text_config={**text, "rope_parameters": rope},
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        video_token_id=tokenizer.convert_tokens_to_ids("<video>"),
        tie_word_embeddings=True,
    )
    image_processor = t.Qwen2VLImageProcessorPil(size={"shortest_edge": 28 * 28, "longest_edge": 84 * 84})
    return config, QwenForPictures(image_processor, tokenizer)


_BUILDERS = {"idefics3": _idefics3, "llava": _llava, "gemma3": _gemma3, "qwen2_vl": _qwen2_vl}


class QwenForPictures(t.Qwen2VLProcessor):
    """The Qwen2-VL processor without its video part, which needs torchvision."""

    def __init__(self, image_processor=None, tokenizer=None, chat_template=None):
        self.image_token, self.image_token_id = "<image>", tokenizer.convert_tokens_to_ids("<image>")
        self.video_token, self.video_token_id = "<video>", tokenizer.convert_tokens_to_ids("<video>")
        t.ProcessorMixin.__init__(self, image_processor, tokenizer, chat_template=chat_template)


def make_model(family: str, folder: Path, positions: int = 512, seed: int = 0, template: str = "") -> Path:
    """Write a random model of `family` to `folder`. Its weights are large, so that outputs depend on the inputs."""
    tokenizer = make_tokenizer(family)
    tokenizer.chat_template = template or tokenizer.chat_template
    config, processor = _BUILDERS[family](tokenizer, _text(family, tokenizer, positions))
    processor.chat_template = tokenizer.chat_template
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = t.AutoModelForImageTextToText.from_config(config)
        for parameter in model.parameters():
            if parameter.ndim > 1:
                torch.nn.init.normal_(parameter, std=0.3)
        if family == "gemma3":  # it multiplies its embeddings: with large ones it would only repeat the last token
            torch.nn.init.normal_(model.get_input_embeddings().weight, std=0.02)
    logging.disable_progress_bar()
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    logging.enable_progress_bar()
    return folder


class GemmaThatWantsPictures(t.Gemma3Processor):
    """The Gemma 3 processor, but it refuses a prompt without a picture, as that of PaliGemma does."""

    def __call__(self, images=None, text=None, **kwargs):
        if images is None:
            raise ValueError("`images` are expected as arguments")
        return super().__call__(images=images, text=text, **kwargs)


_ENCODERS = {
    "roberta": (t.RobertaModel, t.RobertaConfig, {"max_position_embeddings": 34, "pad_token_id": 1}),
    "mpnet": (t.MPNetModel, t.MPNetConfig, {"max_position_embeddings": 34, "pad_token_id": 1}),
    "bert": (t.BertModel, t.BertConfig, {"max_position_embeddings": 32}),
    "gpt2": (t.GPT2Model, t.GPT2Config, {"n_positions": 32}),
    "t5": (t.T5ForConditionalGeneration, t.T5Config, {"d_kv": 8, "d_ff": 24, "decoder_start_token_id": 0}),
    "bart": (
        t.BartForConditionalGeneration, t.BartConfig,
        {"max_position_embeddings": 32, "decoder_ffn_dim": 24, "encoder_ffn_dim": 24, "encoder_attention_heads": 2,
         "decoder_attention_heads": 2, "encoder_layers": 1, "decoder_layers": 1, "pad_token_id": 1},
    ),
    "clip_text": (t.CLIPTextModelWithProjection, t.CLIPTextConfig, {"max_position_embeddings": 32}),
}  # fmt: skip


def make_text_encoder(family: str, folder: Path, pads: bool = True, marks: bool = True) -> Path:
    """Write a random text encoder of `family` that can read 32 tokens, with a tokenizer of one token per byte.

    Args:
        pads: whether the tokenizer has a token for padding.
        marks: whether it puts one at the beginning and one at the end of each text.
    """
    vocabulary = ["<s>", "<pad>", "</s>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE({token: i for i, token in enumerate(vocabulary)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    if marks:
        tokenizer.post_processor = processors.TemplateProcessing("<s> $A </s>", None, [("<s>", 0), ("</s>", 2)])
    more = {"pad_token": "<pad>"} if pads else {}
    t.PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", **more).save_pretrained(
        folder
    )
    kind, config, special = _ENCODERS[family]
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
    usual = {"vocab_size": len(vocabulary), "initializer_range": 0.5, "bos_token_id": 0, "eos_token_id": 2}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = kind(config(**{**sizes, **usual, **special}))
    logging.disable_progress_bar()
    model.save_pretrained(folder)
    logging.enable_progress_bar()
    return folder


def make_pictures(folder: Path, n: int, seed: int = 0) -> list[Path]:
    """`n` pictures of coloured noise, of different sizes."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for k in range(n):
        height, width = rng.integers(20, 90, 2)
        pixels = rng.integers(0, 256, 3) + rng.normal(0, 40, (height, width, 3))
        paths.append(folder / f"{k}.png")
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(paths[-1])
    return paths


def load_on_cpu(folder: Path, **settings: Any) -> MLLM:
    """The model in `folder` as an `MLLM` on the CPU, with short descriptions and small batches."""
    return MLLM.load(MLLMSettings(str(folder), device="cpu", **{"max_new_tokens": 8, "batch_size": 4, **settings}))


def draw_products(n: int, split: str = "train") -> list[tuple[dict[str, str], Image.Image]]:
    """Facts and a picture of `n` products of the Bazaar."""
    rng = np.random.default_rng(4)
    return [(facts, tasks.draw_product(facts, rng)) for facts in tasks.sample_facts(split, n, seed=3)]
