"""Train the tiny MLLM that the book ships: two stages, resumable, a pure function of its settings.

Stage 1 teaches the eyes: vision tower and connector alone, with throw-away heads that name colour, pattern and outline.
Stage 2 teaches the whole model to answer, with the loss on the answer's tokens only. The batch of a step depends on
(seed, stage, step) and on nothing before it, so a run that was stopped goes on exactly where it was.
"""

from __future__ import annotations

import json
import math
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from dmesr_core.data.bazaar.facts import COLOURS, PATTERNS, SHAPES
from dmesr_core.errors import SettingsError
from dmesr_core.features.tiny_mllm import tasks as data
from dmesr_core.features.tiny_mllm.build import build_model, build_processor, build_tokenizer, chat, normalise
from dmesr_core.files import cache_dir

OUTLINES = tuple((c, s) for c, pair in SHAPES.items() for s in pair)
IGNORE = -100  # label of a token that carries no loss


@dataclass(frozen=True)
class TrainSettings:
    """How the tiny MLLM is trained. The defaults made the shipped checkpoint."""

    seed: int = 0  # first weights, pictures, texts and batches all follow from it
    n_pictures: int = 40_000  # training pictures, drawn once
    eye_steps: int = 2_500  # steps of stage 1
    steps: int = 2_000  # steps of stage 2
    eye_batch: int = 64  # pictures per step of stage 1
    picture_batch: int = 40  # picture tasks per step of stage 2
    words_batch: int = 28  # word tasks per step of stage 2 (each fourth step: picture and words together)
    eye_rate: float = 2e-3  # peak learning rate of stage 1
    rate: float = 1.5e-3  # peak learning rate of stage 2
    weight_decay: float = 0.05  # AdamW's, in both stages
    warmup: int = 100  # steps until the peak learning rate; a cosine takes it to zero afterwards
    save_every: int = 500  # steps between two resume points

    def __post_init__(self) -> None:
        if min(self.n_pictures, self.eye_batch, self.picture_batch, self.words_batch) < 1:
            raise SettingsError("n_pictures and the three batch sizes must be at least 1")
        if min(self.eye_steps, self.steps) < 0:
            raise SettingsError("eye_steps and steps must not be negative")


def smoke_settings(steps: int = 3, seed: int = 0) -> TrainSettings:
    """A training of a few steps: shows that everything runs, teaches nothing."""
    return TrainSettings(
        seed=seed, n_pictures=48, eye_steps=steps, steps=steps, eye_batch=8, picture_batch=4, words_batch=4, warmup=1
    )


