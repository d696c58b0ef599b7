"""Drawing with ASCII alone, for terminals and fonts that have nothing else."""

from __future__ import annotations

import sys
from typing import Final

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_GLYPHS: Final = str.maketrans(
    {
        **dict.fromkeys("─━═╌┄┈╴╶", "-"),
        **dict.fromkeys("│┃║▎▏▕▌▐┆┊", "|"),
        **dict.fromkeys("╭╮╰╯┌┐└┘├┤┬┴┼╔╗╚╝╒╕╘╛┏┓┗┛", "+"),
        **dict.fromkeys("▁▂▔", "_"),
        **dict.fromkeys("▃▄▀", "="),
        **dict.fromkeys("▅▆▇█▉▊▋", "#"),
        "✓": "v", "×": "x", "▲": "^", "■": "=", "●": "*", "○": "o", "◆": "+", "·": ".", "•": "*",
        "→": ">", "←": "<", "↑": "^", "↓": "v", "…": "~", "⏎": "<", "␀": "0",
    }
)  # fmt: skip


def wanted(setting: bool | None) -> bool:
    """Whether to draw with ASCII: as the setting says, else if the terminal takes nothing more."""
    return setting if setting is not None else not _takes_unicode()


class AsciiFilter(LineFilter):
    """Puts one ASCII character in the place of each sign of ours, cell by cell.

    What is in the data stays as it is where the terminal takes it, and is ``?`` where it does not.
    """

    def __init__(self) -> None:
        super().__init__()
        self._keeps_data = _takes_unicode()

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Translate the texts of a line."""
        return [segment._replace(text=self._told(segment.text)) for segment in segments]

    def _told(self, text: str) -> str:
        if text.isascii():
            return text
        text = text.translate(_GLYPHS)
        if self._keeps_data or text.isascii():
            return text
        return "".join(sign if sign.isascii() else "?" * cell_len(sign) for sign in text)


def _takes_unicode() -> bool:
    encoding = getattr(sys.__stdout__, "encoding", None) or ""
    return encoding.lower().replace("-", "") in ("utf8", "utf16", "utf32")
