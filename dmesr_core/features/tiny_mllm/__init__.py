"""A tiny but real multimodal LLM that knows the products of the Bazaar: how it is made, and its checkpoint."""

from __future__ import annotations

from pathlib import Path


def checkpoint_folder() -> Path:
    """The folder of the shipped model; loads through `AutoProcessor` and `AutoModelForImageTextToText`."""
    return Path(__file__).parent / "checkpoint"
