"""How findings look: grouped and readable for people, one JSON document for programs."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from typing import Final

from rich.console import Console
from rich.text import Text

from eventscope.inspection.text import safe_text
from eventscope.replication.doctor.examination import Groups
from eventscope.replication.finding import SEVERITIES, Finding, Severity

_LOOKS: Final[Mapping[Severity, tuple[str, str]]] = {
    "ok": ("✓", "green"),
    "note": ("•", "cyan"),
    "warning": ("▲", "yellow"),
    "blocking": ("×", "bold red"),
}
"""The symbol and colour beside the word, so that none of them is needed alone."""

_INDENT: Final = 14
_LONGEST: Final = 1_000_000
"""Characters of a statement, which may name many tables."""


def print_text(groups: Groups) -> None:
    """Print findings to stdout: colours and wrapped lines for a terminal only."""
    console = Console(highlight=False, markup=False, emoji=False)
    for name, findings in groups.items():
        console.print(Text(name.upper(), "bold"))
        for finding in findings:
            _print(console, finding)
        console.print()
    counts = _counts(groups)
    console.print(Text(", ".join(_counted(counts[severity], severity) for severity in SEVERITIES)))


def print_json(groups: Groups) -> None:
    """Print findings to stdout as one JSON document, in ASCII."""
    findings = [
        {"group": name, **asdict(finding)} for name, group in groups.items() for finding in group
    ]
    print(json.dumps({"summary": _counts(groups), "findings": findings}, indent=2))


def _counts(groups: Groups) -> dict[Severity, int]:
    found = Counter(finding.severity for group in groups.values() for finding in group)
    return {severity: found[severity] for severity in SEVERITIES}


def _counted(count: int, severity: Severity) -> str:
    is_plural = severity in ("note", "warning") and count != 1
    return f"{count} {severity}{'s' if is_plural else ''}"


def _print(console: Console, finding: Finding) -> None:
    symbol, style = _LOOKS[finding.severity]
    head = Text(f"  {symbol} {finding.severity:<{_INDENT - 5}} ", style)
    _print_words(console, safe_text(finding.found), head=head)
    if finding.severity == "ok":
        return
    _print_words(console, safe_text(finding.why), style="dim")
    for line in filter(None, finding.sql.split("\n")):
        statement = Text(" " * _INDENT + safe_text(line, _LONGEST), "bold")
        console.print(statement, soft_wrap=True)  # whole, to be copied
    _print_words(console, safe_text(finding.mend))


def _print_words(
    console: Console, words: str, *, style: str = "", head: Text | None = None
) -> None:
    """Print words in their column, beside what may stand before it."""
    if not words:
        return
    text = Text(words, style)
    lines = text.wrap(console, max(console.width - _INDENT, 20)) if sys.stdout.isatty() else [text]
    for line in lines:
        margin = head or Text(" " * _INDENT)
        console.print(Text.assemble(margin, line), soft_wrap=True)
        head = None
