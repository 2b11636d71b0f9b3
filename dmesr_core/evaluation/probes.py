"""Which facts are in descriptions, in tokens and in vectors, for items whose true facts are known.

Three measures of whether a fact survived: is it mentioned in a description, which tokens belong to it, and can a linear
classifier, a *probe*, predict it from a vector (Alain and Bengio, Understanding intermediate layers using linear
classifier probes, 2016)? A probe shows that a fact is linearly decodable, not that a model uses it.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

from dmesr_core.errors import DataError
from dmesr_core.evaluation.bootstrap import bootstrap_interval

MARK, OTHER = "mark", "other"  # labels of tokens without a fact: special tokens ([CLS], [SEP]); all others


def mentioned_facts(text: str, facts: dict[str, str]) -> dict[str, bool]:
    """Which of an item's true `facts` (name -> value) a text mentions, as whole words, in any case.

    A word counts for one fact only, longest value first: "for small homes" does not mention the size "small".
    """
    labels = _label_words(_words(text), facts)
    return {fact: fact in labels for fact in facts}


def token_facts(tokens: list[str], facts: dict[str, str]) -> list[str]:
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
    labels = _label_words(words, facts)
    return [MARK if w is None else labels[w] for w in word_of]


def _words(text: str) -> list[str]:
    """Words and single punctuation marks, in lower case."""
    return re.findall(r"\w+|[^\w\s]", text.lower())


def _label_words(words: list[str], facts: dict[str, str]) -> list[str]:
    """The fact that each word belongs to, or `OTHER`; longer values are matched first."""
    labels = [OTHER] * len(words)
    for fact, value in sorted(facts.items(), key=lambda pair: -len(pair[1])):
        wanted = _words(value)
        for start in range(len(words) - len(wanted) + 1 if wanted else 0):
            span = slice(start, start + len(wanted))
            if words[span] == wanted and all(label == OTHER for label in labels[span]):
                labels[span] = [fact] * len(wanted)
    return labels


def probe(
    vectors: np.ndarray, labels: np.ndarray, test_vectors: np.ndarray, test_labels: np.ndarray, strength: float = 0.3
) -> np.ndarray:
    """Fit a linear probe on some items and predict the labels of others; a single label is predicted for all.

    Args:
        vectors, labels: (n, d) and (n,), to fit; columns are standardised first.
        test_vectors, test_labels: (m, d) and (m,), to predict.
        strength: inverse of the L2 penalty of the logistic regression.

    Returns:
        (m,) bool: True for a correct prediction.

    Raises:
        DataError: no label to fit, or shapes that do not match.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    vectors, test_vectors, labels, test_labels = (np.asarray(a) for a in (vectors, test_vectors, labels, test_labels))
    if vectors.ndim != 2 or len(vectors) != len(labels) or test_vectors.shape != (len(test_labels), vectors.shape[1]):
        raise DataError(
            f"a probe needs one label per vector, and vectors of one width: got {vectors.shape} with {labels.shape}, "
            f"and {test_vectors.shape} with {test_labels.shape}"
        )
    if not len(labels):
        raise DataError("a probe needs labels to learn from, got none")
    if len(np.unique(labels)) == 1:  # such as a fold that has no item with another label
        return test_labels == labels[0]
    mean, std = vectors.mean(0), vectors.std(0).clip(1e-6)
    model = LogisticRegression(C=strength, max_iter=200, tol=1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a nearly converged probe is accurate enough
        model.fit((vectors - mean) / std, labels)
    return model.predict((test_vectors - mean) / std) == test_labels


def cross_probe(vectors: np.ndarray, labels: np.ndarray, folds: int = 3, seed: int = 0) -> np.ndarray:
    """Cross-validated probe of all items: (n, d) and (n,) -> (n,) bool, True for a correct prediction."""
    if not 2 <= folds <= len(labels):
        raise DataError(f"{folds} folds for {len(labels)} items: choose between 2 and the number of items")
    vectors, labels = np.asarray(vectors), np.asarray(labels)
    fold = np.random.default_rng(seed).permutation(len(labels)) % folds
    correct = np.zeros(len(labels), bool)
    for f in range(folds):
        test = fold == f
        correct[test] = probe(vectors[~test], labels[~test], vectors[test], labels[test])
    return correct


def most_frequent(labels: np.ndarray) -> float:
    """The accuracy of always predicting the most frequent label: the baseline of a probe."""
    return float(np.unique(labels, return_counts=True)[1].max() / len(labels))


def whole_groups(labels: np.ndarray, at_most: int, seed: int = 0) -> np.ndarray:
    """Rows of randomly chosen labels, each with all its items, at most `at_most` rows; sorted, (m,) int.

    Unlike a random sample of rows, it keeps the number of items per label, also of rare labels.
    """
    labels = np.asarray(labels)
    values, code, counts = np.unique(labels, return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(values))
    chosen = order[np.cumsum(counts[order]) <= at_most]
    if not len(chosen):
        raise DataError(f"no label has at most {at_most} items")
    return np.flatnonzero(np.isin(code, chosen))


def named_facts(descriptions: Sequence[str], truth: Sequence[dict[str, str]]) -> pd.DataFrame:
    """(n, facts) bool: whether each of n descriptions mentions the true value of each fact (`mentioned_facts`)."""
    return pd.DataFrame([mentioned_facts(text, facts) for text, facts in zip(descriptions, truth, strict=True)])


def shares(table: pd.DataFrame, n_resamples: int) -> tuple[list[float], list[tuple[float, float]]]:
    """Column means of a boolean table, and their 95% bootstrap intervals."""
    return table.mean().tolist(), [bootstrap_interval(table[column].to_numpy(), n_resamples) for column in table]


def same_texts(texts: Sequence[str]) -> list[np.ndarray]:
    """Groups of positions that have the same text, each of two or more; the smallest groups first."""
    groups: dict[str, list[int]] = {}
    for position, text in enumerate(texts):
        groups.setdefault(text, []).append(position)
    shared = [np.array(group) for group in groups.values() if len(group) > 1]
    return sorted(shared, key=lambda group: (len(group), group[0]))


def centred_cosine(vectors: np.ndarray, one: int, other: int) -> float:
    """Cosine of two items' vectors, of (N+1, F), after subtracting the mean over the items (rows 1 …)."""
    a, b = (vectors[k] - vectors[1:].mean(0) for k in (one, other))
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def attention_by_kind(attention: np.ndarray, kinds: Sequence[Sequence[str]], order: Sequence[str]) -> np.ndarray:
    """Share of each view's attention that falls on each kind of token, mean over items: (V, len(order)).

    Args:
        attention: (N, V, L) weights of N items; each row sums to one.
        kinds: for each item, the kind of each of its tokens, at most L; see `token_facts`.
        order: the kinds, as the columns of the result.
    """
    out = np.zeros((attention.shape[1], len(order)))
    for row, its_kinds in enumerate(kinds):
        for token, kind in enumerate(its_kinds):
            out[:, order.index(kind)] += attention[row, :, token] / len(kinds)
    return out


def share_with_kind(kinds: Sequence[Collection[str]], wanted: Sequence[str]) -> list[float]:
    """For each kind `wanted`, the share of items that have a token of it."""
    return [float(np.mean([kind in its_kinds for its_kinds in kinds])) for kind in wanted]


def least_attention(attention: np.ndarray, kinds: Sequence[Sequence[str]], wanted: str) -> list[int]:
    """Rows of the items that have tokens of the kind `wanted`, those with the least attention (N, L) on them first."""
    on_kind = {
        row: sum(attention[row, i] for i, kind in enumerate(its_kinds) if kind == wanted)
        for row, its_kinds in enumerate(kinds)
        if wanted in its_kinds
    }
    return sorted(on_kind, key=lambda row: on_kind[row])


def recovered(right: np.ndarray, chance: float) -> float:
    """How much of what guessing leaves open a probe gets right: 1 all of it, 0 none, negative: worse than guessing.

    Args:
        right: (n,) bool, as `probe` gives it.
        chance: accuracy of guessing, such as `most_frequent`; below 1.
    """
    return float((right.mean() - chance) / (1 - chance))
