"""Training of the tiny MLLM: two stages, resumable, deterministic given the settings.

Stage 1 pretrains the vision tower and the connector with temporary heads that classify colour, pattern and outline.
Stage 2 trains the whole model to answer, with the loss on the tokens of the answer only. The batch of a step depends
only on (seed, stage, step), so an interrupted training continues exactly where it stopped.
"""

from __future__ import annotations

import io
import json
import math
import time
from collections.abc import Callable
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
from dmesr_core.features.tiny_mllm import tasks
from dmesr_core.features.tiny_mllm.build import build_model, build_processor, build_tokenizer, chat, normalise
from dmesr_core.files import cache_dir, write_atomically

OUTLINES = tuple((c, s) for c, pair in SHAPES.items() for s in pair)
IGNORE = -100  # label of a token without loss


@dataclass(frozen=True)
class TinyTrainSettings:
    """How the tiny MLLM is trained. The defaults made the shipped checkpoint."""

    seed: int = 0  # of the initial weights, pictures, texts and batches
    n_pictures: int = 40_000  # training pictures, drawn once
    eye_steps: int = 2_500  # steps of stage 1
    steps: int = 2_000  # steps of stage 2
    eye_batch: int = 64  # pictures per step of stage 1
    picture_batch: int = 40  # picture tasks per step of stage 2
    words_batch: int = 28  # text tasks per step of stage 2 (in every fourth step: tasks with picture and text)
    eye_rate: float = 2e-3  # peak learning rate of stage 1
    rate: float = 1.5e-3  # peak learning rate of stage 2
    weight_decay: float = 0.05  # of AdamW, in both stages
    warmup: int = 100  # steps until the peak learning rate; cosine decay to zero afterwards
    save_every: int = 500  # steps between two resume points

    def __post_init__(self) -> None:
        for name in ("n_pictures", "eye_batch", "picture_batch", "words_batch", "save_every"):
            if getattr(self, name) < 1:
                raise SettingsError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("seed", "eye_steps", "steps", "weight_decay", "warmup"):
            if not getattr(self, name) >= 0:  # NaN is refused, too
                raise SettingsError(f"{name} must not be negative, got {getattr(self, name)}")
        for name in ("eye_rate", "rate"):
            if not getattr(self, name) > 0:
                raise SettingsError(f"{name} must be above 0, got {getattr(self, name)}")


def smoke_settings(steps: int = 3, seed: int = 0) -> TinyTrainSettings:
    """Settings of a training of a few steps, for tests: it runs everything, and the model learns nothing."""
    return TinyTrainSettings(
        seed=seed, n_pictures=48, eye_steps=steps, steps=steps, eye_batch=8, picture_batch=4, words_batch=4, warmup=1
    )


