"""Operators that start each other, one after the other."""

from __future__ import annotations

from typing import Final

from eventscope import EventScope

STEPS: Final = 6

TABLES: Final = "".join(f"CREATE TABLE step_{n} (id int PRIMARY KEY);" for n in range(STEPS + 1))


def a_cascade() -> EventScope:
    """Each operator writes the table that the next one follows."""
    app = EventScope("cascade")
    for n in range(STEPS):
        app.query(
            f"step_{n + 1}",
            sql=f"INSERT INTO step_{n + 1} SELECT id FROM step_{n} WHERE id = $1"
            " ON CONFLICT DO NOTHING",
            ids={f"step_{n}": "id"},
        )
    return app