def train(
    settings: TrainSettings, folder: Path, pictures_folder: Path | None = None, progress: bool = True
) -> dict[str, object]:
    """Train from scratch and write an ordinary transformers folder in half precision.

    Args:
        settings: the defaults take about half an hour on one core.
        folder: where the model goes; `training.json` (settings, losses, seconds) lands beside it in the same folder.
            A `resume.pt` in it continues an interrupted run of the same settings.
        pictures_folder: where drawn pictures are kept; without it, the cache folder.
        progress: show progress bars.

    Returns:
        The report that `training.json` holds: settings, n_weights, seconds, `losses` = list of [stage, step, loss].
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    shown = data.pictures(
        "train", settings.n_pictures, settings.seed, pictures_folder or cache_dir() / "tiny_mllm", progress
    )
    tokenizer = build_tokenizer(settings.seed)
    model = build_model(tokenizer, settings.seed)
    model.train()
    run = _Run(settings, folder, progress)
    eyes = _Eyes(model, settings.seed)
    run.stage(1, settings.eye_steps, settings.eye_rate, eyes, lambda rng: eyes.loss(shown, settings.eye_batch, rng))
    run.stage(2, settings.steps, settings.rate, model, lambda rng: _answer_loss(model, tokenizer, shown, settings, rng))
    model.eval().half().save_pretrained(folder)
    build_processor(tokenizer).save_pretrained(folder)
    report = {
        "settings": asdict(settings),
        "n_weights": sum(p.numel() for p in model.parameters()),
        "seconds": round(run.seconds, 1),
        "threads": torch.get_num_threads(),
        "losses": run.losses,
    }
    (folder / "training.json").write_text(json.dumps(report) + "\n", encoding="utf-8")
    run.path.unlink(missing_ok=True)
    return report


class _Run:
    """Both stages' loop: learning rate, resume points, losses."""

    def __init__(self, settings: TrainSettings, folder: Path, progress: bool) -> None:
        self.settings, self.progress = settings, progress
        self.path = folder / "resume.pt"
        self.losses: list[list[float]] = []
        self.seconds = 0.0
        self.saved = torch.load(self.path, weights_only=True) if self.path.exists() else None
        if self.saved and self.saved["settings"] != asdict(settings):
            raise SettingsError(f"{self.path} is from a run with other settings: delete it or choose another folder")

    def stage(self, number: int, steps: int, rate: float, module: nn.Module, loss_of) -> None:
        """Take `steps` steps on `module`, whose loss is `loss_of(rng)`."""
        decayed = [p for p in module.parameters() if p.ndim > 1]
        others = [p for p in module.parameters() if p.ndim <= 1]
        groups = [
            {"params": decayed, "weight_decay": self.settings.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98))
        first = 0
        if self.saved:
            if self.saved["stage"] > number:  # stage done: the next stage's resume point has the weights
                return
            if self.saved["stage"] == number:
                module.load_state_dict(self.saved["module"])
                optimizer.load_state_dict(self.saved["optimizer"])
                first, self.losses, self.seconds = self.saved["step"], self.saved["losses"], self.saved["seconds"]
            self.saved = None
        quiet = None if self.progress else True  # None: quiet where the output is not a terminal
        bar = tqdm(range(first, steps), desc=f"stage {number}", initial=first, total=steps, disable=quiet)
        began, before, mean = time.perf_counter(), self.seconds, None
        for step in bar:
            factor = min(1.0, (step + 1) / max(1, self.settings.warmup))
            factor *= 0.5 * (1 + math.cos(math.pi * step / steps))
            for group in optimizer.param_groups:
                group["lr"] = rate * factor
            loss = loss_of(np.random.default_rng([self.settings.seed, number, step]))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(module.parameters(), 1.0)
            optimizer.step()
            mean = loss.item() if mean is None else 0.95 * mean + 0.05 * loss.item()
            self.seconds = before + time.perf_counter() - began
            if step % 25 == 0 or step == steps - 1:
                self.losses.append([number, step, round(mean, 5)])
                bar.set_postfix(loss=f"{mean:.3f}")
            if (step + 1) % self.settings.save_every == 0:
                self._save(number, step + 1, module, optimizer)

    def _save(self, stage: int, step: int, module: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        state = {
            "settings": asdict(self.settings), "stage": stage, "step": step, "module": module.state_dict(),
            "optimizer": optimizer.state_dict(), "losses": self.losses, "seconds": self.seconds,
        }  # fmt: skip
        partial = self.path.with_suffix(".partial")
        torch.save(state, partial)
        os.replace(partial, self.path)


class _Eyes(nn.Module):
    """Vision tower and connector with three heads that stage 2 throws away."""

    def __init__(self, model: Any, seed: int) -> None:  # a transformers model; torch knows nothing of its parts
        super().__init__()
        self.tower, self.connector = model.model.vision_model, model.model.connector
        d = model.config.text_config.hidden_size
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed + 1)
            self.heads = nn.ModuleList(nn.Linear(2 * d, n) for n in (len(OUTLINES), len(COLOURS), len(PATTERNS)))

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """(B, 3, 64, 64) to the logits of outline, colour and pattern."""
        whole = torch.ones(len(pixels), 8, 8, dtype=torch.bool)  # every patch counts
        seen = self.tower(pixel_values=pixels, patch_attention_mask=whole).last_hidden_state  # (B, 64, 96)
        tokens = self.connector(seen)  # (B, 16, d)
        pooled = torch.cat([tokens.mean(1), tokens.amax(1)], dim=1)  # (B, 2 d)
        return [head(pooled) for head in self.heads]

    def loss(self, shown: data.Pictures, batch: int, rng: np.random.Generator) -> Tensor:
        rows = rng.integers(len(shown), size=batch)
        logits = self(augment(normalise(shown.pixels[rows]), rng))
        outline, colour, pattern = (F.cross_entropy(x, y) for x, y in zip(logits, _targets(shown, rows), strict=True))
        return outline + colour + pattern


