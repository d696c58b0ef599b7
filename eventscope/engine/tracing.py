"""Whether to make spans at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eventscope.settings import Settings, SettingsError

if TYPE_CHECKING:
    from eventscope.engine.spans import Spans


def tracing(settings: Settings) -> Spans | None:
    """What makes spans, where the settings ask for it; nothing is imported else.

    Raises:
        SettingsError: OpenTelemetry is not installed.
    """
    if not settings.traces:
        return None
    try:
        from eventscope.engine.spans import Spans
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"setting traces: there is no module {error.name}: pip install 'eventscope[otel]'"
        ) from None
    return Spans()
