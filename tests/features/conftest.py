"""Models and pictures that several tests of features share; tests that change a folder copy it first."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.tiny_models import FAMILIES, QwenForPictures, make_model, make_pictures, make_tokenizer

from dmesr_core.features import prompts


@pytest.fixture(scope="session")
def folders(tmp_path_factory) -> dict[str, Path]:
    """Family -> folder of a random model."""
    root = tmp_path_factory.mktemp("models")
    return {family: make_model(family, root / family) for family in (*FAMILIES, "qwen2_vl")}


@pytest.fixture(scope="session")
def pictures(tmp_path_factory) -> list[Path]:
    return make_pictures(tmp_path_factory.mktemp("pictures"), 6)


@pytest.fixture
def qwen_processor(monkeypatch, folders):
    """Lets Qwen2-VL load without torchvision: its processor is built without the video part."""
    import transformers

    tokenizer = make_tokenizer("qwen2_vl")
    tokenizer.padding_side = "left"
    image_processor = transformers.Qwen2VLImageProcessorPil(size={"shortest_edge": 28 * 28, "longest_edge": 84 * 84})
    processor = QwenForPictures(image_processor, tokenizer, chat_template=tokenizer.chat_template)
    original = prompts.load_processor
    monkeypatch.setattr(
        prompts, "load_processor", lambda folder: processor if folder == folders["qwen2_vl"] else original(folder)
    )