def _targets(shown: data.Pictures, rows: np.ndarray) -> list[Tensor]:
    """Class numbers of outline, colour and pattern, each (B,)."""
    facts = [shown.facts[i] for i in rows]
    colours = tuple(COLOURS)
    codes = [
        [OUTLINES.index((f["category"], f["shape"])) for f in facts],
        [colours.index(f["colour"]) for f in facts],
        [PATTERNS.index(f["pattern"]) for f in facts],
    ]
    return [torch.tensor(c) for c in codes]


def augment(pixels: Tensor, rng: np.random.Generator) -> Tensor:
    """Shift, zoom, turn and light each picture a little, and add noise. (B, 3, 64, 64) in and out."""
    n = len(pixels)
    angle, zoom = rng.uniform(-0.1, 0.1, n), rng.uniform(0.92, 1.1, n)
    matrix = np.zeros((n, 2, 3), dtype=np.float32)
    matrix[:, 0, 0] = matrix[:, 1, 1] = zoom * np.cos(angle)
    matrix[:, 1, 0] = zoom * np.sin(angle)
    matrix[:, 0, 1] = -matrix[:, 1, 0]
    matrix[:, :, 2] = rng.uniform(-0.08, 0.08, (n, 2))
    grid = F.affine_grid(torch.from_numpy(matrix), list(pixels.shape), align_corners=False)
    moved = F.grid_sample(pixels, grid, padding_mode="border", align_corners=False)
    contrast, light = rng.uniform(0.93, 1.07, (n, 1, 1, 1)), rng.uniform(-0.06, 0.06, (n, 1, 1, 1))
    noise = rng.standard_normal(moved.shape, dtype=np.float32) * 0.02
    return moved * torch.from_numpy(contrast).float() + torch.from_numpy(light).float() + torch.from_numpy(noise)


def _answer_loss(model, tokenizer, shown: data.Pictures, settings: TrainSettings, rng: np.random.Generator) -> Tensor:
    """Mean loss of a batch of picture tasks plus that of a batch of word tasks."""
    second = data.keyword_task if rng.random() < 0.25 else data.words_task
    total: Any = 0.0
    for task, size in ((data.picture_task, settings.picture_batch), (second, settings.words_batch)):
        rows = rng.integers(len(shown), size=size)
        examples = [task(shown.facts[i], rng) for i in rows]
        inputs = encode(tokenizer, examples)
        if examples[0].sees:
            inputs["pixel_values"] = augment(normalise(shown.pixels[rows]), rng)[:, None]  # one picture per example
        total = total + model(**inputs).loss
    return total


def encode(tokenizer, examples: list[data.Example]) -> dict[str, Tensor]:
    """Token ids, mask and labels, each (B, T), padded on the right; only the answer's tokens have labels."""
    prompts = tokenizer([chat(e.prompt, e.sees) for e in examples], add_special_tokens=False)["input_ids"]
    answers = tokenizer([e.answer + tokenizer.eos_token for e in examples], add_special_tokens=False)["input_ids"]
    length = max(len(p) + len(a) for p, a in zip(prompts, answers, strict=True))
    ids = torch.full((len(examples), length), tokenizer.pad_token_id)
    labels = torch.full_like(ids, IGNORE)
    mask = torch.zeros_like(ids)
    for i, (p, a) in enumerate(zip(prompts, answers, strict=True)):
        n = len(p) + len(a)
        ids[i, :n] = torch.tensor(p + a)
        labels[i, len(p) : n] = torch.tensor(a)
        mask[i, :n] = 1
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}
