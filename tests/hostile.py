"""Texts that would drive a terminal, deceive a reader or be taken for markup, as data."""

from __future__ import annotations

from typing import Final

BELL, ESC, ST = "\x07", "\x1b", "\x1b\\"

HOSTILE: Final = {
    "a clipboard (OSC 52)": f"{ESC}]52;c;ZXZpbA=={BELL}",
    "a title (OSC 0)": f"{ESC}]0;owned{BELL}",
    "a link (OSC 8)": f"{ESC}]8;;https://evil.example{ST}bill{ESC}]8;;{ST}",
    "a colour (OSC 11)": f"{ESC}]11;?{ST}",
    "a moved cursor": f"{ESC}[H{ESC}[2J{ESC}[99Cx",
    "a private mode": f"{ESC}[?1049l{ESC}[?25l{ESC}[?2004h",
    "a scrolled region": f"{ESC}[1;2r{ESC}[3S",
    "a colour": f"{ESC}[31;5mred",
    "a device string (DCS)": f"{ESC}P$qm{ST}",
    "an application command (APC)": f"{ESC}_Gf=100;AAAA{ST}",
    "a privacy message": f"{ESC}^evil{ST}",
    "a reset": f"{ESC}c",
    "a double height line": f"{ESC}#3",
    "another character set": f"{ESC}(0lqqk\x0e",
    "a status report": f"{ESC}[6n{ESC}[>c",
    "C1 in UTF-8": "\x9b31m\x9d0;owned\x9c\x90q\x9c\x9f\x9c\x84\x85",
    "C1 as single bytes": b"\xc2\x9b31m".decode("latin-1"),
    "an escape at the end": f"nearly done{ESC}",
    "an open sequence": f"{ESC}[38;2;1",
    "a bell": f"ding{BELL}",
    "a backspace": "secret\b\b\b\b\b\bpublic",
    "a carriage return": "real\rfake",
    "lines": "one\ntwo\r\nthree\x0b\x0cfour\u2028five\u2029six\x85seven",
    "tabs": "a\tb\t\tc",
    "a deletion": "ab\x7f\x7f",
    "a bidi override": "user\u202egnp.exe",
    "bidi isolates": "\u2066a\u2069\u2067b\u2069\u200f\u061c",
    "zero width": "pay\u200bpal\ufeff\u2060\u180e",
    "invisible letters": "a\u3164b\uffa0c\u115fd\u1160e\u034ff",
    "tags": "flag\U000e0067\U000e0062\U000e007f",
    "a family (ZWJ)": "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",
    "a toned hand": "\U0001f44d\U0001f3fd",
    "a flag": "\U0001f1e9\U0001f1ea\U0001f1eb",
    "200 marks": "Z" + "\u0301\u0336" * 100 + "algo",
    "enclosed": "a\u20dd\u20e3 \u0488b",
    "variation selectors": "\u2764\ufe0f \u2764\ufe0e a\ufe00 b\U000e0100",
    "wide": "日本語" * 80,
    "a long word": "x" * 5_000,
    "a closing tag": "[/]",
    "another closing tag": "[/bold]",
    "a link as markup": "[link=https://evil.example]bill[/link]",
    "an action as markup": "[@click=app.quit]here[/]",
    "a colour as markup": "[bold red on blue]x",
    "an open tag": "[bold",
    "an escaped bracket": "\\[",
    "a closed bracket": "]",
    "a variable": "$foo $primary",
    "an emoji by name": ":warning: :pile_of_poo:",
    "a format": "{0} %s {self} {x!r}",
    "a style as markup": "[$error]x[/$error]",
}
"""By what it is: everything that a database can hold. Several of them are names as well."""

IMPOSSIBLE: Final = {
    "a half character": "\ud800half\udfff",
    "a byte that was no text": "\udc9b31m",
    "a NUL": "a\x00b",
}
"""What no PostgreSQL holds, but what handlers print, raise and log."""

DRIVING: Final = frozenset(
    {*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0))}
    | set("\u061c\u200b\u200d\u200e\u200f\u2028\u2029\u2060\ufeff")
    | {*map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A))}
    | {*map(chr, range(0xD800, 0xE000)), *map(chr, range(0xE0000, 0xE0200))}
)
"""Characters of which none may be shown."""


def as_name(text: str, number: int) -> str:
    """What PostgreSQL takes for a name of its own: without NUL and dots, of 63 bytes at most."""
    kept = text.replace(".", "·").replace("\x00", "")
    return kept.encode()[:58].decode(errors="ignore") + f"{number:03}"
