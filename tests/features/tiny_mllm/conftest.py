"""The shipped model, and a model after a few training steps."""

from __future__ import annotations

import pytest

from dmesr_core.features import tiny_mllm
from dmesr_core.features.tiny_mllm import evaluate, train


@pytest.fixture(scope="session")
def smoke(tmp_path_factory):
    """A model after three steps of each stage: its folder and its report."""
    folder = tmp_path_factory.mktemp("smoke")
    return folder, train.train(train.smoke_settings(), folder, folder / "pictures", progress=False)


@pytest.fixture(scope="session")
def shipped() -> evaluate.ChatPipeline:
    return evaluate.ChatPipeline(tiny_mllm.checkpoint_folder())
