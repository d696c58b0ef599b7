"""Every setting, its default and its sources.

A value comes from the first of: the command line (or the arguments of ``Settings``), the
environment (``EVENTSCOPE_*``), ``eventscope.toml`` or ``[tool.eventscope]`` in
``pyproject.toml``, libpq's own ``DATABASE_URL`` and ``PG*``, the default.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from eventscope.errors import EventScopeError

ENV_PREFIX = "EVENTSCOPE_"
CONFIG_VARIABLE = "EVENTSCOPE_CONFIG"
"""Names another settings file."""

_NOT_SETTINGS = {CONFIG_VARIABLE, "EVENTSCOPE_FAILPOINT"}
_LIBPQ = {
    "PGHOST": "hostname",
    "PGPORT": "port",
    "PGDATABASE": "database",
    "PGUSER": "username",
    "PGPASSWORD": "password",
}
PARTS = frozenset(_LIBPQ.values())
"""What ``url`` says in one."""


class SettingsError(EventScopeError):
    """A settings key or value that cannot be; the message names it, its source and the cure."""


class Ui(BaseModel):
    """How the dashboard looks and is used."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    theme: str = "eventscope"
    """The colours, by a theme's name."""
    ascii: Annotated[bool | None, Field(examples=[True])] = None
    """Whether to draw with ASCII alone; by default where the terminal's encoding is not UTF-8."""
    mouse: bool = True
    """Whether the dashboard takes the mouse from the terminal."""
    keys: dict[str, str] = {}
    """Other keys for actions: by the id of a binding, keys with commas between them."""
    filters: dict[str, str] = {}
    """Saved filters by name."""


