"""Tables on a terminal and elsewhere: no column is cut or left out."""

from __future__ import annotations

import pytest
from rich.text import Text

from eventscope.cli.table import print_table


@pytest.mark.parametrize("columns", ["20", "200"])
def test_every_column_is_whole_however_narrow_the_terminal(
    columns: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    long = "x" * 300
    print_table(("ID", "NAME", "ERROR"), [("1", "a [b]", Text(long)), ("22", "", "")], right="ID")
    assert capsys.readouterr().out == f"ID  NAME   ERROR\n 1  a [b]  {long}\n22\n"
