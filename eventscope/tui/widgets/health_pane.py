"""The health view: figures and plots of the stream, and what an examination finds."""

from __future__ import annotations

from asyncio import wrap_future
from collections import Counter
from collections.abc import Callable, Iterator
from typing import ClassVar, Final

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.getters import query_one
from textual.widget import Widget

from eventscope.engine.questions.health import CheckHealth, Health, Stock, TakeStock
from eventscope.engine.snapshot import Snapshot
from eventscope.inspection.text import safe_text
from eventscope.tui.attached import AttachedEngine
from eventscope.tui.cells import elapsed
from eventscope.tui.history import History
from eventscope.tui.symbols import SEVERITY_LOOKS, TONE_COLOURS
from eventscope.tui.widgets.finding_list import FindingList
from eventscope.tui.widgets.health_lines import Figures, high_lines, low_lines
from eventscope.tui.widgets.pane import Pane

CHECK_EACH: Final = 10.0
"""Seconds from one examination to the next, while the view is open."""
_STOCK_EACH: Final = 1.0
_HIGH: Final = 13
"""Lines that high plots take."""


class HealthPane(Pane):
    """Looks at the engine once a second, and examines it while it is shown."""

    TITLE = "Health"
    BINDING_GROUP_TITLE = "Health"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "check", "Check", id="health.check", tooltip="Examine everything now")
    ]

    findings = query_one(FindingList)

    def __init__(self, engine: AttachedEngine) -> None:
        super().__init__(engine, id="health-pane")
        self._history = History()
        self._health: Health | None = None
        self._stock: Stock | None = None
        self._problem = ""
        self._checked_at = 0.0
        """When the last examination was asked for, by the engine's clock."""
        self._stocked_at = 0.0
        self._checking_since: float | None = None
        self._taking_stock = False
        self._upper = _Drawn(self._figures, id="health-figures")
        self._summary = _Drawn(self._summed_up, id="health-summary")
        self._snapshot: Snapshot | None = None

    def compose(self) -> ComposeResult:
        """Place figures above findings."""
        yield self._upper
        yield self._summary
        yield FindingList()

    def look(self, snapshot: Snapshot) -> None:
        """Take note of the engine's state; also while the view is not shown."""
        self._history.look(snapshot)

    def show(self, snapshot: Snapshot) -> None:
        """Show another snapshot, and ask for what it does not hold when it is time to."""
        self._snapshot = snapshot
        if _is_due(snapshot.taken_at, self._checked_at, CHECK_EACH):
            self.action_check()
        if _is_due(snapshot.taken_at, self._stocked_at, _STOCK_EACH) and not self._taking_stock:
            self._stocked_at, self._taking_stock = snapshot.taken_at, True
            self._take_stock()
        self._upper.look()
        self._summary.look()

    def action_check(self) -> None:
        """Examine everything, unless that is going on."""
        if self._snapshot is not None and self._checking_since is None:
            self._checked_at = self._checking_since = self._snapshot.taken_at
            self._check(is_reader=self._snapshot.stream.state == "streaming")

    @work(exit_on_error=False)
    async def _check(self, *, is_reader: bool) -> None:
        try:
            self._health = await wrap_future(self.engine.ask(CheckHealth(is_reader)))
            self._problem = ""
            self.findings.show(self._health.groups)
        except Exception as error:
            self._problem = f"{type(error).__name__}: {error}"
        finally:
            self._checking_since = None

    @work(exit_on_error=False)
    async def _take_stock(self) -> None:
        try:
            self._stock = await wrap_future(self.engine.ask(TakeStock()))
        except Exception:
            self._stock = None
        finally:
            self._taking_stock = False

    def _figures(self, width: int, height: int) -> Iterator[Content]:
        if self._snapshot is not None:
            slot = self._health.slot if self._health is not None else None
            figures = Figures(self._snapshot, self._history, slot, self._stock)
            yield from (high_lines if height >= _HIGH else low_lines)(figures, width)

    def _summed_up(self, width: int, _: int) -> Iterator[Content]:
        """How many findings of each kind there are, and how old they are."""
        counts: Counter[str] = Counter()
        if self._health is not None:
            groups = self._health.groups.values()
            counts.update(finding.severity for group in groups for finding in group)
        told = Content("  ").join(
            Content.styled(
                f"{look.symbol} {_counted(counts[severity], severity)}", TONE_COLOURS[look.tone]
            )
            for severity, look in SEVERITY_LOOKS.items()
            if counts[severity]
        )
        age = Content.styled(self._age(), "$error" if self._problem else "$foreground-muted")
        gap = width - told.cell_length - age.cell_length
        yield Content.assemble(told if self._health is not None else "", " " * max(1, gap), age)

    def _age(self) -> str:
        if self._snapshot is None:
            return ""
        now = self._snapshot.taken_at
        if self._problem:
            return safe_text(f"cannot be checked: {self._problem}", 200)
        if self._checking_since is not None and now - self._checking_since >= 1:
            return f"checking for {elapsed(now - self._checking_since)}"
        if self._health is None:
            return "checking"
        return f"checked {elapsed(now - self._health.checked_at)} ago"


class _Drawn(Widget):
    """Lines that are laid out by a function of width and height."""

    def __init__(self, lines: Callable[[int, int], Iterator[Content]], *, id: str) -> None:
        super().__init__(id=id)
        self._lines = lines
        self._drawn = Content("")

    def look(self) -> None:
        """Draw them anew if they have changed."""
        if self._content() != self._drawn:
            self.refresh()

    def render(self) -> Content:
        """Lay them out for the present size."""
        self._drawn = self._content()
        return self._drawn

    def _content(self) -> Content:
        return Content("\n").join(self._lines(self.size.width, self.size.height))


def _is_due(now: float, last: float, interval: float) -> bool:
    """Whether it is time again; also after the clock was set back."""
    return not 0 <= now - last < interval


def _counted(count: int, severity: str) -> str:
    is_plural = severity in ("note", "warning") and count != 1
    return f"{count} {severity}{'s' if is_plural else ''}"
