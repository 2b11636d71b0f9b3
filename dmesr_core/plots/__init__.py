"""Plots: every figure of the book, in one style."""
