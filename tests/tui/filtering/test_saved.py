from __future__ import annotations

from eventscope.tui.filtering.saved import SavedFilter, SavedFilters
from eventscope.tui.memory import Memory

SETTINGS = {"failed": "state:failed"}


def test_filters_are_saved_beside_those_of_the_settings() -> None:
    SavedFilters(SETTINGS, Memory()).save("paid", "status:paid")
    assert list(SavedFilters(SETTINGS, Memory())) == [
        SavedFilter("failed", "state:failed", True),
        SavedFilter("paid", "status:paid", False),
    ]


def test_a_name_is_that_of_one_filter_and_the_settings_win() -> None:
    saved = SavedFilters(SETTINGS, Memory())
    for text in ("one", "two"):
        saved.save("paid", text)
        saved.save("failed", text)
    assert [one.text for one in saved] == ["state:failed", "two"]


def test_what_was_saved_can_be_forgotten() -> None:
    saved = SavedFilters(SETTINGS, Memory())
    saved.save("paid", "status:paid")
    saved.remove("paid")
    saved.remove("failed")
    assert [one.name for one in saved] == ["failed"]


def test_settings_are_made_harmless() -> None:
    assert list(SavedFilters({"a\x1b": "b\x07"}, Memory())) == [SavedFilter("a␛", "b␇", True)]
