"""CPU until something is on the screen, until the dashboard is, and of ``eventscope --help``.

``python -m tests.benchmarks.start`` prints the median and the worst of several runs beside the
budgets of DESIGN, and beside a Textual program that shows one word. The first two are ``eventscope
run`` in a terminal, against a server of its own, watched from outside: the first paint is the first
word on the screen, the dashboard has its panes and is reading.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import pexpect

from tests.servers import create_blog, fresh_database, running_server

RUNS = 7
# an installed program has its bytecode compiled; the first run here compiles it
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

_APP = """
from eventscope import EventScope

app = EventScope("start")
app.entity("posts")
app.entity("comments")


@app.operator(entities=["comments"])
async def watch(event):
    pass
"""


_BARE = """
from textual.app import App
from textual.widgets import Static


class Bare(App):
    BINDINGS = [("q", "quit", "Quit")]

    def compose(self):
        yield Static("Starting")


Bare().run()
"""


def dashboard(url: str) -> tuple[float, float]:
    """CPU seconds from the start of Python to the first word, and to the dashboard at work."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "application.py").write_text(_APP)
        run = ["-m", "eventscope", "run", "application.py", "--url", url]
        first, whole = _until_shown(run, ["Starting", "LIVE"], folder)
        return first, whole


def bare() -> float:
    """CPU seconds of a program that does nothing but show a word."""
    with tempfile.TemporaryDirectory() as folder:
        return _until_shown(["-c", _BARE], ["Starting"], folder)[0]


def _until_shown(arguments: list[str], words: list[str], folder: str) -> list[float]:
    program = pexpect.spawn(
        sys.executable,
        arguments,
        cwd=folder,
        dimensions=(50, 160),
        env={
            **os.environ,
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "XDG_STATE_HOME": folder,
        },
    )
    found = []
    for word in words:
        program.expect(word)
        found.append(cpu(program.pid))
    program.send("q")
    program.expect(pexpect.EOF)
    return found


def cpu(process: int) -> float:
    """Seconds that all threads of a process have run (proc(5), ``schedstat``)."""
    tasks = Path(f"/proc/{process}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def help_text() -> float:
    """CPU seconds of ``eventscope --help``."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "eventscope", "--help"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    with running_server() as server, fresh_database(server) as url:
        create_blog(url)
        dashboard(url)
        painted = [dashboard(url) for _ in range(RUNS)]
    print(f"{'':24} {'median':>8} {'worst':>8} {'budget':>8}  (seconds of CPU)")
    for what, found, budget in (
        ("first paint", [first for first, _ in painted], "0.60"),
        ("dashboard, reading", [whole for _, whole in painted], ""),
        ("a word in Textual", [bare() for _ in range(RUNS)], ""),
        ("eventscope --help", [help_text() for _ in range(RUNS)], "0.15"),
    ):
        print(f"{what:24} {statistics.median(found):8.3f} {max(found):8.3f} {budget:>8}")


if __name__ == "__main__":
    main()
