"""Loading models and greedy generation: vectors are the mean of the states that predict the description."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from helpers.tiny_models import FAMILIES, load_on_cpu
from PIL import Image
from safetensors.torch import load_file, save_file

from dmesr_core.errors import DataError
from dmesr_core.features import generation
from dmesr_core.features.prompts import PICTURE_PROMPT, TEXT_PROMPT


def second_pass(model, inputs, sequences: torch.Tensor) -> torch.Tensor:
    """Last hidden states (B, n+T, d) of prompts and answers in one forward pass."""
    new = sequences[:, inputs["input_ids"].shape[1] :]
    inputs = dict(inputs) | {"input_ids": sequences}
    inputs["attention_mask"] = torch.cat([inputs["attention_mask"], torch.ones_like(new)], 1)
    for kind in ("mm_token_type_ids", "token_type_ids"):  # which tokens are pictures: those of the answer are not
        if kind in inputs:
            inputs[kind] = torch.cat([inputs[kind], torch.zeros_like(new)], 1)
    with torch.inference_mode():
        return model(**inputs, output_hidden_states=True).hidden_states[-1]


@pytest.mark.usefixtures("qwen_processor")
@pytest.mark.parametrize("family", [*FAMILIES, "qwen2_vl"])
@pytest.mark.parametrize("view", ["picture", "text"])
def test_vectors_are_mean_states_that_predict_the_description(family, view, folders, pictures):
    """The states recorded during generation equal those of a second forward pass over prompt and answer."""
    mllm = load_on_cpu(folders[family])
    mllm.model.generation_config.eos_token_id = list(range(11, 267, 4))  # so that answers end early, or at once
    opened = [Image.open(p).convert("RGB") for p in pictures] if view == "picture" else None
    messages = [PICTURE_PROMPT] * len(pictures) if opened else [TEXT_PROMPT + "ab" * k for k in range(8)]
    inputs = mllm.prompter.inputs(messages, opened)
    answers, means = generation.continue_greedily(mllm.model, inputs, 8)
    sequences = mllm.model.generate(**inputs, max_new_tokens=8)
    states = second_pass(mllm.model, inputs, without_control_tokens(sequences, inputs))
    n = inputs["input_ids"].shape[1]
    checked = 0
    for row, answer in enumerate(answers):
        assert sequences[row, n : n + len(answer)].tolist() == answer
        if not is_plain(answer):
            continue  # a generated picture token cannot be an input of a second pass
        expected = states[row, n - 1 : n - 1 + max(1, len(answer))].mean(0)
        np.testing.assert_allclose(means[row], expected.numpy(), atol=1e-4)
        checked += 1
    assert checked >= 2
    assert len({len(answer) for answer in answers}) > 1


def is_plain(answer: list[int]) -> bool:
    return all(token >= 11 for token in answer)  # the control tokens have the first eleven numbers


def without_control_tokens(sequences, inputs) -> torch.Tensor:
    sequences = sequences.clone()
    new = sequences[:, inputs["input_ids"].shape[1] :]  # a view
    new[new < 11] = 11
    return sequences


def test_empty_description_takes_the_state_that_predicts_the_end(folders, tmp_path, pictures):
    """If every token is an end token, the vector is the last state of the prompt."""
    folder = shutil.copytree(folders["llava"], tmp_path / "silent")
    settings = json.loads((folder / "generation_config.json").read_text())
    (folder / "generation_config.json").write_text(json.dumps(settings | {"eos_token_id": list(range(300))}))
    mllm = load_on_cpu(folder)
    got = mllm.embed(pictures[:2], None, PICTURE_PROMPT)
    assert got.descriptions == ["", ""]
    assert got.issues == [(0, "empty description"), (1, "empty description")]
    inputs = mllm.prompter.inputs([PICTURE_PROMPT] * 2, [Image.open(p).convert("RGB") for p in pictures[:2]])
    states = second_pass(mllm.model, inputs, inputs["input_ids"])
    np.testing.assert_allclose(got.vectors, states[:, -1].numpy(), atol=1e-4)


def test_generation_settings_of_a_checkpoint_are_ignored(folders, tmp_path, pictures):
    folder = shutil.copytree(folders["idefics3"], tmp_path / "sampling")
    settings = json.loads((folder / "generation_config.json").read_text())
    settings |= {"do_sample": True, "temperature": 9.0, "repetition_penalty": 50.0, "max_length": 3}
    (folder / "generation_config.json").write_text(json.dumps(settings))
    plain = load_on_cpu(folders["idefics3"]).embed(pictures, None, PICTURE_PROMPT)
    assert load_on_cpu(folder).embed(pictures, None, PICTURE_PROMPT).descriptions == plain.descriptions


def test_half_precision_folder_is_read_as_float32_on_the_cpu(folders, tmp_path):
    folder = shutil.copytree(folders["llava"], tmp_path / "half")
    weights = {name: w.half() for name, w in load_file(folder / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"dtype": "float16"}))
    assert {p.dtype for p in load_on_cpu(folder).model.parameters()} == {torch.float32}
    assert {p.dtype for p in load_on_cpu(folder, dtype="bfloat16").model.parameters()} == {torch.bfloat16}


def test_states_that_are_not_finite_are_an_error(folders, tmp_path):
    folder = shutil.copytree(folders["llava"], tmp_path / "nan")
    weights = load_file(folder / "model.safetensors")
    weights["language_model.model.norm.weight"][:] = float("nan")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(DataError, match="not finite"):
        load_on_cpu(folder).describe(None, ["a"], TEXT_PROMPT)
