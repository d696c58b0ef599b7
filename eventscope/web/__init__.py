"""Live views for the web: what is committed, as server-sent events. Needs the extra ``web``."""

from eventscope.web import installed as installed  # first, since the others need what it looks for

# isort: split

from eventscope.resumable import Subscription
from eventscope.web.live_events import LiveEvents
from eventscope.web.too_early import TooEarlyMiddleware

__all__ = ["LiveEvents", "Subscription", "TooEarlyMiddleware"]
