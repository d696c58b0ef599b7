"""The bar under the feed: what it is filtered by, and where that is written."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final, NamedTuple

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.getters import query_one
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Input, Static

from eventscope.inspection.filter import Filter, FilterError, parse
from eventscope.tui.cells import fit
from eventscope.tui.filtering.completion import Completion, complete, term_start
from eventscope.tui.filtering.filtered_list import FilteredList
from eventscope.tui.filtering.history import FilterHistory
from eventscope.tui.filtering.vocabulary import Vocabulary
from eventscope.tui.widgets.filter_input import FilterInput
from eventscope.tui.widgets.suggestion_list import SuggestionList

_DEBOUNCE: Final = 0.08
_PAUSE: Final = 0.4
"""After so long, half a word is taken as it is: nothing matches the beginning of a value."""
_LEAD: Final = " / "


class FilterBar(Vertical):
    """Reads what is typed; what cannot be read changes nothing.

    Args:
        vocabulary: makes the words to complete with.
        history: what was filtered by before.
    """

    class Filtered(Message):
        """Another filter holds; None: none does."""

        def __init__(self, filter: Filter | None) -> None:
            super().__init__()
            self.filter = filter

    class Left(Message):
        """The person is done with it."""

    input = query_one(FilterInput)
    suggestions = query_one(SuggestionList)
    text = query_one("#filter-text", Static)
    counts = query_one("#filter-counts", Static)
    says = query_one("#filter-says", Static)

    def __init__(self, vocabulary: Callable[[], Vocabulary], history: FilterHistory) -> None:
        super().__init__(id="filter-bar")
        self.filter: Filter | None = None
        """What holds."""
        self._vocabulary = vocabulary
        self._history = history
        self._before: Filter | None = None
        self._error: FilterError | None = None
        self._pending: Timer | None = None
        self._cycle: _Cycle | None = None
        self._counted = ""

    def compose(self) -> ComposeResult:
        """Place the line and what is said of it."""
        with Horizontal(id="filter-line"):
            yield Static(_LEAD, id="filter-lead")
            yield FilterInput()
            yield Static(id="filter-text")
            yield Static(id="filter-counts")
        yield Static(id="filter-says")
        yield SuggestionList()

    @property
    def is_open(self) -> bool:
        """Whether a filter is being written."""
        return self.has_class("-open")

    @property
    def problem(self) -> str | None:
        """Why what is written cannot be read."""
        return None if self._error is None else self._error.message

    def open(self, text: str | None = None) -> None:
        """Write a filter, beginning with a text, or with what holds."""
        if not self.is_open:
            self._before = self.filter
            self._history.begin()
        self.add_class("-open")
        self.input.put(self._written if text is None else text)
        self.screen.set_focus(self.input)  # at once: what is typed next is meant for it
        self._read()
        self.call_after_refresh(self._suggest)

    def put(self, text: str) -> None:
        """Filter by a text; one that cannot be read is there to be mended."""
        try:
            self._hold(_read(text))
        except FilterError:
            self.open(text)
            return
        if self.is_open:
            self.input.put(text)
        else:
            self._draw()

    def show_counts(self, events: FilteredList) -> None:
        """Say how many events match, of how many, and what is left to test."""
        counted = _counts(events, self.size.width // 2) if self.filter is not None else ""
        if counted != self._counted:
            width_changed = len(counted) != len(self._counted)
            self._counted = counted
            self.counts.update(Content.styled(counted, "$foreground-muted"), layout=width_changed)

    def on_resize(self) -> None:
        """Lay it out anew."""
        self._draw()

    @on(Input.Changed)
    def _wait_for_more(self, event: Input.Changed) -> None:
        event.stop()
        if self._cycle is not None and self._cycle.put != event.value:
            self._cycle = None
        if self._pending is not None:
            self._pending.stop()
        completion = self._suggest()
        self._pending = self.set_timer(_PAUSE if completion.goes_on else _DEBOUNCE, self._read)

    @on(Input.Submitted)
    def _keep(self, event: Input.Submitted) -> None:
        event.stop()
        self._read()
        if self._error is None:
            self._history.add(self._written)
            self._close()

    @on(Input.Blurred)
    def _leave(self, event: Input.Blurred) -> None:
        """Somebody clicked elsewhere: what holds goes on to."""
        event.stop()
        if self.is_open and self.screen.is_current:
            self._close()

    @on(FilterInput.Asked)
    def _answer(self, event: FilterInput.Asked) -> None:
        if event.what in ("save", "saved"):
            self._read()  # what was typed last may still be waiting for more
            return
        event.stop()
        if not self.is_open:  # as the palette may have it
            self.open()
        match event.what:
            case "cancel":
                self._hold(self._before)
                self._close()
            case "complete":
                self._complete(1)
            case "complete_back":
                self._complete(-1)
            case "older":
                self._recall(self._history.older(self.input.value))
            case "newer":
                self._recall(self._history.newer())

    def _recall(self, text: str | None) -> None:
        if text is not None:
            self.input.put(text)

    def _read(self) -> None:
        """Filter by what is written, if it can be read."""
        if self._pending is not None:
            self._pending.stop()
            self._pending = None
        if not self.is_open:
            return
        try:
            self._hold(_read(self.input.value))
            self._error = None
        except FilterError as error:
            self._error = error
            self._hold_beginning(error)
        self._draw()

    def _hold_beginning(self, error: FilterError) -> None:
        """Filter by what stands before the term that is being written."""
        text = self.input.value.rstrip()
        if error.column >= len(text):
            with suppress(FilterError):
                self._hold(_read(text[: term_start(text)]))

    def _hold(self, filter: Filter | None) -> None:
        differs = filter != self.filter
        self.filter = filter
        if differs:
            self.post_message(self.Filtered(filter))

    def _close(self) -> None:
        self.remove_class("-open")
        self._error = self._cycle = None
        self.suggestions.show((), 0, None)
        self._draw()
        self.post_message(self.Left())

    def _complete(self, step: int) -> None:
        """Put in the next suggestion, or begin with the first."""
        cycle = self._cycle
        if cycle is None:
            completion = self._completion()
            if not completion.suggestions:
                return
            cycle = _Cycle(completion, self.input.value, self.input.cursor_position)
        self._cycle = cycle = cycle.moved(step)
        self.input.put(cycle.put, cycle.cursor)
        if len(cycle.completion.suggestions) == 1:
            self._cycle = None
        self._suggest()

    def _suggest(self) -> Completion:
        cycle = self._cycle
        completion = self._completion() if cycle is None else cycle.completion
        cell = len(_LEAD) + cell_len(self.input.value[: completion.start])
        place = None if cycle is None else cycle.place
        self.suggestions.show(completion.suggestions, cell - round(self.input.scroll_x), place)
        return completion

    def _completion(self) -> Completion:
        return complete(self.input.value, self.input.cursor_position, self._vocabulary())

    @property
    def _written(self) -> str:
        return "" if self.filter is None else self.filter.text

    def _draw(self) -> None:
        self.set_class(self.filter is not None, "-active")
        self.input.show_fault(None if self._error is None else self._error.column)
        if not self.is_open:
            self._draw_closed()
        elif self._error is None:
            meaning = "every event · f1 tells what can be written"
            said = meaning if self.filter is None else str(self.filter)
            self.says.update(Content.styled(f"   {said}", "$foreground-muted"))
        else:
            at = len(_LEAD) + self.input.fault_cell
            said = _at_caret(self._error.message, at, self.size.width)
            self.says.update(Content.styled(said, "$error"))

    def _draw_closed(self) -> None:
        """Show what holds, and what it means if there is room."""
        meaning = "" if self.filter is None else f"   {self.filter}"
        line = Content.assemble((self._written, "bold"), (meaning, "$foreground-muted"))
        room = self.size.width - len(_LEAD) - len(self._counted)
        fits = line.cell_length <= room
        self.text.update(line if fits else Content.styled(self._written, "bold"))


class _Cycle(NamedTuple):
    """Suggestions that are put in one after the other."""

    completion: Completion
    text: str
    at: int
    place: int | None = None
    """Which of them is in the input now."""

    def moved(self, step: int) -> _Cycle:
        """The next one or the one before."""
        count = len(self.completion.suggestions)
        before = self.place if self.place is not None else (-1 if step > 0 else 0)
        return self._replace(place=(before + step) % count)

    @property
    def put(self) -> str:
        """The text with the suggestion in it."""
        return self.text[: self.completion.start] + self._word + self.text[self.at :]

    @property
    def cursor(self) -> int:
        """The end of the suggestion."""
        return self.completion.start + len(self._word)

    @property
    def _word(self) -> str:
        return self.completion.suggestions[self.place or 0].text


def _read(text: str) -> Filter | None:
    """The filter of a text, which is none if it has no term; raises FilterError."""
    filter = parse(text.rstrip(), delivery=True)
    return None if filter.is_everything else filter


def _counts(events: FilteredList, room: int) -> str:
    """How many match, and what is known of the others, as far as there is room for it."""
    counted = f"{len(events):,} of {events.total:,}"
    rest = [(events.skipped, "skipped"), (events.untested, "to test")]
    for count, what in rest:
        more = f"{count:,} {what} · {counted}"
        if count and len(more) <= room:
            counted = more
    return f"  {counted} "


def _at_caret(message: str, cell: int, width: int) -> str:
    """Say a message beside a caret: behind it, or before it where there is no room."""
    behind, before = f"^ {message}", f"{message} ^"
    if cell + cell_len(behind) <= width:
        return " " * cell + behind
    if cell_len(before) <= cell + 1:
        return " " * (cell + 1 - cell_len(before)) + before
    return fit(f"   {message}", width)
