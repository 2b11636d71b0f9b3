"""Features of a catalogue: vectors and descriptions from an MLLM, token states from a text encoder.

Each item gets two coarse vectors (one from its picture, one from its words) and the fine token states of its words.
Every result is stored under a hash of its inputs (model, prompt, picture bytes, text). So nothing is computed twice,
and after a change of an item only the results that depend on the change are computed again.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from dmesr_core.data.catalogue import Catalogue
from dmesr_core.errors import DataError, SettingsError
from dmesr_core.features.item_features import Features
from dmesr_core.features.mllm import BROKEN_PICTURE, EMPTY, MLLM, NO_PICTURE, TEXT_CUT, MLLMOutput, MLLMSettings
from dmesr_core.features.store import FeatureStore, Record, make_key
from dmesr_core.features.text_encoder import MAX_TOKENS, TextEncoder
from dmesr_core.files import cache_dir

SHARD = 256  # results per stored shard: at most this many are lost when the process is killed
_FILE = "<file>"  # replaces the path in a stored reason: the same bytes may later lie elsewhere


def extract_features(
    catalogue: Catalogue,
    mllm: MLLM | MLLMSettings | str | Path | None = None,
    encoder: TextEncoder | str | Path | None = None,
    store: FeatureStore | str | Path | None = None,
    *,
    progress: bool = True,
    max_tokens: int = MAX_TOKENS,
) -> Features:
    """All features of `catalogue`: stored results are reused, the rest is computed and stored.

    For an item whose picture is missing or broken, the text prompt replaces the picture prompt, so both its vectors
    are equal. Models are loaded only if something has to be computed. After an interruption, call it again: it
    continues.

    Args:
        catalogue: such as `load_dataset("my_shop").catalogue`.
        mllm: a model, or what `MLLM.load` takes: "tiny", a hub name, or a folder. None: "tiny".
        encoder: a text encoder, or what `TextEncoder.load` takes. None: MiniLM.
        store: a store, or its folder. None: `features` in the cache folder.
        progress: show progress bars (on a terminal).
        max_tokens: number of tokens of an item's words for which fine states are kept.

    Returns:
        `Features`. Its report holds `items`; `computed` and `reused` (results; one that several items share counts
        once) and `computed_by_view`; `fallbacks`: a list of (item id, view, reason), and its counts `no_picture`,
        `broken_picture`, `text_cut`, `empty_description`; `fine_at_limit`: number of items with `max_tokens` tokens,
        most of which were cut; `seconds`.

    Raises:
        DataError: broken model files, or a full disk; results computed before are kept.
        SettingsError: a model that cannot be used, or a wrong `max_tokens`.
    """
    if not isinstance(catalogue, Catalogue):
        found = "None: the data set has no pictures or texts" if catalogue is None else type(catalogue).__name__
        raise SettingsError(f"features are those of a catalogue, as load_dataset(...).catalogue; got {found}")
    if max_tokens < 2:
        raise SettingsError(f"max_tokens must be at least 2 (the marks of beginning and end), got {max_tokens}")
    mllm, encoder, store = _loaded(mllm, encoder, store)
    began = time.perf_counter()
    words = [catalogue.words(k) for k in range(1, len(catalogue) + 1)]
    results = _StoredResults(store, progress)
    text = _text_view(results, mllm, words)
    picture = _picture_view(results, mllm, words, catalogue.pictures, text)
    fine, mask, tokens = _fine_states(results, encoder, words, max_tokens)
    report = {"items": len(catalogue), **results.counts(), **_issues(catalogue.ids, picture=picture, text=text)}
    report["fine_at_limit"] = sum(len(its_tokens) == max_tokens for its_tokens in tokens)
    report["seconds"] = time.perf_counter() - began
    descriptions = picture.descriptions, text.descriptions
    made_by = {
        "mllm": mllm.fingerprint, "picture_prompt": mllm.settings.picture_prompt,
        "text_prompt": mllm.settings.text_prompt, "encoder": encoder.fingerprint,
    }  # fmt: skip
    return Features(
        picture.vectors, text.vectors, fine, mask, *descriptions, tokens, report, catalogue.names, made_by
    )


def _loaded(
    mllm: MLLM | MLLMSettings | str | Path | None,
    encoder: TextEncoder | str | Path | None,
    store: FeatureStore | str | Path | None,
) -> tuple[MLLM, TextEncoder, FeatureStore]:
    """The models and the store behind names, folders and None."""
    if mllm is None or isinstance(mllm, MLLMSettings | str | Path):
        mllm = MLLM.load(mllm if mllm is not None else "tiny")
    if encoder is None or isinstance(encoder, str | Path):
        encoder = TextEncoder.load(encoder) if encoder is not None else TextEncoder.load()
    if store is None or isinstance(store, str | Path):
        store = FeatureStore(store if store is not None else cache_dir() / "features")
    return mllm, encoder, store


# ---- coarse: the two views of the MLLM


class _ViewFeatures:
    """Descriptions and vectors of N items in one view."""

    def __init__(self, n: int, width: int):
        self.vectors = np.zeros((n + 1, width), np.float32)  # (N+1, d_c)
        self.descriptions = [""] * (n + 1)
        self.reasons: list[list[str]] = [[] for _ in range(n + 1)]  # what went differently for an item, and why

    def set(self, k: int, record: Record) -> None:
        """Fill in item `k` from a stored record."""
        self.vectors[k] = record.array
        self.descriptions[k] = record.note["description"]
        self.reasons[k] = record.note["reasons"]

    def fall_back(self, k: int, other: _ViewFeatures, reason: str) -> None:
        """Copy item `k` from another view, because of `reason`."""
        self.vectors[k] = other.vectors[k]
        self.descriptions[k] = other.descriptions[k]
        self.reasons[k] = [reason]


def _text_view(results: _StoredResults, mllm: MLLM, words: list[str]) -> _ViewFeatures:
    prompt = mllm.settings.text_prompt
    view = _ViewFeatures(len(words), mllm.width)
    keys = [make_key("coarse", mllm.fingerprint, prompt, None, text) for text in words]

    def compute(texts: list[str]) -> list[Record]:
        return _coarse_records(mllm.embed(None, texts, prompt))

    # Long texts first: texts of similar length share a batch, and memory runs out at once or never.
    jobs = dict(sorted(zip(keys, words, strict=True), key=lambda job: -len(job[1])))
    for items, record in results.get("text", keys, jobs, compute, mllm.settings.batch_size):
        for k in items:
            view.set(k, record)
    return view


def _picture_view(
    results: _StoredResults, mllm: MLLM, words: list[str], pictures: tuple[Path | None, ...], text: _ViewFeatures
) -> _ViewFeatures:
    """As `_text_view`; an item without a usable picture falls back to its text view."""
    prompt, text_prompt = mllm.settings.picture_prompt, mllm.settings.text_prompt
    view = _ViewFeatures(len(words), mllm.width)
    keys: list[str | None] = []
    jobs: dict[str, tuple[Path, str]] = {}  # key -> picture, message without it
    for k, picture in enumerate(pictures, start=1):
        content, reason = picture_hash(picture)
        if picture is None or content is None:
            view.fall_back(k, text, reason)
            keys.append(None)
            continue
        key = make_key("coarse", mllm.fingerprint, prompt, content, "")
        keys.append(key)
        jobs[key] = (picture, text_prompt + words[k - 1])

    def compute(chunk: list[tuple[Path, str]]) -> list[Record]:
        paths = [path for path, _ in chunk]
        return _coarse_records(mllm.embed(paths, None, prompt, [message for _, message in chunk]), paths)

    for items, record in results.get("picture", keys, jobs, compute, mllm.settings.batch_size):
        for k in items:
            if record.array is None:
                view.fall_back(k, text, record.note["broken"].replace(_FILE, str(pictures[k - 1])))
            else:
                view.set(k, record)
    return view


def picture_hash(picture: Path | None) -> tuple[str | None, str]:
    """(sha256 of a picture's bytes, ""), or (None, the reason why there is none)."""
    if picture is None:
        return None, NO_PICTURE
    try:
        with picture.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest(), ""
    except OSError as error:
        return None, f"{BROKEN_PICTURE}: picture {picture}: cannot be read ({error.strerror or error})"


def _coarse_records(output: MLLMOutput, pictures: list[Path] | None = None) -> list[Record]:
    """One record per item. For a broken picture only the reason is stored: its vector is that of the text view."""
    reasons: list[list[str]] = [[] for _ in output.descriptions]
    for i, reason in output.issues:
        reasons[i].append(reason)
    records = []
    for i, (description, vector) in enumerate(zip(output.descriptions, output.vectors, strict=True)):
        broken = next((reason for reason in reasons[i] if reason.startswith(BROKEN_PICTURE)), None)
        if broken and pictures:
            records.append(Record(None, {"broken": broken.replace(str(pictures[i]), _FILE)}))
        else:
            records.append(Record(vector, {"description": description, "reasons": reasons[i]}))
    return records


# ---- fine: the token states of the text encoder


def _fine_states(
    results: _StoredResults, encoder: TextEncoder, words: list[str], max_tokens: int
) -> tuple[np.ndarray, np.ndarray, list[list[str]]]:
    """States (N+1, L, d_f), mask (N+1, L) and tokens of all items."""
    fine = np.zeros((len(words) + 1, max_tokens, encoder.width), np.float16)
    mask = np.zeros((len(words) + 1, max_tokens), bool)
    tokens: list[list[str]] = [[] for _ in range(len(words) + 1)]
    keys = [make_key("fine", encoder.fingerprint, max_tokens, text) for text in words]

    def compute(texts: list[str]) -> list[Record]:
        found = encoder.encode(texts, max_tokens)
        return [
            Record(states[: len(its_tokens)], {"tokens": its_tokens})
            for states, its_tokens in zip(found.states, found.tokens, strict=True)
        ]

    jobs = dict(sorted(zip(keys, words, strict=True), key=lambda job: -len(job[1])))
    for items, record in results.get("fine", keys, jobs, compute, 1):
        for k in items:
            tokens[k] = record.note["tokens"]
            fine[k, : len(tokens[k])] = record.array
            mask[k, : len(tokens[k])] = True
    longest = int(mask.any(0).sum())
    return fine[:, :longest], mask[:, :longest], tokens


# ---- the store, and the report


class _StoredResults:
    """The results of one extraction: read from the store, or computed and stored if they are missing there."""

    def __init__(self, store: FeatureStore, progress: bool):
        self.store, self.progress = store, progress
        self.needed: dict[str, int] = {}  # view -> number of results
        self.computed: dict[str, int] = {}  # view -> number of results that were not in the store

    def get(
        self, view: str, keys: Sequence[str | None], jobs: dict[str, Any], compute: Callable, batch_size: int
    ) -> Iterator[tuple[list[int], Record]]:
        """Each result with the numbers of the items that share it, in no particular order.

        Args:
            keys: of item 1, 2, ...; None for an item that needs no result.
            jobs: key -> input of `compute`, which maps a list of inputs to a list of records.
            batch_size: the number of inputs per call of `compute` is a multiple of it.
        """
        items: dict[str, list[int]] = {}
        for k, key in enumerate(keys, start=1):
            if key is not None:
                items.setdefault(key, []).append(k)
        self.needed[view], self.computed[view] = len(jobs), 0
        todo = list(jobs)
        for _ in range(3):  # again, if the store turns out to be damaged while it is read
            self._compute_missing(view, {key: jobs[key] for key in todo if key not in self.store}, compute, batch_size)
            done = set()
            for key, record in self.store.read(todo):
                yield items[key], record
                done.add(key)
            todo = [key for key in todo if key not in done]
            if not todo:
                return
        raise DataError(f"feature store {self.store.folder}: cannot be read back; is the disk failing?")

    def _compute_missing(self, view: str, missing: dict[str, Any], compute: Callable, batch_size: int) -> None:
        """Compute the missing results, and store them shard by shard."""
        if not missing:
            return
        step = -(-SHARD // batch_size) * batch_size
        keys = list(missing)
        with tqdm(total=len(keys), desc=view, unit="item", disable=None if self.progress else True) as bar:
            for start in range(0, len(keys), step):
                chunk = keys[start : start + step]
                records = compute([missing[key] for key in chunk])
                self.store.write(dict(zip(chunk, records, strict=True)))
                self.computed[view] += len(chunk)
                bar.update(len(chunk))

    def counts(self) -> dict[str, Any]:
        """Numbers of computed and reused results, for the report."""
        computed = sum(self.computed.values())
        reused = max(0, sum(self.needed.values()) - computed)
        return {"computed": computed, "reused": reused, "computed_by_view": dict(self.computed)}


def _issues(ids: tuple[str, ...], **views: _ViewFeatures) -> dict[str, Any]:
    """(item id, view, reason) for every fallback, cut text or empty description, and the count of each kind."""
    found = [
        (id, name, reason)
        for name, view in views.items()
        for id, reasons in zip(ids, view.reasons[1:], strict=True)
        for reason in reasons
    ]
    prefixes = {"no_picture": NO_PICTURE, "broken_picture": BROKEN_PICTURE, "text_cut": TEXT_CUT}
    prefixes["empty_description"] = EMPTY
    counts = {kind: sum(reason.startswith(prefix) for _, _, reason in found) for kind, prefix in prefixes.items()}
    return {"fallbacks": found, **counts}
