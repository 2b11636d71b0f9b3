"""Extraction against a bare `generate` loop on the same pictures: what checking, pooling and storing cost.

    python benchmarks/bench_extract.py [--mllm MODEL] [--pictures 512] [--repeats 5]

The bare loop opens pictures, calls the processor, generates and decodes, with the batch size that is fastest for it.
Extraction does the same, and also opens pictures safely, hashes them, pools the hidden states and stores the results.
Both run alternately. Prints one JSON line; `ratio` is extraction's pictures per second over the bare loop's;
`processor_time_ratio` is its CPU time over the bare loop's, which other processes disturb less.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageTextToText, AutoProcessor
from transformers.utils import logging

from dmesr_core.data.catalogue import Catalogue
from dmesr_core.features.extract import extract_features
from dmesr_core.features.mllm import MLLM, MLLMSettings
from dmesr_core.features.prompts import PICTURE_PROMPT
from dmesr_core.features.store import FeatureStore
from dmesr_core.features.text_encoder import TextEncoder

BATCH_SIZES = (16, 32, 64, 128)


def draw_pictures(folder: Path, n: int, seed: int = 0) -> list[Path]:
    """`n` different pictures of 128 x 128 pixels: products of the Bazaar."""
    from dmesr_core.data.bazaar.drawing import draw
    from dmesr_core.data.bazaar.facts import COLOURS, PATTERNS, SHAPES

    rng = np.random.default_rng(seed)
    paths = []
    for k in range(n):
        category, colour, pattern = (str(rng.choice(list(names))) for names in (SHAPES, COLOURS, PATTERNS))
        picture = draw(category, colour, pattern, str(rng.choice(SHAPES[category])), rng)
        paths.append(folder / f"{k}.png")
        picture.save(paths[-1])
    return paths


class BareLoop:
    """Generation with transformers alone."""

    def __init__(self, folder: Path, device: str, dtype: torch.dtype, max_new_tokens: int):
        self.processor = AutoProcessor.from_pretrained(folder)
        self.processor.image_processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
        self.processor.tokenizer.padding_side = "left"
        self.model = AutoModelForImageTextToText.from_pretrained(folder, dtype=dtype).to(device).eval()
        self.max_new_tokens = max_new_tokens
        chat = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": PICTURE_PROMPT}]}]
        self.prompt = self.processor.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)

    @torch.inference_mode()
    def run(self, paths: list[Path], batch_size: int) -> list[str]:
        answers = []
        for start in range(0, len(paths), batch_size):
            pictures = [[Image.open(path).convert("RGB")] for path in paths[start : start + batch_size]]
            inputs = self.processor(
                text=[self.prompt] * len(pictures), images=pictures, padding=True, return_tensors="pt"
            ).to(self.model.device, dtype=self.model.dtype)
            out = self.model.generate(**inputs, do_sample=False, max_new_tokens=self.max_new_tokens)
            new = out[:, inputs["input_ids"].shape[1] :]
            answers += self.processor.batch_decode(new, skip_special_tokens=True)
        return answers


def seconds(work, *arguments) -> tuple[float, float]:
    """Wall time and processor time (of all threads) of `work`."""
    wall, processor = time.perf_counter(), time.process_time()
    work(*arguments)
    return time.perf_counter() - wall, time.process_time() - processor


def compare(folder: Path, options: argparse.Namespace) -> dict[str, object]:
    """Time extraction and the bare loop on the same pictures, drawn into `folder`."""
    paths = draw_pictures(folder, options.pictures)
    mllm = MLLM.load(MLLMSettings(options.mllm, max_new_tokens=options.max_new_tokens))
    bare = BareLoop(mllm.folder, str(mllm.device), mllm.dtype, options.max_new_tokens)
    bare.run(paths[:64], 64)  # warm up
    trials = {size: min(seconds(bare.run, paths, size)[0] for _ in range(3)) for size in BATCH_SIZES}
    best = min(trials, key=trials.get)
    mllm = MLLM.load(MLLMSettings(options.mllm, max_new_tokens=options.max_new_tokens, batch_size=best))

    ids = tuple(str(k) for k in range(len(paths)))
    words = ("",) * len(paths)
    without_pictures = Catalogue(ids, words, words, (None,) * len(paths))
    catalogue = Catalogue(ids, words, words, tuple(paths))
    encoder = TextEncoder.load()

    def extraction(catalogue: Catalogue, store: FeatureStore) -> None:
        extract_features(catalogue, mllm, encoder, store, progress=False)

    ours, plain = [], []
    for turn in range(options.repeats):
        store = FeatureStore(folder / f"store{turn}")
        extraction(without_pictures, store)  # words first, so that only pictures are timed
        plain.append(seconds(bare.run, paths, best))
        ours.append(seconds(extraction, catalogue, store))
    ratios = [b[0] / a[0] for a, b in zip(ours, plain, strict=True)]
    cpu_ratios = [a[1] / b[1] for a, b in zip(ours, plain, strict=True)]
    return {
        "benchmark": "extract",
        "pictures": len(paths),
        "batch_size": best,
        "device": str(mllm.device),
        "dtype": str(mllm.dtype).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "bare_pictures_per_second": round(len(paths) / statistics.median(wall for wall, _ in plain), 1),
        "extract_pictures_per_second": round(len(paths) / statistics.median(wall for wall, _ in ours), 1),
        "ratio": round(statistics.median(ratios), 3),
        "ratio_range": [round(min(ratios), 3), round(max(ratios), 3)],
        "processor_time_ratio": round(statistics.median(cpu_ratios), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mllm", default="tiny", help="tiny, a hub name, or a folder")
    parser.add_argument("--pictures", type=int, default=512, help="number of pictures")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each")
    parser.add_argument("--threads", type=int, default=0, help="threads of PyTorch; 0: its default")
    parser.add_argument("--max-new-tokens", type=int, default=48)
    options = parser.parse_args()
    logging.disable_progress_bar()
    if options.threads:
        torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        result = compare(Path(folder), options)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
