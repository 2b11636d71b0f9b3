"""A tiny multimodal LLM for the products of the Bazaar: architecture, training, evaluation and its checkpoint."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

# At least 93% of the words of any Bazaar item are single tokens of the tiny MLLM; of texts on films, or of another
# shop, less than half of them.
FAMILIAR = 0.7


def checkpoint_folder() -> Path:
    """The folder of the shipped model, for `AutoProcessor` and `AutoModelForImageTextToText`."""
    return Path(__file__).parent / "checkpoint"


def known_words(texts: Iterable[str]) -> float | None:
    """The share of the words in `texts` that the tiny MLLM has a token for; None if there are no words.

    Its tokens were made from the Bazaar's texts, so a low share tells that its training has nothing to do with them.
    """
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(checkpoint_folder() / "tokenizer.json"))
    words = Counter(word for text in texts for word in re.findall(r"[^\W\d_]+", text))
    known = [n for word, n in words.items() if len(tokenizer.encode(f" {word}", add_special_tokens=False).ids) == 1]
    return sum(known) / words.total() if words else None
