"""What can be read from descriptions, from tokens and from vectors, where the truth about each item is known.

Three ways to ask whether a fact survived: is it *said* in a description, which tokens *say* it, and can a linear
classifier, a *probe*, read it off a vector (Alain and Bengio 2016)? A probe shows that a fact is there and easy to get
at, not that a model uses it.
"""

from __future__ import annotations

import re
import warnings

import numpy as np

from dmesr_core.errors import DataError

MARK, OTHER = "mark", "other"  # kinds of tokens that say no fact: [CLS] and [SEP]; all other words


def said(text: str, facts: dict[str, str]) -> dict[str, bool]:
    """Which of an item's true `facts` (name -> value) a description names, as whole words, in any case.

    A word counts for one fact only, the longest value first: "for small homes" does not say that the size is small.
    """
    kinds = _claim(_words(text), facts)
    return {fact: fact in kinds for fact in facts}


def token_kinds(tokens: list[str], facts: dict[str, str]) -> list[str]:
    """For each WordPiece token of an item's words: the fact that it belongs to, `MARK`, or `OTHER`.

    Args:
        tokens: as `Features.tokens[k]`; "##ing" continues a word.
        facts: name -> value, such as {"series": "Stovael"}.
    """
    words: list[str] = []
    word_of: list[int | None] = []
    for token in tokens:
        if re.fullmatch(r"\[[A-Z]+\]", token):  # [CLS], [SEP], [UNK]
            word_of.append(None)
            continue
        if token.startswith("##") and words:
            words[-1] += token[2:]
        else:
            words.append(token.lower())
        word_of.append(len(words) - 1)
    kinds = _claim(words, facts)
    return [MARK if w is None else kinds[w] for w in word_of]


def _words(text: str) -> list[str]:
    """Words and single punctuation marks, in lower case."""
    return re.findall(r"\w+|[^\w\s]", text.lower())


def _claim(words: list[str], facts: dict[str, str]) -> list[str]:
    """The fact that each word belongs to, or `OTHER`; longer values claim their words first."""
    kinds = [OTHER] * len(words)
    for fact, value in sorted(facts.items(), key=lambda pair: -len(pair[1])):
        wanted = _words(value)
        for start in range(len(words) - len(wanted) + 1 if wanted else 0):
            span = slice(start, start + len(wanted))
            if words[span] == wanted and all(kind == OTHER for kind in kinds[span]):
                kinds[span] = [fact] * len(wanted)
    return kinds


def probe(
    vectors: np.ndarray, labels: np.ndarray, others: np.ndarray, truth: np.ndarray, strength: float = 0.3
) -> np.ndarray:
    """Fit a linear probe on some items and let it guess the labels of others.

    Args:
        vectors, labels: (n, d) and (n,), what it learns from; columns are brought to unit variance first.
        others, truth: (m, d) and (m,), what it is tested on.
        strength: inverse of the L2 penalty of the logistic regression.

    Returns:
        (m,) bool: where the guess is right.

    Raises:
        DataError: fewer than two different labels to learn, or shapes that do not fit.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    vectors, others, labels, truth = (np.asarray(a) for a in (vectors, others, labels, truth))
    if vectors.ndim != 2 or len(vectors) != len(labels) or others.shape != (len(truth), vectors.shape[1]):
        raise DataError(
            f"a probe wants one label per vector, and vectors of one width: got {vectors.shape} with {labels.shape}, "
            f"and {others.shape} with {truth.shape}"
        )
    if len(np.unique(labels)) < 2:
        raise DataError(f"a probe needs at least two different labels to learn, got only {labels[:1].tolist()}")
    mean, spread = vectors.mean(0), vectors.std(0).clip(1e-6)
    model = LogisticRegression(C=strength, max_iter=200, tol=1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a probe that could still be a little better will do
        model.fit((vectors - mean) / spread, labels)
    return model.predict((others - mean) / spread) == truth


def cross_probe(vectors: np.ndarray, labels: np.ndarray, folds: int = 3, seed: int = 0) -> np.ndarray:
    """Probe all items, each guessed by a probe that did not see it: (n, d) and (n,) -> (n,) bool."""
    if not 2 <= folds <= len(labels):
        raise DataError(f"{folds} folds for {len(labels)} items: choose between 2 and the number of items")
    vectors, labels = np.asarray(vectors), np.asarray(labels)
    fold = np.random.default_rng(seed).permutation(len(labels)) % folds
    right = np.zeros(len(labels), bool)
    for f in range(folds):
        here = fold == f
        right[here] = probe(vectors[~here], labels[~here], vectors[here], labels[here])
    return right


def most_frequent(labels: np.ndarray) -> float:
    """What always guessing the most frequent label would get right: what a probe has to beat."""
    return float(np.unique(labels, return_counts=True)[1].max() / len(labels))


def whole_groups(labels: np.ndarray, at_most: int, seed: int = 0) -> np.ndarray:
    """Rows of randomly chosen labels, with all their items, until `at_most` rows are reached; sorted, (m,) int.

    Of a large catalogue it keeps a part in which rare labels have as many items as before.
    """
    labels = np.asarray(labels)
    values, code, counts = np.unique(labels, return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(values))
    chosen = order[np.cumsum(counts[order]) <= at_most]
    if not len(chosen):
        raise DataError(f"no label has at most {at_most} items")
    return np.flatnonzero(np.isin(code, chosen))


def recovered(right: np.ndarray, chance: float) -> float:
    """How much of what guessing leaves open a probe gets right: 1 all of it, 0 none, negative: worse than guessing.

    Args:
        right: (n,) bool, as `probe` gives it.
        chance: accuracy of guessing, such as `most_frequent`; below 1.
    """
    return float((right.mean() - chance) / (1 - chance))
