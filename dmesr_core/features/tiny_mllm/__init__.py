"""A tiny multimodal LLM for the products of the Bazaar: architecture, training, evaluation and its checkpoint."""

from __future__ import annotations

from pathlib import Path


def checkpoint_folder() -> Path:
    """The folder of the shipped model, for `AutoProcessor` and `AutoModelForImageTextToText`."""
    return Path(__file__).parent / "checkpoint"
