"""``run --report``: what a CI system is told of a run, however it ends."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from junitparser import JUnitXml, TestCase

from eventscope import EventScope
from eventscope.cli.report import Report
from eventscope.errors import EventScopeError
from eventscope.operators.redaction import Redaction
from eventscope.settings import Settings
from tests.cli.shop import Shop
from tests.programs import running
from tests.waiting import until_async

ENDS = ("--until", "caught-up", "--timeout", "60")


def cases(path: Path) -> dict[str, TestCase]:
    """The cases by name, as a program reads them that is not ours; checks what must add up."""
    whole = JUnitXml.fromfile(str(path))
    [suite] = whole
    found = {case.name: case for case in suite}
    assert len(found) == suite.tests, "GitLab drops a case whose name another one has"
    assert whole.tests == suite.tests
    assert suite.failures == sum(case.is_failure for case in suite)
    assert suite.errors == sum(case.is_error for case in suite)
    assert suite.skipped == sum(case.is_skipped for case in suite)
    assert allowed(path)
    return found


def allowed(path: Path) -> bool:
    """Whether it has no more than Jenkins' schema has (xunit-plugin, junit-10.xsd)."""
    results, said = {"failure", "error", "skipped"}, {"system-out"}
    inside = {
        "testsuites": ({"testsuite"}, {"name", "time", "tests", "failures", "errors"}),
        "testsuite": (
            {"testcase"},
            {"name", "tests", "failures", "errors", "skipped", "time", "timestamp", "hostname"},
        ),
        "testcase": (results | said, {"name", "classname", "time"}),
        **dict.fromkeys(results, (set(), {"message", "type"})),
        **dict.fromkeys(said, (set(), set())),
    }
    return all(
        {child.tag for child in element} <= inside[element.tag][0]
        and element.attrib.keys() <= inside[element.tag][1]
        for element in ET.parse(path).iter()
    )


def message(case: TestCase) -> str:
    return "; ".join(str(result.message) for result in case.result)


async def prepared(shop: Shop) -> None:
    """The slot is there."""
    async with shop.running() as program:
        await shop.stop(program)


async def test_every_operator_and_dead_letter_is_a_case(shop: Shop) -> None:
    await prepared(shop)
    await shop.notes(1, 2)
    run = await shop.ask("run", "shop.py", *ENDS, "--report", "out/junit.xml")
    assert run.returncode == 1, run.stderr
    found = cases(shop.folder / "out" / "junit.xml")
    assert found["run"].is_passed, "what operators do wrong is theirs"
    assert found["good"].is_passed
    assert "2 applied, 0 failed, 0 dead, 0 queued" in found["good"].system_out
    assert found["copies"].classname == "shop.operators"
    assert found["bad"].is_failure
    assert message(found["bad"]).startswith("halted after 2 attempts: ")
    [halted] = found["bad"].result
    assert "raise ValueError" in halted.text
    letters = [case for case in found.values() if case.classname == "shop.dead letters"]
    assert len(letters) == 2
    assert all(letter.is_failure and "never" in message(letter) for letter in letters)
    listed = json.loads((await shop.ask("dead-letters", "list", "--json")).stdout)
    for letter in listed["dead_letters"]:
        assert f"giving up: dead letter {letter['id']} at event {letter['event_id']}" in found


async def test_what_no_xml_may_hold_is_shown_by_its_sign(shop: Shop) -> None:
    (shop.folder / "shop.py").write_text(
        "from eventscope import EventScope\n"
        "app = EventScope('shop')\n"
        "@app.operator(entities=['notes'], on_failure='dead_letter', name='<a> & \\x1b[31m')\n"
        "def fail(event):\n"
        "    raise ValueError(']]>\\x00\\x08\\ufffe\\udcff<b>\\u202e')\n"
    )
    await prepared(shop)
    await shop.notes(1)
    assert (await shop.ask("run", "shop.py", *ENDS, "--report", "r.xml")).returncode == 1
    found = cases(shop.folder / "r.xml")
    assert "<a> & ␛[31m" in found
    [letter] = [case for case in found.values() if case.is_failure]
    assert "]]>␀␈<U+FFFE>" in message(letter)
    assert "<b><U+202E>" in message(letter)


def test_no_password_gets_into_it(tmp_path: Path) -> None:
    settings = Settings.load(url="postgresql://me:canary-in-the-mine@localhost/shop")
    path = tmp_path / "r.xml"
    report = Report(path, EventScope("shop"), Redaction(settings))
    failure = EventScopeError("canary-in-the-mine, password=guess, postgresql://me:sesame@host/x")
    report.write(3, failure, None, 1.0)
    told = message(cases(path)["run"])
    assert told == "***, password=***, postgresql://me:***@host/x"
    assert not re.search("canary|guess|sesame", path.read_text())


