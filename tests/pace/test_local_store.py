"""Runs that share a key: the law over all of them, fairness between them, and a file that may be damaged at any time."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import cast

import anyio
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from batcher.api_keys import ApiKey
from batcher.pace.gate import Gate
from batcher.pace.local_store import LocalPaceStore, LocalPermit, LocalShare
from batcher.pace.rate import MARGIN, Rate
from batcher.pace.store import Permit
from tests.pace.test_gate import most_in_window
from tests.support import virtual

KEY = ApiKey("omni_osk_secret")
MINUTE = Rate(60, 60.0)


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 5000.0

    def __call__(self) -> float:
        return self.now


def no_warning(text: str) -> None:
    """Trouble where none is expected."""
    raise AssertionError(text)


async def run_for(
    seconds: float, rate: Rate, directory: Path, starts: list[float], *, workers: int = 16, latency: float = 0.01
) -> None:
    """One run on virtual time: as many starts as it gets in `seconds`."""
    clock = virtual.loop().time

    async def work(gate: Gate) -> None:
        while True:
            slot = await gate.slot()
            if slot.start():
                starts.append(clock())
            await anyio.sleep(latency)

    shared = LocalPaceStore(directory, no_warning, clock=clock)
    with anyio.move_on_after(seconds):
        async with Gate([KEY], rate, shared=shared) as gate, anyio.create_task_group() as tasks:
            for _ in range(workers):
                tasks.start_soon(work, gate)


def together(directory: Path, rates: list[Rate], seconds: float, pause: float = 0.0) -> list[list[float]]:
    """Several runs at once, each beginning `pause` seconds after the one before; each one's starts."""
    starts: list[list[float]] = [[] for _ in rates]

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            for rate, mine in zip(rates, starts, strict=True):
                tasks.start_soon(run_for, seconds, rate, directory, mine)
                await anyio.sleep(pause)

    virtual.run(main)
    return starts


@pytest.mark.parametrize(
    ("text", "runs"),
    [("60/min", 2), ("60/min", 3), ("500/min", 3), ("6/min", 3), ("1/s", 3), ("50/s", 3), ("1000/s", 2)],
)
def test_runs_share_one_rate_fairly(tmp_path: Path, text: str, runs: int) -> None:
    """Several runs together keep the law, use all of the rate, and get equal parts."""
    rate = Rate.parse(text)
    assert rate is not None
    seconds = max(1.5, 4 * runs * rate.period_seconds / min(rate.limit, 6))
    starts = together(tmp_path, [rate] * runs, seconds)
    every = sorted(chain(*starts))
    assert most_in_window(every, rate.period_seconds * MARGIN) <= rate.limit
    assert len(every) >= 0.97 * rate.per_second * seconds - 1
    parts = [len(part) for part in starts]
    assert max(parts) - min(parts) <= max(1, 0.05 * max(parts))


def test_a_run_that_comes_later_gets_its_part(tmp_path: Path) -> None:
    """A second run that begins while the first is busy gets half from then on."""
    first, second = together(tmp_path, [MINUTE, MINUTE], 300.0, pause=100.0)
    both = [start for start in first if start >= second[0]]
    assert len(both) == pytest.approx(100, abs=6)


def test_different_rates_neither_starve_nor_add_up(tmp_path: Path) -> None:
    """Beside a run at 500/min one at 60/min gets its 60, and both together keep to 500."""
    fast, slow = together(tmp_path, [Rate(500, 60.0), MINUTE], 150.0)
    assert most_in_window(sorted(fast + slow), 60.3) <= 500
    assert most_in_window(slow, 60.3) <= 60
    assert len(slow) >= 140
    assert len(fast) + len(slow) >= 0.97 * 1250


