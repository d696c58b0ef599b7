"""The dashboard as a program of its own, for tests that watch a real terminal."""

from __future__ import annotations

import sys
import threading

from eventscope.tui.app import EventScopeApp
from tests.events import an_insert, an_update
from tests.tui.scripted import ScriptedEngine, an_operator

HOSTILE = (
    "\x1b]52;c;ZXZpbA==\x07\x1b]0;owned\x07\x9d52;c;ZXZpbA==\x9c\x1b[?1049l[/][@click=app.quit]"
)


def main() -> int:
    engine = ScriptedEngine(
        an_operator("search_index", state="running"),
        an_operator(HOSTILE, state="halted", error=HOSTILE),
    )
    engine.emit(an_insert(HOSTILE, {"id": HOSTILE, HOSTILE: HOSTILE}))
    done = threading.Event()

    def work() -> None:
        number = 0
        while not done.wait(0.01):
            number += 1
            engine.emit(an_update("orders", {"id": number, "note": HOSTILE}, {"note": "gone"}))

    worker = threading.Thread(target=work)
    worker.start()
    app = EventScopeApp(engine)
    app.run()
    done.set()
    worker.join()
    return app.return_code or 0


if __name__ == "__main__":
    sys.exit(main())
