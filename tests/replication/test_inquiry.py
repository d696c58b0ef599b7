from __future__ import annotations

import asyncio

import pytest
from psycopg.pq import TransactionStatus

from eventscope.replication import inquiry
from eventscope.replication.connection import Unreachable
from eventscope.replication.inquiry import Inquiry
from eventscope.settings import Settings
from tests.waiting import until


@pytest.fixture
async def asked(settings: Settings):
    asked = Inquiry(settings, "test")
    yield asked
    await asked.close()


async def ask(asked: Inquiry, query: bytes = b"SELECT pg_backend_pid()") -> int:
    async with asked.asking() as connection:
        row = await (await connection.execute(query)).fetchone()
    assert row is not None
    return row[0]


async def test_one_connection_answers_until_it_is_lost(asked, connection):
    first = await ask(asked)
    assert await ask(asked) == first
    await connection.execute("SELECT pg_terminate_backend(%s, 5000)", [first])
    with pytest.raises(Unreachable, match=r"terminating connection|closed"):
        await ask(asked)
    assert await ask(asked) != first


async def test_a_question_that_is_not_answered_in_time_is_given_up(asked, monkeypatch):
    first = await ask(asked)
    monkeypatch.setattr(inquiry, "ANSWER_WITHIN", 0.2)
    with pytest.raises(Unreachable, match="the server has not answered for"):
        await ask(asked, b"SELECT pg_sleep(60)")
    assert await ask(asked) != first


async def test_closing_lets_nobody_wait_and_waits_until_all_have_left(asked):
    asking = asyncio.create_task(ask(asked, b"SELECT pg_sleep(60)"))
    await until(lambda: asked._connection is not None)
    await until(lambda: asked._connection.info.transaction_status == TransactionStatus.ACTIVE)
    await asked.close()
    assert asking.done()
    with pytest.raises(Unreachable):
        await asking


async def test_a_server_that_cannot_be_reached_is_named(tmp_path):
    with pytest.raises(Unreachable, match="cannot connect to PostgreSQL"):
        await ask(Inquiry(Settings(url=f"host={tmp_path} port=1"), "test"))
