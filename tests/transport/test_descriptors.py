"""Kept connections must not hold every descriptor that the system allows: the run needs some for its own files."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import anyio.to_thread

from ..support.runs import Job, row
from .test_http import serving

ROOT = Path(__file__).parents[2]


async def test_more_workers_than_descriptors(tmp_path: Path) -> None:
    """`ulimit -n` below --concurrency (macOS: 256). As many connections as leave room for the files; all is created."""
    made: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            size = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0]) if b"Content-Length" in head else 0
            sent = json.loads(await reader.readexactly(size))
            made.append(sent["name"])
            await asyncio.sleep(0.05)
            answer = {
                "dashboard": {"id": "1", "dashboardId": "1"},
                "workbook": {"id": "2", "documentId": "3", "identifier": sent["identifier"]},
            }
            body = json.dumps(answer).encode()
            writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    (tmp_path / "d.jsonl").write_text("".join(json.dumps(row(f"r{n}")) + "\n" for n in range(300)))
    env = os.environ | {"PYTHONPATH": str(ROOT), "OMNI_API_KEY": "k1", "BATCHER_STATE_DIR": str(tmp_path / "st")}
    async with serving(serve) as address:
        run = f"ulimit -n 40; exec {sys.executable} -m batcher run d.jsonl --base-url http://{address}"
        run += " --rate none --no-preflight --concurrency 100"
        done = await anyio.to_thread.run_sync(
            lambda: subprocess.run(
                ["bash", "-c", run], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
            )
        )
    results = [json.loads(line) for line in (tmp_path / "d.results.jsonl").read_text().splitlines()]
    assert sorted(made) == sorted(f"r{n}" for n in range(300)), "each POST once"
    assert len(results) == 300
    assert done.returncode == 0, done.stderr[-400:]  # "Too many open files" before
    assert "ulimit -n" in done.stderr


async def test_attempts_are_posts_that_left(tmp_path: Path) -> None:
    """`attempts` of a results line: an attempt is one POST (contract 2); a connection that was refused is none."""
    with socket.socket() as plug:
        plug.bind(("127.0.0.1", 0))
        port = plug.getsockname()[1]
    posts: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        posts.append(head)
        body = (
            b'{"dashboard":{"id":"1","dashboardId":"1"},"workbook":{"id":"2","documentId":"3","identifier":"mine-1"}}'
        )
        writer.write(b"HTTP/1.1 201 Created\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        writer.close()

    job = Job(tmp_path)
    job.rows(row("a", identifier="mine-1"))

    async def late() -> None:
        await anyio.sleep(0.5)
        server = await asyncio.start_server(serve, "127.0.0.1", port)
        async with server:
            await anyio.sleep(5)

    async with anyio.create_task_group() as group:
        group.start_soon(late)
        ran = await job.run(f"http://127.0.0.1:{port}")
        group.cancel_scope.cancel()
    assert ran.code == 0
    assert (len(posts), job.results[0]["attempts"]) == (1, 1)
