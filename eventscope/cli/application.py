"""Loading the application that a command is given."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType

from eventscope.app import EventScope
from eventscope.errors import EventScopeError
from eventscope.settings import SettingsError


class ApplicationError(EventScopeError):
    """An APP that cannot be loaded; the message says where it fails."""


def load(target: str) -> EventScope:
    """Load ``module:attribute``, ``path/to/file.py[:attribute]`` or a package.

    The attribute is ``app`` by default, as in uvicorn.

    Raises:
        ApplicationError: naming the file and line, or what there is instead.
    """
    place, _, attribute = target.partition(":")
    module = _import_file(Path(place)) if place.endswith(".py") else _import_module(place)
    found = module
    for name in (attribute or "app").split("."):
        found = getattr(found, name, None)  # type: ignore[assignment]
    if not isinstance(found, EventScope):
        there = [name for name, value in vars(module).items() if isinstance(value, EventScope)]
        hint = f"; there is {place}:{there[0]}" if there else "; want app = EventScope(...)"
        raise ApplicationError(f"{place} has no EventScope named {attribute or 'app'}{hint}")
    return found


def require_tables(app: EventScope) -> None:
    """Check that an application follows a table at all; raises SettingsError."""
    if not app.entities:
        raise SettingsError(
            f"application {app.name!r} follows no table: declare one with app.entity()"
        )


def _import_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise ApplicationError(f"APP {path}: there is no such file")
    sys.path.insert(0, str(path.resolve().parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ApplicationError(f"APP {path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise _failed(str(path), error) from error
    return module


def _import_module(name: str) -> ModuleType:
    sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            raise ApplicationError(
                f"APP {name}: there is no module {error.name} in {Path.cwd()} or among the "
                f"installed packages; want module:attribute or path/to/file.py"
            ) from None
        raise _failed(name, error) from error
    except Exception as error:
        raise _failed(name, error) from error


def _failed(name: str, error: Exception) -> ApplicationError:
    """Say in one line what an import raised, and where in the user's own code."""
    if isinstance(error, SyntaxError) and error.filename:
        place = f"{error.filename}:{error.lineno}"
        return ApplicationError(f"APP {name}: {place}: {type(error).__name__}: {error.msg}")
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "importlib" not in frame.filename and not frame.filename.startswith(_OURS)
    ]
    place = f"{frames[-1].filename}:{frames[-1].lineno}: " if frames else ""
    return ApplicationError(f"APP {name}: {place}{type(error).__name__}: {error}")


_OURS = str(Path(__file__).resolve().parent.parent)
