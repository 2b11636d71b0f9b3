"""Evaluation of a tiny MLLM on fresh pictures and texts, through the ordinary `generate`, and its model card."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

from dmesr_core.data.bazaar.facts import PICTURE_FACTS
from dmesr_core.features.prompts import KEYWORD_PROMPT, PICTURE_PROMPT, TEXT_PROMPT
from dmesr_core.features.tiny_mllm import tasks

N_SAMPLES = 8  # sampled keyword lists per product


class ChatPipeline:
    """A model folder with its processor, for generation. Uses only what transformers offers for any model."""

    def __init__(self, folder: Path) -> None:
        self.processor = AutoProcessor.from_pretrained(folder, backend="pil")
        self.processor.tokenizer.padding_side = "left"
        self.model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()

    def inputs(self, pictures: Sequence[Image.Image | None], prompts: list[str]) -> dict[str, torch.Tensor]:
        """Model inputs of one batch: a picture or None for each prompt (all of the batch have one, or none has)."""
        chats = []
        for picture, prompt in zip(pictures, prompts, strict=True):
            content = [] if picture is None else [{"type": "image", "image": picture}]
            chats.append([{"role": "user", "content": [*content, {"type": "text", "text": prompt}]}])
        return self.processor.apply_chat_template(
            chats, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt",
            processor_kwargs={"padding": True},
        )  # fmt: skip

    @torch.inference_mode()
    def generate(
        self, pictures: Sequence[Image.Image | None], prompts: list[str], batch_size: int = 64, **generation
    ) -> tuple[list[str], list[float]]:
        """Answers, and for each the mean entropy (nats per token) of the model's distributions over the next token.

        Args:
            generation: arguments of transformers' `generate`, such as `do_sample=False`.
        """
        answers, entropies = [], []
        for i in range(0, len(prompts), batch_size):
            inputs = self.inputs(pictures[i : i + batch_size], prompts[i : i + batch_size])
            out = self.model.generate(
                **inputs, max_new_tokens=40, return_dict_in_generate=True, output_logits=True, **generation
            )
            tokens = out.sequences[:, inputs["input_ids"].shape[1] :]  # (B, new)
            logits = torch.stack(out.logits, dim=1)  # (B, new, V)
            entropy = torch.distributions.Categorical(logits=logits).entropy()  # (B, new)
            real = (tokens != self.processor.tokenizer.pad_token_id).float()
            entropies += ((entropy * real).sum(1) / real.sum(1)).tolist()
            answers += self.processor.batch_decode(tokens, skip_special_tokens=True)
        return answers, entropies


def parse_caption(caption: str) -> dict[str, str]:
    """The four facts in a caption such as "a red striped teapot, round"; empty strings for any other form."""
    head, _, shape = caption.partition(", ")
    words = head.split()[1:]
    if len(words) != 3:
        return dict.fromkeys(PICTURE_FACTS, "")
    return {"colour": words[0], "pattern": words[1], "category": words[2], "shape": shape}


def missed_facts(captions: list[str], facts: list[dict[str, str]]) -> Counter[str]:
    """For each fact the number of captions that do not have its true value."""
    return Counter(
        fact
        for caption, truth in zip(captions, facts, strict=True)
        for fact, value in parse_caption(caption).items()
        if value != truth[fact]
    )


def names_product(answer: str) -> bool:
    """Whether an answer names a category of the Bazaar."""
    return any(c in answer.split() or f"{c}," in answer.split() for c in tasks.CATEGORIES)


def sample_keywords(
    pipeline: ChatPipeline, pictures: Sequence[Image.Image], prompts: list[str], seed: int, temperature: float = 1.0
) -> tuple[list[list[str]], list[float]]:
    """Sample `N_SAMPLES` keyword lists for each product.

    Returns:
        For each product its lists as text ("red, cup"); and the entropy (nats per token) behind each list.
    """
    repeated = [p for p in pictures for _ in range(N_SAMPLES)], [p for p in prompts for _ in range(N_SAMPLES)]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # `generate` samples from the global generator
        answers, entropies = pipeline.generate(*repeated, do_sample=True, temperature=temperature, top_k=0)
    return [answers[i : i + N_SAMPLES] for i in range(0, len(answers), N_SAMPLES)], entropies


def measure(folder: Path, n: int = 2000, split: str = "test", seed: int = 1) -> dict[str, object]:
    """Accuracies of a model folder on `n` fresh pictures of a split, and on texts and questions about such products.

    Returns:
        category, colour, pattern, shape, all_right: shares of correct captions;
        wrong_picture_colour: share of products whose colour is in the caption of another product's picture
        (two random products share a colour about once in twelve);
        summary_exact, question_exact, yes_no_exact: shares of exact answers (chance for yes/no questions: one half);
        keyword_true: share of sampled keywords that are facts of the product;
        keyword_distinct: number of different lists among 8 samples; keyword_entropy: nats per token.
    """
    began = time.perf_counter()
    pipeline = ChatPipeline(folder)
    facts = tasks.sample_facts(split, n, seed)
    rng = np.random.default_rng([seed, 99])
    pictures = [tasks.draw_product(f, rng) for f in facts]
    captions, _ = pipeline.generate(pictures, [PICTURE_PROMPT] * n, do_sample=False)
    result: dict[str, object] = {"split": split, "n": n, "seed": seed, **_caption_scores(captions, facts)}
    result |= _summary_scores(pipeline, facts[: max(1, n // 4)], rng)
    result |= _question_scores(pipeline, facts, pictures, max(1, n // 4), rng)
    result |= _keyword_scores(pipeline, facts, pictures, max(1, min(32, n // 8)), seed, rng)
    result["seconds"] = time.perf_counter() - began
    return {k: round(v, 4) if isinstance(v, float) else v for k, v in result.items()}


def _caption_scores(captions: list[str], facts: list[dict]) -> dict[str, float]:
    """Shares of captions with the correct value of each fact, of all four, and with the colour of a wrong product."""
    parsed = [parse_caption(caption) for caption in captions]
    right = {f: np.array([c[f] == t[f] for c, t in zip(parsed, facts, strict=True)]) for f in PICTURE_FACTS}
    other = np.roll(np.arange(len(facts)), 1)  # the picture of the previous product; the order is random
    swapped = np.mean([parsed[j]["colour"] == facts[i]["colour"] for i, j in enumerate(other)])
    scores = {f: float(r.mean()) for f, r in right.items()}
    scores["all_right"] = float(np.logical_and.reduce(list(right.values())).mean())
    return scores | {"wrong_picture_colour": float(swapped)}


def _summary_scores(pipeline: ChatPipeline, facts: list[dict], rng: np.random.Generator) -> dict[str, float]:
    prompts = [TEXT_PROMPT + tasks.product_text(f, rng) for f in facts]
    answers, _ = pipeline.generate([None] * len(facts), prompts, do_sample=False)
    return {"summary_exact": float(np.mean([a == tasks.summary(f) for a, f in zip(answers, facts, strict=True)]))}


def _question_scores(
    pipeline: ChatPipeline, facts: list, pictures: list, n: int, rng: np.random.Generator
) -> dict[str, float | None]:
    """Short questions about pictures: open ones, and yes/no ones, where chance is one half."""
    examples = [(tasks.picture_task(f, rng), p) for f, p in zip(facts, pictures, strict=True)]
    examples = [(e, p) for e, p in examples if e.prompt != PICTURE_PROMPT][:n]
    answers, _ = pipeline.generate([p for _, p in examples], [e.prompt for e, _ in examples], do_sample=False)
    right: dict[bool, list[bool]] = {True: [], False: []}
    for answer, (example, _) in zip(answers, examples, strict=True):
        right[example.answer in ("yes", "no")].append(answer == example.answer)
    mean = {kind: float(np.mean(r)) if r else None for kind, r in right.items()}  # None: no such question was drawn
    return {"question_exact": mean[False], "yes_no_exact": mean[True]}


def _keyword_scores(
    pipeline: ChatPipeline, facts: list, pictures: list, n: int, seed: int, rng: np.random.Generator
) -> dict[str, float]:
    """Keyword lists sampled at temperature 1 for `n` products; picture and text are given."""
    facts = facts[:n]
    prompts = [KEYWORD_PROMPT + tasks.product_text(f, rng) for f in facts]
    lists, entropies = sample_keywords(pipeline, pictures[:n], prompts, seed)
    true = [word in f.values() for f, group in zip(facts, lists, strict=True) for s in group for word in s.split(", ")]
    return {
        "keyword_true": float(np.mean(true)),
        "keyword_distinct": float(np.mean([len(set(group)) for group in lists])),
        "keyword_entropy": float(np.mean(entropies)),
    }


def count_equal_tensors(a: Path, b: Path) -> tuple[int, int]:
    """(number of tensors in model folder `a` that are equal, bit for bit, in `b`; number of tensors in `a`)."""
    from safetensors.torch import load_file

    old, new = (load_file(folder / "model.safetensors") for folder in (a, b))
    return sum(name in new and torch.equal(old[name], new[name]) for name in old), len(old)


def write_model_card(folder: Path, measured: dict[str, object]) -> None:
    """Write `measured.json` and the model card `README.md`."""
    (folder / "measured.json").write_text(json.dumps(measured) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(model_card(folder, measured), encoding="utf-8")


def model_card(folder: Path, measured: dict[str, object]) -> str:
    """The model card: what the model is, how it was trained, its accuracies, its limits."""
    trained = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    size = (folder / "model.safetensors").stat().st_size / 1e6
    n = {split: len(tasks.combinations(split)) for split in tasks.SPLITS}
    fields = {
        **trained["settings"],
        "n_weights": f"{trained['n_weights']:,}", "size": f"{size:.1f}", "threads": trained["threads"],
        "minutes": round(trained["seconds"] / 60), "n_test": n["test"], "n_dev": n["dev"], "n_all": sum(n.values()),
        "rows": "\n".join(f"| {k.replace('_', ' ')} | {v} |" for k, v in measured.items() if k != "seconds"),
        "samples": N_SAMPLES, "picture_prompt": PICTURE_PROMPT, "text_prompt": TEXT_PROMPT,
        "keyword_prompt": KEYWORD_PROMPT, "n_categories": len(tasks.CATEGORIES), "n_colours": len(tasks.COLOURS),
        "n_patterns": len(tasks.PATTERNS),
    }  # fmt: skip
    return _CARD.format(**fields)


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
