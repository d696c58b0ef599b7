"""What an examination found, group by group, the worst first; each finding can be selected."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, Final, NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from eventscope.inspection.text import safe_lines, safe_text
from eventscope.replication.doctor.examination import Groups
from eventscope.replication.finding import SEVERITIES, Finding
from eventscope.tui.cells import fit
from eventscope.tui.symbols import SEVERITY_LOOKS
from eventscope.tui.toast import toast

_MARGIN: Final = 13
"""Cells before the words: the symbol and the severity."""
_AIRY: Final = 100
"""Cells from which on there is room for a line between groups."""
_LONGEST: Final = 20_000
"""Characters of a statement, which may name many tables."""


class _Line(NamedTuple):
    """One line of the list, and whose it is."""

    parts: Sequence[tuple[str, str]]
    """Texts with their looks."""
    finding: int | None
    """The place of its finding; None for a heading."""


class FindingList(ScrollView, can_focus=True):
    """Findings with why they matter and what mends them."""

    BINDING_GROUP_TITLE = "Health"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "move(1)", show=False, id="health.down", tooltip="Next finding"),
        Binding("k,up", "move(-1)", show=False, id="health.up", tooltip="Previous finding"),
        Binding("ctrl+d,pagedown", "page_down", show=False, id="health.page_down",
                tooltip="A page down"),
        Binding("ctrl+u,pageup", "page_up", show=False, id="health.page_up", tooltip="A page up"),
        Binding("g,home", "move(-10_000)", show=False, id="health.top", tooltip="First finding"),
        Binding("G,end", "move(10_000)", show=False, id="health.bottom", tooltip="Last finding"),
        Binding("y", "copy", "Copy SQL", id="health.copy", tooltip="Copy the statement that mends"),
    ]  # fmt: skip
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"findings--{look}"
        for look in ("good", "warning", "bad", "busy", "quiet", "group", "sql", "cursor",
                     "cursor-blurred")
    }  # fmt: skip

    def __init__(self) -> None:
        super().__init__(id="findings")
        self._groups: list[tuple[str, list[Finding]]] = []
        self._selected: tuple[str, Finding] | None = None
        self._lines: list[_Line] = []

    @property
    def selected(self) -> Finding | None:
        """The finding at the cursor."""
        return self._findings[self._index] if self._findings else None

    def show(self, groups: Groups) -> None:
        """Show other findings; the cursor stays with what it was at."""
        ordered = sorted(groups.items(), key=lambda group: min(map(_badness, group[1]), default=9))
        self._groups = [(name, sorted(found, key=_badness)) for name, found in ordered]
        self._lay_out()

    def action_move(self, findings: int) -> None:
        """Move the cursor from finding to finding."""
        if self._findings:
            index = max(0, min(self._index + findings, len(self._findings) - 1))
            self._selected = self._place(self._findings[index])
            self._bring_into_sight()
            self.refresh()

    def action_copy(self) -> None:
        """Copy the statement that mends the finding."""
        finding = self.selected
        if finding is None:
            return
        if finding.sql:
            self.app.copy_to_clipboard(finding.sql)
            toast(self, f"Copied: {finding.sql}", is_problem=False)
        elif finding.mend:
            toast(self, f"No statement mends this: {finding.mend}")
        else:
            toast(self, "There is nothing to mend.")

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the finding."""
        number = event.y + self.scroll_offset.y
        if number < len(self._lines) and (index := self._lines[number].finding) is not None:
            self.action_move(index - self._index)

    def on_resize(self) -> None:
        """Lay the findings out anew."""
        self._lay_out()

    def render_line(self, y: int) -> Strip:
        """Draw one line."""
        number, width = y + self.scroll_offset.y, self.scrollable_content_region.width
        if number >= len(self._lines):
            return Strip.blank(width, self.rich_style)
        line = self._lines[number]
        behind = self._behind(line)
        segments = [
            Segment(text, self._look("" if behind and look == "quiet" else look) + behind)
            for text, look in line.parts
        ]
        return Strip(segments).adjust_cell_length(width, self.rich_style + behind)

    @property
    def _findings(self) -> list[Finding]:
        return [finding for _, found in self._groups for finding in found]

    @property
    def _index(self) -> int:
        """The selected finding's place: itself, or whatever is said of the same check now."""
        findings = self._findings
        if self._selected is None:
            return 0
        check, before = self._selected
        same = [n for n, finding in enumerate(findings) if finding.check == check]
        exact = [n for n in same if findings[n].found == before.found]
        return next(iter(exact or same), 0)

    def _place(self, finding: Finding) -> tuple[str, Finding]:
        return finding.check, finding

    def _lay_out(self) -> None:
        width = self.scrollable_content_region.width
        self._lines = list(_lines(self._groups, width)) if width > _MARGIN else []
        self.virtual_size = Size(width, len(self._lines))
        self.refresh()

    def _bring_into_sight(self) -> None:
        """Scroll as little as shows the whole finding, or its beginning."""
        its = [n for n, line in enumerate(self._lines) if line.finding == self._index]
        if not its:
            return
        first, last = (0 if self._index == 0 else its[0]), its[-1]
        top, height = self.scroll_offset.y, max(1, self.size.height)
        target = min(first, max(top, last - height + 1))
        self.scroll_to(y=target, animate=False, force=True)

    def _behind(self, line: _Line) -> Style:
        if line.finding is None or line.finding != self._index:
            return Style()
        look = self._look("cursor" if self.has_focus else "cursor-blurred")
        return Style(bgcolor=look.bgcolor)

    def _look(self, look: str) -> Style:
        return self.get_component_rich_style(f"findings--{look}") if look else self.rich_style


def _badness(finding: Finding) -> int:
    return -SEVERITIES.index(finding.severity)


def _lines(groups: Sequence[tuple[str, list[Finding]]], width: int) -> Iterator[_Line]:
    number = 0
    for name, found in groups:
        if number and width >= _AIRY:
            yield _Line([], None)
        yield _Line([(f" {safe_text(name).upper()}", "group")], None)
        for finding in found:
            for parts in _told(finding, width):
                yield _Line(parts, number)
            number += 1


def _told(finding: Finding, width: int) -> Iterator[Sequence[tuple[str, str]]]:
    """A finding's lines: what was found, and if it is not well why it matters and what mends it."""
    look = SEVERITY_LOOKS[finding.severity]
    head = fit(f"  {look.symbol} {finding.severity}", _MARGIN)
    for line in _wrapped(safe_text(finding.found), width):
        yield [(head, look.tone), (line, "quiet" if finding.severity == "ok" else "")]
        head = " " * _MARGIN
    if finding.severity != "ok":
        told = [(safe_text(finding.why), "quiet")]
        told += [(line, "sql") for line in safe_lines(finding.sql, _LONGEST)]
        told += [(safe_text(finding.mend), "")]
        for text, role in told:
            for line in _wrapped(text, width):
                yield [(head, ""), (line, role)]


def _wrapped(text: str, width: int) -> list[str]:
    lines = Content(text).wrap(max(8, width - _MARGIN)) if text else []
    return [line.plain for line in lines]
