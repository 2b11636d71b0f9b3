"""Words that learn: a vector for each word of the catalogue, and the sum of its words' vectors for each item.

A pretrained text encoder knows what words mean in general. It does not know that three strangers' syllables are the
name of a series here, and that people who bought one part of it want the others. A vector per word, learned from
purchases, does; and as words are shared, it carries what was learned from one item to all others that are called alike.
"""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections import Counter
from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dmesr_core.errors import DataError, SettingsError
from dmesr_core.features.item_features import Features
from dmesr_core.models.item_inputs import ItemInput

MIN_ITEMS = 2  # a word of one item says nothing of others: the item's ID vector can hold it
MAX_SHARE = 0.3  # words of more items than this say little
MAX_WORDS = 256  # of one item: of more, the rarest in the catalogue
# Chinese and Japanese put no spaces between words: there, each sign counts as one.
_SIGNS = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
# Vowel signs and accents belong to the letter before them; Python's \w leaves them out.
_MARKS = "".join(sign for sign in map(chr, range(0x300, 0x10000)) if unicodedata.category(sign)[0] == "M")
_WORD = re.compile(rf"[{_SIGNS}]|(?:[^\W{_SIGNS}]|[{_MARKS}])+")


def split_words(text: str) -> list[str]:
    """The words of a text, in small letters: runs of letters, their marks and digits, or single signs of Han and Kana.

    One spelling however its accents are encoded. Scripts without spaces between words, such as Thai, are not divided.

    Example:
        >>> split_words("A Blue-ish cup, 25 cl")
        ['a', 'blue', 'ish', 'cup', '25', 'cl']
    """
    return _WORD.findall(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()))


def learn_vocabulary(texts: Sequence[str]) -> tuple[str, ...]:
    """The words that tell items apart and have something in common: in at least 2 texts, in at most 30% of them.

    The rarest word comes first; words that are equally rare, in the order of the alphabet.
    """
    counts = Counter(word for text in texts for word in set(split_words(text)))
    most = max(MIN_ITEMS, MAX_SHARE * len(texts))
    kept = [word for word, count in counts.items() if MIN_ITEMS <= count <= most]
    return tuple(sorted(kept, key=lambda word: (counts[word], word)))


class WordVectors(ItemInput):
    """The sum of the learned vectors of each item's words. Words outside the vocabulary count for nothing.

    Args:
        width: d.
        vocabulary: of V words, see `learn_vocabulary`; it is fixed from then on.
    """

    rows: Tensor  # (N+1, W) int32: the words of each item, 1 to V; 0 is padding

    def __init__(self, width: int, vocabulary: Sequence[str]):
        super().__init__((0,))
        self.rows = self.rows.int()
        self.vocabulary = tuple(vocabulary)
        self._number = {word: number for number, word in enumerate(self.vocabulary, start=1)}
        self.embedding = nn.Embedding(len(self.vocabulary) + 1, width, padding_idx=0)
        nn.init.zeros_(self.embedding.weight)
        self._matrices = _Matrices()

    def learn(self, texts: Sequence[str], parts: int = 1) -> None:
        """Rows of all items from N+1 texts (the first is padding), and first weights.

        Items' sums start with entries of the size 1/√d, as ID vectors; of √(1/`parts`) of it, if `parts` are summed.
        """
        self.append(texts[1:])
        words = max(1.0, (self.rows[1:] > 0).sum().item() / max(1, len(self.rows) - 1))  # of an average item
        nn.init.normal_(self.embedding.weight, std=(self.embedding.weight.shape[1] * words * parts) ** -0.5)
        with torch.no_grad():
            self.embedding.weight[0] = 0

    def append(self, texts: Sequence[str]) -> None:
        """Rows of more items, from their n texts."""
        numbers = [sorted({self._number[w] for w in split_words(text) if w in self._number}) for text in texts]
        numbers = [known[:MAX_WORDS] for known in numbers]  # the vocabulary begins with the rarest
        length = max([self.rows.shape[1], *map(len, numbers)])
        new = torch.zeros(len(texts), length, dtype=torch.int32)
        for row, known in enumerate(numbers):
            new[row, : len(known)] = torch.tensor(known, dtype=torch.int32)
        self.rows = torch.cat([F.pad(self.rows, (0, length - self.rows.shape[1])), new.to(self.rows.device)])

    def forward(self, items: Tensor) -> Tensor:
        """(n,) -> (n, d)"""
        vectors = self.embedding.weight  # (V+1, d)
        if not self.rows.shape[1]:
            return vectors.new_zeros(len(items), vectors.shape[1])
        if self.training and 2 * len(items) > len(self.rows):  # a step with the full softmax
            return F.embedding(items, _Sum.apply(vectors, *self._matrices.of(self.rows, vectors)))
        return F.embedding_bag(self.rows[items], vectors, mode="sum", padding_idx=0)


