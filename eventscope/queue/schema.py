"""The format of a queue file, and how older ones become it.

A format is the one before it and some statements more, so that a file that was brought up to
date is the same as a new one.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from eventscope.queue.base import QueueError

APPLICATION_ID: Final = 0x65767363  # "evsc"

_PAGE: Final = 16_384
"""Bytes of a page: larger than usual, since rows are only ever appended."""

_LOG: Final = """
CREATE TABLE origin(system_id TEXT NOT NULL, database TEXT NOT NULL, slot TEXT NOT NULL) STRICT;
CREATE TABLE checkpoint(timeline INTEGER NOT NULL, acknowledged INTEGER NOT NULL) STRICT;
CREATE TABLE relation(
    version INTEGER PRIMARY KEY, message BLOB NOT NULL, description TEXT NOT NULL) STRICT;
CREATE TABLE txn(
    last_seq INTEGER PRIMARY KEY, first_seq INTEGER NOT NULL, end_lsn INTEGER NOT NULL,
    commit_lsn INTEGER NOT NULL, xid INTEGER NOT NULL, committed_at INTEGER NOT NULL) STRICT;
CREATE TABLE event(
    seq INTEGER PRIMARY KEY, relation INTEGER NOT NULL, message BLOB NOT NULL) STRICT;
CREATE TABLE operator(name TEXT PRIMARY KEY, position INTEGER NOT NULL) STRICT;
"""

_DESK: Final = """
ALTER TABLE txn ADD COLUMN hops INTEGER NOT NULL DEFAULT 0;
ALTER TABLE operator ADD COLUMN paused TEXT NOT NULL DEFAULT '';
ALTER TABLE operator ADD COLUMN halted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE operator ADD COLUMN failed_seq INTEGER;
ALTER TABLE operator ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE operator ADD COLUMN next_retry REAL;
ALTER TABLE operator ADD COLUMN error TEXT;
ALTER TABLE operator ADD COLUMN traceback TEXT;
ALTER TABLE operator ADD COLUMN skip INTEGER;
ALTER TABLE operator ADD COLUMN rewind_to INTEGER;
ALTER TABLE operator ADD COLUMN replay_to INTEGER;
ALTER TABLE operator ADD COLUMN resume_at INTEGER;
ALTER TABLE operator ADD COLUMN crashed_at INTEGER;
ALTER TABLE operator ADD COLUMN crashes INTEGER NOT NULL DEFAULT 0;
CREATE TABLE dead_letter(
    id INTEGER PRIMARY KEY AUTOINCREMENT, operator TEXT NOT NULL, target TEXT,
    seq INTEGER NOT NULL, relation TEXT NOT NULL, message BLOB NOT NULL,
    first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL, end_lsn INTEGER NOT NULL,
    commit_lsn INTEGER NOT NULL, xid INTEGER NOT NULL, committed_at INTEGER NOT NULL,
    hops INTEGER NOT NULL, attempts INTEGER NOT NULL, error TEXT NOT NULL, traceback TEXT NOT NULL,
    first_at REAL NOT NULL, last_at REAL NOT NULL, next_retry REAL) STRICT;
CREATE UNIQUE INDEX dead_letter_of ON dead_letter(operator, coalesce(target, seq));
CREATE TABLE request(
    id INTEGER PRIMARY KEY AUTOINCREMENT, asked_at REAL NOT NULL, asked_by TEXT NOT NULL,
    command TEXT NOT NULL, answer TEXT, refused INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE backfill(
    operator TEXT PRIMARY KEY, asked_by TEXT NOT NULL, entity INTEGER NOT NULL, after TEXT,
    done INTEGER NOT NULL, total INTEGER, rate REAL, failed INTEGER NOT NULL,
    started_at REAL NOT NULL) STRICT;
CREATE TABLE mapping(
    id INTEGER PRIMARY KEY AUTOINCREMENT, operator TEXT, entity TEXT NOT NULL,
    UNIQUE (operator, entity)) STRICT;
CREATE TABLE mapped(
    mapping INTEGER NOT NULL, key TEXT NOT NULL, value TEXT,
    PRIMARY KEY (mapping, key)) STRICT, WITHOUT ROWID;
CREATE TABLE process_status(
    entity TEXT PRIMARY KEY, timestamp INTEGER NOT NULL, position INTEGER NOT NULL) STRICT;
"""
"""A mapping without an operator is being given up."""

_FORMATS: Final = (_LOG, _DESK)
VERSION: Final = len(_FORMATS)


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Make the tables of a new file, bring an older one up to date, refuse what is not ours.

    All or nothing is done, in one transaction.

    Raises:
        QueueError: the file is of another program or of a newer version.
    """
    version = known_version(connection, path)
    if version == VERSION:
        return
    page_size = f"PRAGMA page_size = {_PAGE};" if not version else ""
    connection.executescript(
        f"{page_size} BEGIN IMMEDIATE; {''.join(_FORMATS[version:])}"
        f" PRAGMA application_id = {APPLICATION_ID};"
        f" PRAGMA user_version = {VERSION}; COMMIT;"
    )


def known_version(connection: sqlite3.Connection, path: Path) -> int:
    """The version of a file's format, 0 if it is empty.

    Raises:
        QueueError: it is of another program or of a newer version.
    """
    if connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone() is None:
        return 0
    [application] = connection.execute("PRAGMA application_id").fetchone()
    [version] = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID or version < 1:
        raise QueueError(f"{path} is no queue of eventscope; name another with queue_path")
    if version > VERSION:
        raise QueueError(
            f"queue file {path} was written by a newer eventscope (format {version}, "
            f"this one knows {VERSION}); update eventscope"
        )
    return int(version)
