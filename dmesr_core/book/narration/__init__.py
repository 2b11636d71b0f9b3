"""Narration: what measured numbers say, in the words of the chapters. Each function is tested for every verdict."""
