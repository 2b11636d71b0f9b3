"""Features of a catalogue: here models and items meet.

Each item gets two coarse vectors (what the MLLM says about its picture, and about its words) and fine token states of
its words. Every result is stored under a hash of what made it (model, prompt, picture bytes, text), so nothing is
computed twice, and when an item changes, only what depends on the change is computed again.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from dmesr_core.data.catalogue import Catalogue
from dmesr_core.errors import DataError, SettingsError
from dmesr_core.features.mllm import BROKEN_PICTURE, EMPTY, MLLM, NO_PICTURE, TEXT_CUT, Described
from dmesr_core.features.store import FeatureStore, Record, make_key
from dmesr_core.features.text_encoder import MAX_TOKENS, TextEncoder

__all__ = ["FeatureStore", "Features", "extract"]

_SHARD = 256  # results that are computed and stored together: about what a killed process loses
_FILE = "<file>"  # stands for the path in a stored reason: the same bytes may later lie elsewhere


@dataclass(frozen=True)
class Features:
    """What a model may know of N items. Row and entry 0 belong to padding: zeros, "" and []."""

    coarse_picture: np.ndarray  # (N+1, d_c) float32; an item without a usable picture has its text vector here
    coarse_text: np.ndarray  # (N+1, d_c) float32
    fine: np.ndarray  # (N+1, L, d_f) float16; 0 at padding
    fine_mask: np.ndarray  # (N+1, L) bool; True at real tokens
    descriptions_picture: list[str]  # N+1
    descriptions_text: list[str]  # N+1
    tokens: list[list[str]]  # N+1; entry k has as many tokens as row k of the mask has True
    report: dict  # see `extract`

    @property
    def sentence(self) -> np.ndarray:
        """(N+1, d_f) float32: one vector of length 1 per item, the mean of its fine states; row 0 is zero."""
        total = np.stack([states.sum(0, dtype=np.float32) for states in self.fine])  # (N+1, d_f)
        return total / np.linalg.norm(total, axis=1, keepdims=True).clip(1e-12)


def extract(
    catalogue: Catalogue,
    mllm: MLLM,
    encoder: TextEncoder,
    store: FeatureStore,
    progress: bool = True,
    max_tokens: int = MAX_TOKENS,
) -> Features:
    """All features of `catalogue`: what `store` holds is taken from there, the rest is computed and stored.

    An item whose picture is missing or broken is asked about with the text prompt instead, so both its vectors agree.
    Models are loaded only if something has to be computed. After an interruption, run it again: it goes on.

    Args:
        progress: show bars (on a terminal) for what is computed.
        max_tokens: fine states are kept for this many tokens of an item's words.

    Returns:
        `Features`. Its report holds `items`; `computed` and `reused` (results, each counted once however many items
        share it) and `computed_by_view`; `fallbacks`: a list of (item id, view, reason), and its counts `no_picture`,
        `broken_picture`, `text_cut`, `empty_description`; `fine_at_limit`: items whose words fill all `max_tokens`, so
        that most of them were cut; `seconds`.

    Raises:
        DataError: broken model files, or a full disk; what was computed before is kept.
        SettingsError: a model that cannot be used.
    """
    if max_tokens < 2:
        raise SettingsError(f"max_tokens must be at least 2 (the marks of beginning and end), got {max_tokens}")
    began = time.perf_counter()
    words = [catalogue.words(k) for k in range(1, len(catalogue) + 1)]
    run = _Run(store, progress)
    text = _text_view(run, mllm, words)
    picture = _picture_view(run, mllm, words, catalogue.pictures, text)
    fine, mask, tokens = _fine(run, encoder, words, max_tokens)
    report = {"items": len(catalogue), **run.counts(), **_fallbacks(catalogue.ids, picture=picture, text=text)}
    report["fine_at_limit"] = sum(len(its_tokens) == max_tokens for its_tokens in tokens)
    report["seconds"] = time.perf_counter() - began
    said = picture.descriptions, text.descriptions
    return Features(picture.vectors, text.vectors, fine, mask, *said, tokens, report)


class _Said:
    """What the MLLM said about N items in one view."""

    def __init__(self, n: int, width: int):
        self.vectors = np.zeros((n + 1, width), np.float32)  # (N+1, d_c)
        self.descriptions = [""] * (n + 1)
        self.reasons: list[list[str]] = [[] for _ in range(n + 1)]  # why an item was not treated like the others

    def place(self, k: int, record: Record) -> None:
        """Item `k` from the store."""
        self.vectors[k] = record.array
        self.descriptions[k] = record.note["description"]
        self.reasons[k] = record.note["reasons"]

    def take_over(self, k: int, other: _Said, reason: str) -> None:
        """Item `k` from another view, because of `reason`."""
        self.vectors[k] = other.vectors[k]
        self.descriptions[k] = other.descriptions[k]
        self.reasons[k] = [reason]


def _text_view(run: _Run, mllm: MLLM, words: list[str]) -> _Said:
    prompt = mllm.settings.text_prompt
    said = _Said(len(words), mllm.width)
    keys = [make_key("coarse", mllm.fingerprint, prompt, None, text) for text in words]

    def read(texts: list[str]) -> list[Record]:
        return _coarse_records(mllm.embed(None, texts, prompt))

    # Long texts first: then texts of similar length share a batch, and memory runs out at once or never.
    jobs = dict(sorted(zip(keys, words, strict=True), key=lambda job: -len(job[1])))
    for items, record in run.results("text", keys, jobs, read, mllm.settings.batch_size):
        for k in items:
            said.place(k, record)
    return said


def _picture_view(run: _Run, mllm: MLLM, words: list[str], pictures: tuple[Path | None, ...], text: _Said) -> _Said:
    """As `_text_view`; an item without a usable picture takes over what was said about its words."""
    prompt, text_prompt = mllm.settings.picture_prompt, mllm.settings.text_prompt
    said = _Said(len(words), mllm.width)
    keys: list[str | None] = []
    jobs: dict[str, tuple[Path, str]] = {}  # key -> picture, message without it
    for k, picture in enumerate(pictures, start=1):
        content, reason = _content(picture)
        if picture is None or content is None:
            said.take_over(k, text, reason)
            keys.append(None)
            continue
        key = make_key("coarse", mllm.fingerprint, prompt, content, "")
        keys.append(key)
        jobs[key] = (picture, text_prompt + words[k - 1])

    def look(chunk: list[tuple[Path, str]]) -> list[Record]:
        paths = [path for path, _ in chunk]
        return _coarse_records(mllm.embed(paths, None, prompt, [message for _, message in chunk]), paths)

    for items, record in run.results("picture", keys, jobs, look, mllm.settings.batch_size):
        for k in items:
            if record.array is None:
                said.take_over(k, text, record.note["broken"].replace(_FILE, str(pictures[k - 1])))
            else:
                said.place(k, record)
    return said


def _content(picture: Path | None) -> tuple[str | None, str]:
    """(sha256 of a picture's bytes, ""), or (None, why there are none)."""
    if picture is None:
        return None, NO_PICTURE
    try:
        with picture.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest(), ""
    except OSError as error:
        return None, f"{BROKEN_PICTURE}: picture {picture}: cannot be read ({error.strerror or error})"


def _coarse_records(answers: Described, pictures: list[Path] | None = None) -> list[Record]:
    """Answers as they are stored. Of a broken picture only the fact is: its words are asked about anyway."""
    reasons: list[list[str]] = [[] for _ in answers.descriptions]
    for i, reason in answers.report:
        reasons[i].append(reason)
    records = []
    for i, (description, vector) in enumerate(zip(answers.descriptions, answers.vectors, strict=True)):
        broken = next((reason for reason in reasons[i] if reason.startswith(BROKEN_PICTURE)), None)
        if broken and pictures:
            records.append(Record(None, {"broken": broken.replace(str(pictures[i]), _FILE)}))
        else:
            records.append(Record(vector, {"description": description, "reasons": reasons[i]}))
    return records


def _fine(run: _Run, encoder: TextEncoder, words: list[str], max_tokens: int) -> tuple[np.ndarray, np.ndarray, list]:
    """States (N+1, L, d_f), mask (N+1, L) and tokens of all items."""
    fine = np.zeros((len(words) + 1, max_tokens, encoder.width), np.float16)
    mask = np.zeros((len(words) + 1, max_tokens), bool)
    tokens: list[list[str]] = [[] for _ in range(len(words) + 1)]
    keys = [make_key("fine", encoder.fingerprint, max_tokens, text) for text in words]

    def encode(texts: list[str]) -> list[Record]:
        found = encoder.encode(texts, max_tokens)
        return [
            Record(states[: len(its_tokens)], {"tokens": its_tokens})
            for states, its_tokens in zip(found.states, found.tokens, strict=True)
        ]

    jobs = dict(sorted(zip(keys, words, strict=True), key=lambda job: -len(job[1])))
    for items, record in run.results("fine", keys, jobs, encode, 1):
        for k in items:
            tokens[k] = record.note["tokens"]
            fine[k, : len(tokens[k])] = record.array
            mask[k, : len(tokens[k])] = True
    longest = int(mask.any(0).sum())
    return fine[:, :longest], mask[:, :longest], tokens


def _fallbacks(ids: tuple[str, ...], **views: _Said) -> dict[str, Any]:
    """Who was not treated like the others, and how many for each reason."""
    found = [
        (id, view, reason)
        for view, said in views.items()
        for id, reasons in zip(ids, said.reasons[1:], strict=True)
        for reason in reasons
    ]
    begins = {"no_picture": NO_PICTURE, "broken_picture": BROKEN_PICTURE, "text_cut": TEXT_CUT}
    begins["empty_description"] = EMPTY
    counts = {name: sum(reason.startswith(begin) for _, _, reason in found) for name, begin in begins.items()}
    return {"fallbacks": found, **counts}


class _Run:
    """One extraction: takes results from the store, computes those that are missing, and counts both."""

    def __init__(self, store: FeatureStore, progress: bool):
        self.store, self.progress = store, progress
        self.asked: dict[str, int] = {}  # view -> results needed
        self.computed: dict[str, int] = {}  # view -> results that were not in the store

    def results(
        self, view: str, keys: Sequence[str | None], jobs: dict[str, Any], compute: Callable, batch_size: int
    ) -> Iterator[tuple[list[int], Record]]:
        """Each result with the numbers of the items that share it, in no particular order.

        Args:
            keys: of item 1, 2, ...; None for an item that needs no result.
            jobs: key -> what `compute` takes a list of, giving a list of records.
            batch_size: what is computed together is a multiple of it.
        """
        items: dict[str, list[int]] = {}
        for k, key in enumerate(keys, start=1):
            if key is not None:
                items.setdefault(key, []).append(k)
        self.asked[view], self.computed[view] = len(jobs), 0
        todo = list(jobs)
        for _ in range(3):  # again, should the store turn out to be damaged while it is read
            self._complete(view, {key: jobs[key] for key in todo if key not in self.store}, compute, batch_size)
            done = set()
            for key, record in self.store.read(todo):
                yield items[key], record
                done.add(key)
            todo = [key for key in todo if key not in done]
            if not todo:
                return
        raise DataError(f"feature store {self.store.folder}: cannot be read back; is the disk failing?")

    def _complete(self, view: str, missing: dict[str, Any], compute: Callable, batch_size: int) -> None:
        """Compute what is missing, and store it shard by shard."""
        if not missing:
            return
        step = -(-_SHARD // batch_size) * batch_size
        keys = list(missing)
        with tqdm(total=len(keys), desc=view, unit="item", disable=None if self.progress else True) as bar:
            for start in range(0, len(keys), step):
                chunk = keys[start : start + step]
                records = compute([missing[key] for key in chunk])
                self.store.write(dict(zip(chunk, records, strict=True)))
                self.computed[view] += len(chunk)
                bar.update(len(chunk))

    def counts(self) -> dict[str, Any]:
        computed = sum(self.computed.values())
        reused = max(0, sum(self.asked.values()) - computed)
        return {"computed": computed, "reused": reused, "computed_by_view": dict(self.computed)}
