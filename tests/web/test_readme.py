"""What the README shows of live views in the web and of embedding, run as it stands there."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from tests.browser import browsing, needs_browser
from tests.conftest import Connection
from tests.programs import running
from tests.pubsub.conftest import Run
from tests.readme import blocks
from tests.serving import Site
from tests.waiting import PATIENCE, until, until_async

BLOG = """
from eventscope import Event, EventScope

app = EventScope("blog")
app.entity("comments", scopes=[{"post_id": "posts"}])


@app.operator(entities="comments")
async def slow(event: Event) -> None:
    import asyncio
    from pathlib import Path

    while event.new_record["body"] == "held" and not Path("go_on").exists():
        await asyncio.sleep(0.01)
    Path("passed").touch()
"""


@pytest.fixture
def environment(database: str, tmp_path: Path) -> dict[str, str]:
    (tmp_path / "blog.py").write_text(BLOG)
    return {"EVENTSCOPE_URL": database, "EVENTSCOPE_SLOT_NAME": f"readme_{uuid4().hex[:16]}"}


@pytest.fixture
def site(environment: dict[str, str], tmp_path: Path) -> Site:
    """The application of the section about the web, with its middleware."""
    (tmp_path / "site_.py").write_text("\n".join(blocks("### In the web")))
    return Site("site_:web", tmp_path, environment)


async def test_the_endpoint_tells_of_a_post_s_comments_and_the_middleware_what_comes_too_early(
    site: Site, run: Run, connection: Connection, tmp_path: Path
) -> None:
    async with site.served(), httpx.AsyncClient(base_url=site.url, timeout=PATIENCE) as client:
        async with client.stream("GET", "/live", params={"post": "1"}) as answer:
            lines = answer.aiter_lines()
            assert "event: listening" in [await anext(lines) for _ in range(2)]
            await run("INSERT INTO comments VALUES (1, 2, 'elsewhere'), (2, 1, 'here')")
            async for line in lines:
                if line.startswith("data: ") and line != "data: {}":
                    break
        assert json.loads(line.removeprefix("data: "))["event"]["new_record"]["body"] == "here"
        await run("INSERT INTO comments VALUES (3, 1, 'held')")
        cursor = await connection.execute("SELECT pg_current_wal_insert_lsn()::text")
        [token] = await cursor.fetchone() or [""]
        early = await client.get("/", headers={"Eventscope-Token": token})
        assert (early.status_code, early.headers["retry-after"]) == (425, "1")
        (tmp_path / "go_on").touch()
        await until_async(lambda: is_passed(client, token))


async def is_passed(client: httpx.AsyncClient, token: str) -> bool:
    answer = await client.get("/", headers={"Eventscope-Token": token})
    return answer.status_code == 404  # there is no such page, but it was asked for


@needs_browser
async def test_the_script_shows_what_comes(site: Site, run: Run) -> None:
    [script] = blocks("### In the web", "js")
    async with site.served(), browsing() as page:
        await page.goto(f"{site.url}/")
        await page.evaluate(
            f"""() => {{
                const post = 1;
                const show = (row) => {{ document.title = row.body; }};
                {script}
                return new Promise((ready) => {{
                    live.addEventListener("listening", () => ready(null));
                }});
            }}"""
        )
        await run("INSERT INTO comments VALUES (1, 2, 'elsewhere'), (2, 1, 'here')")
        await page.wait_for_function("document.title === 'here'")


async def test_the_engine_runs_in_the_lifespan_of_fastapi(
    environment: dict[str, str], run: Run, tmp_path: Path
) -> None:
    (tmp_path / "api_.py").write_text(blocks("## Embedding")[0])
    async with Site("api_:api", tmp_path, environment).served() as program:
        await run("INSERT INTO comments VALUES (1, 1, 'a')")
        await until((tmp_path / "passed").exists)
        program.terminate()
        await program.ended()
        assert "Application shutdown complete" in str(program.lines)


async def test_the_engine_runs_beside_django_by_a_command_of_manage_py(
    database: str, connection: Connection, tmp_path: Path
) -> None:
    await connection.execute(
        "CREATE TABLE shop_order (id bigint PRIMARY KEY, confirmed boolean NOT NULL)"
    )
    _, command, operators = blocks("## Embedding")
    project(tmp_path, database, command, operators)
    async with running("follow", module="manage", cwd=tmp_path) as program:
        await program.line(lambda line: "streaming" in str(line.get("text")))
        await connection.execute("INSERT INTO shop_order VALUES (1, false)")
        await until_async(lambda: is_confirmed(connection))
        program.terminate()
        assert await program.ended() == 0
        assert program.summary["applied"] == {"confirm": 1}


async def is_confirmed(connection: Connection) -> bool:
    cursor = await connection.execute("SELECT confirmed FROM shop_order")
    return await cursor.fetchone() == (True,)


def project(folder: Path, database: str, command: str, operators: str) -> None:
    """A Django project with one application, ``shop``."""
    files = {
        "manage.py": """
            import os
            import sys
            from django.core.management import execute_from_command_line

            os.environ["DJANGO_SETTINGS_MODULE"] = "project"
            execute_from_command_line(sys.argv)
        """,
        "project.py": f"""
            from psycopg.conninfo import conninfo_to_dict

            given = conninfo_to_dict({database!r})
            DATABASES = {{
                "default": {{
                    "ENGINE": "django.db.backends.postgresql",
                    "NAME": given["dbname"],
                    "HOST": given.get("host", ""),
                    "PORT": given.get("port", ""),
                    "USER": given.get("user", ""),
                    "PASSWORD": given.get("password", ""),
                }}
            }}
            INSTALLED_APPS = ["shop"]
            SECRET_KEY = "test"
            USE_TZ = True
            DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
        """,
        "shop/models.py": """
            from django.db import models

            class Order(models.Model):
                confirmed = models.BooleanField()
        """,
        "shop/__init__.py": "",
        "shop/management/__init__.py": "",
        "shop/management/commands/__init__.py": "",
        "shop/management/commands/follow.py": command,
        "shop/operators.py": operators,
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
