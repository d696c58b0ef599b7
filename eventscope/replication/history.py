"""Whether a server's WAL is the one that was read before.

After a failover or a restore the same positions may hold other transactions: who goes on there
skips what it takes for known. Source: PostgreSQL documentation, chapters "Streaming Replication
Protocol" and "Continuous Archiving", section "Timelines".
"""

from __future__ import annotations

from eventscope.event import Lsn
from eventscope.replication.connection import SourceError, SystemIdentity
from eventscope.replication.doctor.slot import dropping
from eventscope.replication.finding import Finding
from eventscope.replication.relations import Transaction


def check_timeline(server: SystemIdentity, timeline: int, slot: str) -> None:
    """Check that a server is on the timeline on which we have read before.

    Raises:
        SourceError: it is on another one.
    """
    if server.timeline != timeline:
        raise _broken(
            f"the server is on timeline {server.timeline}, this queue was written on {timeline}",
            "after a failover or restore nobody can tell what was lost",
            slot,
        )


def check_position(server: SystemIdentity, reached: Lsn, slot: str) -> None:
    """Check that a server has all WAL that we have read before.

    Raises:
        SourceError: it ends before.
    """
    if server.position < reached:
        raise _broken(
            f"the server's WAL ends at {server.position}, but this queue has come to {reached}",
            "the server has been restored from an older copy",
            slot,
        )


def restart_at(confirmed: Lsn, last: Transaction | None) -> Lsn:
    """Where to read on from a slot that stands at ``confirmed``, after a last transaction.

    A slot that stands before the end of that transaction has gone back: in a crash, which is
    harmless, or with the whole server to an older copy. So that one is read again to recognise.
    Where a message on its own begins is not known; it comes again after all that is before it.
    """
    if last is None or last.xid == 0 or confirmed > last.commit_lsn:
        return confirmed
    return last.commit_lsn


def is_another(last: Transaction, slot: str) -> SourceError:
    """The error for a server that has something else where our last transaction should be."""
    return _broken(
        f"the server does not know transaction {last.xid}, which ended at {last.end_lsn}",
        "it has been restored from an older copy and gone its own way since",
        slot,
    )


def _broken(found: str, why: str, slot: str) -> SourceError:
    mend = "if there is that slot, and move the queue file away, to start anew from now"
    return SourceError(Finding("history", "blocking", found, why, dropping(slot), mend).line)
