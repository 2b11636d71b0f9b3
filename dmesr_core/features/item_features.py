"""Features of items, as arrays: the vectors of two views, the token states of their words, and where they come from."""

from __future__ import annotations

import html
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from dmesr_core.data.item_names import ItemNames
from dmesr_core.errors import DataError
from dmesr_core.files import check_writable, file_hash, write_atomically, write_json

_KIND, _VERSION = "features of dmesr-core", 2  # of the files; raise the version when older code could not read them
_ARRAYS = {"coarse_picture": "float32", "coarse_text": "float32", "fine": "float16", "fine_mask": "bool"}
_LISTS = ("descriptions_picture", "descriptions_text", "tokens", "texts")
_ARRAY_FILE, _JSON_FILE = "features.safetensors", "features.json"
_SHOWN = 3  # items in a notebook


@dataclass(frozen=True)
class Features:
    """Features of N items, as `extract_features` makes them. Row and entry 0 belong to padding: zeros, "" and [].

    Args:
        coarse_picture: (N+1, d_c) float32, of the view of the picture; without a usable one, an item has its text
            vector here.
        coarse_text: (N+1, d_c) float32, of the view of the words.
        fine: (N+1, L, d_f) float16, token states of the words; 0 at padding.
        fine_mask: (N+1, L) bool, True at real tokens.
        descriptions_picture: N+1 texts, what the MLLM says about the picture.
        descriptions_text: N+1 texts, what it says about the words.
        tokens: N+1 lists; entry k has as many tokens as row k of the mask has True. All empty: they are not known.
        report: counts and fallbacks, see `extract_features`.
        item_names: ids and titles of the N items; None: item k is row k, whatever its id.
        made_by: the models and prompts.
        texts: N+1 original texts, whole; empty: they are not known, and no word vectors can be learned.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from dmesr_core import Features
        >>> coarse, fine, mask = np.zeros((3, 4), "f4"), np.zeros((3, 2, 8), "f2"), np.zeros((3, 2), bool)
        >>> features = Features(coarse, coarse, fine, mask, ["", "a", "b"], ["", "a", "b"], [[], [], []], {})
        >>> features
        <Features of 2 items: two views of width 4, up to 2 tokens of width 8>
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     features.save(folder)
        ...     assert len(Features.load(folder)) == 2
    """

    coarse_picture: np.ndarray
    coarse_text: np.ndarray
    fine: np.ndarray
    fine_mask: np.ndarray
    descriptions_picture: list[str]
    descriptions_text: list[str]
    tokens: list[list[str]]
    report: dict
    item_names: ItemNames | None = None
    made_by: dict[str, str] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)

    def __repr__(self) -> str:
        (n, width), (_, length, fine) = self.coarse_text.shape, self.fine.shape
        return f"<Features of {n - 1:,} items: two views of width {width}, up to {length} tokens of width {fine}>"

    def __len__(self) -> int:
        """N, without the padding."""
        return len(self.coarse_text) - 1

    @classmethod
    def empty(cls, coarse_width: int, fine_width: int) -> Features:
        """Features of no items."""
        coarse = np.zeros((1, coarse_width), np.float32)
        fine, mask = np.zeros((1, 0, fine_width), np.float16), np.zeros((1, 0), bool)
        return cls(coarse, coarse, fine, mask, [""], [""], [[]], {}, texts=[""])

    def _repr_html_(self) -> str:
        """The first items with both descriptions, for notebooks."""
        names = self.item_names if self.item_names is not None else ItemNames.numbered(len(self))
        columns = names.ids, names.titles, self.descriptions_picture[1:], self.descriptions_text[1:]
        rows = [[html.escape(text) for text in row] for row in list(zip(*columns, strict=True))[:_SHOWN]]
        head = ("id", "title", "description of the picture", "description of the words")
        table = "".join(
            f"<tr>{''.join(f'<{tag}>{cell}</{tag}>' for cell in row)}</tr>"
            for tag, row in [("th", head), *(("td", row) for row in rows)]
        )
        more = f"<p>… and {len(self) - _SHOWN:,} more</p>" if len(self) > _SHOWN else ""
        return f"<p>{html.escape(repr(self))}</p><table>{table}</table>{more}"

    def save(self, folder: str | Path) -> None:
        """Write the features to `folder`: arrays as `features.safetensors`, all else as `features.json`.

        Each file is written whole or not at all; the second one names the first by its hash, so that an interrupted
        write is noticed.

        Raises:
            SettingsError: the folder cannot be written.
            DataError: a full disk, or a report that JSON cannot hold.
        """
        import safetensors.numpy

        folder = Path(folder)
        check_writable(folder)
        arrays = {name: np.ascontiguousarray(getattr(self, name)) for name in _ARRAYS}
        ids, titles = (self.item_names.ids, self.item_names.titles) if self.item_names is not None else (None, None)
        content = {
            "kind": _KIND, "version": _VERSION, "ids": ids, "titles": titles,
            **{name: getattr(self, name) for name in _LISTS}, "report": self.report, "made_by": self.made_by,
        }  # fmt: skip
        _check(arrays, content, "these features")
        try:
            json.dumps(content, ensure_ascii=False, allow_nan=False).encode()
            write_atomically(folder / _ARRAY_FILE, safetensors.numpy.save(arrays))
            write_json(folder / _JSON_FILE, {**content, "arrays": file_hash(folder / _ARRAY_FILE)})
        except (TypeError, ValueError) as error:
            raise DataError(f"features cannot be written as JSON: {error}") from None
        except OSError as error:
            raise DataError(f"folder {folder}: the features cannot be written ({error.strerror or error})") from None

    @classmethod
    def load(cls, folder: str | Path) -> Features:
        """Features as `save` wrote them, equal to the last bit.

        Raises:
            DataError: a file is missing, damaged, of something else, of a newer version of this package, or does not
                belong to the other one; names the file.
        """
        import safetensors
        import safetensors.numpy

        array_file, json_file = Path(folder) / _ARRAY_FILE, Path(folder) / _JSON_FILE
        content = _read_json(json_file)
        if file_hash(array_file) == "missing":
            raise DataError(f"{array_file}: there is no such file, which belongs to {json_file.name}")
        try:
            arrays = safetensors.numpy.load_file(array_file)
        except (OSError, safetensors.SafetensorError) as error:
            raise DataError(f"{array_file}: cannot be read, it is damaged ({error}); save the features again") from None
        if content.get("arrays") != file_hash(array_file):
            raise DataError(
                f"{array_file}: it is not the file that {json_file.name} was written with: saving was interrupted, or "
                "one of them was changed; save the features again"
            )
        _check(arrays, content, str(json_file))
        names = None if content["ids"] is None else ItemNames(tuple(content["ids"]), tuple(content["titles"]))
        report = {**content["report"]}
        if "fallbacks" in report:
            report["fallbacks"] = [tuple(entry) for entry in report["fallbacks"]]
        return cls(
            **{name: arrays[name] for name in _ARRAYS}, **{name: content[name] for name in _LISTS},
            report=report, item_names=names, made_by=content["made_by"],
        )  # fmt: skip

    def matching(self, item_names: ItemNames | None) -> Features:
        """The features of these items, in their order; rows are matched by id.

        Raises:
            DataError: an item without features; names the first. Without names on one side, rows are matched by
                position, and their number must be equal (the caller checks that).
        """
        if self.item_names is None or item_names is None or self.item_names.ids == item_names.ids:
            return self
        numbers = self.item_names.numbers(item_names.ids)
        if (missing := np.flatnonzero(numbers == 0)).size:
            raise DataError(
                f"{len(missing):,} of {len(item_names):,} items have no features, the first is "
                f"{item_names.ids[missing[0]]!r}: extract them from a catalogue that holds these items"
            )
        rows = np.concatenate([[0], numbers])
        return replace(
            self, item_names=item_names, fine=self.fine[rows], fine_mask=self.fine_mask[rows],
            coarse_picture=self.coarse_picture[rows], coarse_text=self.coarse_text[rows],
            descriptions_picture=[self.descriptions_picture[row] for row in rows],
            descriptions_text=[self.descriptions_text[row] for row in rows], tokens=[self.tokens[row] for row in rows],
            texts=[self.texts[row] for row in rows] if self.texts else [],
        )  # fmt: skip

    def check_finite(self) -> None:
        """DataError if a value is NaN or infinite; names the item."""
        for name in ("coarse_picture", "coarse_text", "fine"):
            array = np.asarray(getattr(self, name))
            wrong = np.flatnonzero(~np.isfinite(array).reshape(len(array), -1).all(1))
            if wrong.size:
                k = int(wrong[0])
                item = f"item {k}" if self.item_names is None or k == 0 else f"item {self.item_names.ids[k - 1]!r}"
                raise DataError(f"the features of {item} are not finite ({name}): extract them anew")

    @property
    def sentence(self) -> np.ndarray:
        """(N+1, d_f) float32: sentence vectors of length 1, the mean of an item's fine states; row 0 is zero."""
        total = np.stack([states.sum(0, dtype=np.float32) for states in self.fine])  # (N+1, d_f)
        return total / np.linalg.norm(total, axis=1, keepdims=True).clip(1e-12)