def test_a_restart_remembers_the_last_window(tmp_path: Path) -> None:
    """A run that begins right after another adds nothing to the window."""
    before: list[float] = []
    after: list[float] = []

    async def main() -> None:
        await run_for(70.0, MINUTE, tmp_path, before)
        await run_for(70.0, MINUTE, tmp_path, after)

    virtual.run(main)
    assert most_in_window(before + after, 60.3) <= 60
    assert len(before + after) >= 138


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([1, 2, 10, 40]))
@example(392, 10)  # failed in an earlier design: a dead slot that was left to another run hid a live one
def test_the_law_holds_over_all_runs(tmp_path_factory: pytest.TempPathFactory, seed: int, limit: int) -> None:
    """Slow fsyncs, stalls, slots given back, runs that die with a slot in hand: no window holds more than the limit."""
    chance = random.Random(seed)
    directory = tmp_path_factory.mktemp("state")
    rate, starts, shares = Rate(limit, 10.0), list[float](), list[LocalShare]()

    async def life() -> None:
        clock = virtual.loop().time
        share = LocalPaceStore(directory, no_warning, clock=clock).share(KEY, rate)
        shares.append(share)
        for _ in range(chance.randrange(40)):
            answer = await share.take()
            if isinstance(answer, float):
                await anyio.sleep(answer)
                continue
            await anyio.sleep(chance.choice([0.0, 0.0, 0.2, 2.0, 7.0, 12.0]))
            match chance.randrange(20):
                case 0:
                    answer.give_back()
                case 1:
                    return  # killed with a slot in hand
                case 2:
                    virtual.loop().stall(chance.choice([0.5, 9.0]))
                case _:
                    if answer.start():
                        starts.append(clock())
        share.close()

    async def lives() -> None:
        for _ in range(4):
            await life()

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(lives)

    virtual.run(main)
    for share in shares:
        share.close()
    assert most_in_window(sorted(starts), 10.05) <= limit


def joined(directory: Path, clock: Clock, warnings: list[str], rate: Rate = MINUTE) -> LocalShare:
    """One run at the file, told the time by the test."""
    return LocalPaceStore(directory, warnings.append, clock=clock).share(KEY, rate)


def take(share: LocalShare) -> Permit | float:
    """What the local file answers: it never waits, so that no loop is needed."""
    asked = share.take()
    try:
        asked.send(None)
    except StopIteration as answer:
        return cast("Permit | float", answer.value)
    raise AssertionError("the local store waited")


def start(share: LocalShare) -> bool:
    """Start one request now, if that is allowed."""
    answer = take(share)
    return not isinstance(answer, float) and answer.start()


def file_in(directory: Path) -> Path:
    """The one key's file."""
    (path,) = directory.glob("*.sqlite")
    return path


def spend(share: LocalShare, clock: Clock, tries: int, step_seconds: float = 1.004) -> int:
    """Try to start one request every `step_seconds`; how many did."""
    started = 0
    for _ in range(tries):
        started += start(share)
        clock.now += step_seconds
    return started


def test_the_file_tells_nothing(tmp_path: Path) -> None:
    """The name is a hash, the key is not inside, and nobody else can read it."""
    directory = tmp_path / "state" / "batcher"
    share = joined(directory, Clock(), [])
    assert start(share)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    for path in directory.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert b"secret" not in path.read_bytes()
        assert "secret" not in path.name
        assert "omni" not in path.name
    share.close()


def test_different_keys_have_different_files(tmp_path: Path) -> None:
    """Each key has its own limit."""
    pace = LocalPaceStore(tmp_path, no_warning, clock=Clock())
    for secret in "ab":
        share = pace.share(ApiKey(secret), Rate(1, 60.0))
        assert start(share)
        assert not start(share)
        share.close()
    assert len(list(tmp_path.glob("*.sqlite"))) == 2


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda path: path.write_bytes(b"something else entirely"), id="foreign"),
        pytest.param(lambda path: path.write_bytes(os.urandom(8192)), id="noise"),
        pytest.param(lambda path: os.truncate(path, 100), id="cut in the header"),
        pytest.param(lambda path: os.truncate(path, 5000), id="cut in a page"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:100] + b"\xff" * 8000), id="noise in the pages"),
        pytest.param(lambda path: edit(path, "DROP TABLE runs; CREATE TABLE runs (name TEXT)"), id="other tables"),
    ],
)
@pytest.mark.parametrize("while_open", [True, False])
def test_a_damaged_file_is_replaced_with_a_warning(
    tmp_path: Path, damage: Callable[[Path], object], while_open: bool
) -> None:
    """Damage costs the memory of the last window, never the run; the law holds again from there."""
    clock, warnings = Clock(), list[str]()
    share = joined(tmp_path, clock, warnings)
    assert spend(share, clock, 10) == 10
    path = file_in(tmp_path)
    damage(path)
    if not while_open:
        share.close()
        share = joined(tmp_path, clock, warnings)
    assert spend(share, clock, 60) == 60
    assert not start(share)
    assert len(warnings) == 1
    assert str(path) in warnings[0]
    assert "damaged" in warnings[0]
    share.close()


