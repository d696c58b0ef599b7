"""What an examination finds: one condition of the source, and what mends it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, get_args

from psycopg import sql

from eventscope.replication.connection import SourceError

Severity = Literal["ok", "note", "warning", "blocking"]
"""``blocking``: something will not work. ``warning``: it works, at a price or a risk."""

SEVERITIES: Final[tuple[Severity, ...]] = get_args(Severity)


ANEW: Final = "to start anew from now, move the queue file away"
"""What mends a queue that can never go on where it has stopped."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One condition, good or bad."""

    check: str
    """A stable name of what was looked at, such as ``wal_level``."""
    severity: Severity
    found: str
    why: str = ""
    """Why it matters; empty where that is plain."""
    sql: str = ""
    """Statements that mend it, one a line, to be run as they stand."""
    mend: str = ""
    """What mends it, in words: a setting, or what goes with the statements."""

    @property
    def is_anew(self) -> bool:
        """Whether a new queue file, and nothing else, mends it."""
        return self.mend == ANEW and not self.sql

    @property
    def line(self) -> str:
        """Everything in one line, for a log or an error."""
        text = f"{self.found}: {self.why}" if self.why else self.found
        cure = " ".join(["run", *self.sql.split("\n"), self.mend]) if self.sql else self.mend
        return f"{text}; {cure.strip()}" if cure else text


def refuse(findings: Iterable[Finding]) -> None:
    """Raise SourceError for the first finding that blocks, if there is one."""
    for finding in findings:
        if finding.severity == "blocking":
            raise SourceError(finding.line)


def statement(text: str, *parts: sql.Composable) -> str:
    """A statement as it can be run in psql, its parts quoted."""
    return sql.SQL(text).format(*parts).as_string() + ";"
