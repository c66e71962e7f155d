"""Header bytes that are not UTF-8 become lone surrogates (aiohttp: surrogateescape), and no JSON can be written of them."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import anyio.to_thread
import pytest

from ..support.runs import row
from .test_http import read_request, serving

ROOT = Path(__file__).parents[2]
MADE = b'{"dashboard":{"id":"1","dashboardId":"1"},"workbook":{"id":"2","documentId":"3","identifier":"mine-1"}}'


def batcher_run(directory: Path, address: str, *flags: str) -> subprocess.CompletedProcess[str]:
    (directory / "d.jsonl").write_text(json.dumps(row("a", identifier="mine-1")) + "\n")
    env = os.environ | {"PYTHONPATH": str(ROOT), "OMNI_API_KEY": "k1", "BATCHER_STATE_DIR": str(directory / "st")}
    command = [sys.executable, "-m", "batcher", "run", "d.jsonl", "--base-url", f"http://{address}", "--rate", "none"]
    return subprocess.run(
        [*command, "--no-preflight", *flags], cwd=directory, env=env, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("flags", [("--json",), ("--log-format", "json"), ("--summary", "s.json"), ()])
async def test_a_redirect_to_a_place_in_latin_1(tmp_path: Path, flags: tuple[str, ...]) -> None:
    """A captive portal or proxy redirects to /café, as old servers write it. Exit 3 that says so, in each format."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: http://x/caf\xe9\r\nContent-Length: 0\r\n\r\n")

    async with serving(serve) as address:
        done = await anyio.to_thread.run_sync(lambda: batcher_run(tmp_path, address, *flags))
    assert done.returncode == 3, done.stderr[-400:]


async def test_an_announcement_in_latin_1(tmp_path: Path) -> None:
    """The warning is told between the answer and its outcome: the created document is not booked, and never gets so:

    each further run dies of the GET's (or the next POST's) header in the same way.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await read_request(reader)
            head = b"HTTP/1.1 201 Created\r\nSunset: soon\r\nLink: <https://x/caf\xe9>\r\nContent-Length: %d\r\n\r\n"
            writer.write(head % len(MADE) + MADE)

    async with serving(serve) as address:
        done = await anyio.to_thread.run_sync(lambda: batcher_run(tmp_path, address, "--log-format", "json"))
    assert done.returncode == 0, done.stderr[-400:]
    assert len((tmp_path / "d.results.jsonl").read_text().splitlines()) == 1
