"""Holds for all tests and for the chapters run by nbmake: small sizes, and a cache for each process of its own."""

from __future__ import annotations

import os
from pathlib import Path


def pytest_configure(config) -> None:
    os.environ["DMESR_PROFILE"] = "smoke"  # nbmake cannot set a chapter's parameters
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    os.environ["DMESR_CACHE"] = str(Path(__file__).resolve().parent / "_build" / "cache-of-tests" / worker)
