"""What somebody may write to see a first event."""

from __future__ import annotations

from dataclasses import dataclass

from eventscope.engine.questions.base import Known
from eventscope.replication import trial


@dataclass(frozen=True, slots=True)
class TrialStatement:
    """Find a statement that writes one row of a followed table as it is."""

    async def answer(self, known: Known) -> tuple[str, str] | None:
        """The statement and the table's name; None if no followed table has a row.

        Raises SourceError if the database cannot be asked.
        """
        return await trial.touching_one_row(known.app, known.settings)
