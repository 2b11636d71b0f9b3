"""Where the package keeps what it can make again: drawn pictures, extracted features."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    """The cache folder: the environment variable `DMESR_CACHE`, else `dmesr_cache` in the working folder."""
    return Path(os.environ.get("DMESR_CACHE") or "dmesr_cache").resolve()
