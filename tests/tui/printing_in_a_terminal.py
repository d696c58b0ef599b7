"""A dashboard with handlers and libraries that print and log beside it, before, while and after."""

from __future__ import annotations

import logging
import sys
import tempfile
import threading
from pathlib import Path

from eventscope.cli.log import log_to_file
from eventscope.cli.log_records import shown
from eventscope.operators.redaction import Redaction
from eventscope.operators.whereabouts import WHEREABOUTS, Whereabouts
from eventscope.settings import Settings
from eventscope.tui.app import EventScopeApp
from eventscope.tui.prints import prints_in_log
from tests.events import an_insert
from tests.tui.in_a_terminal import HOSTILE
from tests.tui.scripted import ScriptedEngine, an_operator


def main() -> int:
    engine = ScriptedEngine(an_operator("printer", state="running"))
    engine.emit(an_insert("orders", {"id": 1}))
    done = threading.Event()

    def work() -> None:
        WHEREABOUTS.set(Whereabouts("printer"))
        number = 0
        while not done.wait(0.01):
            number += 1
            print("printed", number, HOSTILE)
            print("complained", number, HOSTILE, file=sys.stderr)
            logging.getLogger("library").warning("logged %d %s", number, HOSTILE)

    with tempfile.TemporaryDirectory() as directory:
        redacted = Redaction(Settings.load())
        log_to_file(Path(directory, "eventscope.log"), *shown(engine.log, redacted))
        worker = threading.Thread(target=work)
        with prints_in_log():
            print("before the dashboard")
            worker.start()
            app = EventScopeApp(engine)
            app.run()
            done.set()
            worker.join()
        print("after the dashboard")
    return app.return_code or 0


if __name__ == "__main__":
    sys.exit(main())
