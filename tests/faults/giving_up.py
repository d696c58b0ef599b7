"""A handler that gives up, as long as the file that ``REFUSES`` names is there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import psycopg

from eventscope import Event, EventScope

app = EventScope("giving up")


@app.operator(entities=["posts"], on_failure="dead_letter")
async def audit(event: Event, tx: psycopg.AsyncConnection[Any]) -> None:
    """Keep a journal in the database itself, or do not."""
    await tx.execute("INSERT INTO audit (event) VALUES (%s)", [event.id])
    if refuses():
        raise ValueError("refused")


def refuses() -> bool:
    """Whether everything is to be given up."""
    return Path(os.environ["REFUSES"]).exists()