def edit(path: Path, statements: str) -> None:
    """Change the file as no run of ours would."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript(statements)


@pytest.mark.parametrize(
    "statements",
    [
        "UPDATE starts SET at = 1e300, due = 1e300",
        "UPDATE starts SET at = 'soon', due = 'later'",
        "UPDATE starts SET at = -1e300, due = -1e300",
        "INSERT INTO runs VALUES (1, 1, 1e300, 1, 1e300), (2, 2, 'x', 'y', 'z'), (3, -3, 5000.0, 0, 0.0)",
        "INSERT INTO starts VALUES (9223372036854775807, 5000.0, 5000.0)",
    ],
)
def test_values_without_sense_never_block_forever(tmp_path: Path, statements: str) -> None:
    """Whatever stands in a sound file: at worst it is replaced, and after a while the whole rate is used."""
    clock, warnings = Clock(), list[str]()
    share = joined(tmp_path, clock, warnings)
    assert spend(share, clock, 60) == 60
    edit(file_in(tmp_path), statements)
    spend(share, clock, 20)
    clock.now += 100
    assert spend(share, clock, 60) == 60
    share.close()


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2**15), st.binary(min_size=1, max_size=40)), min_size=1, max_size=8))
def test_no_damage_is_an_exception(tmp_path_factory: pytest.TempPathFactory, damages: list[tuple[int, bytes]]) -> None:
    """Random bytes anywhere in the file: it goes on, with the file, a new one, or alone."""
    directory = tmp_path_factory.mktemp("state")
    clock, warnings = Clock(), list[str]()
    share = joined(directory, clock, warnings)
    spend(share, clock, 70)
    path = file_in(directory)
    content = bytearray(path.read_bytes())
    for place, noise in damages:
        at = place % len(content)
        content[at : at + len(noise)] = noise
    path.write_bytes(content)
    spend(share, clock, 10)
    share.close()
    again = joined(directory, clock, warnings)
    spend(again, clock, 10)
    clock.now += 200
    assert spend(again, clock, 60) >= 58
    again.close()


def test_an_unwritable_directory_is_a_warning(tmp_path: Path) -> None:
    """Where no directory can be made, the run goes on alone and says so once."""
    (tmp_path / "file").write_text("")
    warnings: list[str] = []
    share = joined(tmp_path / "file" / "state", Clock(), warnings)
    assert spend(share, Clock(), 100) == 100, "alone, the gate's own window keeps the law"
    assert len(warnings) == 1
    assert "BATCHER_STATE_DIR" in warnings[0]
    share.close()


@pytest.mark.parametrize("make", [lambda path: path.mkdir(), os.mkfifo, lambda path: path.symlink_to("/etc/passwd")])
def test_what_is_no_file_is_a_warning(tmp_path: Path, make: Callable[[Path], object]) -> None:
    """A directory, a pipe or a link in the file's place neither hangs nor harms."""
    first = joined(tmp_path, Clock(), [])
    assert start(first)
    first.close()
    path = file_in(tmp_path)
    path.unlink()
    make(path)
    warnings: list[str] = []
    share = joined(tmp_path, Clock(), warnings)
    assert start(share)
    assert share.is_alone
    assert len(warnings) == 1
    share.close()


