from __future__ import annotations

import pytest

from eventscope.event import Lsn
from eventscope.replication import history
from eventscope.replication.connection import SourceError, SystemIdentity
from eventscope.replication.relations import Transaction

SERVER = SystemIdentity("7", 3, Lsn(500), "blog")
LAST = Transaction(1, 1, Lsn(110), Lsn(100), 7, 5)
LAST_MESSAGE = Transaction(1, 1, Lsn(110), Lsn(110), 0, 5)


@pytest.mark.parametrize(
    ("confirmed", "last", "start"),
    [
        (90, None, 90),
        (90, LAST, 100),
        (100, LAST, 100),
        (110, LAST, 110),
        (130, LAST, 130),
        (90, LAST_MESSAGE, 90),
        (110, LAST_MESSAGE, 110),
    ],
)
def test_a_slot_that_has_gone_back_is_read_from_our_last_transaction_on(confirmed, last, start):
    assert history.restart_at(Lsn(confirmed), last) == start


def test_a_server_that_has_what_we_have_read_is_trusted():
    history.check_timeline(SERVER, 3, "events")
    history.check_position(SERVER, Lsn(500), "events")


@pytest.mark.parametrize("timeline", [2, 4])
def test_a_server_on_another_timeline_is_not_trusted(timeline):
    with pytest.raises(SourceError, match=f"on timeline 3, this queue was written on {timeline}"):
        history.check_timeline(SERVER, timeline, "events")


def test_a_server_whose_wal_ends_before_ours_is_not_trusted():
    with pytest.raises(SourceError, match=r"ends at 0/1F4, but this queue has come to 0/1F5.*run"):
        history.check_position(SERVER, Lsn(501), "events")


def test_what_mends_it_is_named_with_the_slot():
    cure = "run SELECT pg_drop_replication_slot('es'); if there is that slot, and move the queue"
    assert cure in str(history.is_another(LAST, "es"))
