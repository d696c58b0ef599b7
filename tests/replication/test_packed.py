from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventscope.replication import packed, pgoutput
from eventscope.replication.pgoutput import MISSING
from tests.replication import encoder

TRICKY = st.sampled_from([b"", b"t", b"N", b"u", b"n", b"tN", b"t" * 116, b"N" * 78, b"\xc6\xdc"])
TEXTS = st.binary(max_size=300).map(lambda text: text.replace(b"\0", b"0"))
ROWS = st.lists(st.none() | st.just(MISSING) | TRICKY | TEXTS, max_size=130)


@given(ROWS, ROWS)
def test_marks_are_told_from_texts_that_look_like_them(new, old):
    message = encoder.update(7, new, old=old)
    images = packed.images(message, two=True)
    if len(message) < 0x4E00:
        assert images is not None
    assert pgoutput.parse_row(message) == ((tuple(new), "N"), (tuple(old), "O"))


@pytest.mark.parametrize("count", [0, 1, 78, 116, 255, 256, 1600])
def test_any_number_of_columns_is_read(count):
    new = [b"tN"[n % 2 :] for n in range(count)]
    message = encoder.update(7, new, key=[None] * count)
    assert pgoutput.parse_row(message) == ((tuple(new), "N"), ((None,) * count, "K"))


@pytest.mark.parametrize("length", [0x4E, 0x74, 0x4DE0, 0x4E00, 0x7400, 0x740000])
def test_lengths_that_look_like_marks_are_read(length):
    text = b"N" * length
    message = encoder.update(7, [text, None], old=[b"t", text])
    assert pgoutput.parse_row(message) == (((text, None), "N"), ((b"t", text), "O"))


def test_a_long_message_is_left_to_another_way():
    assert packed.images(encoder.insert(7, [b"x" * 0x4E00]), two=False) is None


@pytest.mark.parametrize("mark", [b"b", b"\0", b"\xc0", b"\xc4", b"q"])
def test_a_mark_that_pgoutput_does_not_have_is_left_to_another_way(mark):
    message = b"I" + bytes(4) + b"N\0\1" + mark
    assert packed.images(message, two=False) is None
    with pytest.raises(pgoutput.ProtocolError):
        pgoutput.parse_row(message)