class ItemWords(nn.Module):
    """Word vectors of each view: of the original words (text), and of what the MLLM says about the picture.

    Args:
        vocabulary: view -> words; None: learned from the features.

    Raises:
        SettingsError: other views. DataError: features without the original texts.
    """

    def __init__(
        self, width: int, views: Sequence[str], features: Features, vocabulary: dict[str, Sequence[str]] | None = None
    ):
        super().__init__()
        if isinstance(views, str) or not views or len(set(views)) < len(views) or set(views) - {"picture", "text"}:
            raise SettingsError(f"views {views!r}: choose one or both of picture, text")
        texts = _texts(features, views)
        words = vocabulary if vocabulary is not None else {view: learn_vocabulary(texts[view][1:]) for view in views}
        self.of_view = nn.ModuleDict({view: WordVectors(width, words[view]) for view in views})
        for view in views:
            self[view].learn(texts[view], parts=len(views))

    def __getitem__(self, view: str) -> WordVectors:
        return cast(WordVectors, self.of_view[view])

    @property
    def vocabulary(self) -> dict[str, list[str]]:
        """View -> words, as plain values."""
        return {view: list(self[view].vocabulary) for view in self.of_view}

    def append(self, features: Features) -> None:
        """Rows of more items."""
        for view, texts in _texts(features, tuple(self.of_view)).items():
            self[view].append(texts[1:])

    def forward(self, items: Tensor) -> Tensor:
        """(n,) -> (n, V, d)"""
        return torch.stack([self[view](items) for view in self.of_view], dim=1)


def _texts(features: Features, views: Sequence[str]) -> dict[str, list[str]]:
    """The N+1 texts of each view."""
    if not features.texts:
        raise DataError(
            "these features lack the original texts, from which word vectors are learned: they were saved by an older "
            "version; extract them again (stored results are reused)"
        )
    of_view = {"text": features.texts, "picture": features.descriptions_picture}
    return {view: of_view[view] for view in views}


class _Matrices:
    """Items x words, 1 where an item has a word, and its transpose: sparse, and made again when the rows change."""

    def __init__(self) -> None:
        self.rows: Tensor | None = None  # what they were made from
        self.both: tuple[Tensor, Tensor]  # (N+1, V+1), (V+1, N+1)

    def of(self, rows: Tensor, vectors: Tensor) -> tuple[Tensor, Tensor]:
        if self.rows is not rows or self.both[0].dtype != vectors.dtype:
            item, column = (rows > 0).nonzero(as_tuple=True)
            word, ones = rows[item, column].long(), vectors.new_ones(len(item))
            shape = len(rows), len(vectors)
            self.rows, self.both = rows, (_matrix(item, word, ones, shape), _matrix(word, item, ones, shape[::-1]))
        return self.both

    def __deepcopy__(self, memo: dict) -> _Matrices:
        return _Matrices()  # torch cannot copy sparse tensors of this kind; a copy of the model makes its own


class _Sum(torch.autograd.Function):
    """`matrix @ weight`, sparse, with the transpose at hand: torch's own gradient would make it at each step."""

    @staticmethod
    def forward(ctx, weight: Tensor, matrix: Tensor, transposed: Tensor) -> Tensor:  # type: ignore[override]
        ctx.transposed = transposed
        with torch.autocast(weight.device.type, enabled=False):  # sparse products have no half precision
            return matrix @ weight

    @staticmethod
    def backward(ctx, gradient: Tensor):  # type: ignore[override]
        with torch.autocast(gradient.device.type, enabled=False):
            return ctx.transposed @ gradient.to(ctx.transposed.dtype), None, None


def _matrix(row: Tensor, column: Tensor, ones: Tensor, shape: tuple[int, int]) -> Tensor:
    """A sparse matrix of ones at (row, column)."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        where = torch.stack([row, column])
        return torch.sparse_coo_tensor(where, ones, shape, check_invariants=True).to_sparse_csr()
