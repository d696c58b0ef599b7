"""Running an engine under the dashboard."""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager

from eventscope.app import EventScope
from eventscope.cli.log import log_to_file
from eventscope.settings import Settings


def wanted(no_dashboard: bool) -> bool:
    """Whether to open the dashboard: somebody is there to look, and did not refuse."""
    attended = sys.stdin.isatty() and sys.stdout.isatty() and not os.environ.get("CI")
    return attended and not no_dashboard


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
    log_to_file(settings.queue_file(app.name).with_suffix(".log"), *shown(engine.log, redacted))
    with prints_in_log():
        engine.begin()
        try:
            dashboard = EventScopeApp(engine, settings.ui, alongside)
            dashboard.run(mouse=settings.ui.mouse)
            error = engine.error  # before it is stopped, which a start under way takes ill
        finally:
            engine.stop()
    if error is not None:
        raise error
    return dashboard.return_code or 0
