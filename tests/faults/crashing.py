"""A handler that ends its process at some events, beside one that keeps a journal."""

from __future__ import annotations

import os

from eventscope import Event, EventScope
from tests.faults import application

app = EventScope("crashing")
app.operator(entities=["posts", "comments"])(application.witness)


@app.operator(entities=["posts"])
async def fatal(event: Event) -> None:
    """End the process without a word."""
    if (event.new_record or {})["title"] == "fatal":
        os._exit(7)
