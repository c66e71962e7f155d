"""The hot path, guarded without a clock: how many calls of Python functions one document costs.

Wall time on shared machines swings twofold; the number of calls does not. It is counted over a whole run against the
benchmarks' trivial server in the same process, for two sizes, so that start and end cancel out. The bound leaves room
for other versions of Python and aiohttp, not for another layer over every row.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from types import CodeType, FrameType

from batcher.api_keys import ApiKey
from batcher.commands import run
from batcher.config import Endpoint, Files, RunSettings, Sending
from batcher.report.observers import Observer
from batcher.report.summary import Summary
from batcher.runtime import Runtime
from batcher.send.drain import Drain
from tests.benchmarks.documents import write_jsonl
from tests.benchmarks.trivial_server import Fixed

FEW, MANY = 50, 250
OWN_CALLS = 134  # of our functions a document, both passes together; 130 when this was written
ALL_CALLS = 270  # with those of aiohttp, anyio and Python; 244 when this was written


def count_calls(run: Callable[[], Summary]) -> tuple[Counter[CodeType], Summary]:
    """Run it, counting each call of a Python function (and each resumption of a coroutine)."""
    calls: Counter[CodeType] = Counter()

    def tell(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            calls[frame.f_code] += 1

    sys.setprofile(tell)
    try:
        summary = run()
    finally:
        sys.setprofile(None)
    return calls, summary


async def run_once(home: Path, count: int) -> Summary:
    """A whole run of `count` rows, every guarantee on, against the trivial server."""
    server = await asyncio.get_running_loop().create_server(Fixed, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        stem = home / f"run{count}"
        settings = RunSettings(
            inputs=(str(write_jsonl(home / f"specs{count}.jsonl", count)),),
            endpoint=Endpoint(base_url=f"http://127.0.0.1:{port}", keys=(ApiKey("omni_osk_test"),)),
            files=Files(
                results=stem.with_suffix(".results.jsonl"),
                failures=stem.with_suffix(".failures.jsonl"),
                journal=stem.with_suffix(".journal.jsonl"),
            ),
            sending=Sending(rate=None, concurrency=16, shared_pace=False),
            preflight=False,
        )
        return await run.run(settings, observer=Observer(), drain=Drain(), runtime=Runtime(random=Random(1)))


def _in_a_loop(home: Path, count: int) -> Summary:
    return asyncio.run(run_once(home, count))


def test_calls_for_each_document(tmp_path: Path) -> None:
    """A layer more over every row shows here, on any machine, however busy."""
    counted = {}
    for count in (FEW, MANY):
        calls, summary = count_calls(partial(_in_a_loop, tmp_path, count))
        assert (summary.created_now, summary.rows) == (count, count)
        calls.subtract({code: number for code, number in calls.items() if "trivial_server" in code.co_filename})
        counted[count] = calls
    each = Counter(counted[MANY])
    each.subtract(counted[FEW])
    own = sum(number for code, number in each.items() if "/batcher/" in code.co_filename) / (MANY - FEW)
    everything = sum(each.values()) / (MANY - FEW)
    most = ", ".join(f"{code.co_qualname} {number / (MANY - FEW):.1f}" for code, number in each.most_common(25))
    print(f"{own:.1f} of our own, {everything:.1f} in all: {most}")
    assert own < OWN_CALLS, f"{own:.1f} calls of batcher's functions for each document; most of them: {most}"
    assert everything < ALL_CALLS, f"{everything:.1f} calls for each document; most of them: {most}"
