"""Loading the application that a command is given."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from eventscope.app import EventScope
from eventscope.errors import EventScopeError
from eventscope.settings import SettingsError


class ApplicationError(EventScopeError):
    """An APP that cannot be loaded; the message says where it fails.

    Attributes:
        reason: what was raised; the whole message if nothing was.
        file: where it was raised; None if not by the application's own code.
        line: the number of the line there, from 1.
        files: those of the application that took part in it.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: str = "",
        places: Sequence[tuple[str, int]] = (),
    ) -> None:
        super().__init__(message)
        self.reason = reason or message
        file, self.line = places[-1] if places else (None, 0)
        self.file = Path(file) if file is not None else None
        self.files = tuple(dict.fromkeys(Path(file) for file, _ in places))


def load(target: str) -> EventScope:
    """Load ``module:attribute``, ``path/to/file.py[:attribute]`` or a package.

    The attribute is ``app`` by default, as in uvicorn. It can be loaded anew after an error.

    Raises:
        ApplicationError: naming the file and line, or what there is instead.
    """
    place, _, attribute = target.partition(":")
    with _forgotten_on_error():
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


@contextmanager
def _forgotten_on_error() -> Iterator[None]:
    """Have what was imported of the application be imported again, once it is mended."""
    before = dict(sys.modules)
    importlib.invalidate_caches()
    try:
        yield
    except ApplicationError as error:
        new = {n: module for n, module in sys.modules.items() if before.get(n) is not module}
        files = {name: getattr(module, "__file__", None) or "" for name, module in new.items()}
        own = {name: file for name, file in files.items() if _is_own(file)}
        for name in own:  # one module may have several
            del sys.modules[name]
        error.files = tuple(dict.fromkeys([*error.files, *map(Path, own.values())]))
        raise


def _is_own(file: str) -> bool:
    """Whether it is the application's, and no installed package's."""
    is_installed = "site-packages" in Path(file).parts or file.startswith((_OURS, _PYTHONS))
    return file.endswith(".py") and not is_installed


def _import_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise ApplicationError(f"APP {path}: there is no such file")
    _search(path.resolve().parent)
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
    _search(Path.cwd())
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


def _search(folder: Path) -> None:
    """Have modules be looked for in a folder first."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def _failed(name: str, error: Exception) -> ApplicationError:
    """Say in one line what an import raised, and where in the user's own code."""
    frames = traceback.extract_tb(error.__traceback__)
    places = [(frame.filename, frame.lineno or 0) for frame in frames if _is_own(frame.filename)]
    reason = f"{type(error).__name__}: {error}"
    if isinstance(error, SyntaxError) and error.filename:
        places.append((error.filename, error.lineno or 0))
        reason = f"{type(error).__name__}: {error.msg}"
    place = "{}:{}: ".format(*places[-1]) if places else ""
    return ApplicationError(f"APP {name}: {place}{reason}", reason=reason, places=places)


_OURS = str(Path(__file__).resolve().parent.parent)
_PYTHONS = str(Path(importlib.__file__).resolve().parent.parent)
"""Where the standard library lies."""
