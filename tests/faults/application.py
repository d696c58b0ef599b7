"""What the programs of these tests run: a query, a handler with a transaction, and a witness.

The witness writes the id of each event to the file that ``WITNESS`` names.
"""

from __future__ import annotations

import os
from typing import Any

import psycopg

from eventscope import Event, EventScope
from tests.operators.shop import README_SQL

IDS = {"comments": "post_id", "posts": "id"}
TABLE = "post_with_comments_counts"

app = EventScope("faults")
app.query(TABLE, sql=README_SQL, ids=IDS, delete_with=["posts"])


@app.operator(entities=["posts", "comments"])
async def audit(event: Event, tx: psycopg.AsyncConnection[Any]) -> None:
    """Keep a journal in the database itself."""
    await tx.execute("INSERT INTO audit (event) VALUES (%s)", [event.id])


@app.operator(entities=["posts", "comments"])
async def witness(event: Event) -> None:
    """Keep a journal that no kill undoes: each line is written at once."""
    file = os.open(os.environ["WITNESS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(file, f"{event.id}\n".encode())
    finally:
        os.close(file)


counting = EventScope("counting")
counting.query(TABLE, sql=README_SQL, ids=IDS, delete_with=["posts"])
