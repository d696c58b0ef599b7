"""The example's page in a real browser: it follows the database without being loaded again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from playwright.async_api import Page, Route, expect

from tests.browser import browsing, needs_browser
from tests.conftest import Connection
from tests.serving import Site
from tests.waiting import PATIENCE

pytestmark = needs_browser

POST = UUID(int=1)
SHOWN = 20_000
"""Milliseconds after which a test has failed."""


@pytest.fixture
def site(blog: str, tmp_path: Path) -> Site:
    slot = f"site_{uuid4().hex[:16]}"
    return Site(
        "operators_example.web:web",
        tmp_path,
        {"EVENTSCOPE_URL": blog, "EVENTSCOPE_SLOT_NAME": slot},
    )


@pytest.fixture
async def page(connection: Connection) -> AsyncIterator[Page]:
    await connection.execute(
        "INSERT INTO posts (id, title, body) VALUES (%s, 'A post', '')", [POST]
    )
    async with browsing() as page:
        yield page


async def comment(connection: Connection, body: str) -> None:
    await connection.execute("INSERT INTO comments (post_id, body) VALUES (%s, %s)", [POST, body])


async def opened(page: Page, site: Site) -> None:
    await page.goto(site.url)
    await expect(page.locator("#state")).to_have_text("live", timeout=SHOWN)
    await page.evaluate(
        """() => {
            window.heard = [];
            const before = apply;
            apply = (message) => {
                if (message.entity === "comments") heard.push(message.event.new_record?.body);
                before(message);
            };
        }"""
    )


async def test_a_comment_is_on_the_page_without_a_reload(
    site: Site, page: Page, connection: Connection
) -> None:
    await comment(connection, "first")
    async with site.served():
        await opened(page, site)
        await expect(page.locator("#comments li")).to_have_text(["first"], timeout=SHOWN)
        await comment(connection, "<img src=x onerror=alert(1)> second")
        await expect(page.locator("#comments li")).to_have_text(
            ["<img src=x onerror=alert(1)> second", "first"], timeout=SHOWN
        )
        await expect(page.locator("#posts td")).to_have_text(["A post", "2"], timeout=SHOWN)
        await connection.execute("UPDATE comments SET body = 'edited' WHERE body = 'first'")
        await expect(page.locator("#comments li").last).to_have_text("edited", timeout=SHOWN)
        await connection.execute("DELETE FROM comments WHERE body = 'edited'")
        await expect(page.locator("#comments li")).to_have_count(1, timeout=SHOWN)
        await expect(page.locator("#posts td")).to_have_text(["A post", "1"], timeout=SHOWN)
        assert await page.evaluate("heard.length") == 3


async def test_a_page_misses_nothing_while_the_server_restarts(
    site: Site, page: Page, connection: Connection
) -> None:
    written: list[str] = []
    stop = asyncio.Event()

    async def write() -> None:
        while not stop.is_set():
            body = f"comment {len(written)}"
            await comment(connection, body)
            written.append(body)
            await asyncio.sleep(0.01)

    async with site.served() as first:
        await opened(page, site)
        writing = asyncio.create_task(write())
        await page.wait_for_function("heard.length > 20", timeout=SHOWN)
        first.terminate()
        await first.ended()
    async with site.served() as second:
        before = await page.evaluate("heard.length")
        await page.wait_for_function(f"heard.length > {before + 20}", timeout=SHOWN)
        await second.kill()
    async with site.served():
        before = await page.evaluate("heard.length")
        await page.wait_for_function(f"heard.length > {before + 20}", timeout=SHOWN)
        stop.set()
        await writing
        await page.wait_for_function(f"heard.length >= {len(written)}", timeout=SHOWN)
        assert await page.evaluate("heard") == written
        await expect(page.locator("#posts td").last).to_have_text(str(len(written)), timeout=SHOWN)


async def test_a_page_that_was_refused_meanwhile_misses_nothing_either(
    site: Site, page: Page, connection: Connection
) -> None:
    refused = asyncio.Event()

    async def refuse(route: Route) -> None:
        refused.set()
        await route.fulfill(status=503)

    async with site.served() as first:
        await opened(page, site)
        await comment(connection, "before")
        await page.wait_for_function("heard.length === 1", timeout=SHOWN)
        await page.route("**/live*", refuse)
        first.terminate()
        await first.ended()
    async with site.served():
        await comment(connection, "meanwhile")
        async with asyncio.timeout(PATIENCE):
            await refused.wait()
        await page.unroute("**/live*")
        await page.wait_for_function("heard.length >= 2", timeout=SHOWN)
        await comment(connection, "after")
        await page.wait_for_function("heard.length >= 3", timeout=SHOWN)
        assert await page.evaluate("heard") == ["before", "meanwhile", "after"]