def test_a_deleted_file_is_made_anew(tmp_path: Path) -> None:
    """Runs meet again after somebody deleted the file under a running one."""
    clock, warnings = Clock(), list[str]()
    old = joined(tmp_path, clock, warnings, Rate(1, 10.0))
    assert start(old)
    path = file_in(tmp_path)
    path.unlink()
    clock.now += 20
    assert start(old)
    new = joined(tmp_path, clock, warnings, Rate(1, 10.0))
    assert not start(new)
    assert not warnings
    old.close()
    new.close()


def test_a_deleted_directory_is_made_anew_at_once(tmp_path: Path) -> None:
    """Regression: SQLite calls a file that was moved away read-only, and the run went on alone for good."""
    clock, warnings = Clock(), list[str]()
    directory = tmp_path / "state"
    share = joined(directory, clock, warnings, Rate(1, 10.0))
    assert start(share)
    shutil.rmtree(directory)
    clock.now += 0.001  # before the path is looked at again
    start(share)
    clock.now += 20
    assert start(share)
    assert (share.is_alone, warnings) == (False, [])
    assert file_in(directory).exists()
    share.close()


def test_a_run_that_died_with_a_slot_counts_as_started(tmp_path: Path) -> None:
    """Its slot counts from its grant, and its place in the queue is forgotten after a second."""
    clock, rate = Clock(), Rate(1, 10.0)
    dead = joined(tmp_path, clock, [], rate)
    assert isinstance(take(dead), LocalPermit)
    other = joined(tmp_path, clock, [], rate)
    clock.now += 10.0
    assert not start(other)
    clock.now += 0.1
    assert start(other)
    for share in (dead, other):
        share.close()


def test_a_slot_kept_too_long_is_void(tmp_path: Path) -> None:
    """After a window the others no longer count it, so it can no longer be started."""
    clock = Clock()
    share = joined(tmp_path, clock, [])
    early = take(share)
    clock.now += 1.0
    late = take(share)
    assert isinstance(early, LocalPermit)
    assert isinstance(late, LocalPermit)
    clock.now += 59.5
    assert not early.start()
    assert late.start()
    share.close()


def test_a_stopped_run_loses_its_turn(tmp_path: Path) -> None:
    """A run that waits but no longer shows itself holds nobody up for more than a second."""
    clock, rate = Clock(), Rate(1, 10.0)
    first, stopped, third = (joined(tmp_path, clock, [], rate) for _ in range(3))
    assert start(first)
    assert isinstance(take(stopped), float)
    clock.now += 9.9
    assert not start(third)
    clock.now += 1.5
    assert start(third)
    for share in (first, stopped, third):
        share.close()


