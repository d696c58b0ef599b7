"""structlog, and not rich with it.

It would take rich for tracebacks drawn with colours, which we never ask it for: 66 modules and
4 MB that a run without a dashboard does not need.
"""

from __future__ import annotations

import sys

_HIDDEN = "rich" not in sys.modules
if _HIDDEN:
    sys.modules["rich"] = None  # type: ignore[assignment]  # which makes its import fail
try:
    import structlog
finally:
    if _HIDDEN:
        del sys.modules["rich"]

__all__ = ["structlog"]
