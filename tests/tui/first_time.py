"""An application whose ``billing`` fails at what is paid, until a file named in MENDED is there."""

from __future__ import annotations

import os
from pathlib import Path

from eventscope import Event, EventScope

app = EventScope("first")


@app.operator(entities=["orders"], events=["update"])
def billing(event: Event) -> None:
    if not Path(os.environ["MENDED"]).exists():
        raise RuntimeError("the billing service is down")
