"""Finding the queue file that a command is about."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from eventscope.app import EventScope
from eventscope.cli import application
from eventscope.errors import EventScopeError
from eventscope.settings import Settings

_CURE = "give --app APP, --queue-path or --slot-name"


class NoQueueFile(EventScopeError):
    """No queue file, or nothing that tells which of several; the message says what to give."""


@dataclass(frozen=True, slots=True)
class QueueFile:
    """A queue file that exists, and the settings by which it was found."""

    path: Path
    settings: Settings
    app: EventScope | None
    """The application, if it was given."""


def find(settings: Settings, target: str | None) -> QueueFile:
    """Find the queue file by ``queue_path``, APP or ``app_name``, or the only one of the slot.

    Args:
        settings: naming it, or the slot.
        target: APP as it was given, if it was.

    Raises:
        NoQueueFile: there is none, or there are several.
        ApplicationError: APP cannot be loaded.
    """
    if settings.queue_storage_adapter != "sqlite":
        raise NoQueueFile(
            f"setting queue_storage_adapter is {settings.queue_storage_adapter}: there is no queue "
            f"file through which another process could be asked"
        )
    app = application.load(target) if target is not None else None
    if settings.queue_path is None and app is None and settings.app_name is None:
        return QueueFile(_only_one(settings.slot_name), settings, None)
    path = settings.queue_file(app.name if app is not None else "")
    if not path.exists():
        raise NoQueueFile(f"there is no queue file {path}; eventscope run makes it")
    return QueueFile(path, settings, app)


def _only_one(slot: str) -> Path:
    found = sorted(Path(".eventscope").glob(f"*-{slot}.db"))
    if not found:
        raise NoQueueFile(
            f"there is no queue file of slot {slot} in {Path('.eventscope').resolve()}; {_CURE}"
        )
    if len(found) > 1:
        names = ", ".join(map(str, found))
        raise NoQueueFile(f"there are several queue files of slot {slot}: {names}; {_CURE}")
    return found[0]
