"""An application whose every part quotes the password, and the places where it must not be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from psycopg.conninfo import conninfo_to_dict

CANARY = "c4nary'/ \"pa\\ss@wörd"
"""A password that is spelled differently wherever it stands."""
CORE = "c4nary"
"""What all its spellings begin with, and nothing else."""

APP = """
import json, logging
from pathlib import Path
from urllib.parse import quote

import structlog

from eventscope import EventScope

app = EventScope("shop")
secret = Path(__file__).with_name("secret").read_text("utf-8")
doubled = secret.replace("'", "''")
spelled = [secret, repr(secret), json.dumps(secret), quote(secret, ""), quote(secret), doubled]


@app.operator(entities=["notes"], on_failure="dead_letter")
async def tells(event):
    logging.getLogger("shop").error("I know %s", secret)
    structlog.get_logger().error("I know, too", secret=secret, several=spelled)
    try:
        raise ValueError(*spelled)
    except ValueError as error:
        url = f"postgresql://u:{quote(secret)}@h/db"
        raise RuntimeError(f"cannot use {spelled} nor {url}") from error


app.query("copies", ids={"notes": "id"}, sql=f"select '{doubled}'::int where $1 is not null")


@app.listener("notes")
async def hears(message):
    raise RuntimeError(secret)
"""
TABLES = "create table notes (id int primary key); create table copies (id int primary key)"

FORMS = ("url", "file", "parts", "DATABASE_URL", "PGPASSWORD", "passfile")


def prepare(folder: Path) -> None:
    """Write the application and its settings."""
    (folder / "shop.py").write_text(APP)
    (folder / "secret").write_text(CANARY, "utf-8")
    (folder / "eventscope.toml").write_text(
        'slot_name = "shop"\noperator_queue_min_restart_time = 1\noperator_queue_max_retries = 1\n'
    )


def variables(form: str, url: str, folder: Path) -> dict[str, str]:
    """The environment that tells of a database, with the password in one form or another."""
    parts = {key: str(value) for key, value in conninfo_to_dict(url).items()}
    base = {f"PG{key.upper()}": value for key, value in parts.items() if key in ("host", "port")}
    base |= {"PGDATABASE": parts["dbname"], "PGUSER": parts["user"], "HOME": str(folder)}
    host = quote(parts["host"], "")
    whole = (
        f"postgresql://{parts['user']}:{quote(CANARY, '')}@{host}"
        f"{':' + parts['port'] if 'port' in parts else ''}/{parts['dbname']}"
    )
    match form:
        case "url":
            return {"EVENTSCOPE_URL": whole, "HOME": str(folder)}
        case "file":
            with (folder / "eventscope.toml").open("a") as file:
                file.write(f'url = "{whole}"\n')
            return {"HOME": str(folder)}
        case "parts":
            return base | {"EVENTSCOPE_PASSWORD": CANARY}
        case "passfile":
            path = folder / ".pgpass"
            escaped = CANARY.replace("\\", "\\\\").replace(":", "\\:")
            path.write_text(f"*:*:*:*:{escaped}\n", "utf-8")
            path.chmod(0o600)
            return base
        case "DATABASE_URL":
            return {"DATABASE_URL": whole, "HOME": str(folder)}
    return base | {"PGPASSWORD": CANARY}


def assert_untold(*said: str | bytes) -> None:
    """No spelling of the password is in what was said."""
    for text in said:
        data = text.encode("utf-8", "replace") if isinstance(text, str) else text
        place = data.find(CORE.encode())
        assert place < 0, data[max(0, place - 200) : place + 100]


def assert_unwritten(folder: Path) -> None:
    """It is in no file but those that the test has written."""
    ours = {"secret", "eventscope.toml", ".pgpass"}
    for path in folder.rglob("*"):
        if path.is_file() and path.name not in ours:
            assert CORE.encode() not in path.read_bytes(), path


def command_lines() -> Iterator[bytes]:
    """What everybody on this machine can see of its processes."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            yield (process / "cmdline").read_bytes() + (process / "comm").read_bytes()
        except OSError:  # it has just ended
            continue
