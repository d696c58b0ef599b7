"""Checks, when it is imported, that the extra ``web`` is installed."""

from importlib import import_module
from typing import Final

_NEEDED: Final = {"starlette": "Starlette", "sse_starlette": "sse-starlette"}

for _module, _name in _NEEDED.items():
    try:
        import_module(_module)
    except ModuleNotFoundError as error:
        if error.name != _module:
            raise
        raise ImportError(
            f"eventscope.web needs {_name}, which is not installed: pip install 'eventscope[web]'"
        ) from None
