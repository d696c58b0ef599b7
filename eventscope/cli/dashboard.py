"""Running an engine under the dashboard."""

from __future__ import annotations

from contextlib import AbstractContextManager

from eventscope.app import EventScope
from eventscope.cli import application
from eventscope.cli.application import ApplicationError
from eventscope.cli.log import log_to_file
from eventscope.cli.terminal import is_attended
from eventscope.errors import EventScopeError
from eventscope.metrics.serving import serving
from eventscope.settings import Settings


class DashboardError(EventScopeError):
    """An error of our own has ended the dashboard; the message says where more is told."""

    exit_code = 1


def wanted(no_dashboard: bool) -> bool:
    """Whether to open the dashboard: somebody is there to look, and did not refuse."""
    return is_attended() and not no_dashboard


def loaded(target: str, settings: Settings) -> EventScope:
    """Load an application; one that fails is shown where it fails until it is mended.

    Raises:
        ApplicationError: there is none of that name, or the person has left it as it is.
    """
    is_broken = False
    while True:
        try:
            return application.load(target)
        except ApplicationError as error:
            is_broken = is_broken or error.file is not None
            if not (is_broken and _waits_for_change(target, error, settings)):
                raise


def _waits_for_change(target: str, error: ApplicationError, settings: Settings) -> bool:
    from eventscope.tui.broken import Breakage, BrokenApp
    from eventscope.tui.preferences import check

    check(settings.ui)
    breakage = Breakage(target, error.reason, error.file, error.line, error.files)
    return bool(BrokenApp(breakage, settings.ui).run(mouse=settings.ui.mouse))


def run(
    app: EventScope,
    settings: Settings,
    alongside: AbstractContextManager[object] | None = None,
    *,
    read_only: bool = False,
) -> int:
    """Open the dashboard, and stop the engine when it is closed. Returns the exit code.

    Args:
        app: what to run.
        settings: how.
        alongside: entered when the engine runs, left before it is stopped.
        read_only: whether the dashboard may change nothing.

    Raises:
        DashboardError: an error of the dashboard itself has ended it.
        EventScopeError: what has kept the engine from starting, or has ended it.
    """
    from eventscope.cli.log_records import shown
    from eventscope.engine.thread import EngineThread
    from eventscope.operators.redaction import Redaction
    from eventscope.tui.app import EventScopeApp
    from eventscope.tui.preferences import check
    from eventscope.tui.prints import prints_in_log

    check(settings.ui)
    redacted = Redaction(settings)
    engine = EngineThread(app, settings, read_only=read_only)
    log_file = settings.queue_file(app.name).with_suffix(".log")
    log_to_file(log_file, *shown(engine.log, redacted))
    with prints_in_log(), serving(engine, settings):
        try:
            dashboard = EventScopeApp(engine, settings.ui, alongside)
            dashboard.run(mouse=settings.ui.mouse)
            error = engine.error  # before it is stopped, which a start under way takes ill
        finally:
            engine.stop()
    if dashboard.failure is not None:
        what = redacted(repr(dashboard.failure))
        raise DashboardError(f"the dashboard has failed: {what}; more is in {log_file}")
    if error is not None:
        raise error
    return 0
