from hypothesis import given
from hypothesis import strategies as st

from eventscope.inspection.words import MAX_LENGTH, Spans, line_diff, word_diff


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


def test_a_long_text_in_which_little_changed_shows_every_change() -> None:
    old = "".join(f"line {n} of the old story.\n" for n in range(600))
    new = old.replace("line 10 of the old", "line 10 of a new").replace("line 500 ", "line 5OO ")
    both = word_diff(old, new)
    assert both is not None
    assert "[a] [new]" in marked(both[1])
    assert "[5OO]" in marked(both[1])
    assert len(marked(both[1])) < 600


def test_no_word_is_cut_in_two() -> None:
    both = word_diff("an unchanged prefix", "an unbroken prefix")
    assert both is not None
    assert marked(both[0]) == "an [unchanged] prefix"


def test_a_text_of_many_lines_is_compared_line_by_line() -> None:
    old = "".join(f"{n} {'x' * 300}\n" for n in range(400))
    lines = old.split("\n")
    lines[7], lines[300] = "seven", "\x1b[2J"
    del lines[350]
    new = "\n".join([*lines, "the end"])
    found = line_diff(old, new)
    assert found is not None
    assert [(sign, path) for sign, path, _, _ in found[0]] == [
        ("~", "line 8"), ("~", "line 301"), ("-", "line 351"), ("+", "line 401"),
    ]  # fmt: skip
    assert [change.new for change in found[0]] == ["seven", "␛[2J", None, "the end"]
    assert not found[1]
    assert line_diff(old, new, limit=2) == (found[0][:2], True)


def test_texts_without_lines_in_common_are_not_compared_by_line() -> None:
    assert line_diff("a", "b") is None
    assert line_diff("a\nb\nc", "d\ne\nf") is None
