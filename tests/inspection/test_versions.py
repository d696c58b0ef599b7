from __future__ import annotations

from eventscope.event import UNCHANGED, Change
from eventscope.inspection.diff import event_diff
from eventscope.inspection.versions import completed
from tests.events import a_default_identity_update, a_delete, an_insert, an_update

COLUMNS = dict.fromkeys(["id", "status", "note"], "text")
FIRST = an_insert(new={"id": 1, "status": "new", "note": "long"}, columns=COLUMNS)


def test_an_update_gets_its_old_values_from_the_version_before() -> None:
    update = a_default_identity_update(
        new={"id": 1, "status": "paid", "note": UNCHANGED}, columns=COLUMNS
    )
    told = completed(update, FIRST)
    assert told.changes == {"status": Change("new", "paid")}
    assert told.new_record == {"id": 1, "status": "paid", "note": "long"}
    assert told.unknown == ()
    assert not event_diff(told).unknown
    assert (told.id, told.xid, told.lsn) == (update.id, update.xid, update.lsn)


def test_a_delete_gets_its_row() -> None:
    gone = a_delete(old={"id": 1}, key_only=True, columns=COLUMNS)
    assert completed(gone, FIRST).old_record == FIRST.new_record


def test_what_the_version_before_does_not_tell_stays_unknown() -> None:
    first = an_insert(new={"id": 1, "status": "new", "note": UNCHANGED}, columns=COLUMNS)
    update = a_default_identity_update(
        new={"id": 1, "status": "new", "note": "short"}, columns=COLUMNS
    )
    told = completed(update, first)
    assert told.changes == {}
    assert told.unknown == ("note",)


def test_what_the_wal_holds_is_left_as_it_is() -> None:
    update = an_update()
    assert completed(update, FIRST) is update
    unknown = a_default_identity_update(columns=COLUMNS)
    assert completed(unknown, a_delete()) is unknown
    again = an_insert(new={"id": 1})
    assert completed(again, FIRST) is again