def _read_json(file: Path) -> dict[str, Any]:
    """The content of `features.json`, of this kind and a version that can be read."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        where = "it is missing" if file.parent.is_dir() else f"there is no folder {file.parent}"
        raise DataError(f"{file}: {where}; `Features.save` writes it") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{file}: cannot be read, it is damaged ({error}); save the features again") from None
    if not isinstance(content, dict) or content.get("kind") != _KIND:
        raise DataError(f"{file}: this is no file of `Features.save`")
    version = content.get("version")
    if not isinstance(version, int) or version > _VERSION:
        raise DataError(
            f"{file}: version {version!r} was written by a newer dmesr-core, this one reads up to {_VERSION}: update it"
        )
    if version == 1:
        content["texts"] = []  # the first version left them out
    return content


def _check(arrays: dict[str, np.ndarray], content: dict[str, Any], where: str) -> None:
    """Raise a DataError if arrays and lists do not belong together."""

    def require(good: bool, what: str) -> None:
        if not good:
            raise DataError(f"{where}: incomplete or damaged: {what}")

    for name, dtype in _ARRAYS.items():
        require(name in arrays and arrays[name].dtype == dtype, f"{name} must be an array of {dtype}")
    for name in _LISTS:
        require(isinstance(content.get(name), list), f"{name} must be a list")
    picture, text, fine, mask = (arrays[name] for name in _ARRAYS)
    require(text.ndim == 2 and picture.shape == text.shape, "the two views must be tables of one shape")
    require(fine.ndim == 3 and mask.shape == fine.shape[:2], "fine and fine_mask must have the same items and tokens")
    rows = {"coarse_text": len(text), "fine": len(fine), **{name: len(content[name]) for name in _LISTS}}
    if not content["texts"]:
        del rows["texts"]
    if content.get("ids") is not None:
        for name in ("ids", "titles"):
            require(isinstance(content.get(name), list | tuple), f"{name} must be a list")
            rows[name] = len(content[name]) + 1
    require(len(set(rows.values())) == 1 and len(text) > 0, f"the numbers of rows differ: {rows}")
    require(isinstance(content.get("report"), dict) and isinstance(content.get("made_by"), dict), "no report")
    counts = [len(of_item) for of_item in content["tokens"]]
    wrong = np.flatnonzero(mask.sum(1) != counts) if any(counts) else np.zeros(0)
    require(not wrong.size, f"item number {wrong[:1].tolist()} has another number of tokens than its mask")
