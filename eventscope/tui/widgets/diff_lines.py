"""The difference that an event made, as lines of a given width."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from rich.cells import cell_len
from textual.content import Content

from eventscope.inspection.diff import ColumnDiff, EventDiff, Side
from eventscope.inspection.paths import PathDiff, Sign
from eventscope.tui.cells import fit

QUIET: Final = "$foreground-muted"
_SIGN_STYLES: Final[Mapping[Sign, str]] = {"+": "$success", "-": "$error", "~": "$warning"}
_LONGEST_NAME: Final = 24


def diff_lines(diff: EventDiff, width: int) -> Iterator[Content]:
    """Say what changed, then what may have, then what is not known and what would help."""
    names = [column.column for column in (*diff.columns, *diff.current)]
    longest = max((cell_len(name) for name in names), default=0)
    name_width = min(longest, _LONGEST_NAME, max(6, width // 3))
    for column in diff.columns:
        yield from _column(column, name_width, width)
    if diff.unknown:
        yield from _unknown(diff, name_width, width)
    if diff.unchanged:
        noun = "column" if len(diff.unchanged) == 1 else "columns"
        yield Content.styled(f"   {len(diff.unchanged)} unchanged {noun} hidden", QUIET)


def _unknown(diff: EventDiff, name_width: int, width: int) -> Iterator[Content]:
    for column in diff.current:
        yield from _value(" ", "", column.column, name_width, column.new, width)
    if diff.columns or diff.current:
        yield Content("")
    yield from indented(
        Content.styled(
            "old values are not in the WAL: the table's replica identity is its key alone."
            " To have them from the next change on:",
            QUIET,
        ),
        1,
        width,
    )
    yield from indented(Content.styled(diff.remedy, "$primary"), 3, width)


def _column(column: ColumnDiff, name_width: int, width: int) -> Iterator[Content]:
    sign, style = column.sign, _SIGN_STYLES[column.sign]
    if column.paths:
        yield from _document(column, width)
    elif column.old is not None and column.new is not None:
        yield from _both_sides(column, column.old, column.new, name_width, width)
    elif column.old is not None or column.new is not None:
        yield from _value(sign, style, column.column, name_width, column.old or column.new, width)
    else:
        note = Content.styled(column.note, QUIET)
        yield from _named(sign, style, column.column, name_width, note, width)


def _both_sides(
    column: ColumnDiff, old: Side, new: Side, name_width: int, width: int
) -> Iterator[Content]:
    style = _SIGN_STYLES[column.sign]
    line = Content.assemble(_side(old, "$error", QUIET), (" → ", QUIET), _side(new, "$success"))
    if line.cell_length <= width - name_width - 5:
        yield from _named(column.sign, style, column.column, name_width, line, width)
        return
    before = _side(old, "$error", QUIET)
    after = Content(" " * (name_width + 4))
    yield from _named(column.sign, style, column.column, name_width, before, width, "- ")
    yield from _hanging(after, Content.styled("+ ", "$success"), _side(new, "$success"), width)


def _value(
    sign: str, style: str, name: str, name_width: int, side: Side | None, width: int
) -> Iterator[Content]:
    value = Content("") if side is None else _side(side, "")
    yield from _named(sign, style, name, name_width, value, width)


def _named(
    sign: str, style: str, name: str, name_width: int, value: Content, width: int, mark: str = ""
) -> Iterator[Content]:
    lead = Content.assemble((f" {sign} ", style), fit(name, name_width), " ")
    yield from _hanging(lead, Content.styled(mark, "$error"), value, width)


def _document(column: ColumnDiff, width: int) -> Iterator[Content]:
    count = f"{len(column.paths)} {'change' if len(column.paths) == 1 else 'changes'}"
    about = " · ".join(part for part in (column.type, count, column.note) if part)
    yield Content.assemble((" ~ ", _SIGN_STYLES["~"]), column.column, (f"  {about}", QUIET))
    longest = max(cell_len(path.path) for path in column.paths)
    path_width = min(longest, _LONGEST_NAME, max(6, width // 2))
    for path in column.paths:
        yield from _path(path, path_width, width)


def _path(path: PathDiff, path_width: int, width: int) -> Iterator[Content]:
    lead = Content.assemble(
        (f"   {path.sign} ", _SIGN_STYLES[path.sign]), fit(path.path, path_width), " "
    )
    if path.old is not None and path.new is not None:
        value = Content.assemble((path.old, QUIET), (" → ", QUIET), path.new)
    else:
        value = Content(path.old or path.new or "")
    yield from _hanging(lead, Content(""), value, width)


def _side(side: Side, differing: str, plain: str = "") -> Content:
    if side.absent:
        return Content.styled(side.text, f"italic {QUIET}")
    return Content.assemble(
        *((span.text, f"bold {differing}" if span.differs else plain) for span in side.spans)
    )


def _hanging(lead: Content, mark: Content, value: Content, width: int) -> Iterator[Content]:
    """Wrap a value beside its name, so that its later lines begin below its first."""
    indent = lead.cell_length + mark.cell_length
    lines = value.wrap(max(8, width - indent)) or [value]
    yield Content.assemble(lead, mark, lines[0])
    for line in lines[1:]:
        yield Content.assemble(" " * indent, line)


def indented(text: Content, indent: int, width: int) -> Iterator[Content]:
    """Wrap a text with a margin on its left."""
    return _hanging(Content(" " * indent), Content(""), text, width)
