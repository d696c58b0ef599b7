"""``python -m eventscope`` and the ``eventscope`` command."""

from __future__ import annotations

import gc
import sys

import click

from eventscope.cli import cli
from eventscope.errors import EventScopeError


def main() -> None:
    """Run the command line; errors that a person can mend become one line."""
    gc.set_threshold(_ALLOCATIONS)
    try:
        code = cli(standalone_mode=False)
    except EventScopeError as error:
        _complain(str(error))
        code = error.exit_code
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = 130
    sys.exit(code if isinstance(code, int) else 0)


_ALLOCATIONS = 50_000
"""Between two looks for garbage: Python's 700 cost a tenth of the start, which makes none."""


def _complain(message: str) -> None:
    from eventscope.inspection.text import safe_text

    print(f"eventscope: {safe_text(message, limit=4_000)}", file=sys.stderr)


if __name__ == "__main__":
    main()
