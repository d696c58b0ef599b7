import pytest

from eventscope.inspection.hstore import hstore


def test_an_hstore_is_a_document() -> None:
    text = r'"a"=>"1", "q\"uote"=>"back\\slash", "none"=>NULL, "null"=>"NULL", ""=>"a=>b, c"'
    assert hstore(text) == {
        "a": "1", 'q"uote': "back\\slash", "none": None, "null": "NULL", "": "a=>b, c",
    }  # fmt: skip
    assert hstore("") == {}


@pytest.mark.parametrize("text", ["{1,2}", '"a"=>', '"a"=>1', '"a"=>"1" "b"=>"2"'])
def test_what_is_no_hstore_is_left_alone(text: str) -> None:
    assert hstore(text) is None