def test_a_lock_that_is_never_let_go_does_not_hang_the_run(tmp_path: Path) -> None:
    """If another process holds the lock for seconds, the run warns and goes on alone."""
    clock, warnings = Clock(), list[str]()
    share = joined(tmp_path, clock, warnings)
    assert start(share)
    with contextlib.closing(sqlite3.connect(file_in(tmp_path), isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        before = time.monotonic()
        assert isinstance(take(share), float)
        assert time.monotonic() - before < 0.5, "the event loop must not stand still"
        clock.now += 6
        assert start(share)
        assert share.is_alone
    assert len(warnings) == 1
    share.close()


def test_a_lock_held_for_a_moment_costs_nothing(tmp_path: Path) -> None:
    """A slot that can't be written down isn't started; afterwards all is as before."""
    clock = Clock()
    share = joined(tmp_path, clock, [])
    permit = take(share)
    assert isinstance(permit, LocalPermit)
    with contextlib.closing(sqlite3.connect(file_in(tmp_path), isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        clock.now += 1.0  # had it been started at once, nothing would have to be written
        assert not permit.start()
        permit.give_back()
    clock.now += 1
    assert spend(share, clock, 50) == 50
    share.close()


def test_a_boot_in_between_forgets_nothing_too_early(tmp_path: Path) -> None:
    """After a reboot the clock begins anew: what started before it counts from the boot on, and no longer."""
    clock, warnings, rate = Clock(), list[str](), Rate(3, 30.0)
    before = joined(tmp_path, clock, warnings, rate)
    assert spend(before, clock, 3, 10.04) == 3
    before.close()
    clock.now = 4.0
    after = joined(tmp_path, clock, warnings, rate)
    assert spend(after, clock, 26) == 0
    clock.now = 31.0
    assert spend(after, clock, 30, 10.1) == 30
    assert not warnings
    after.close()


def test_many_runs_keep_the_law(tmp_path: Path) -> None:
    """Fifty runs at once, all of them new."""
    clock, rate = Clock(), Rate(20, 10.0)
    shares = [joined(tmp_path, clock, [], rate) for _ in range(50)]
    assert sum(start(share) for share in shares) <= 20
    clock.now += 30
    assert sum(start(share) for share in shares * 3) <= 20
    for share in shares:
        share.close()


PROGRAM = """
import sys, time, anyio
from pathlib import Path
from batcher.pace.gate import Gate
from batcher.pace.rate import Rate
from batcher.pace.local_store import LocalPaceStore
from batcher.api_keys import ApiKey

async def main(directory, rate, seconds):
    end = time.clock_gettime(time.CLOCK_MONOTONIC) + seconds
    async with Gate([ApiKey("k")], rate, shared=LocalPaceStore(Path(directory), sys.exit)) as gate:
        while (now := time.clock_gettime(time.CLOCK_MONOTONIC)) < end:
            slot = await gate.slot()
            if slot.start():
                print(time.clock_gettime(time.CLOCK_MONOTONIC), flush=True)

anyio.run(main, sys.argv[1], Rate.parse(sys.argv[2]), float(sys.argv[3]))
"""


def test_real_processes_keep_the_law_together(tmp_path: Path) -> None:
    """Two processes at once, one killed, one begun right after: never more than the limit in a window."""
    command = [sys.executable, "-c", PROGRAM, str(tmp_path), "50/s"]

    def begin(seconds: str) -> subprocess.Popen[str]:
        return subprocess.Popen([*command, seconds], stdout=subprocess.PIPE, text=True)

    with begin("60") as killed, begin("2") as finished:
        assert killed.stdout is not None
        first = [killed.stdout.readline() for _ in range(20)]
        killed.kill()
        with begin("0.5") as late:
            outputs = [run.communicate()[0] for run in (killed, finished, late)]
    texts = ["".join(first) + outputs[0], *outputs[1:]]
    starts = [[float(line) for line in text.splitlines() if "." in line] for text in texts]
    assert all(len(part) >= 10 for part in starts)
    assert most_in_window(sorted(chain(*starts)), 1.0) <= 50


def test_a_stopped_process_holds_nobody_up(tmp_path: Path) -> None:
    """While one of two processes is stopped (SIGSTOP) the other gets all of the rate; then both go on."""
    command = [sys.executable, "-c", PROGRAM, str(tmp_path), "20/s", "60"]

    def next_start(run: subprocess.Popen[str]) -> float:
        assert run.stdout is not None
        return float(run.stdout.readline())

    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as stopped,
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other,
    ):
        mine, others = [next_start(stopped)], [next_start(other)]
        stopped.send_signal(signal.SIGSTOP)
        while others[-1] < others[0] + 1.9:
            others.append(next_start(other))
        stopped.send_signal(signal.SIGCONT)
        mine += [next_start(stopped) for _ in range(20)]
        for run, starts in ((stopped, mine), (other, others)):
            run.kill()
            starts += [float(line) for line in run.communicate()[0].splitlines()]
    alone = [at for at in others if 1.2 <= at - others[0] <= 1.9]
    assert len(alone) >= 0.8 * 20 * 0.7, "a second after it was stopped nobody waits for it"
    assert most_in_window(sorted(mine + others), 1.0) <= 20
