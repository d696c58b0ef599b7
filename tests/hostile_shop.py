"""A database and an application in which every text and every name is what a test wants."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import psycopg
from psycopg.sql import SQL, Identifier, Literal

from tests.hostile import HOSTILE, IMPOSSIBLE, as_name

SOURCE: Final = """
import json, logging
from pathlib import Path

import structlog

from eventscope import EventScope

told = json.loads(Path(__file__).with_name("told.json").read_text())
app = EventScope(told["name"])

def declare(text, entity, name, on_failure):
    @app.operator(entities=[entity], name=name, on_failure=on_failure)
    async def handler(event):
        print(text)
        logging.getLogger(text).warning(text)
        structlog.get_logger().error(text, **{text: text, "about": [text]})
        raise RuntimeError(text)

for one in told["operators"]:
    declare(**one)

@app.operator(entities=told["entities"], name="seen by all")
async def seen(event):
    pass

app.query(told["copy"], ids={"last one": "id"}, sql='''
    insert into "''' + told["copy"].replace('"', '""') + '''" select id, fail(note)
    from "last one" where id = $1''')
"""
LAST: Final = "last one"
"""The table whose event is the last."""
_DRAWN: Final = [what for what in HOSTILE if what != "enclosed"]
"""What a terminal is given to draw: behind an enclosing mark pyte loses the rest of a line."""


class HostileShop:
    """Its database is made and its application written at once.

    Args:
        url: an empty database.
        folder: where the application is to be.
        texts: what its rows, errors, prints and log lines say.
        names: what its schema, tables, columns and operators are called.
    """

    def __init__(self, url: str, folder: Path, texts: Sequence[str], names: Sequence[str]) -> None:
        self.folder = folder
        self.texts, self._names = texts, names
        self._connection = psycopg.connect(url, autocommit=True)
        self._schema = names[0]
        self._create()
        (folder / "app.py").write_text(SOURCE)
        (folder / "told.json").write_text(json.dumps(self._told()))
        settings = {
            "url": url,
            "slot_name": f"shop_{uuid4().hex[:8]}",
            "operator_queue_min_restart_time": 1,
            "operator_queue_max_restart_time": 1,
            "operator_queue_max_retries": 0,
        }
        lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
        lines += ["[ui.keys]", f"zoom = {json.dumps(names[0].replace(',', ''))}"]
        lines += ["[ui.filters]"]
        lines += [f"{json.dumps(name)} = {json.dumps(name)}" for name in names[:5]]
        (folder / "eventscope.toml").write_text("\n".join(lines))

    def write(self) -> None:
        """Write a row to each table and change it, and the last row."""
        with self._connection.transaction():
            for number, name in enumerate(self._names):
                text, other = (self.texts[(number + n) % len(self.texts)] for n in (0, 1))
                doc = json.dumps({text: [text, {"inner": text}]}, ensure_ascii=True)
                changed = json.dumps({text: [other]}, ensure_ascii=True)
                table = self._table(number)
                self._run("insert into {} values ({}, {}, {}, {})", table, number, text, text, doc)
                column = Identifier(name)
                self._run("update {} set {} = {}, doc = {}", table, column, other, changed)
        with self._connection.transaction():
            for number, text in enumerate(self.texts):
                self._run("insert into {} values ({}, {})", Identifier(LAST), number, text)

    def change(self) -> None:
        """Change every row once more."""
        with self._connection.transaction():
            for number, text in enumerate(self.texts):
                self._run("update {} set note = {}", self._table(number), text)

    def close(self) -> None:
        """Let the database go."""
        self._connection.close()

    def _create(self) -> None:
        self._run("create schema {}", Identifier(self._schema))
        for number, name in enumerate(self._names):
            table, column = self._table(number), Identifier(name)
            self._run(
                "create table {} (id int primary key, {} text, note text, doc json)", table, column
            )
            if number % 2:
                self._run("alter table {} replica identity full", table)
        self._run("create table {} (id int primary key, note text)", Identifier(LAST))
        self._run("create table {} (id int primary key, n int)", Identifier(self._copy))
        self._run(
            "create function fail(note text) returns int language plpgsql as "
            "$$ begin raise exception '%', note; end $$"
        )

    def _told(self) -> dict[str, Any]:
        texts = [*self.texts, *IMPOSSIBLE.values()] if self._is_hostile else self.texts
        entities = [
            f"{self._schema}.{name}" if number % 2 else name
            for number, name in enumerate(self._names)
        ]
        operators = [
            {
                "text": f"{texts[number]} {''.join(text for text in texts if len(text) < 50)}",
                "entity": entity,
                "name": self._names[number],
                "on_failure": "dead_letter" if number % 3 else "halt",
            }
            for number, entity in enumerate(entities)
        ]
        return {
            "name": "shop",
            "operators": operators,
            "entities": [*entities, LAST],
            "copy": self._copy,
        }

    @property
    def _is_hostile(self) -> bool:
        return set(self.texts) <= set(HOSTILE.values())

    @property
    def _copy(self) -> str:
        return as_name(f"copy of {self._names[1]}", 0)

    def _table(self, number: int) -> Identifier:
        name = self._names[number]
        return Identifier(self._schema, name) if number % 2 else Identifier(name)

    def _run(self, statement: str, *parts: Any) -> None:
        composed = (p if isinstance(p, Identifier) else Literal(p) for p in parts)
        self._connection.execute(SQL(statement).format(*composed))  # type: ignore[arg-type]


def a_hostile_shop(url: str, folder: Path) -> HostileShop:
    """One in which everything is hostile."""
    texts = [HOSTILE[what] for what in _DRAWN]
    return HostileShop(url, folder, texts, [as_name(text, n) for n, text in enumerate(texts)])


def a_benign_shop(url: str, folder: Path) -> HostileShop:
    """Its twin, in which nothing is."""
    texts = [f"{what.replace('.', ' ')} of a shop" for what in _DRAWN]
    return HostileShop(url, folder, texts, [as_name(text, n) for n, text in enumerate(texts)])
