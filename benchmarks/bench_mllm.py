"""Evaluate the shipped tiny MLLM on fresh pictures of held-out combinations, and print one JSON line.

`python benchmarks/bench_mllm.py [--n 2000] [--split test] [--seed 1] [--folder FOLDER] [--card]`
With `--card` the results are also written to the folder's model card.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from transformers.utils import logging

from dmesr_core.features.tiny_mllm import checkpoint_folder
from dmesr_core.features.tiny_mllm.evaluate import measure, write_model_card


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--folder", type=Path, default=checkpoint_folder(), help="model folder (default: the shipped one)"
    )
    parser.add_argument("--n", type=int, default=2000, help="number of fresh pictures")
    parser.add_argument("--split", default="test", help="train, dev or test combinations")
    parser.add_argument("--seed", type=int, default=1, help="seed of the fresh pictures")
    parser.add_argument("--card", action="store_true", help="write the results to the model card")
    args = parser.parse_args()
    logging.disable_progress_bar()
    torch.set_num_threads(1)  # more threads make so small a model slower on busy cores
    measured = measure(args.folder, args.n, args.split, args.seed)
    if args.card:
        write_model_card(args.folder, measured)
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