def train(
    settings: TinyTrainSettings, folder: Path, pictures_folder: Path | None = None, progress: bool = True
) -> dict[str, object]:
    """Train from scratch and save the model as a transformers folder in half precision.

    Args:
        settings: the defaults take about half an hour on one core.
        folder: folder of the model and of `training.json` (settings, losses, seconds). If it contains a `resume.pt`
            of the same settings, the interrupted training is continued.
        pictures_folder: where drawn pictures are stored; None: in the cache folder.
        progress: show progress bars.

    Returns:
        The report that `training.json` holds: settings, n_weights, seconds, `losses` = list of [stage, step, loss].
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    pictures = tasks.draw_pictures(
        "train", settings.n_pictures, settings.seed, pictures_folder or cache_dir() / "tiny_mllm", progress
    )
    tokenizer = build_tokenizer(settings.seed)
    model = build_model(tokenizer, settings.seed)
    model.train()
    training = _Training(settings, folder, progress)
    vision = _VisionPretraining(model, settings.seed)
    training.stage(
        1, settings.eye_steps, settings.eye_rate, vision, lambda rng: vision.loss(pictures, settings.eye_batch, rng)
    )
    training.stage(
        2, settings.steps, settings.rate, model, lambda rng: answer_loss(model, tokenizer, pictures, settings, rng)
    )
    model.eval().half().save_pretrained(folder)
    build_processor(tokenizer).save_pretrained(folder)
    report = {
        "settings": asdict(settings),
        "n_weights": sum(p.numel() for p in model.parameters()),
        "seconds": round(training.seconds, 1),
        "threads": torch.get_num_threads(),
        "losses": training.losses,
    }
    (folder / "training.json").write_text(json.dumps(report) + "\n", encoding="utf-8")
    training.resume_file.unlink(missing_ok=True)
    return report


class _Training:
    """The training loop of both stages, with resume points and smoothed losses."""

    def __init__(self, settings: TinyTrainSettings, folder: Path, progress: bool) -> None:
        self.settings, self.progress = settings, progress
        self.resume_file = folder / "resume.pt"
        self.losses: list[list[float]] = []  # stage, step, loss
        self.seconds = 0.0
        self.saved = torch.load(self.resume_file, weights_only=True) if self.resume_file.exists() else None
        if self.saved and self.saved["settings"] != asdict(settings):
            raise SettingsError(
                f"{self.resume_file} is from a training with other settings: delete it or choose another folder"
            )

    def stage(
        self, number: int, steps: int, rate: float, module: nn.Module, loss_of: Callable[[np.random.Generator], Tensor]
    ) -> None:
        """Train `module` for `steps` steps. `loss_of` draws the batch of a step and returns its loss."""
        optimizer = torch.optim.AdamW(self._parameter_groups(module), lr=rate, betas=(0.9, 0.98))
        first = self._restore(number, module, optimizer)
        if first is None:
            return
        quiet = None if self.progress else True  # None: quiet where the output is not a terminal
        bar = tqdm(range(first, steps), desc=f"stage {number}", initial=first, total=steps, disable=quiet)
        began, before, mean = time.perf_counter(), self.seconds, None
        for step in bar:
            for group in optimizer.param_groups:
                group["lr"] = rate * self._rate_factor(step, steps)
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

    def _parameter_groups(self, module: nn.Module) -> list[dict[str, Any]]:
        """Weight decay for matrices only, not for biases and norms."""
        decayed = [p for p in module.parameters() if p.ndim > 1]
        others = [p for p in module.parameters() if p.ndim <= 1]
        return [
            {"params": decayed, "weight_decay": self.settings.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]

    def _rate_factor(self, step: int, steps: int) -> float:
        """Linear warm-up, times cosine decay to zero."""
        factor = min(1.0, (step + 1) / max(1, self.settings.warmup))
        return factor * (0.5 * (1 + math.cos(math.pi * step / steps)))

    def _restore(self, stage: int, module: nn.Module, optimizer: torch.optim.Optimizer) -> int | None:
        """The step at which to continue, after loading the resume point; None if the stage is complete."""
        if not self.saved:
            return 0
        if self.saved["stage"] > stage:  # the resume point is of the next stage, and contains the weights
            return None
        saved, self.saved = self.saved, None
        if saved["stage"] < stage:
            return 0
        module.load_state_dict(saved["module"])
        optimizer.load_state_dict(saved["optimizer"])
        self.losses, self.seconds = saved["losses"], saved["seconds"]
        return saved["step"]

    def _save(self, stage: int, step: int, module: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        state = {
            "settings": asdict(self.settings), "stage": stage, "step": step, "module": module.state_dict(),
            "optimizer": optimizer.state_dict(), "losses": self.losses, "seconds": self.seconds,
        }  # fmt: skip
        buffer = io.BytesIO()
        torch.save(state, buffer)
        write_atomically(self.resume_file, buffer.getvalue())


class _VisionPretraining(nn.Module):
    """Vision tower and connector with three temporary heads, for stage 1."""

    def __init__(self, model: Any, seed: int) -> None:
        super().__init__()
        self.tower, self.connector = model.model.vision_model, model.model.connector
        d = model.config.text_config.hidden_size
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed + 1)
            self.heads = nn.ModuleList(nn.Linear(2 * d, n) for n in (len(OUTLINES), len(COLOURS), len(PATTERNS)))

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """(B, 3, 64, 64) to the logits of outline, colour and pattern."""
        mask = torch.ones(len(pixels), 8, 8, dtype=torch.bool)  # no patch is padding
        states = self.tower(pixel_values=pixels, patch_attention_mask=mask).last_hidden_state  # (B, 64, 96)
        tokens = self.connector(states)  # (B, 16, d)
        pooled = torch.cat([tokens.mean(1), tokens.amax(1)], dim=1)  # (B, 2 d)
        return [head(pooled) for head in self.heads]

    def loss(self, pictures: tasks.PictureSet, batch_size: int, rng: np.random.Generator) -> Tensor:
        """Sum of the three cross-entropies on a random batch."""
        rows = rng.integers(len(pictures), size=batch_size)
        logits = self(augment(normalise(pictures.pixels[rows]), rng))
        targets = _targets(pictures, rows)
        outline, colour, pattern = (F.cross_entropy(x, y) for x, y in zip(logits, targets, strict=True))
        return outline + colour + pattern


def _targets(pictures: tasks.PictureSet, rows: np.ndarray) -> list[Tensor]:
    """Class numbers of outline, colour and pattern, each (B,)."""
    facts = [pictures.facts[i] for i in rows]
    colours = tuple(COLOURS)
    codes = [
        [OUTLINES.index((f["category"], f["shape"])) for f in facts],
        [colours.index(f["colour"]) for f in facts],
        [PATTERNS.index(f["pattern"]) for f in facts],
    ]
    return [torch.tensor(c) for c in codes]


def augment(pixels: Tensor, rng: np.random.Generator) -> Tensor:
    """Small random shift, zoom, rotation, contrast, brightness and noise. (B, 3, 64, 64) in and out."""
    n = len(pixels)
    angle, zoom = rng.uniform(-0.1, 0.1, n), rng.uniform(0.92, 1.1, n)
    matrix = np.zeros((n, 2, 3), dtype=np.float32)
    matrix[:, 0, 0] = matrix[:, 1, 1] = zoom * np.cos(angle)
    matrix[:, 1, 0] = zoom * np.sin(angle)
    matrix[:, 0, 1] = -matrix[:, 1, 0]
    matrix[:, :, 2] = rng.uniform(-0.08, 0.08, (n, 2))
    grid = F.affine_grid(torch.from_numpy(matrix), list(pixels.shape), align_corners=False)
    moved = F.grid_sample(pixels, grid, padding_mode="border", align_corners=False)
    contrast, brightness = rng.uniform(0.93, 1.07, (n, 1, 1, 1)), rng.uniform(-0.06, 0.06, (n, 1, 1, 1))
    noise = rng.standard_normal(moved.shape, dtype=np.float32) * 0.02
    return moved * torch.from_numpy(contrast).float() + torch.from_numpy(brightness).float() + torch.from_numpy(noise)


def answer_loss(
    model: Any, tokenizer: Any, pictures: tasks.PictureSet, settings: TinyTrainSettings, rng: np.random.Generator
) -> Tensor:
    """Mean loss of a batch of picture tasks plus that of a batch of text tasks (or of keyword tasks, with pictures)."""
    second = tasks.keyword_task if rng.random() < 0.25 else tasks.text_task
    total: Any = 0.0
    for task, size in ((tasks.picture_task, settings.picture_batch), (second, settings.words_batch)):
        rows = rng.integers(len(pictures), size=size)
        examples = [task(pictures.facts[i], rng) for i in rows]
        inputs = encode(tokenizer, examples)
        if examples[0].has_picture:
            pixels = augment(normalise(pictures.pixels[rows]), rng)
            inputs["pixel_values"] = pixels[:, None]  # (B, 1, 3, 64, 64): one picture per example
        total = total + model(**inputs).loss
    return total


def encode(tokenizer: Any, examples: list[tasks.Example]) -> dict[str, Tensor]:
    """Token ids, mask and labels, each (B, T), padded on the right; only the answer's tokens have labels."""
    prompts = tokenizer([chat(e.prompt, e.has_picture) for e in examples], add_special_tokens=False)["input_ids"]
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
