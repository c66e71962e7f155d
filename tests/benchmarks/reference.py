"""The reference: what an expert writes in an hour, without any guarantee. `python reference.py INPUT URL OUTPUT N [STAGE]`.

aiohttp, uvloop, orjson; one session, N workers on one iterator, buffered output. No validation, identifier, journal,
fsync, retry or resume. With STAGE `post` the answers are neither parsed nor written (the bare client).
Prints seconds and CPU seconds from the first request to the last answer flushed, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter, process_time
from typing import BinaryIO

import aiohttp
import orjson
import uvloop


async def worker(session: aiohttp.ClientSession, url: str, specs: Iterator[bytes], output: BinaryIO | None) -> int:
    """POST specs until there are no more."""
    created = 0
    for line in specs:
        spec = orjson.loads(line)
        async with session.post(url, data=orjson.dumps(spec)) as response:
            text = await response.read()
            if response.status != 201:
                raise SystemExit(f"{response.status}: {text[:200]!r}")
        if output is not None:
            answered = orjson.loads(text)
            said = {"name": spec["name"], "id": answered["workbook"]["id"], "response": answered}
            output.write(orjson.dumps(said, option=orjson.OPT_APPEND_NEWLINE))
        created += 1
    return created


async def send(specs: BinaryIO, url: str, output: BinaryIO, concurrency: int, *, is_bare: bool) -> None:
    """Send everything, and print what it took."""
    headers = {"Authorization": "Bearer reference", "Content-Type": "application/json"}
    connector = aiohttp.TCPConnector(limit=concurrency)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        begun, cpu = perf_counter(), process_time()
        to = None if is_bare else output
        counts = await asyncio.gather(*(worker(session, url, specs, to) for _ in range(concurrency)))
        output.flush()
        taken = {"documents": sum(counts), "seconds": perf_counter() - begun, "cpu": process_time() - cpu}
    print(json.dumps(taken))


def main(source: str, url: str, target: str, concurrency: str, *stages: str) -> None:
    """One run."""
    with Path(source).open("rb") as specs, Path(target).open("wb", buffering=1 << 16) as output:
        uvloop.run(send(specs, url, output, int(concurrency), is_bare="post" in stages))


if __name__ == "__main__":
    main(*sys.argv[1:])
