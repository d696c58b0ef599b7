"""The dashboard: an engine's feed, operators and events in a terminal."""
