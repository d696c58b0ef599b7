"""Whether to serve at all."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from eventscope.settings import Settings

if TYPE_CHECKING:
    from eventscope.metrics.observed import Observed


def serving(engine: Observed, settings: Settings) -> AbstractContextManager[object]:
    """An endpoint about an engine where the settings name a port; nothing is imported else.

    Raises:
        MetricsError: the address cannot be listened at; when it is entered.
    """
    if settings.metrics.port is None:
        return nullcontext()
    from eventscope.metrics.endpoint import Endpoint

    return Endpoint(engine, settings)
