"""Imports without what they bring along for nobody."""

from __future__ import annotations

import importlib
import sys


def import_structlog() -> None:
    """Import structlog, and not rich with it.

    It would take rich for tracebacks drawn with colours, which we never ask it for: 66 modules
    and 4 MB that a run without a dashboard does not need.
    """
    if "structlog" in sys.modules or "rich" in sys.modules:
        return
    sys.modules["rich"] = None  # type: ignore[assignment]  # which makes its import fail
    try:
        importlib.import_module("structlog")
    finally:
        del sys.modules["rich"]
