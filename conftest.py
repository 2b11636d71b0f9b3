"""Holds for all tests and for the chapters run by nbmake: small sizes, and a cache of their own.

All processes share it, as all commands of a user share one: a chapter that ran as a notebook need not train again for
its page.
"""

from __future__ import annotations

import os
from pathlib import Path


def pytest_configure(config) -> None:
    os.environ["DMESR_PROFILE"] = "smoke"  # nbmake cannot set a chapter's parameters
    os.environ["DMESR_CACHE"] = str(Path(__file__).resolve().parent / "_build" / "cache-of-tests")
