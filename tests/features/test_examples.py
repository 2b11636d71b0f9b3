"""The examples in the docstrings of the public names give what they say."""

from __future__ import annotations

import doctest
import importlib.metadata
import inspect

import pytest

from dmesr_core.features.extract import extract_features
from dmesr_core.features.item_features import Features
from dmesr_core.features.mllm import MLLM
from dmesr_core.features.text_encoder import MINILM_PACKAGE, TextEncoder

PUBLIC = (Features, MLLM, MLLM.load, MLLM.embed, TextEncoder, TextEncoder.load, extract_features)


def has_minilm() -> bool:
    return any(dist.name == MINILM_PACKAGE for dist in importlib.metadata.distributions())


@pytest.mark.skipif(not has_minilm(), reason=f"the package {MINILM_PACKAGE} is not installed")
@pytest.mark.parametrize("what", PUBLIC, ids=lambda what: what.__qualname__)
def test_examples_give_what_they_say(what, tmp_path, monkeypatch):
    monkeypatch.setenv("DMESR_CACHE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    text = inspect.getdoc(what)
    example = doctest.DocTestParser().get_doctest(text, {}, what.__qualname__, None, None)
    assert example.examples, "no example"
    failures: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(example, out=failures.append)
    assert not failures, "".join(failures)
