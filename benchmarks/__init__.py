"""Measurements, one script each; README.md says what each of them measures."""
