"""Features of a catalogue: vectors and descriptions from an MLLM, token states from a text encoder.

Each item gets two coarse vectors (one from its picture, one from its words) and the fine token states of its words.
Every result is stored under a hash of its inputs (model, prompt, picture bytes, text). So nothing is computed twice,
and after a change of an item only the results that depend on the change are computed again.
"""

from __future__ import annotations

import hashlib
import logging
import time
from pathlib import Path

import numpy as np

from dmesr_core.data.catalogue import Catalogue
from dmesr_core.errors import SettingsError
from dmesr_core.features.item_features import Features
from dmesr_core.features.mllm import MLLM, MLLMOutput, MLLMSettings
from dmesr_core.features.reasons import BROKEN_PICTURE, NO_PICTURE, list_issues, warn_of_losses
from dmesr_core.features.store import FeatureStore, Record, make_key
from dmesr_core.features.stored_results import StoredResults, Work
from dmesr_core.features.text_encoder import MAX_TOKENS, TextEncoder
from dmesr_core.features.tiny_mllm import FAMILIAR, checkpoint_folder, known_words
from dmesr_core.files import cache_dir

_FILE = "<file>"  # replaces the path in a stored reason: the same bytes may later lie elsewhere
_SAMPLE = 1000  # texts that are looked at for whether the tiny MLLM knows their words
_log = logging.getLogger(__name__)


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

    For an item whose picture is missing, broken, or refused by the model, the text prompt replaces the picture prompt,
    so both its vectors are equal. What was cut or fell back stands in the report and is said once, as a warning of
    `logging`. Models are loaded only if something has to be computed, and are tried on plain input before the work
    starts. After an interruption, call it again: it continues.

    Args:
        catalogue: N items, such as `load_dataset("folder", "my_shop").catalogue`.
        mllm: a model, or what `MLLM.load` takes: "tiny", a hub name, or a folder. None: "tiny".
        encoder: a text encoder, or what `TextEncoder.load` takes. None: MiniLM.
        store: a store, or its folder. None: `features` in the cache folder.
        progress: show progress bars (on a terminal).
        max_tokens: number of tokens of an item's words for which fine states are kept, at least 2.

    Returns:
        `Features`: coarse vectors (N+1, d_c) of both views, fine states (N+1, L, d_f) with L ≤ `max_tokens`. The report
        holds `items`; `computed` and `reused` (results; one that several items share counts once) and
        `computed_by_view`; `fallbacks`: a list of (item id, view, reason), and its counts `no_picture`,
        `broken_picture` (refused ones as well), `text_cut`, `empty_description`; `fine_cut`: number of items whose
        words are longer than their fine states; `seconds`.

    Raises:
        DataError: broken model files, an item whose vector is not finite, a full disk, or a store that cannot be
            written; results computed before are kept.
        SettingsError: a model that cannot be used, or a wrong argument.

    Example:
        >>> from dmesr_core import extract_features, load_dataset
        >>> catalogue = load_dataset("bazaar", profile="smoke").catalogue.subset([1, 2])
        >>> features = extract_features(catalogue)
        >>> features.coarse_text.shape, len(features), features.report["broken_picture"]
        ((3, 128), 2, 0)
    """
    _check_arguments(catalogue, max_tokens)
    mllm, encoder, store = _loaded(mllm, encoder, store)
    words, began = [catalogue.words(k) for k in range(1, len(catalogue) + 1)], time.perf_counter()
    results = StoredResults(store, catalogue.ids, progress)
    text_work = _text_work(mllm, words)
    picture_work, unusable = _picture_work(mllm, words, catalogue.pictures)
    fine_work = _fine_work(encoder, words, max_tokens)
    _check_before(results, text_work, picture_work, fine_work, mllm, encoder, max_tokens)
    text = _text_view(results, text_work, mllm, len(words))
    picture = _picture_view(results, picture_work, mllm, catalogue.pictures, unusable, text)
    fine, mask, tokens, cut = _fine_states(results, fine_work, encoder, max_tokens)
    issues = list_issues(catalogue.ids, {"picture": picture.reasons, "text": text.reasons})
    report = {"items": len(catalogue), **results.counts(), **issues, "fine_cut": int(cut.sum())}
    report["seconds"] = time.perf_counter() - began
    _warn(report, mllm, encoder, [catalogue.ids[k - 1] for k in np.flatnonzero(cut)], max(map(len, tokens)), words)
    told = picture.descriptions, text.descriptions, tokens, report, catalogue.names, _made_by(mllm, encoder)
    return Features(picture.vectors, text.vectors, fine, mask, *told, ["", *words])


# ---- before and after the work


def _check_arguments(catalogue: object, max_tokens: object) -> None:
    if isinstance(max_tokens, bool) or not isinstance(max_tokens, int) or max_tokens < 2:
        raise SettingsError(
            f"max_tokens must be at least 2 (the marks of beginning and end) and an integer, got {max_tokens!r}"
        )
    if isinstance(catalogue, Catalogue):
        return
    found = type(catalogue).__name__
    if catalogue is None:
        found = "None: the data set has no pictures or texts"
    elif isinstance(getattr(catalogue, "catalogue", None), Catalogue):
        found += ": give its .catalogue"
    elif isinstance(catalogue, str | Path):
        found += f': for a folder of your own, load_dataset("folder", {str(catalogue)!r}).catalogue'
    raise SettingsError(f"features are those of a catalogue, as load_dataset(...).catalogue; got {found}")


def _loaded(
    mllm: MLLM | MLLMSettings | str | Path | None,
    encoder: TextEncoder | str | Path | None,
    store: FeatureStore | str | Path | None,
) -> tuple[MLLM, TextEncoder, FeatureStore]:
    """The models and the store behind names, folders and None."""
    for name, given, method, wanted in (
        ("mllm", mllm, "embed", 'an MLLM, MLLMSettings, or what MLLM.load takes ("tiny", a hub name, a folder)'),
        ("encoder", encoder, "encode", "a TextEncoder, or what TextEncoder.load takes (a hub name, a folder)"),
        ("store", store, "check_writable", "a FeatureStore, or a folder"),
    ):
        usual = (str, Path, MLLMSettings) if name == "mllm" else (str, Path)
        if given is not None and not isinstance(given, usual) and not hasattr(given, method):
            raise SettingsError(f"{name} must be {wanted}; got {type(given).__name__}")
    if mllm is None or isinstance(mllm, MLLMSettings | str | Path):
        mllm = MLLM.load(mllm if mllm is not None else "tiny")
    if encoder is None or isinstance(encoder, str | Path):
        encoder = TextEncoder.load(encoder) if encoder is not None else TextEncoder.load()
    if store is None or isinstance(store, str | Path):
        store = FeatureStore(store if store is not None else cache_dir() / "features")
    return mllm, encoder, store


def _check_before(
    results: StoredResults, text: Work, picture: Work, fine: Work, mllm: MLLM, encoder: TextEncoder, max_tokens: int
) -> None:
    """What would fail after hours fails now: a store that cannot be written, a model that cannot be used."""
    coarse = results.is_missing(text) or results.is_missing(picture)
    if coarse or results.is_missing(fine):
        results.store.check_writable()
    if results.is_missing(fine):
        encoder.check(max_tokens)
    if coarse:
        mllm.check(pictures=results.is_missing(picture))


def _made_by(mllm: MLLM, encoder: TextEncoder) -> dict[str, str]:
    s = mllm.settings
    prompts = {"picture_prompt": s.picture_prompt, "text_prompt": s.text_prompt}
    return {"mllm": mllm.fingerprint, **prompts, "encoder": encoder.fingerprint}


def _warn(report: dict, mllm: MLLM, encoder: TextEncoder, fine_cut: list[str], longest: int, words: list[str]) -> None:
    text_limit = f"{mllm.text_limit:,} tokens for {mllm.name}" if report["text_cut"] else ""
    warn_of_losses(report, text_limit, f"{longest} tokens for the text encoder {encoder.name}", fine_cut)
    some = words[:: -(-len(words) // _SAMPLE)]
    known = known_words(some) if mllm.folder == checkpoint_folder() else None
    if known is not None and known < FAMILIAR:
        _log.warning(
            "the tiny MLLM has only ever seen drawn products of the Bazaar (it knows %.0f%% of the words of these "
            "items); its vectors for other pictures and texts carry little: name a model from the hub", 100 * known
        )  # fmt: skip


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


def _text_work(mllm: MLLM, words: list[str]) -> Work:
    keys = [make_key("coarse", mllm.fingerprint, mllm.settings.text_prompt, None, text) for text in words]
    # Long texts first: texts of similar length share a batch, and memory runs out at once or never.
    return Work("text", keys, dict(sorted(zip(keys, words, strict=True), key=lambda job: -len(job[1]))))


def _text_view(results: StoredResults, work: Work, mllm: MLLM, n: int) -> _ViewFeatures:
    view = _ViewFeatures(n, mllm.width)

    def compute(texts: list[str]) -> list[Record]:
        return _coarse_records(mllm.embed(None, texts, mllm.settings.text_prompt))

    for items, record in results.get(work, compute, mllm.settings.batch_size):
        for k in items:
            view.set(k, record)
    return view


def _picture_work(mllm: MLLM, words: list[str], pictures: tuple[Path | None, ...]) -> tuple[Work, dict[int, str]]:
    """The work, and the reason for each item (1..N) whose picture cannot even be read."""
    keys: list[str | None] = []
    jobs: dict[str, tuple[Path, str]] = {}  # key -> picture, message without it
    unusable: dict[int, str] = {}
    for k, picture in enumerate(pictures, start=1):
        content, reason = picture_hash(picture)
        if picture is None or content is None:
            unusable[k] = reason
            keys.append(None)
            continue
        key = make_key("coarse", mllm.fingerprint, mllm.settings.picture_prompt, content, "")
        keys.append(key)
        jobs[key] = (picture, mllm.settings.text_prompt + words[k - 1])
    return Work("picture", keys, jobs), unusable


def _picture_view(
    results: StoredResults, work: Work, mllm: MLLM, pictures: tuple[Path | None, ...], unusable: dict[int, str],
    text: _ViewFeatures,
) -> _ViewFeatures:  # fmt: skip
    """As `_text_view`; an item without a usable picture falls back to its text view."""
    view = _ViewFeatures(len(pictures), mllm.width)
    for k, reason in unusable.items():
        view.fall_back(k, text, reason)

    def compute(chunk: list[tuple[Path, str]]) -> list[Record]:
        paths, messages = [path for path, _ in chunk], [message for _, message in chunk]
        return _coarse_records(mllm.embed(paths, None, mllm.settings.picture_prompt, messages), paths)

    for items, record in results.get(work, compute, mllm.settings.batch_size):
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


def _fine_work(encoder: TextEncoder, words: list[str], max_tokens: int) -> Work:
    keys = [make_key("fine", encoder.fingerprint, max_tokens, text) for text in words]
    return Work("fine", keys, dict(sorted(zip(keys, words, strict=True), key=lambda job: -len(job[1]))))


def _fine_states(
    results: StoredResults, work: Work, encoder: TextEncoder, max_tokens: int
) -> tuple[np.ndarray, np.ndarray, list[list[str]], np.ndarray]:
    """States (N+1, L, d_f), mask (N+1, L) and tokens of all items, and (N+1,) whose words were cut."""
    n = len(work.keys)
    fine = np.zeros((n + 1, max_tokens, encoder.width), np.float16)
    mask, cut = np.zeros((n + 1, max_tokens), bool), np.zeros(n + 1, bool)
    tokens: list[list[str]] = [[] for _ in range(n + 1)]

    def compute(texts: list[str]) -> list[Record]:
        found = encoder.encode(texts, max_tokens)
        return [
            Record(states[: len(its_tokens)], {"tokens": its_tokens, "cut": bool(is_cut)})
            for states, its_tokens, is_cut in zip(found.states, found.tokens, found.cut, strict=True)
        ]

    for items, record in results.get(work, compute, 1):
        for k in items:
            tokens[k] = record.note["tokens"]
            fine[k, : len(tokens[k])] = record.array
            mask[k, : len(tokens[k])] = True
            cut[k] = record.note.get("cut", len(tokens[k]) == max_tokens)  # older records do not say it
    longest = int(mask.any(0).sum())
    return fine[:, :longest], mask[:, :longest], tokens, cut
