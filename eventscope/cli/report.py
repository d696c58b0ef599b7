"""A JUnit report of a run, which CI systems show beside the job."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

from eventscope.app import EventScope
from eventscope.cli.caught_up import TIMED_OUT, is_late
from eventscope.cli.dialogue import say
from eventscope.cli.output import OutputError
from eventscope.cli.signals import INTERRUPTED
from eventscope.engine import Engine, Snapshot
from eventscope.engine.questions.dead_letters import AllLetters
from eventscope.engine.snapshot import OperatorSnapshot
from eventscope.event import EventId
from eventscope.inspection.text import safe_lines, safe_text
from eventscope.queue.base import QueueError
from eventscope.queue.records import DeadLetter

_MOST: Final = 1_000
"""Dead letters that are told of one by one: no screen shows more."""


class Report:
    """A file that holds a case for the run, each operator and each dead letter.

    It is whole at any time: until the run has ended it says that it was cut off.

    Args:
        path: the file; one that is there is replaced.
        app: what runs.
        redacted: keeps secrets out of it.
    """

    def __init__(self, path: Path, app: EventScope, redacted: Callable[[str], str]) -> None:
        self._path = path
        self._app = app
        self._redacted = redacted
        self._began = datetime.now(UTC)
        self._letters: tuple[DeadLetter, ...] = ()

    def begin(self) -> None:
        """Write what stands until the run has ended.

        Raises:
            OutputError: there is no place for it.
        """
        if self._path.exists() and not self._path.is_file():
            raise OutputError(f"report {self._path} cannot be written: it is no file")
        error = _element("error", "it was cut off before it could say how it went", "CutOff")
        self._replace([self._run(error, 0.0), *self._operators(None, 0)], 0.0)

    def watch(self, engine: Engine) -> None:
        """Look at an engine's dead letters when it stops."""

        async def look() -> None:
            with suppress(QueueError):  # then it is what the run has failed at
                self._letters = await engine.ask(AllLetters())

        engine.before_it_closes(look)

    def write(
        self,
        code: int,
        failure: BaseException | None,
        snapshot: Snapshot | None,
        seconds: float,
    ) -> int:
        """Write how it went; returns the exit code, which says so if there is no place for it.

        Args:
            code: the exit code till then.
            failure: what has ended it.
            snapshot: the engine when it had ended; None if it was never up.
            seconds: how long it took.
        """
        cases = [
            self._run(_outcome(code, failure), seconds, snapshot),
            *self._operators(snapshot, code),
            *self._dead_letters(),
        ]
        try:
            self._replace(cases, seconds)
        except OutputError as error:
            say(str(error))
            return code or error.exit_code
        return code

    def _run(
        self, error: ET.Element | None, seconds: float, snapshot: Snapshot | None = None
    ) -> ET.Element:
        case = self._case("run", "run", error)
        case.set("time", f"{seconds:.3f}")
        if snapshot is not None:
            said = f"{snapshot.stream.events} events\n{snapshot.stream.detail}"
            ET.SubElement(case, "system-out").text = said.rstrip()
        return case

    def _operators(self, snapshot: Snapshot | None, code: int) -> Iterator[ET.Element]:
        if snapshot is None:
            for declared in self._app.operators:
                skipped = _element("skipped", "it did not start")
                yield self._case("operators", declared.name, skipped)
            return
        for operator in snapshot.operators:
            case = self._case("operators", operator.name, _ailment(operator, code))
            ET.SubElement(case, "system-out").text = (
                f"{operator.applied} applied, {operator.failed} failed, {operator.dead} dead, "
                f"{operator.depth} queued"
            )
            yield case

    def _dead_letters(self) -> Iterator[ET.Element]:
        dead = [letter for letter in self._letters if letter.next_retry is None]
        for letter in dead[:_MOST]:
            failure = _element("failure", letter.error, "dead letter", letter.traceback)
            yield self._case("dead letters", _named(letter), failure)
        if len(dead) > _MOST:
            others = f"{len(dead) - _MOST:,} more: see eventscope dead-letters list"
            failure = _element("failure", others, "dead letter")
            yield self._case("dead letters", "others", failure)

    def _case(self, group: str, name: str, result: ET.Element | None) -> ET.Element:
        case = ET.Element("testcase", classname=f"{self._app.name}.{group}", name=name)
        if result is not None:
            case.append(result)
        return case

    def _replace(self, cases: Iterable[ET.Element], seconds: float) -> None:
        """Write the file whole, or leave the one that is there; raises OutputError."""
        suite = ET.Element("testsuite", name=self._app.name)
        suite.extend(cases)
        counts = {
            "tests": len(suite),
            "failures": len(suite.findall("testcase/failure")),
            "errors": len(suite.findall("testcase/error")),
        }
        whole = ET.Element("testsuites", name="eventscope")
        whole.append(suite)
        for element in (suite, whole):
            for name, count in counts.items():
                element.set(name, str(count))
            element.set("time", f"{seconds:.3f}")
        suite.set("skipped", str(len(suite.findall("testcase/skipped"))))
        suite.set("timestamp", self._began.isoformat(timespec="seconds"))
        suite.set("hostname", socket.gethostname())
        self._make_harmless(whole)
        ET.indent(whole)
        self._put(ET.tostring(whole, encoding="utf-8", xml_declaration=True))

    def _make_harmless(self, whole: ET.Element) -> None:
        """Leave no secret in it, and nothing that XML has no room for."""
        for element in whole.iter():
            for name, text in element.attrib.items():
                element.set(name, safe_text(self._redacted(text)))
            if element.text:
                element.text = "\n".join(safe_lines(self._redacted(element.text)))

    def _put(self, data: bytes) -> None:
        new = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            try:
                new.write_bytes(data)
                new.replace(self._path)
            finally:
                new.unlink(missing_ok=True)
        except OSError as error:
            message = f"report {self._path} cannot be written: {error.strerror}"
            raise OutputError(message) from error


def _outcome(code: int, failure: BaseException | None) -> ET.Element | None:
    """What became of the run as a whole; operators speak for themselves."""
    if failure is not None:
        return _element("error", str(failure) or repr(failure), type(failure).__name__)
    if code == TIMED_OUT:
        return _element("error", "it has not caught up in time", "Timeout")
    if code == INTERRUPTED:
        return _element("error", "it was interrupted", "Interrupted")
    return None


def _ailment(operator: OperatorSnapshot, code: int) -> ET.Element | None:
    if operator.state == "halted":
        message = f"halted after {operator.attempts} attempts: {operator.error or operator.detail}"
        return _element("failure", message, "halted", operator.traceback)
    if code == TIMED_OUT and is_late(operator):
        why = operator.error or operator.detail
        message = f"still {operator.state}, {operator.depth} queued{f': {why}' if why else ''}"
        return _element("failure", message, "late", operator.traceback)
    if operator.paused:
        return _element("skipped", operator.detail or "paused")
    return None


def _named(letter: DeadLetter) -> str:
    """A name that no other letter has, with what is known of its event."""
    place = letter.event.place
    at = f" at event {EventId.of(*place)}" if place.end_lsn else ""
    target = f" of {', '.join(letter.target)}" if letter.target is not None else ""
    return f"{letter.operator}: dead letter {letter.id}{target}{at}"


def _element(kind: str, message: str, type_: str = "", text: str | None = None) -> ET.Element:
    element = ET.Element(kind, message=message)
    if type_:
        element.set("type", type_)
    element.text = text or message  # GitLab shows the text alone
    return element
