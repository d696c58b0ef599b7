import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventscope.inspection.text import MAX_MARKS, safe_lines, safe_text

ANYTHING = st.text(
    st.one_of(
        st.characters(codec=None),
        st.sampled_from("\x00\x1b\x07\r\n\t\x7f\x9b\x9d\u202e\u2066\u200b\ufeff\u2028\ud800\u0301"),
    )
)


@given(ANYTHING)
def test_nothing_that_controls_or_hides_is_left(text: str) -> None:
    shown = safe_text(text)
    assert not {unicodedata.category(sign) for sign in shown} & {"Cc", "Cf", "Cs", "Cn", "Zl", "Zp"}
    shown.encode()


@given(ANYTHING)
def test_making_harmless_text_harmless_changes_nothing(text: str) -> None:
    assert safe_text(safe_text(text)) == safe_text(text)


@given(ANYTHING, st.integers(1, 40))
def test_no_text_is_longer_than_asked_for(text: str, limit: int) -> None:
    shown = safe_text(text, limit)
    assert len(shown) <= limit
    assert safe_text(shown, limit) == shown


@given(ANYTHING)
def test_marks_do_not_pile_up(text: str) -> None:
    run = longest = 0
    for sign in safe_text(text):
        run = run + 1 if unicodedata.category(sign)[0] == "M" else 0
        longest = max(longest, run)
    assert longest <= MAX_MARKS


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Ada Lovelace, Zoë, 日本語, नमस्ते", "Ada Lovelace, Zoë, 日本語, नमस्ते"),
        ("one\ntwo\tthree", "one⏎two␉three"),
        ("\x1b]52;c;ZXZpbA==\x07", "␛]52;c;ZXZpbA==␇"),
        ("\x9b31m", "<U+009B>31m"),
        ("user\u202egnp.exe", "user<U+202E>gnp.exe"),
        ("pay\u200bpal", "pay<U+200B>pal"),
        ("\ud83d alone", "<U+D83D> alone"),
        ("e" + "\u0301" * 50, "e" + "\u0301" * MAX_MARKS),
        ("\x7f", "␡"),
        ("❤\ufe0f", "❤"),
        ("a\U000e0101b", "a<U+E0101>b"),
        ("", ""),
    ],
)
def test_what_is_shown(text: str, shown: str) -> None:
    assert safe_text(text) == shown


def test_what_is_cut_says_so() -> None:
    assert safe_text("a" * 11, 10) == "a" * 9 + "…"
    assert safe_text("a" * 10, 10) == "a" * 10


def test_a_traceback_keeps_its_lines() -> None:
    assert safe_lines("one\n\ttwo\x1b[2J") == ["one", "    two␛[2J"]
