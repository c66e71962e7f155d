"""The pages in a real browser: every text is what it was, nothing speaks in the console, nothing scrolls sideways."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.browser import Browser, chromium, missing

from .client import sandbox
from .hostile import STRINGS, place

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))
WIDTHS = (360, 768, 1440)


def shown(text: str) -> str:
    """The text as a page holds it: line ends of one kind, controls replaced."""
    lines = re.sub("\r\n?", "\n", re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", "\ufffd", text))
    return " ".join(lines.split())


async def heading(browser: Browser) -> str:
    """The words of the first heading."""
    return " ".join(str(await browser.ask("document.querySelector('h1').textContent")).split())


async def test_forty_hostile_strings(tmp_path: Path) -> None:
    """In names, descriptions, folders, labels, tiles, queries, filters and layouts, at three widths, light and dark."""
    assert len(STRINGS) == 40
    async with sandbox() as client, chromium(tmp_path) as browser:
        url = client.sandbox.base_url
        plain = await browser.open(f"{url}/dashboards/{await place(client, 999, 'harmless words')}")
        for number, text in enumerate(STRINGS):
            identifier = await place(client, number, text)
            page = await browser.open(f"{url}/dashboards/{identifier}", dark=number % 2 == 1)
            assert (page.complaints, page.elements) == ([], plain.elements), text
            assert " ".join(page.title.split()) == shown(text + " · batcher sandbox")
            assert await heading(browser) == shown(text)
            assert await too_wide(browser) == [], text
        home = await browser.open(f"{url}/")
        assert (home.complaints, await too_wide(browser)) == ([], [])
        assert home.elements["li"] == 3 * (len(STRINGS) + 1)  # each document, its label, and the label at the top


async def too_wide(browser: Browser) -> list[int]:
    """The widths at which the page scrolls sideways."""
    return [width for width in WIDTHS if await browser.scroll_width(width) > width]


async def test_light_and_dark(tmp_path: Path) -> None:
    """The page follows the reader's scheme; ink and ground stand apart in both."""
    async with sandbox() as client, chromium(tmp_path) as browser:
        await client.create("board")
        grounds = []
        for dark in (False, True):
            await browser.open(f"{client.sandbox.base_url}/dashboards/board", dark=dark)
            for name in ("backgroundColor", "color"):
                color = await browser.ask(f"getComputedStyle(document.body).{name}")
                grounds.append(sum(map(int, re.findall(r"\d+", color)[:3])) / 3)
        light_ground, light_ink, dark_ground, dark_ink = grounds
        assert light_ground - light_ink > 128
        assert dark_ink - dark_ground > 128


async def test_the_whole_query_opens_without_a_script(tmp_path: Path) -> None:
    """A click on it shows it."""
    async with sandbox() as client, chromium(tmp_path) as browser:
        await client.create("board")
        page = await browser.open(f"{client.sandbox.base_url}/dashboards/board")
        assert '"table": "order_items"' not in page.text
        await browser.ask("document.querySelector('summary').click()")
        assert '"table": "order_items"' in await browser.ask("document.body.innerText")
        assert await too_wide(browser) == []


async def test_the_browser_notices_what_the_others_look_for(tmp_path: Path) -> None:
    """A script that speaks, and something too wide."""
    async with chromium(tmp_path) as browser:
        page = await browser.open("data:text/html,<p style='width:999px'>x<script>console.log('ran')</script>")
        assert "ran" in "".join(page.complaints)
        assert page.elements["script"] == 1
        assert await too_wide(browser) == [360, 768]
