from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from eventscope import failpoints
from eventscope.failpoints import AFTER_APPEND, AFTER_EFFECT, FailpointError, hit


@pytest.fixture
def arm():
    yield failpoints.arm
    failpoints.arm("")


def test_a_failpoint_that_is_not_armed_does_nothing(arm):
    arm("")
    hit(AFTER_APPEND)


def test_an_armed_failpoint_raises_once(arm):
    arm("after-append:raise")
    hit(AFTER_EFFECT)
    with pytest.raises(FailpointError, match="after-append"):
        hit(AFTER_APPEND)
    hit(AFTER_APPEND)


def test_an_armed_failpoint_waits_for_its_passage(arm):
    arm("after-append:3:raise")
    hit(AFTER_APPEND)
    hit(AFTER_APPEND)
    with pytest.raises(FailpointError):
        hit(AFTER_APPEND)


@pytest.mark.parametrize(
    "text",
    ["after-append", "elsewhere:raise", "after-append:explode", "after-append:1:2:kill",
     "after-append:x:kill", "after-append:0:kill"],
)  # fmt: skip
def test_what_cannot_be_armed_says_what_can(arm, text):
    with pytest.raises(ValueError, match=r"EVENTSCOPE_FAILPOINT=.*want name\[:nth\]"):
        arm(text)


def test_a_failpoint_of_the_environment_kills_the_process():
    script = "from eventscope.failpoints import hit; hit('after-append'); print('alive')"
    result = subprocess.run(
        [sys.executable, "-c", script],
        env={"EVENTSCOPE_FAILPOINT": "after-append:kill"},
        capture_output=True,
        check=False,
    )
    assert result.returncode == -signal.SIGKILL
    assert result.stdout == b""
