"""Everything there is to say about one event, as lines of a given width."""

from __future__ import annotations

from collections.abc import Iterator

from textual.content import Content

from eventscope.event import Event
from eventscope.inspection.diff import event_diff
from eventscope.inspection.paths import MAX_PATHS
from eventscope.inspection.report import diff_report, json_report, row_report
from eventscope.inspection.summary import named_key
from eventscope.inspection.text import safe_text
from eventscope.tui.widgets.attempt_lines import attempt_lines, attempts_report
from eventscope.tui.widgets.diff_lines import diff_lines
from eventscope.tui.widgets.fate import Fate, delivery_lines
from eventscope.tui.widgets.json_lines import json_lines
from eventscope.tui.widgets.reading import QUIET, Reading, Tab, indented
from eventscope.tui.widgets.row_lines import row_lines

_ALL_PATHS = 5_000


def header_lines(event: Event, fate: Fate, width: int) -> list[Content]:
    """Say what happened to which row, when, and what became of it. It never fails."""
    try:
        return list(_header(event, fate, width))
    except Exception as error:
        return [_unprintable(error)]


def body_lines(event: Event, fate: Fate, width: int, reading: Reading) -> list[Content]:
    """What the chosen tab shows. It never fails."""
    try:
        return list(_body(event, fate, width, reading))
    except Exception as error:
        return [_unprintable(error)]


def whole_text(event: Event, fate: Fate, tab: Tab) -> str:
    """What a tab shows as plain text, nothing left out."""
    match tab:
        case "Diff":
            return diff_report(event)
        case "Row":
            return row_report(event)
        case "JSON":
            return json_report(event)
        case "Operators":
            return attempts_report(event, fate)


def _header(event: Event, fate: Fate, width: int) -> Iterator[Content]:
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
    while sum(map(len, facts)) + 3 * len(facts) > width and len(facts) > 2:
        facts.pop()
    yield from indented(Content.styled(" · ".join(facts), QUIET), 1, width)
    for line in delivery_lines(fate, width - 2):
        yield Content.assemble(" ", line)


def _body(event: Event, fate: Fate, width: int, reading: Reading) -> Iterator[Content]:
    match reading.tab:
        case "Diff":
            yield from _changes(event, width, reading)
        case "Row":
            yield from row_lines(event, width, reading)
        case "JSON":
            yield from json_lines(event, width, reading)
        case "Operators":
            yield from attempt_lines(fate, width)


def _changes(event: Event, width: int, reading: Reading) -> Iterator[Content]:
    if event.type == "truncate":
        said = Content.styled("every row of the table was removed at once", QUIET)
        yield from indented(said, 1, width)
        return
    diff = event_diff(event, _ALL_PATHS if reading.all else MAX_PATHS)
    if event.type == "update" and not diff.columns and not diff.unknown:
        said = Content.styled("the row was written again, with the same values", QUIET)
        yield from indented(said, 1, width)
    yield from diff_lines(diff, width, reading)


def _unprintable(error: Exception) -> Content:
    return Content(safe_text(f"<unprintable: {error!r}>", 300))
