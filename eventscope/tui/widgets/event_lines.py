"""Everything there is to say about one event, as lines of a given width."""

from __future__ import annotations

from collections.abc import Iterator

from textual.content import Content

from eventscope.event import Event
from eventscope.inspection.diff import event_diff
from eventscope.inspection.summary import named_key
from eventscope.inspection.text import safe_text
from eventscope.tui.widgets.diff_lines import QUIET, diff_lines, indented


def event_lines(event: Event, width: int) -> list[Content]:
    """Say what happened to which row, when, and what changed. It never fails."""
    try:
        return [*_header(event, width), Content(""), *_changes(event, width)]
    except Exception as error:
        return [Content(safe_text(f"<unprintable: {error!r}>", 300))]


def _header(event: Event, width: int) -> Iterator[Content]:
    source = event.source
    schema = f"{safe_text(source.schema, 64)}." if source.schema else ""
    table = schema + safe_text(source.table, 64)
    title = Content.assemble(
        (f"{event.type.upper()} ", "bold"), (table, "bold $primary"), f"  {named_key(event)}"
    )
    yield from indented(title, 1, width)
    time = event.timestamp.astimezone().strftime("%H:%M:%S.%f")[:-3]
    facts = [time, f"xid {event.xid}", f"lsn {event.lsn}"]
    if event.type == "update":
        facts.append(f"{len(event.changes or {})} of {len(source.columns)} columns")
    yield from indented(Content.styled(" · ".join(facts), QUIET), 1, width)


def _changes(event: Event, width: int) -> Iterator[Content]:
    if event.type == "truncate":
        yield Content.styled(" every row of the table was removed at once", QUIET)
        return
    diff = event_diff(event)
    if event.type == "update" and not diff.columns and not diff.unknown:
        yield Content.styled(" the row was written again, with the same values", QUIET)
    yield from diff_lines(diff, width)