async def test_a_timeout_names_who_is_late(shop: Shop) -> None:
    await prepared(shop)
    await shop.ask("pause", "good")
    await shop.notes(1)
    ends = ("--until", "caught-up", "--timeout", "1")
    assert (await shop.ask("run", "shop.py", *ends, "--report", "r.xml")).returncode == 4
    found = cases(shop.folder / "r.xml")
    assert message(found["run"]) == "it has not caught up in time"
    assert message(found["good"]).startswith("still paused, 1 queued: paused by ")
    assert found["bad"].is_failure
    assert found["copies"].is_passed


async def test_a_paused_operator_that_has_nothing_to_do_is_skipped(shop: Shop) -> None:
    (shop.folder / "mended").touch()
    await prepared(shop)
    await shop.ask("pause", "good")
    async with running(
        "run", "shop.py", "--headless", "--report", "r.xml", cwd=shop.folder
    ) as program:
        await program.line(lambda line: "streaming" in str(line))
        program.terminate()
        assert await program.ended() == 0
    found = cases(shop.folder / "r.xml")
    assert found["good"].is_skipped
    assert found["run"].is_passed


async def test_a_server_that_cannot_be_reached_is_an_error_of_the_run(shop: Shop) -> None:
    run = await shop.ask(
        "run", "shop.py", *ENDS, "--report", "r.xml", "--url", "postgresql://nobody@localhost:1/x"
    )
    assert run.returncode == 3
    found = cases(shop.folder / "r.xml")
    assert found["run"].is_error
    assert message(found["run"]) in run.stderr
    assert found["good"].is_skipped


async def test_what_ends_a_run_from_within_is_an_error_of_the_run(shop: Shop) -> None:
    async with running(
        "run", "shop.py", "--headless", "--report", "r.xml", cwd=shop.folder
    ) as program:
        await program.line(lambda line: "streaming" in str(line))
        await shop.notes(1)
        await shop.until_dead("giving up")
        await shop.sql("drop publication events")
        await shop.notes(2)
        assert await program.ended() == 3
    found = cases(shop.folder / "r.xml")
    assert "publication events does not exist any more" in message(found["run"])
    assert [name for name in found if name.startswith("giving up: dead letter 1 at event 0/")]


async def test_until_the_end_it_says_that_it_was_cut_off(shop: Shop) -> None:
    (shop.folder / "r.xml").write_text("of another run")
    async with running(
        "run", "shop.py", "--headless", "--report", "r.xml", cwd=shop.folder
    ) as program:
        await program.line(lambda line: "streaming" in str(line))
        program.signal(signal.SIGKILL)
        await program.ended()
    found = cases(shop.folder / "r.xml")
    assert message(found["run"]).startswith("it was cut off")
    assert [*shop.folder.glob(".r.xml*")] == []


async def test_a_run_that_was_interrupted_says_so(shop: Shop) -> None:
    await prepared(shop)
    await shop.ask("pause", "good")
    await shop.notes(1)
    async with running(
        "run", "shop.py", "--until", "caught-up", "--report", "r.xml", cwd=shop.folder
    ) as program:

        async def is_at_work() -> bool:
            return "streaming" in (await shop.ask("status")).stdout

        await until_async(is_at_work)
        program.terminate()
        assert await program.ended() == 130, "what was to be done is not done"
    assert message(cases(shop.folder / "r.xml")["run"]) == "it was interrupted"


@pytest.mark.parametrize("place", ["a-file/r.xml", "/proc/r.xml", "/dev/null"])
async def test_a_place_that_cannot_be_written_is_refused_before_anything_runs(
    shop: Shop, place: str
) -> None:
    (shop.folder / "a-file").touch()
    run = await shop.ask("run", "shop.py", *ENDS, "--report", place)
    assert run.returncode == 2, run.stderr
    assert f"report {place} cannot be written: " in run.stderr
    assert not shop.queue.exists()


def test_one_that_cannot_be_written_any_more_is_said_and_stays_as_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "out"
    report = Report(folder / "r.xml", EventScope("shop"), str)
    report.begin()
    folder.rename(tmp_path / "away")
    folder.touch()
    assert report.write(0, None, None, 1.0) == 1
    assert report.write(4, None, None, 1.0) == 4, "which says more"
    assert f"report {folder / 'r.xml'} cannot be written: " in capsys.readouterr().err
    assert cases(tmp_path / "away" / "r.xml")["run"].is_error
