"""Other readers of the stream, each in the fastest way that its documentation shows."""

from __future__ import annotations

import asyncio
import logging
import select
from typing import Any

from tests.benchmarks.metering import Meter, Replay


def psycopg2_cursor(replay: Replay, meter: Meter) -> int:
    """Read raw messages through psycopg2's replication cursor; nothing is decoded."""
    import psycopg2
    from psycopg2.extras import LogicalReplicationConnection

    connection = psycopg2.connect(replay.url, connection_factory=LogicalReplicationConnection)
    cursor = connection.cursor()
    cursor.start_replication(
        slot_name=replay.slot,
        decode=False,
        options={"proto_version": "1", "publication_names": replay.publication},
    )
    meter.start()
    high, low = replay.end.split("/")
    end = (int(high, 16) << 32) | int(low, 16)
    rows = 0
    read = cursor.read_message
    while True:
        message = read()
        if message is None:
            select.select([cursor], [], [], 10)
            continue
        if message.data_start >= end:
            break
        if message.payload[0] in b"IUD":
            rows += 1
    meter.stop()
    connection.close()
    return rows


def walflux(replay: Replay, meter: Meter) -> int:
    """Read what walflux's daemon reads, with its stream and its decoder, and fold nothing."""
    from walflux.protocol import Commit, Insert, Update, decode_message
    from walflux.replication import ReplicationStream

    stream = ReplicationStream(replay.url, replay.slot, replay.publication)
    meter.start()
    rows = 0
    for item in stream.messages():
        if item is None:
            continue
        message = decode_message(item[1])
        if isinstance(message, (Insert, Update)):
            rows += 1
        elif isinstance(message, Commit) and rows >= replay.events:
            break
    meter.stop()
    stream.close()
    return rows


def walbox(replay: Replay, meter: Meter) -> int:
    """Have walbox call a handler that looks at each change; no checkpoint is saved."""
    from walbox import CheckpointHandle, Transaction, Walbox, WalboxOptions

    rows = 0

    async def handle(transaction: Transaction, _: CheckpointHandle) -> None:
        nonlocal rows
        for change in transaction.changes:
            _touch(change.new, change.old)
            rows += 1
        if rows >= replay.events:
            meter.stop()
            client.close()

    _when_logged("walbox.client", "subscribed", meter)
    client = Walbox.build(
        WalboxOptions(
            consumer_name="benchmark",
            dsn=replay.url,
            slot_name=replay.slot,
            publication_name=replay.publication,
        )
    )
    asyncio.run(client.run(handle))
    return rows


def _touch(*_: Any) -> None:
    """What a handler does that does nothing."""


def _when_logged(name: str, text: str, meter: Meter) -> None:
    """Start the meter at a log message, and log no more from then on."""
    logger = logging.getLogger(name)

    class Starter(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.msg == text:
                meter.start()
                logger.setLevel(logging.WARNING)

    logger.addHandler(Starter())
    logger.setLevel(logging.INFO)
