"""A small extension of Sphinx for appendix C: signatures that can be parsed, and code in docstrings."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

FACTORY = "<factory>"  # what `inspect` shows, and Sphinx cannot parse


def with_defaults(signature: str, documented: Any) -> str:
    """`(report=<factory>)` of a dataclass becomes `(report=dict())`."""
    fields = dataclasses.fields(documented) if dataclasses.is_dataclass(documented) else ()
    for field in fields:
        if field.default_factory is not dataclasses.MISSING:
            made_by = getattr(field.default_factory, "__name__", "...")
            signature = signature.replace(FACTORY, f"{made_by}()", 1)
    return signature


def with_code(lines: list[str]) -> list[str]:
    """`"sum"` in the text of a docstring becomes code, and so does `HR@k`, else an e-mail address; examples stay."""
    end = next((k for k, line in enumerate(lines) if line.strip() == "Example:"), len(lines))
    text = [re.sub(r'`[^`]*`|"[^"\s`]*"|\w+@\w+', lambda m: f"`{m[0].strip('`')}`", line) for line in lines[:end]]
    return text + lines[end:]


def setup(app: Any) -> dict[str, bool]:
    """Called by Sphinx."""

    def signature(app: Any, what: str, name: str, documented: Any, options: Any, signature: str | None, returns: Any):
        return None if signature is None else (with_defaults(signature, documented), returns)

    def docstring(app: Any, what: str, name: str, documented: Any, options: Any, lines: list[str]) -> None:
        lines[:] = with_code(lines)

    app.connect("autodoc-process-signature", signature)
    app.connect("autodoc-process-docstring", docstring, priority=400)  # before napoleon
    return {"parallel_read_safe": True, "parallel_write_safe": True}
