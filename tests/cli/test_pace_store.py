"""`--pace-store`: hosts that share one key's pace, as their users start them (contract 17)."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from anyio import to_thread

from tests.crash.command import KEY, environment, write_rows
from tests.support.command import start
from tests.support.faulty import FaultyServer
from tests.support.processes import bounded
from tests.support.redis import RedisServer, needs_redis, redis_server
from tests.support.runs import row

SECRET = "pass-word-of-the-store"


@pytest.fixture
def store() -> Iterator[RedisServer]:
    """A store of one test."""
    with tempfile.TemporaryDirectory(prefix="r") as directory, redis_server(Path(directory)) as server:
        yield server


def begin(host: Path, base_url: str, *flags: str) -> subprocess.Popen[str]:
    """Start a run on a host of its own: nothing is shared but the key."""
    host.mkdir()
    write_rows(host, [row(f"{host.name} {number}") for number in range(15)])
    words = ["run", "d.jsonl", "--base-url", base_url, "--rate", "20/s", "--no-preflight", "--json", *flags]
    return subprocess.Popen(
        [sys.executable, "-m", "batcher", *words],
        cwd=host,
        env=environment(host),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@needs_redis
async def test_two_hosts_keep_to_one_rate(tmp_path: Path, store: RedisServer) -> None:
    """As the server counts it: never more than one rate allows, although each host has a pace file of its own."""
    async with FaultyServer() as server:
        hosts = [begin(tmp_path / name, server.base_url, "--pace-store", store.url) for name in ("a", "b")]
        for process in hosts:
            with bounded(process):
                output, errors = await _ended(process)
            assert process.returncode == 0, errors
            assert json.loads(output)["created"] == 15
        assert server.most_in(1.0) <= 20
        assert len(server.documents) == 30


async def _ended(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Output and errors, while the server goes on in this loop."""
    return await to_thread.run_sync(process.communicate)


def test_a_store_that_is_gone(tmp_path: Path) -> None:
    """Nothing is sent; the run stops after --give-up-after with exit code 3 and says what to do."""
    write_rows(tmp_path, [row("a")])
    where = f"redis://:{SECRET}@127.0.0.1:1"
    asked = ("--rate", "20/s", "--give-up-after", "100ms", "--pace-store", where, "--json")
    ended = start(tmp_path, "run", "d.jsonl", "--base-url", "http://127.0.0.1:2", *asked, OMNI_API_KEY=KEY)
    told = json.loads(ended.stdout)
    assert (ended.returncode, told["stoppedReason"], told["requests"]) == (3, "unreachable", 0)
    assert "the pace store redis://127.0.0.1:1 can't be reached" in told["stopped"]
    assert SECRET not in ended.stdout + ended.stderr


@pytest.mark.parametrize("where", ["http://store:6379", f"redis://:{SECRET}@store:no-port"])
def test_an_address_that_is_none(tmp_path: Path, where: str) -> None:
    """It's refused before anything is sent, and never shown."""
    write_rows(tmp_path, [row("a")])
    words = ("run", "d.jsonl", "--base-url", "http://127.0.0.1:2", "--pace-store", where)
    ended = start(tmp_path, *words, OMNI_API_KEY=KEY)
    assert ended.returncode == 2
    assert "--pace-store isn't a store's address; write it as in redis://HOST:6379" in ended.stderr
    assert SECRET not in ended.stderr


def test_config_shows_it_without_its_password(tmp_path: Path) -> None:
    """From a variable, or from a file that one names; not from both."""
    url = f"redis://batcher:{SECRET}@store:6379/2"
    given = start(tmp_path, "config", BATCHER_PACE_STORE=url)
    assert "redis://…@store:6379/2" in given.stdout
    (tmp_path / "store-url").write_text(f"{url}\n")
    named = start(tmp_path, "config", BATCHER_PACE_STORE_FILE="store-url")
    assert "redis://…@store:6379/2" in named.stdout
    assert SECRET not in given.stdout + named.stdout
    both = start(tmp_path, "config", BATCHER_PACE_STORE=url, BATCHER_PACE_STORE_FILE="store-url")
    assert both.returncode == 2
    assert "BATCHER_PACE_STORE and BATCHER_PACE_STORE_FILE are both set; keep one of the two" in both.stderr
