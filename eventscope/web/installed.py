"""Checks, when it is imported, that the extra ``web`` is installed."""

from importlib.util import find_spec
from typing import Final

_NEEDED: Final = {"starlette": "Starlette", "sse_starlette": "sse-starlette"}

for _module, _name in _NEEDED.items():
    if find_spec(_module) is None:
        raise ImportError(
            f"eventscope.web needs {_name}, which is not installed: pip install 'eventscope[web]'"
        )
