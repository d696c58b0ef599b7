"""The engine on an event loop of its own, in a thread beside a user interface."""
