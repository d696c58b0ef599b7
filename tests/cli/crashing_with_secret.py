"""``eventscope run shop.py`` with a dashboard that crashes, and quotes the password."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from eventscope.__main__ import main
from eventscope.tui.screens.dashboard import Dashboard


def crash(_: Dashboard, *__: Any) -> None:
    secret = Path("secret").read_text("utf-8")
    raise RuntimeError(f"{secret} {secret!r}")


if __name__ == "__main__":
    Dashboard.draw_frame = crash  # type: ignore[method-assign]
    sys.argv = ["eventscope", "run", "shop.py"]
    main()
