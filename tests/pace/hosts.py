"""Some hosts send at full speed through one store: what a server would have counted. `python -m tests.pace.hosts --help`.

Each host is a process with its own connection; all take their starts from one clock, so a window is exact.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
from itertools import chain
from pathlib import Path

import anyio

from batcher.api_keys import ApiKey
from batcher.pace.rate import Rate
from batcher.pace.redis_store import RedisPaceStore
from tests.support.faulty import most_in_window
from tests.support.redis import SERVER, redis_server


def main() -> int:
    """Measure, print one line. Exit code 1 if more started in a period than is allowed."""
    parser = argparse.ArgumentParser(prog="python -m tests.pace.hosts", description="Hosts that share a pace in Redis.")
    parser.add_argument("--rate", default="60/min")
    parser.add_argument("--hosts", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=200.0)
    asked = parser.parse_args()
    rate = Rate.parse(asked.rate)
    if SERVER is None or rate is None:
        print("a redis-server and a rate are needed", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="r") as directory, redis_server(Path(directory)) as store:
        until = time.monotonic() + asked.seconds
        with multiprocessing.get_context("spawn").Pool(asked.hosts) as hosts:
            starts = hosts.starmap(_host, [(store.url, rate, until)] * asked.hosts, chunksize=1)
    times = sorted(chain.from_iterable(starts))
    most = most_in_window(times, rate.period_seconds)
    used = (len(times) - 1) / (times[-1] - times[0]) / rate.per_second
    counts = sorted(map(len, starts))
    print(
        f"{asked.hosts} hosts at {asked.rate}, {asked.seconds:.0f} s: most in a period {most} of {rate.limit}, "
        f"{used:.1%} of the rate used, each {counts[0]} to {counts[-1]} (least / greatest {counts[0] / counts[-1]:.2f})"
    )
    return 1 if most > rate.limit else 0


def _host(url: str, rate: Rate, until: float) -> list[float]:
    return anyio.run(_send, url, rate, until)


async def _send(url: str, rate: Rate, until: float) -> list[float]:
    times: list[float] = []
    share = RedisPaceStore(url, 60.0).share(ApiKey("a-key-of-tests", 1), rate)
    while time.monotonic() < until:
        permit = await share.take()
        if isinstance(permit, float):
            await anyio.sleep(permit)
        elif permit.start():
            times.append(time.monotonic())
    await share.aclose()
    return times


if __name__ == "__main__":
    sys.exit(main())
