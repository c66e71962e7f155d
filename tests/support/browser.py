"""A real headless Chromium, driven over its own protocol: what a page looks like, measures and complains of.

    async with chromium(tmp_path) as browser:
        page = await browser.open("http://127.0.0.1:…/")
        assert page.complaints == [] and await browser.scroll_width(360) == 360

Where no Chromium is installed (Debian's package is `chromium`), `missing()` says why the test skips.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless=new",
    "--no-sandbox",  # tests may run as root in a container
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--remote-debugging-port=0",
)


def missing() -> str | None:
    """Why no browser can be had; None if there is one."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    return None if found else f"no {' or '.join(NAMES)} on this machine; on Debian: apt-get install chromium"


@dataclass(frozen=True, slots=True)
class Page:
    """One page as it was shown. `text` is what a reader reads, `complaints` what stood in the console and its log."""

    text: str
    title: str
    elements: dict[str, int]
    complaints: list[str]


class Browser:
    """One tab of a running Chromium."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._complaints: list[str] = []
        self._loaded = False

    async def command(self, method: str, **params: Any) -> dict[str, Any]:
        """Send one command of the protocol and wait for its result."""
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": params})
        while True:
            message = await self._socket.receive_json(timeout=30)
            if message.get("id") == number:
                assert "error" not in message, message
                return dict(message["result"])
            self._note(message)

    async def start(self) -> None:
        """Listen to everything that a page may complain of."""
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.command(f"{domain}.enable")

    async def scroll_width(self, width: int) -> int:
        """How wide the page gets in a window of this width (CSS pixels); a phone's where it is narrow."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        await self.command("Emulation.setDeviceMetricsOverride", **size)
        return int(await self.ask("document.scrollingElement.scrollWidth"))

    async def open(self, url: str, *, dark: bool = False) -> Page:
        """Show a page."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.command("Emulation.setEmulatedMedia", features=[scheme])
        self._complaints, self._loaded = [], False
        await self.command("Page.navigate", url=url)
        while not self._loaded:
            self._note(await self._socket.receive_json(timeout=30))
        return Page(
            text=await self.ask("document.body.innerText"),
            title=await self.ask("document.title"),
            elements=await self.ask(
                "[...document.querySelectorAll('*')].reduce((n, e) => (n[e.localName] = (n[e.localName] || 0) + 1, n), {})"
            ),
            complaints=list(self._complaints),
        )

    async def ask(self, expression: str) -> Any:
        """What an expression is worth on the page."""
        result = await self.command("Runtime.evaluate", expression=expression, returnByValue=True)
        return result["result"].get("value")

    async def picture(self) -> bytes:
        """The whole page as a PNG."""
        shot = await self.command("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        return base64.b64decode(shot["data"])

    def _note(self, message: dict[str, Any]) -> None:
        params = message.get("params", {})
        match message.get("method"):
            case "Page.loadEventFired":
                self._loaded = True
            case "Log.entryAdded":
                self._complaints.append(params["entry"]["text"])
            case "Runtime.consoleAPICalled" | "Runtime.exceptionThrown" | "Network.loadingFailed":
                self._complaints.append(str(params))
            case "Page.javascriptDialogOpening":
                self._complaints.append(f"dialog: {params['message']}")
            case _:
                pass


@asynccontextmanager
async def chromium(directory: Path) -> AsyncIterator[Browser]:
    """A Chromium with its profile in this directory, and one tab of it."""
    program = next(filter(None, map(shutil.which, NAMES)))
    command = [program, *FLAGS, f"--user-data-dir={directory / 'chromium'}", "about:blank"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:  # noqa: ASYNC220
        try:
            port = await _port(directory / "chromium" / "DevToolsActivePort")
            async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
                async with session.get("/json/list") as answer:
                    tabs = await answer.json()
                address = next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
                async with session.ws_connect(address, max_msg_size=0) as socket:
                    browser = Browser(socket)
                    await browser.start()
                    yield browser
        finally:
            process.kill()


async def _port(path: Path) -> int:
    """The port that it chose, as soon as it says so."""
    async with asyncio.timeout(60):
        while not (path.exists() and path.read_text().count("\n")):  # noqa: ASYNC110, ASYNC240 - another process writes it
            await asyncio.sleep(0.05)
    return int(path.read_text().splitlines()[0])  # noqa: ASYNC240
