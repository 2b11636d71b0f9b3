"""Evaluation: rankings, metrics, intervals and comparisons."""
