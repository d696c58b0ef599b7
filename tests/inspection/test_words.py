from hypothesis import given
from hypothesis import strategies as st

from eventscope.inspection.words import MAX_LENGTH, Spans, word_diff


def marked(spans: Spans) -> str:
    return "".join(f"[{span.text}]" if span.differs else span.text for span in spans)


def test_words_that_differ_are_marked_on_both_sides() -> None:
    both = word_diff("ring the bell twice before noon", "ring the bell once before 11am")
    assert both is not None
    assert marked(both[0]) == "ring the bell [twice] before [noon]"
    assert marked(both[1]) == "ring the bell [once] before [11am]"


def test_a_small_change_in_a_long_text_is_shown_with_its_surroundings() -> None:
    text = "word " * 20_000
    both = word_diff(text + "old " + text, text + "new " + text)
    assert both is not None
    assert marked(both[1]).startswith("…")
    assert "[new]" in marked(both[1])
    assert len(marked(both[1])) < 200


def test_texts_that_differ_in_too_much_are_not_compared() -> None:
    assert word_diff("a " * MAX_LENGTH, "b " * MAX_LENGTH) is None


@given(st.text(alphabet="ab c", max_size=60), st.text(alphabet="ab c", max_size=60))
def test_both_sides_are_whole(old: str, new: str) -> None:
    both = word_diff(old, new)
    assert both is not None
    if len(old) <= 60 and len(new) <= 60:
        assert "".join(span.text for span in both[0]) == old
        assert "".join(span.text for span in both[1]) == new
