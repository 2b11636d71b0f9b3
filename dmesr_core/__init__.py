"""DMESR: a dual-view, multimodal-LLM-based enhancing framework for sequential recommendation."""

__version__ = "0.1.0"
