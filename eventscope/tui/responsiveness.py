"""What keeps the interface quick while an engine works in the same interpreter."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

_SWITCH_INTERVAL: Final = 0.001
_GC_THRESHOLDS: Final = (50_000, 20, 100)


def frames_per_second(environment: Mapping[str, str] = os.environ) -> int:
    """How often to draw: a full frame is 30 kB, which is much for a line to another machine."""
    remote = "SSH_CONNECTION" in environment or "SSH_TTY" in environment
    return 5 if remote else 15


@contextmanager
def responsive() -> Iterator[None]:
    """Let threads take turns every millisecond, and the garbage collector look at less."""
    interval, thresholds = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(_SWITCH_INTERVAL)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()
        sys.setswitchinterval(interval)
