"""What would keep an application from running: its source, its queue file, its settings."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path

from eventscope.app import EventScope
from eventscope.event import Lsn
from eventscope.operators.redaction import Redaction
from eventscope.queue.base import Origin, QueueError
from eventscope.queue.status import QueueStatus, look
from eventscope.replication.catalog import Slot
from eventscope.replication.connection import SystemIdentity
from eventscope.replication.doctor import examination
from eventscope.replication.doctor.examination import Groups
from eventscope.replication.finding import ANEW, Finding
from eventscope.settings import Settings


@dataclass(frozen=True, slots=True)
class Examination:
    """Findings by what they are about, in the order of reading."""

    groups: Groups
    is_connected: bool
    """Whether the database could be reached."""
    slot: Slot | None = None
    """The settings' slot; None if there is none, or it could not be looked at."""


async def examine(
    app: EventScope | None, settings: Settings, *, is_reader: bool = False, has_queue: bool = False
) -> Examination:
    """Examine everything that a start depends on; changes nothing.

    Args:
        app: what is to be run; without it the source alone is examined, and no table is needed.
        settings: where and through which publication and slot.
        is_reader: whether it is this process that reads from the slot.
        has_queue: whether it is this process that has the queue file open.

    Raises:
        SourceError: the url is not one.
    """
    path = _queue_file(app, settings)
    status, damage = None, None
    if path is not None:
        try:
            status = await asyncio.to_thread(look, path)
        except QueueError as error:
            damage = Finding("queue", "blocking", str(error))

    def reached(identity: SystemIdentity) -> Lsn | None:
        ours = status is not None and status.origin == _origin(identity, settings)
        return status.checkpoint.reached if ours and status and status.checkpoint else None

    source = await examination.examine(app, settings, reached, is_reader=is_reader)
    groups = dict(source.groups)
    if damage is not None:
        groups["queue"] = [damage]
    elif path is not None:
        queue = _queue(path, status, source.identity, settings)
        groups["queue"] = [f for f in queue if not (has_queue and f.check == "queue_in_use")]
    if app is not None and not app.entities:
        groups["settings"] = [
            Finding(
                "entities",
                "blocking",
                f"application {app.name} follows no table",
                mend="declare one with app.entity()",
            )
        ]
    redacted = Redaction(settings)
    told = {name: [_without(redacted, one) for one in found] for name, found in groups.items()}
    return Examination(told, source.is_connected, source.slot)


def _without(redacted: Redaction, finding: Finding) -> Finding:
    """A finding without passwords, which an operator's SQL may hold, and the server quote."""
    return replace(finding, found=redacted(finding.found), why=redacted(finding.why))


def _queue_file(app: EventScope | None, settings: Settings) -> Path | None:
    """The queue file; None if there is none, or nothing tells which it would be."""
    if settings.queue_storage_adapter != "sqlite":
        return None
    name = app.name if app is not None else settings.app_name
    if name is None and settings.queue_path is None:
        return None
    return settings.queue_file(name or "")


def _origin(identity: SystemIdentity, settings: Settings) -> Origin:
    return Origin(identity.system_id, identity.database, settings.slot_name)


def _queue(
    path: Path,
    status: QueueStatus | None,
    identity: SystemIdentity | None,
    settings: Settings,
) -> list[Finding]:
    """What can be told of a queue file that is sound."""
    if status is None:
        return [Finding("queue", "ok", f"queue file {path} does not exist yet and will be made")]
    found = [_contents(path, status, identity, settings)]
    if status.holder:
        text = f"queue file {path} is in use by process {status.holder}"
        why = "only one process at a time can have it"
        found.append(Finding("queue_in_use", "note", text, why))
    return found


def _contents(
    path: Path, status: QueueStatus, identity: SystemIdentity | None, settings: Settings
) -> Finding:
    """How far it has come, and whether it can go on in this stream."""
    origin, checkpoint = status.origin, status.checkpoint
    if origin is None or checkpoint is None:
        return Finding("queue", "ok", f"queue file {path} has not begun")
    if identity is not None and origin != _origin(identity, settings):
        return Finding(
            "queue_origin",
            "blocking",
            f"queue file {path} holds the events of {origin.described}",
            f"not of {_origin(identity, settings).described}",
            mend="name another with queue_path",
        )
    theirs = identity.timeline if identity is not None else checkpoint.timeline
    if theirs != checkpoint.timeline and settings.durable_slot:
        return Finding(
            "queue_timeline",
            "blocking",
            f"the server is on timeline {theirs}, this queue was written on {checkpoint.timeline}",
            "after a failover or restore nobody can tell what was lost",
            mend=ANEW,
        )
    if identity is not None and identity.position < checkpoint.reached:
        return Finding(
            "queue_position",
            "blocking",
            f"the server's WAL ends at {identity.position}, but this queue has come to"
            f" {checkpoint.reached}",
            "the server has been restored from an older copy",
            mend=ANEW,
        )
    return Finding("queue", "ok", f"queue file {path} has come to {checkpoint.reached}")
