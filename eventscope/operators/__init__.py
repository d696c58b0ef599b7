"""From events to effects: each operator at its own position and pace."""
