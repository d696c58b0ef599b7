"""An application whose operators fail as the test wants, run as a program and asked from outside.

``good`` never fails. ``bad`` fails, and halts, while there is no file ``mended``; ``giving up``
gives up instead. ``copies`` is a query that fails for note 13 while ``limits`` says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg

from eventscope.queue import outside
from eventscope.queue.outside import OutsideQueue
from tests.cli.conftest import Invoke, Result
from tests.programs import Program, running
from tests.waiting import until_async

SOURCE = """
from pathlib import Path

from eventscope import EventScope

app = EventScope("shop")

@app.operator(entities=["notes"])
async def good(event):
    with Path("good").open("a") as file:
        file.write(f"{event.new_record['id']}\\n")

@app.operator(entities=["notes"])
async def bad(event):
    if not Path("mended").exists():
        raise ValueError("\\x1b[31mno")

@app.operator(entities=["notes"], name="giving up", on_failure="dead_letter")
async def giving_up(event):
    if not Path("mended").exists():
        raise ValueError("never")

app.query("copies", ids={"notes": "id"}, sql='''
    insert into copies select id, n / (select n from limits) from notes where id = $1
    on conflict (id) do update set n = excluded.n''')
"""
TABLES = """
create table notes (id int primary key, n int);
create table limits (n int);
insert into limits values (1);
create table copies (id int primary key, n int);
"""


class Shop:
    """The application, its database, and its folder."""

    def __init__(self, url: str, folder: Path, invoke: Invoke) -> None:
        self.url = url
        self.folder = folder
        self.queue = folder / ".eventscope" / "shop-shop.db"
        self._invoke = invoke
        (folder / "shop.py").write_text(SOURCE)
        self.set(operator_queue_min_restart_time=1, operator_queue_max_retries=1)

    def set(self, **settings: int) -> None:
        """Write the settings: the database, the slot, and these."""
        lines = [f'url = "{self.url}"', 'slot_name = "shop"']
        lines += [f"{name} = {value}" for name, value in settings.items()]
        (self.folder / "eventscope.toml").write_text("\n".join(lines))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Program]:
        """The program, streaming; killed at the end."""
        async with running(
            "run", "shop.py", "--headless", "--log-format", "json", cwd=self.folder
        ) as program:
            await program.logged("streaming")
            yield program

    async def stop(self, program: Program) -> int:
        """End the program in order."""
        program.terminate()
        return await program.ended()

    async def ask(self, *arguments: Any) -> Result:
        """Run ``eventscope`` with these arguments."""
        return await asyncio.to_thread(self._invoke, *arguments)

    async def notes(self, *ids: int) -> None:
        """Write notes, one a transaction."""
        await self.sql(*(f"insert into notes values ({id}, {id})" for id in ids))

    async def sql(self, *statements: str) -> list[Any]:
        """Run statements; returns the rows of the last."""
        rows: list[Any] = []
        async with await psycopg.AsyncConnection.connect(self.url, autocommit=True) as connection:
            for statement in statements:
                cursor = await connection.execute(statement)  # type: ignore[arg-type]
                rows = await cursor.fetchall() if cursor.description else []
        return rows

    async def kept(self, holds: Callable[[OutsideQueue], Awaitable[Any]]) -> Any:
        """Wait until something in the queue file holds; returns it."""
        found: Any = None

        async def look() -> bool:
            nonlocal found
            async with outside.opened(self.queue) as queue:
                found = await holds(queue)
            return bool(found)

        await until_async(look)
        return found

    async def until_halted(self, name: str = "bad") -> None:
        """Wait until an operator has halted."""

        async def halted(queue: OutsideQueue) -> bool:
            record = await queue.operator(name)
            return record is not None and record.halted

        await self.kept(halted)

    async def until_dead(self, name: str, count: int = 1) -> list[int]:
        """Wait until an operator has that many dead letters; returns their ids."""

        async def dead(queue: OutsideQueue) -> list[int] | None:
            letters = [one.id for one in await queue.letters(name) if one.next_retry is None]
            return letters if len(letters) == count else None

        found: list[int] = await self.kept(dead)
        return found

    async def until_seen(self, *ids: int) -> None:
        """Wait until ``good`` has seen exactly these notes, in this order."""
        path = self.folder / "good"

        async def seen() -> bool:
            return path.exists() and path.read_text().split() == list(map(str, ids))

        await until_async(seen)

    async def until_seen_by_none(self) -> None:
        """Check that ``good`` has seen nothing, though there was something to see."""
        assert not (self.folder / "good").exists()

    async def until_well(self, name: str = "bad") -> None:
        """Wait until an operator has no failure and nothing queued."""

        async def well(queue: OutsideQueue) -> bool:
            record = await queue.operator(name)
            return (
                record is not None
                and record.failed_seq is None
                and record.position == queue.last_seq > 0
            )

        await self.kept(well)

    async def until_retrying(self, name: str) -> None:
        """Wait until an operator has ids that it will try again by itself."""

        async def retrying(queue: OutsideQueue) -> bool:
            return any(letter.next_retry for letter in await queue.letters(name))

        await self.kept(retrying)

    async def until_rows(self, query: str, rows: list[Any]) -> None:
        """Wait until a query has this result."""

        async def same() -> bool:
            return await self.sql(query) == rows

        await until_async(same)

    async def until_letters(self, name: str, count: int) -> None:
        """Wait until an operator has that many letters, dead or not."""

        async def has(queue: OutsideQueue) -> bool:
            return len(await queue.letters(name)) == count

        await self.kept(has)

    async def ask_as(self, environment: dict[str, str], *arguments: Any) -> Result:
        """The same as ``ask`` in another environment."""
        return await asyncio.to_thread(self._invoke, *arguments, **environment)
