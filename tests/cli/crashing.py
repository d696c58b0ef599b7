"""``eventscope demo`` with a dashboard that crashes."""

from __future__ import annotations

import sys
from typing import Any

from eventscope.__main__ import main
from eventscope.tui.screens.dashboard import Dashboard


def crash(_: Dashboard, *__: Any) -> None:
    raise RuntimeError("this must be seen \x1b]0;owned\x07")


if __name__ == "__main__":
    Dashboard.draw_frame = crash  # type: ignore[method-assign]
    sys.argv = ["eventscope", "demo"]
    main()
