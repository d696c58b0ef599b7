"""Live views in Textual: screens and widgets that are told what happens in the database."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import wraps
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, Final

import structlog
from textual import events
from textual.reactive import reactive

from eventscope.app import EventScope
from eventscope.errors import NotRunning
from eventscope.inspection.text import safe_text
from eventscope.message import Message, Stream
from eventscope.pubsub import live
from eventscope.pubsub.live import Params, Subscription

if TYPE_CHECKING:
    from textual.widget import Widget
else:
    Widget = object  # a second widget class would hide the style sheet of the first

__all__ = ["LiveView", "Message", "Params", "Subscription"]

_log = structlog.get_logger("eventscope.listeners")

_HOOKS: Final = ("on_insert", "on_update", "on_delete", "on_truncate", "on_leave")
_GROUP: Final = "live view"
"""Of workers, so that an exclusive one of the widget's own does not end ours."""
_SLICE: Final = 0.005
"""Seconds of hooks in a row before keys and the screen get their turn."""
_LOOK_AGAIN: Final = 0.25
"""Seconds between two looks for an engine."""

Done = Awaitable[None] | None
"""What a hook returns: it may be ``def`` or ``async def``."""


class LiveView(Widget):
    """Makes a widget or screen a live view: ``class Comments(LiveView, DataTable)``.

    It listens while it is mounted, and when ``params`` change to what those lead to. Its hooks are
    called one at a time, in commit order, on Textual's own loop, wherever the engine runs. One that
    takes too long makes the view lose the oldest messages, and never delays anybody else.

    Textual has messages ``Update`` and ``Leave`` of its own, whose handlers would be named like two
    hooks: those never reach a hook. Use ``@on(events.Leave)`` for the mouse.
    """

    eventscope: EventScope
    """The application to listen to."""
    schema: str
    """The entity that is shown."""
    subscriptions: Sequence[Subscription] = ("direct", "unscoped")
    """How to listen to it: ``direct``, ``unscoped``, or scopes as the entity declares them."""

    params: reactive[Params] = reactive(dict, repaint=False, init=False)
    """What the subscriptions lead to: ``id`` for ``direct``, and the columns of scopes. To be set,
    or computed from other reactives (``compute_params``); None, or nothing, is not listened to."""
    is_listening: reactive[bool] = reactive(False, repaint=False, init=False)
    """Whether an engine is heard; to be watched. Without one, the view waits for it."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in _HOOKS:
            if hook := cls.__dict__.get(name):
                setattr(cls, name, _of_ours(hook))

    def on_stale(self) -> Done:
        """What is shown may not be what is there, so load that: what is committed later is told.

        Called first when the view is mounted, then when ``params`` have changed, when messages were
        lost, and when the engine had been away.
        """

    def on_insert(self, message: Message) -> Done:
        """A row is there."""

    def on_update(self, message: Message) -> Done:
        """A row has changed."""

    def on_delete(self, message: Message) -> Done:
        """A row is gone."""

    def on_truncate(self, message: Message) -> Done:
        """The table has been emptied."""

    def on_leave(self, message: Message) -> Done:
        """An update has moved a row out of the scope, or given it another key."""

    def on_lagged(self, missed: int) -> Done:
        """So many messages were lost, as the view was too slow; ``on_stale`` follows."""

    def on_failure(self, hook: str, error: BaseException) -> None:
        """A hook has raised; the next message follows. By default it is logged, and said once."""
        _log.error("live view failed", view=type(self).__name__, hook=hook,
                   error=f"{type(error).__name__}: {error}", exc_info=error)  # fmt: skip
        if (hook, type(error)) not in self._told:
            self._told.add((hook, type(error)))
            text = f"{type(self).__name__}.{hook}: {type(error).__name__}: {error}"
            self.notify(safe_text(text, 400), severity="error", markup=False)

    async def handle_subscriptions(self, params: Params) -> None:
        """Called when the view begins to listen, and when ``params`` have changed.

        A view that shows other entities, too, calls ``subscribe_entity`` here.
        """

    async def subscribe_entity(
        self, entity: str, subscriptions: Iterable[Subscription], params: Params
    ) -> None:
        """Listen to another entity too, as far as the parameters lead to it.

        Raises:
            DeclarationError: there is no such entity or scope.
        """
        await self._view.subscribe_entity(entity, subscriptions, params)

    async def unsubscribe_entity(
        self, entity: str, subscriptions: Iterable[Subscription] | None = None
    ) -> None:
        """Listen to another entity no more in these ways; by default in none."""
        await self._view.unsubscribe_entity(entity, subscriptions)

    def _on_mount(self, _: events.Mount) -> None:
        self._view = _View(self)
        self._subscribing = asyncio.Lock()
        self._told: set[tuple[str, type[BaseException]]] = set()
        self.run_worker(self._live(), name=type(self).__name__, group=_GROUP)

    def _watch_params(self, before: Params, now: Params) -> None:
        if before != now and hasattr(self, "_view"):
            self.call_next(self._move_on)

    async def _live(self) -> None:
        """Listen until the widget is unmounted, which cancels this."""
        while True:
            try:
                messages = await self._begin()
                self.is_listening = True
                await self._call("on_stale")
                await self._hear(messages)
            except NotRunning:
                self.is_listening = False
                await asyncio.sleep(_LOOK_AGAIN)
            finally:
                await self._end()

    async def _begin(self) -> Stream:
        """Subscribe to what the params lead to."""
        async with self._subscribing:
            await self._view.mount()
            await self._view.handle_params(self.params)
            return self._view.messages

    async def _end(self) -> None:
        """Unsubscribe, which ends the stream of messages."""
        async with self._subscribing:
            await self._view.unmount()

    @property
    def _has_moved(self) -> bool:
        """Whether the params lead elsewhere by now, so that nothing of before is to be told."""
        return dict(self.params) != self._view.params

    async def _move_on(self) -> None:
        if self._has_moved:
            await self._end()

    async def _hear(self, messages: Stream) -> None:
        """Call hooks until the engine ends, the params change or the widget goes."""
        began = time.monotonic()
        async for message in messages:
            if message.dropped:
                _log.warning("live view is too slow", view=type(self).__name__,
                             missed=message.dropped)  # fmt: skip
                await self._call("on_lagged", message.dropped)
                await self._call("on_stale")
            if self._has_moved:
                return
            await self._call(message.kind, message)
            if time.monotonic() - began > _SLICE:
                await asyncio.sleep(0)
                began = time.monotonic()

    async def _call(self, hook: str, *told: Any) -> None:
        """Call a hook; what it raises, even the end of a task that it waited for, is its own."""
        try:
            await _done(getattr(self, hook)(*told))
        except Exception as error:
            self.on_failure(hook, error)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            self.on_failure(hook, error)


class _View(live.LiveView):
    """What a widget listens to."""

    def __init__(self, widget: LiveView) -> None:
        super().__init__(widget.eventscope, widget.schema, widget.subscriptions)
        self._widget = widget

    async def handle_subscriptions(self, params: Params) -> None:
        """Let the widget say what else it shows."""
        await self._widget.handle_subscriptions(params)


def _of_ours(hook: Callable[[Any, Message], Done]) -> Callable[..., Done]:
    @wraps(hook)
    def called(widget: LiveView, message: object = None) -> Done:
        return hook(widget, message) if isinstance(message, Message) else None

    return called


async def _done(returned: Done) -> None:
    if isawaitable(returned):
        await returned
