"""Filters on rows as PostgreSQL sends them."""

from __future__ import annotations

import pytest

from eventscope.inspection.filter import parse
from tests.replication.reading import reading

TABLE = """
CREATE TABLE "Order Items" (
    id bigint PRIMARY KEY, total numeric, ratio float8, paid bool, day date, at timestamptz,
    opens time, until timestamp, ref uuid, tags text[], matrix int[], meta jsonb, data bytea,
    mood text, "net price" money
)
"""
ROW = """
INSERT INTO "Order Items" VALUES (
    9223372036854775807, 41.0000000000000000000001, 0.1, true, '2026-07-01',
    '2026-07-01 12:06:38+00', '12:06', 'infinity', '550e8400-e29b-41d4-a716-446655440000',
    '{new,urgent}', '{{1,2},{3,4}}', '{"address": {"city": "Lyon"}, "n": 0.1, "none": null}',
    '\\xcafe', null, 12
)
"""


@pytest.fixture
async def events(connection, settings):
    await connection.execute(TABLE)
    await connection.execute('ALTER TABLE "Order Items" REPLICA IDENTITY FULL')
    async with reading(settings, ["Order Items"]) as stream:
        await connection.execute(ROW)
        await connection.execute(
            """UPDATE "Order Items" SET mood = 'Happy', meta = meta || '{"n": 7}'"""
        )
        return await stream.catch_up()


ON_INSERT = """
table:"Order Items" op:insert
id:9223372036854775807
id>9223372036854775806
key:9223372036854775807
total>41
total>41.0000000000000000000000999
not total>41.0000000000000000000001
ratio:0.1
paid:true
day:2026-07-01
day<2026-07-02
at:2026-07-01 or new.at:2026-07-01T12:06:38Z
new.at>=2026-07-01T12:06:38Z
opens:12:06
opens<13:00
until>2026-07-01
ref:550e8400-*
tags:urgent
tags[0]:new
matrix[1][0]:3
meta.address.city:Lyon
meta.n:0.1
meta.none:null
meta.missing:null or mood:null
data:\\xcafe
lyon
urgent
"""

ON_UPDATE = """
mood:null->Happy
col:meta,nothing
meta.n:0.1->7
old.meta.n<7
changed:2
happy
not urgent
"""


async def test_every_type_is_compared_as_what_it_is(events) -> None:
    insert, update = events
    for text in ON_INSERT.strip().splitlines():
        assert parse(text).matches(insert), text
    for text in ON_UPDATE.strip().splitlines():
        assert parse(text).matches(update), text
