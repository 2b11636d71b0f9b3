"""Experiments: grids of trainings, and the records they leave."""
