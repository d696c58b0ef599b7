"""The table of operators with its heads, and what is said where there is none."""

from __future__ import annotations

from typing import Final

from textual.app import ComposeResult
from textual.getters import query_one

from eventscope.engine.snapshot import OperatorSnapshot, Snapshot
from eventscope.tui.attached import AttachedEngine
from eventscope.tui.operator_watch import OperatorWatches
from eventscope.tui.widgets.card import Card
from eventscope.tui.widgets.column_heads import ColumnHeads
from eventscope.tui.widgets.operator_columns import operator_heads
from eventscope.tui.widgets.operator_table import OperatorTable
from eventscope.tui.widgets.pane import Pane

_EXAMPLE: Final = (
    "The feed works without. An operator follows tables with",
    "a function, or keeps a derived table up to date with SQL:",
    "",
    '@app.operator(entities=["orders"], events=["insert"])',
    "async def welcome(event: Event) -> None:",
    '    print(event.new_record["id"])',
)


class OperatorsPane(Pane):
    """What each operator is doing."""

    TITLE = "Operators"

    table = query_one(OperatorTable)
    card = query_one("#operators-card", Card)

    def __init__(self, engine: AttachedEngine, watches: OperatorWatches) -> None:
        super().__init__(engine, id="operators-pane")
        self._watches = watches

    def compose(self) -> ComposeResult:
        """Place the table."""
        yield ColumnHeads(operator_heads, id="operators-heads")
        yield OperatorTable(self._watches)
        yield Card("No operators yet", _EXAMPLE, id="operators-card")

    @property
    def selected(self) -> OperatorSnapshot | None:
        """The operator at the cursor."""
        return self.table.selected

    def show(self, snapshot: Snapshot) -> None:
        """Show another snapshot."""
        self.table.show(snapshot.operators, snapshot.taken_at)
        self.card.display = not snapshot.operators
