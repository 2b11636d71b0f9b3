"""Measure a tiny MLLM on fresh pictures and texts, through the ordinary `generate`, and write its model card."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

from dmesr_core.data.bazaar import words
from dmesr_core.data.bazaar.drawing import draw
from dmesr_core.data.bazaar.facts import PICTURE_FACTS
from dmesr_core.features.tiny_mllm import tasks as data

N_SAMPLES = 8  # sampled keyword lists per product


class Speaker:
    """A model folder, ready to answer. Knows no more about the model than any user of transformers would."""

    def __init__(self, folder: Path) -> None:
        self.processor = AutoProcessor.from_pretrained(folder, backend="pil")
        self.processor.tokenizer.padding_side = "left"
        self.model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()

    def inputs(self, pictures: Sequence[Image.Image | None], prompts: list[str]) -> dict[str, torch.Tensor]:
        """What `generate` wants, for one prompt per picture (None: no picture; all or none of a batch have one)."""
        chats = []
        for picture, prompt in zip(pictures, prompts, strict=True):
            content = [] if picture is None else [{"type": "image", "image": picture}]
            chats.append([{"role": "user", "content": [*content, {"type": "text", "text": prompt}]}])
        return self.processor.apply_chat_template(
            chats, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt",
            processor_kwargs={"padding": True},
        )  # fmt: skip

    @torch.inference_mode()
    def answer(
        self, pictures: Sequence[Image.Image | None], prompts: list[str], batch: int = 64, **generation
    ) -> tuple[list[str], list[float]]:
        """Answers, and the mean entropy (nats per token) of the distributions that each was drawn from."""
        texts, entropies = [], []
        for i in range(0, len(prompts), batch):
            inputs = self.inputs(pictures[i : i + batch], prompts[i : i + batch])
            out = self.model.generate(
                **inputs, max_new_tokens=40, return_dict_in_generate=True, output_logits=True, **generation
            )
            tokens = out.sequences[:, inputs["input_ids"].shape[1] :]  # (B, new)
            logits = torch.stack(out.logits, dim=1)  # (B, new, V)
            entropy = torch.distributions.Categorical(logits=logits).entropy()
            said = (tokens != self.processor.tokenizer.pad_token_id).float()
            entropies += ((entropy * said).sum(1) / said.sum(1)).tolist()
            texts += self.processor.batch_decode(tokens, skip_special_tokens=True)
        return texts, entropies


def parse_caption(caption: str) -> dict[str, str]:
    """What a caption claims: "a red striped teapot, round" to its four facts; empty strings where it claims nothing."""
    head, _, shape = caption.partition(", ")
    claimed = head.split()[1:]
    if len(claimed) != 3:
        return dict.fromkeys(PICTURE_FACTS, "")
    return {"colour": claimed[0], "pattern": claimed[1], "category": claimed[2], "shape": shape}


def measure(folder: Path, n: int = 2000, split: str = "test", seed: int = 1) -> dict[str, object]:
    """Accuracies of a model folder on `n` fresh pictures of a split, and on texts and questions about such products.

    Returns:
        category, colour, pattern, shape, all_right: shares of right captions;
        wrong_picture_colour: how often the caption names a product's colour when another product's picture is shown
        (products drawn at random share a colour about once in twelve);
        summary_exact, question_exact, yes_no_exact: shares of exact answers (a coin gets half of the yes/no questions);
        keyword_true: share of sampled keywords that are facts of the product;
        keyword_distinct: different lists among 8 samples; keyword_entropy: nats per token.
    """
    began = time.perf_counter()
    speaker = Speaker(folder)
    facts = data.sample_facts_of(split, n, seed)
    rng = np.random.default_rng([seed, 99])
    pictures = [draw(f["category"], f["colour"], f["pattern"], f["shape"], rng) for f in facts]
    captions, _ = speaker.answer(pictures, [data.PICTURE_PROMPT] * n, do_sample=False)
    claims = [parse_caption(c) for c in captions]
    right = {f: np.array([c[f] == t[f] for c, t in zip(claims, facts, strict=True)]) for f in PICTURE_FACTS}
    other = np.roll(np.arange(n), 1)  # every product gets its neighbour's picture; the order is random
    swapped = np.mean([claims[j]["colour"] == facts[i]["colour"] for i, j in enumerate(other)])
    result = {"split": split, "n": n, "seed": seed}
    result |= {f: float(r.mean()) for f, r in right.items()}
    result["all_right"] = float(np.logical_and.reduce(list(right.values())).mean())
    result["wrong_picture_colour"] = float(swapped)
    result |= _read(speaker, facts[: max(1, n // 4)], rng)
    result |= _questions(speaker, facts, pictures, max(1, n // 4), rng)
    result |= _keywords(speaker, facts, pictures, max(1, min(32, n // 8)), seed, rng)
    result["seconds"] = time.perf_counter() - began
    return {k: round(v, 4) if isinstance(v, float) else v for k, v in result.items()}


def _read(speaker: Speaker, facts: list[dict], rng: np.random.Generator) -> dict[str, float]:
    prompts = [data.TEXT_PROMPT + ". ".join(words.write(f, rng)) for f in facts]
    said, _ = speaker.answer([None] * len(facts), prompts, do_sample=False)
    return {"summary_exact": float(np.mean([s == data.summary(f) for s, f in zip(said, facts, strict=True)]))}


def _questions(speaker: Speaker, facts: list, pictures: list, n: int, rng: np.random.Generator) -> dict:
    """Short questions about pictures: open ones, and yes/no ones, where a coin would be right half of the time."""
    asked = [(data.picture_task(f, rng), p) for f, p in zip(facts, pictures, strict=True)]
    asked = [(e, p) for e, p in asked if e.prompt != data.PICTURE_PROMPT][:n]
    said, _ = speaker.answer([p for _, p in asked], [e.prompt for e, _ in asked], do_sample=False)
    right: dict[bool, list[bool]] = {True: [], False: []}
    for answer, (example, _) in zip(said, asked, strict=True):
        right[example.answer in ("yes", "no")].append(answer == example.answer)
    mean = {kind: float(np.mean(r)) if r else None for kind, r in right.items()}  # None: no such question came up
    return {"question_exact": mean[False], "yes_no_exact": mean[True]}


def _keywords(speaker: Speaker, facts: list, pictures: list, n: int, seed: int, rng: np.random.Generator) -> dict:
    """Sample 8 keyword lists for each of `n` products at temperature 1, picture and text given."""
    facts, pictures = facts[:n], pictures[:n]
    prompts = [data.KEYWORD_PROMPT + ". ".join(words.write(f, rng)) for f in facts]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # generate() samples from the global generator
        said, entropy = speaker.answer(
            [p for p in pictures for _ in range(N_SAMPLES)], [p for p in prompts for _ in range(N_SAMPLES)],
            do_sample=True, temperature=1.0, top_k=0,
        )  # fmt: skip
    lists = [said[i : i + N_SAMPLES] for i in range(0, len(said), N_SAMPLES)]
    true = [word in f.values() for f, group in zip(facts, lists, strict=True) for s in group for word in s.split(", ")]
    return {
        "keyword_true": float(np.mean(true)),
        "keyword_distinct": float(np.mean([len(set(group)) for group in lists])),
        "keyword_entropy": float(np.mean(entropy)),
    }


def write_model_card(folder: Path, measured: dict[str, object]) -> None:
    """Write `README.md` and `measured.json`: what the model is, how it was made, what was measured, where it fails."""
    trained = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    size = (folder / "model.safetensors").stat().st_size / 1e6
    n = {split: len(data.combinations(split)) for split in data.SPLITS}
    fields = {
        **trained["settings"],
        "n_weights": f"{trained['n_weights']:,}", "size": f"{size:.1f}", "threads": trained["threads"],
        "minutes": round(trained["seconds"] / 60), "n_test": n["test"], "n_dev": n["dev"], "n_all": sum(n.values()),
        "rows": "\n".join(f"| {k.replace('_', ' ')} | {v} |" for k, v in measured.items() if k != "seconds"),
        "samples": N_SAMPLES, "picture_prompt": data.PICTURE_PROMPT, "text_prompt": data.TEXT_PROMPT,
        "keyword_prompt": data.KEYWORD_PROMPT, "n_categories": len(data.CATEGORIES), "n_colours": len(data.COLOURS),
        "n_patterns": len(data.PATTERNS),
    }  # fmt: skip
    (folder / "measured.json").write_text(json.dumps(measured) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(_CARD.format(**fields), encoding="utf-8")


_CARD = """---
license: mit
library_name: transformers
pipeline_tag: image-text-to-text
---

