"""A small extension of Sphinx: signatures in appendix C show how a default is made that each object gets anew."""

from __future__ import annotations

import dataclasses
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


def setup(app: Any) -> dict[str, bool]:
    """Called by Sphinx."""

    def process(app: Any, what: str, name: str, documented: Any, options: Any, signature: str | None, returns: Any):
        return None if signature is None else (with_defaults(signature, documented), returns)

    app.connect("autodoc-process-signature", process)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
