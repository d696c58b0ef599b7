"""Writing to a reader who takes his time, or leaves."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress

import pytest

from eventscope.cli.output import Output, OutputClosed
from tests.waiting import until


@pytest.fixture
def pipe():
    reading, writing = os.pipe()
    yield reading, writing
    for descriptor in (reading, writing):
        with suppress(OSError):  # a test has done it
            os.close(descriptor)


@pytest.mark.parametrize("blocking", [True, False])
async def test_everything_arrives_however_slowly_it_is_read(pipe, blocking):
    """Whoever shares the descriptor may have made it non-blocking."""
    reading, writing = pipe
    os.set_blocking(writing, blocking)
    data = bytes(range(256)) * 10_000
    written = asyncio.create_task(Output(writing).write(data))
    arrived = b""
    while len(arrived) < len(data):
        assert not written.done() or len(data) - len(arrived) < 1 << 20
        arrived += await asyncio.to_thread(os.read, reading, 60_000)
    await written
    assert arrived == data


async def test_who_waits_for_a_reader_can_be_cancelled(pipe):
    reading, writing = pipe
    output = Output(writing)
    written = asyncio.create_task(output.write(b"x" * 1_000_000))
    await asyncio.to_thread(os.read, reading, 1)
    written.cancel()
    with pytest.raises(asyncio.CancelledError):
        await written
    os.close(reading)
    with pytest.raises(OutputClosed):
        await output.write(b"y")


async def test_a_reader_who_leaves_is_noticed_without_writing(pipe):
    reading, writing = pipe
    closed = asyncio.create_task(Output(writing).closed())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(closed), 0.05)
    os.close(reading)
    await until(closed.done)
    assert closed.exception() is None