# The tiny MLLM of the Bazaar

An Idefics3 (Laurençon et al., 2024) of {n_weights} weights ({size} MB in half precision), trained from scratch by
`dmesr_core.features.tiny_mllm.train`. It looks at a 64 × 64 picture of a Bazaar product, reads its words, and answers.

```python
import torch
from transformers import AutoModelForImageTextToText, AutoProcessor
processor = AutoProcessor.from_pretrained(folder, backend="pil")
model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32)
```

## How it was made

- Seed {seed}; {n_pictures:,} generated pictures; texts, questions and keyword lists are written anew for each step.
- Stage 1: {eye_steps:,} steps of {eye_batch} pictures, vision tower and connector only, with throw-away heads.
- Stage 2: {steps:,} steps of {picture_batch} picture tasks and {words_batch} word tasks, the whole model.
- {minutes} minutes with {threads} CPU thread(s). `training.json` holds all settings and the loss curve.
- Of {n_all} combinations of colour, category and pattern, {n_test} (`test`) were never trained on and never used to
  choose anything, {n_dev} (`dev`) served to choose settings. A hash of the three names fixes which is which.

## What it can do

Measured on fresh pictures and texts by `make bench-mllm` (shares, unless the name says otherwise):

| measure | value |
|---|---|
{rows}

*wrong picture colour*: how often the caption names a product's colour when another product's picture is shown; whoever
does not look would score as high with a wrong picture as with the right one. *keyword distinct*: different lists among
{samples} samples at temperature 1; *keyword entropy*: nats per token. *keyword true*: share of sampled
keywords that are facts of the product. *yes no exact*: a coin would get half of them.

Prompts: `{picture_prompt}`, `{text_prompt}…`, `{keyword_prompt}…`, and
short questions such as `What colour is it?` and `Is it red?`. The summary of a text leaves out brand, series and
colour on purpose.

## What it cannot do

Its world is closed: {n_categories} categories, {n_colours} colours and {n_patterns} patterns, drawn by one program.
Shown a photograph or noise, it names some Bazaar product all the same. A prompt that it was not trained on is answered
as if it were one that it was. Yes/no questions are hard for it (a coin gets one half), and sampled keyword lists
contain slips: brands that the text does not name, series names with a wrong letter (`keyword true` says how often).
"""
