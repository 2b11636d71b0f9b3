"""Loading an image-text model, and greedy generation together with the hidden states behind it.

A hook on the output head records the last hidden states during generation. So vectors need no second forward pass over
prompt and answer, and no states of other layers or positions are kept in memory.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from dmesr_core.errors import DataError, SettingsError
from dmesr_core.features.model_files import loading


def load_decoder(folder: Path, dtype: torch.dtype, tokenizer: Any) -> Any:
    """The model in `folder`, on the CPU, in evaluation mode, configured for greedy generation.

    Of its own generation settings only the end tokens are kept: no sampling, no penalties.

    Raises:
        DataError: unreadable or incomplete weights, or a model that needs code of its own (`trust_remote_code`).
        SettingsError: not a decoder.
    """
    with loading(f"model {folder}: its weights cannot be loaded"):
        from transformers import AutoModelForImageTextToText, GenerationConfig

        model, found = AutoModelForImageTextToText.from_pretrained(
            folder, dtype=dtype, use_safetensors=True, local_files_only=True, output_loading_info=True
        )
    if missing := sorted(found["missing_keys"]):
        raise DataError(f"model {folder}: {len(missing)} weights are missing, the first is {missing[0]}")
    if model.config.is_encoder_decoder or model.get_output_embeddings() is None:
        raise SettingsError(f"model {folder}: only models that continue their prompt (decoders) can be used")
    ends = model.generation_config.eos_token_id
    model.generation_config = GenerationConfig(
        do_sample=False,
        bos_token_id=model.generation_config.bos_token_id,
        eos_token_id=tokenizer.eos_token_id if ends is None else ends,
        pad_token_id=tokenizer.pad_token_id,
        disable_compile=True,  # compiling takes minutes, and bypasses the hook on the output head
    )
    return model.eval()


@torch.inference_mode()
def continue_greedily(model: Any, inputs: Any, max_new_tokens: int) -> tuple[list[list[int]], np.ndarray]:
    """Greedy answers to one batch of left-padded prompts, and the mean state behind each.

    Returns:
        B lists of token ids, without the end token; and (B, d) float32: the mean of the last hidden states at the
        positions that predict these tokens. For an empty answer, the state that predicts the end token. Not finite
        where the model's states are not.
    """
    states: list[torch.Tensor] = []  # one (B, d) per generated token
    head = model.get_output_embeddings()
    # Cloned, because the first input of the head is a view of the states of the whole prompt.
    hook = head.register_forward_pre_hook(lambda _, given: states.append(given[0][:, -1].clone()))
    try:
        sequences = model.generate(**inputs, max_new_tokens=max_new_tokens)
    finally:
        hook.remove()
    tokens = sequences[:, inputs["input_ids"].shape[1] :]  # (B, T)
    ends = torch.tensor(model.generation_config.eos_token_id, device=tokens.device)
    ended = torch.isin(tokens, ends)  # (B, T)
    length = torch.where(ended.any(1), ended.int().argmax(1), tokens.shape[1])  # (B,) without the end token
    answers = [row[:stop] for row, stop in zip(tokens.tolist(), length.tolist(), strict=True)]
    hidden = torch.stack(states[: tokens.shape[1]], dim=1).float()  # (B, T, d)
    beyond = torch.arange(tokens.shape[1], device=tokens.device) >= length.clamp(min=1)[:, None]  # (B, T)
    means = hidden.masked_fill(beyond[..., None], 0).sum(1) / (~beyond).sum(1, keepdim=True)  # (B, d)
    return answers, means.cpu().numpy()
