"""What a real server sends, of every kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from psycopg import sql

from eventscope.replication.connection import connect, conninfo
from eventscope.replication.relations import Relation
from eventscope.settings import Settings
from tests.replication.examples import Example
from tests.replication.examples.compounds import ARRAYS, DOCUMENTS, MADE, RANGES, TYPES
from tests.replication.examples.scalars import MOMENTS, NUMBERS, TEXTS
from tests.replication.reading import reading

_EXAMPLES = [
    example
    for example in (*NUMBERS, *MOMENTS, *TEXTS, *DOCUMENTS, *RANGES, *ARRAYS, *MADE)
    if len(example.text) < 100 and example.type != "xml"
]
_COLUMNS = 10
_TABLES = {
    f"table_{n}": _EXAMPLES[n * _COLUMNS : (n + 1) * _COLUMNS]
    for n in range(-(-len(_EXAMPLES) // _COLUMNS))
}


@dataclass
class Capture:
    """The messages of a stream in their order, and what describes rows."""

    messages: list[bytes] = field(default_factory=list)
    descriptions: dict[int, bytes] = field(default_factory=dict)
    """By relation version."""
    relations: dict[int, Relation] = field(default_factory=dict)
    """By oid."""


async def capture(settings: Settings) -> Capture:
    """Rows of every type under every replica identity, and every other kind of message."""
    captured = Capture()
    async with await connect(conninfo(settings, "test", "test")) as session:
        await session.execute(TYPES)
        for statement in _schema():
            await session.execute(statement)
        async with reading(settings, [*_TABLES]) as stream:
            take = stream.assembler.feed

            def feed(message: bytes) -> None:
                captured.messages.append(message)
                take(message)

            stream.assembler.feed = feed  # type: ignore[method-assign]
            for statement in _traffic():
                await session.execute(statement)
            await stream.catch_up()
        for batch in stream.batches:
            captured.descriptions |= batch.relations
        captured.relations = {relation.oid: relation for relation in stream.relations.values()}
    kinds = {message[:1] for message in captured.messages}
    assert kinds == {b"B", b"C", b"O", b"R", b"Y", b"I", b"U", b"D", b"T", b"M"}
    return captured


def _schema() -> Iterator[sql.Composable | str]:
    for n, (name, examples) in enumerate(_TABLES.items()):
        columns = ", ".join(f"c{n} {example.type}" for n, example in enumerate(examples))
        yield f"CREATE TABLE {name} (id int PRIMARY KEY, large text, {columns})"
        yield f"ALTER TABLE {name} ALTER large SET STORAGE EXTERNAL"
        identity = ("DEFAULT", "FULL", f"USING INDEX {name}_pkey")[n % 3]
        yield f"ALTER TABLE {name} REPLICA IDENTITY {identity}"


def _traffic() -> Iterator[sql.Composable | str]:
    for name, examples in _TABLES.items():
        yield sql.SQL("INSERT INTO {} VALUES (1, repeat('x', 3000), {})").format(
            sql.Identifier(name), sql.SQL(",").join(map(_literal, examples))
        )
        yield f"INSERT INTO {name} VALUES (2)"
        yield f"UPDATE {name} SET c0 = NULL"
        yield f"UPDATE {name} SET id = id + 10"
        yield f"DELETE FROM {name} WHERE id = 12"
    first, second, third, *_ = _TABLES
    yield f"TRUNCATE {first}, {second} RESTART IDENTITY CASCADE"
    yield f"BEGIN; SAVEPOINT a; DELETE FROM {third}; ROLLBACK TO a; DELETE FROM {third}; COMMIT"
    yield "SELECT pg_logical_emit_message(true, 'audit', 'by ann')"
    yield r"SELECT pg_logical_emit_message(true, 'audit', '\xff00'::bytea)"
    yield "SELECT pg_logical_emit_message(false, 'ping', '')"
    yield "SELECT pg_replication_origin_create('elsewhere')"
    yield "SELECT pg_replication_origin_session_setup('elsewhere')"
    yield f"INSERT INTO {third} VALUES (7)"


def _literal(example: Example) -> sql.Composed:
    return sql.SQL("{}::{}").format(sql.Literal(example.text), sql.SQL(example.type))


def stretches(messages: Sequence[bytes], longest: int = 40) -> Iterator[Sequence[bytes]]:
    """The stream in parts of whole transactions."""
    start = 0
    for end in range(1, len(messages) + 1):
        if end == len(messages) or (messages[end][:1] == b"B" and end - start >= longest):
            yield messages[start:end]
            start = end
