"""Telling of the settings: what there is, and where each value comes from."""