class Metrics(BaseModel):
    """Where ``run`` serves metrics and health."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    port: Annotated[int | None, Field(ge=0, le=65535, examples=[9187])] = None
    """The port of ``/metrics``, ``/livez`` and ``/readyz``; none by default. 0: any free one."""
    host: str = "127.0.0.1"
    """The address to listen at; ``0.0.0.0`` for everybody who can reach this machine."""


class Settings(BaseSettings):
    """The settings of one engine. Times are in milliseconds, as in EventStreamex."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    app_name: Annotated[str | None, Field(examples=["blog"])] = None
    """Names the queue file and the connections; by default the name given to ``EventScope``."""
    url: Annotated[
        SecretStr | None, Field(examples=["postgresql://user:password@localhost:5432/database"])
    ] = None
    """A libpq connection string or URL; wins over the parts below."""
    hostname: str = "localhost"
    """The server's name or address, or the folder of its socket."""
    port: Annotated[int, Field(ge=1, le=65535)] = 5432
    """The server's port."""
    database: str = "postgres"
    """The database to read."""
    username: str = "postgres"
    """The role to connect as; it needs REPLICATION."""
    password: SecretStr = SecretStr("postgres")
    """The role's password. One in libpq's password file is used if none is given here."""
    publication: Annotated[str, Field(min_length=1, max_length=63)] = "events"
    """The publication to read; created with the tables of the application if it is missing."""
    slot_name: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,63}$")] = "postgres_slot"
    """The replication slot to read; created if it is missing."""
    durable_slot: bool = True
    """Whether the slot outlives the process. A temporary one starts at now each time."""
    replica_identity: Literal["keep", "full"] = "keep"
    """``full``: set REPLICA IDENTITY FULL on tables whose operators need old values."""
    queue_storage_adapter: str = "sqlite"
    """What holds the queue: ``sqlite``, ``memory``, or ``package.module:Class``."""
    queue_path: Annotated[Path | None, Field(examples=[".eventscope/blog-postgres_slot.db"])] = None
    """The queue file; by default ``.eventscope/<app_name>-<slot_name>.db``."""
    retention_events: Annotated[int, Field(ge=0)] = 100_000
    """Events to keep for history after every operator has passed them."""
    retention_bytes: Annotated[int, Field(ge=0)] = 256 * 1024 * 1024
    """Bytes of the queue file beyond which history is given up earlier."""
    acknowledge: Annotated[
        Literal["stored", "applied"] | None, Field(examples=["stored", "applied"])
    ] = None
    """When the server may forget a change: as soon as it is ``stored`` safely in the queue file,
    which is the default, or only when it is ``applied`` by every operator."""
    exactly_once: bool = True
    """Whether operators note in the database how far they have come, in schema ``eventscope``
    and in one transaction with what they write. Without it a crash may apply an event twice."""
    operator_queue_min_restart_time: Annotated[int, Field(ge=0)] = 500
    """Milliseconds to wait after the first failure of an operator."""
    operator_queue_backoff_multiplicator: Annotated[float, Field(ge=1)] = 2.0
    """Factor from one wait to the next."""
    operator_queue_max_restart_time: Annotated[int, Field(ge=0)] = 10_000
    """The longest wait in milliseconds."""
    operator_queue_max_retries: Annotated[int, Field(ge=0)] = 5
    """Retries of one event before the operator halts."""
    error_logger_adapter: str = "log"
    """What is told of failures: ``log``, or ``package.module:Class``."""
    pubsub: str = "local"
    """What carries messages to listeners: ``local``, or ``package.module:Class``."""
    traces: bool = False
    """Whether to make OpenTelemetry spans of transactions and of what operators do with them."""
    metrics: Metrics = Metrics()
    """Where metrics and health are served."""
    ui: Ui = Ui()
    """How the dashboard looks and is used."""

    @field_validator("acknowledge")
    @classmethod
    def _keeps_what_it_acknowledges(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value == "stored" and info.data.get("queue_storage_adapter") == "memory":
            raise PydanticCustomError(
                "forgetful",
                "a queue in memory loses with the process what is stored there;"
                " leave acknowledge out, or say applied",
            )
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources, first wins."""
        return (
            init_settings,
            EnvironmentSource(settings_cls),
            FileSource(settings_cls),
            LibpqSource(settings_cls),
        )

    @classmethod
    def load(cls, **overrides: Any) -> Self:
        """Read the settings; ``overrides`` come from the command line.

        Raises:
            SettingsError: naming the key, where it stands, and what would be right.
        """
        try:
            return cls(**overrides)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, first["loc"])) or "settings"
            place = None if is_at(overrides, key) else origin(key)
            raise SettingsError(
                f"{place or f'setting {key}'}: {_explain(first['type'], first['msg'], key)}"
            ) from None

    @property
    def holds_back(self) -> bool:
        """Whether the slot is held back until every operator has applied what it holds."""
        if self.acknowledge is not None:
            return self.acknowledge == "applied"
        return self.queue_storage_adapter == "memory"

    def queue_file(self, app_name: str) -> Path:
        """The path of the queue file."""
        if self.queue_path is not None:
            return self.queue_path
        return Path(".eventscope") / f"{self.app_name or app_name}-{self.slot_name}.db"

    def connection_parameters(self) -> dict[str, str]:
        """The connection as libpq parameters, or ``{}`` where ``url`` says it all."""
        if self.url is not None:
            return {}
        parts = {
            "hostname": ("host", self.hostname),
            "port": ("port", str(self.port)),
            "database": ("dbname", self.database),
            "username": ("user", self.username),
            "password": ("password", self.password.get_secret_value()),
        }
        given = self.model_fields_set & parts.keys()
        if "PGSERVICE" not in os.environ:
            given |= parts.keys() - ({"password"} if libpq_has_passwords() else set())
        return {name: value for part, (name, value) in parts.items() if part in given}


_GROUPS: dict[str, type[BaseModel]] = {"metrics": Metrics, "ui": Ui}


def nested(flat: dict[str, Any]) -> dict[str, Any]:
    """Put what is called ``ui.theme`` into a group ``ui``."""
    tree: dict[str, Any] = {}
    for path, value in sorted(flat.items()):
        group, dot, key = path.partition(".")
        if dot and group in _GROUPS and isinstance(tree.setdefault(group, {}), dict):
            tree[group][key] = value
        else:
            tree[path] = value
    return tree


class EnvironmentSource(PydanticBaseSettingsSource):
    """``EVENTSCOPE_*`` variables."""

    def __call__(self) -> dict[str, Any]:
        """Read what the environment sets, known or not; an empty variable sets nothing.

        ``EVENTSCOPE_UI__THEME`` is ``theme`` of ``ui``.
        """
        return nested(
            {
                name.removeprefix(ENV_PREFIX).lower().replace("__", "."): value
                for name, value in os.environ.items()
                if value and name.startswith(ENV_PREFIX) and name not in _NOT_SETTINGS
            }
        )

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        """Not asked for: the whole dict is built at once."""
        raise NotImplementedError


class FileSource(EnvironmentSource):
    """``eventscope.toml``, or ``[tool.eventscope]`` in ``pyproject.toml``."""

    def __call__(self) -> dict[str, Any]:
        """Read what the file sets, known or not."""
        return _read_file()[1]


class LibpqSource(EnvironmentSource):
    """libpq's own variables, where nothing before them tells of a connection."""

    def __call__(self) -> dict[str, Any]:
        """Read what libpq would use."""
        known = self.current_state
        if "url" in known:
            return {}
        url = os.environ.get("DATABASE_URL")
        if url and not PARTS & known.keys():
            return {"url": url}
        return {
            key: os.environ[name]
            for name, key in _LIBPQ.items()
            if os.environ.get(name) and key not in known
        }


def _read_file() -> tuple[Path | None, dict[str, Any]]:
    named = os.environ.get(CONFIG_VARIABLE)
    if named:
        return Path(named), _section(Path(named))
    for path in (Path("eventscope.toml"), Path("pyproject.toml")):
        if path.is_file() and (section := _section(path)):
            return path, section
    return None, {}


def _section(path: Path) -> dict[str, Any]:
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise SettingsError(f"{path}: not TOML: {error}") from None
    if path.name != "pyproject.toml":
        return document
    section = document.get("tool", {}).get("eventscope", {})
    if not isinstance(section, dict):
        raise SettingsError(f"{path}: tool.eventscope is no table of settings")
    return section


def origin(key: str) -> str | None:
    """Where the environment or a file sets a key (as ``ui.theme``), as its user wrote it."""
    of_key = ENV_PREFIX + key.upper().replace(".", "__")
    of_group = ENV_PREFIX + key.partition(".")[0].upper()
    for variable in (of_key, of_group):
        if os.environ.get(variable):
            return f"environment variable {variable}"
    path, section = _read_file()
    if is_at(section, key):
        return f"{path}: {key}"
    names = {field: name for name, field in _LIBPQ.items()} | {"url": "DATABASE_URL"}
    if key in names and os.environ.get(names[key]):
        return f"environment variable {names[key]}"
    return None


def is_at(tree: Any, key: str) -> bool:
    """Whether something stands in a tree under a key, or in the place of one of its groups."""
    for part in key.split("."):
        if not isinstance(tree, dict):
            return True
        if part not in tree:
            return False
        tree = tree[part]
    return True


def _explain(kind: str, message: str, key: str) -> str:
    if kind != "extra_forbidden":
        return message[:1].lower() + message[1:]
    group, dot, name = key.rpartition(".")
    known = sorted(_GROUPS.get(group, Settings).model_fields)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if near:
        return f"there is no such setting; did you mean {group}{dot}{near[0]}?"
    return f"there is no such setting; there are {', '.join(known)}"


def libpq_has_passwords() -> bool:
    """Whether libpq would find a password of its own if we gave it none."""
    return "PGPASSFILE" in os.environ or (Path.home() / ".pgpass").is_file()
