"""The dashboard: an engine's feed, operators and events in a terminal."""

from __future__ import annotations

import os

# Textual draws what a key has changed at its next tick: of 60 a second, while a feed moves, every
# key would wait for 8 ms. What is drawn without a key keeps to its own, lower rate.
os.environ.setdefault("TEXTUAL_FPS", "120")
