"""The help texts come from the language itself."""

from __future__ import annotations

import pytest

from eventscope.inspection.filter import Form, forms, parse, reference_table, reference_text
from eventscope.inspection.filter.grammar import FIELDS


@pytest.mark.parametrize("form", forms(delivery=True), ids=lambda form: form.text)
def test_every_form_can_be_written_and_says_what_it_means(form: Form) -> None:
    assert str(parse(form.text, delivery=True))
    assert form.means == " ".join(form.means.split()), "nothing was lost on the way"


def test_every_field_has_a_form() -> None:
    written = " ".join(form.text for form in forms(delivery=True))
    assert all(f"{field}:" in written or f"{field}>" in written for field in FIELDS)


def test_a_bare_stream_of_events_is_told_of_the_forms_that_it_takes() -> None:
    assert set(forms()) < set(forms(delivery=True))
    for form in forms():
        parse(form.text)


def test_the_table_is_markdown_and_the_text_is_aligned() -> None:
    table = reference_table(delivery=True).splitlines()
    assert table[:2] == ["| form | matches |", "|---|---|"]
    assert len(table) == len(forms(delivery=True)) + 2
    assert all(line.replace(r"\|", "").count("|") == 3 for line in table)
    assert r"| `/pa(id\|yed)/` | " in "\n".join(table)
    starts = {line.index(form.means) for line, form in zip(
        reference_text().splitlines(), forms(), strict=True
    )}  # fmt: skip
    assert len(starts) == 1
