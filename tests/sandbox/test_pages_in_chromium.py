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
        plain = await browser.open(f"{url}/dashboards/{await place(client, 999, 'harmless words')}", width=768)
        for number, text in enumerate(STRINGS):
            identifier = await place(client, number, text)
            for width in WIDTHS:
                page = await browser.open(f"{url}/dashboards/{identifier}", width=width, dark=number % 2 == 1)
                assert (page.complaints, page.elements) == ([], plain.elements), text
                assert page.scroll_width <= width, (text, width, page.scroll_width)
                assert " ".join(page.title.split()) == shown(text + " · batcher sandbox")
            assert await heading(browser) == shown(text)
        for width in WIDTHS:
            home = await browser.open(f"{url}/", width=width)
            assert (home.complaints, home.scroll_width <= width) == ([], True)
            assert home.elements["li"] == plain_lines(len(STRINGS) + 1)


def plain_lines(documents: int) -> int:
    """The list items of the first page: each document, its label, and the label at the top."""
    return 3 * documents


async def test_light_and_dark(tmp_path: Path) -> None:
    """The page follows the reader's scheme; ink and ground stand apart in both."""
    async with sandbox() as client, chromium(tmp_path) as browser:
        await client.create("board")
        grounds = []
        for dark in (False, True):
            await browser.open(f"{client.sandbox.base_url}/dashboards/board", width=768, dark=dark)
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
        page = await browser.open(f"{client.sandbox.base_url}/dashboards/board", width=360)
        assert '"table": "order_items"' not in page.text
        await browser.ask("document.querySelector('summary').click()")
        assert '"table": "order_items"' in await browser.ask("document.body.innerText")
        assert await browser.ask("document.scrollingElement.scrollWidth") == 360
