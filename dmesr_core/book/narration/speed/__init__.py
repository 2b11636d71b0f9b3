"""Appendix E: what the files of `make bench-peers` and `make bench-model` say, as tables, ratios and sentences."""
