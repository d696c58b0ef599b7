"""``python -m eventscope`` and the ``eventscope`` command."""

from __future__ import annotations

import gc
import io
import sys

import click

from eventscope.cli import cli
from eventscope.errors import EventScopeError


def main() -> None:
    """Run the command line; errors that a person can mend become one line."""
    gc.set_threshold(ALLOCATIONS)
    try:
        code = cli(standalone_mode=False)
    except EventScopeError as error:
        _complain(str(error))
        code = error.exit_code
    except click.ClickException as error:
        said = io.StringIO()
        error.show(said)
        print(_told(said.getvalue()), end="", file=sys.stderr)
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = 130
    except Exception as error:  # ours: the traceback is for who mends it
        _explain(error)
        code = 1
    sys.exit(code if isinstance(code, int) else 0)


ALLOCATIONS = 50_000
"""Between two looks for garbage: Python's 700 cost a tenth of the start, which makes none."""


def _complain(message: str) -> None:
    from eventscope.inspection.text import safe_text

    print(f"eventscope: {safe_text(_told(message), limit=4_000)}", file=sys.stderr)


def _explain(error: Exception) -> None:
    import traceback

    from eventscope.inspection.text import safe_lines

    text = _told("".join(traceback.format_exception(error)))
    print("\n".join(safe_lines(text.rstrip())), file=sys.stderr)


def _told(message: str) -> str:
    """A message as it may be told: without passwords."""
    from eventscope.cli.secrecy import redacted

    return redacted(message)


if __name__ == "__main__":
    main()
