"""The simulation's own disk, clock, server and wire: a wrong model would prove nothing."""

from __future__ import annotations

import random
from pathlib import Path

import anyio
import orjson
import pytest

from batcher.api_keys import ApiKey
from batcher.transport.reply import Answer, Cause, Lost, NotSent, Reply

from .clock import Deadlock, ProcessDied, SimulatedLoop, steady_order
from .disk import SimulatedDisk
from .server import DOCUMENTS, Habits, SimulatedServer
from .transport import MISROUTED, Blindness, Fault, SimulatedWire, Weather, is_clear

FILE = Path("a.jsonl")
KEY = ApiKey("secret")


def live(main: object, now: float = 0.0) -> None:
    """Run one process."""
    with steady_order():
        SimulatedLoop(now).live(main)  # type: ignore[arg-type]


def body(identifier: str | None = "one", **more: object) -> bytes:
    """A create's body."""
    fields = {"modelId": "m", "name": "Board", "description": "row:1 v1"} | more
    return orjson.dumps(fields | ({"identifier": identifier} if identifier else {}))


class TestDisk:
    """What survives, and what does not."""

    def test_a_power_cut_keeps_what_was_synced_and_cuts_the_rest_anywhere(self) -> None:
        """Over many cuts the unsynced part is kept, lost, and torn; the synced part never changes."""
        ends = set()
        for seed in range(60):
            disk = SimulatedDisk(random.Random(seed))

            async def write(disk: SimulatedDisk = disk) -> None:
                with disk.boot().append(FILE) as file:
                    file.write(b"synced\n")
                    await file.sync()
                    file.write(b"unsynced\n")

            live(write())
            assert disk.durable(FILE) == b"synced\n"
            disk.crash(power=True)
            assert disk.content(FILE).startswith(b"synced\n")
            assert b"synced\nunsynced\n".startswith(disk.content(FILE))
            ends.add(len(disk.content(FILE)))
        assert {7, 16} < ends

    def test_a_killed_process_loses_nothing_that_was_written(self) -> None:
        """The kernel still has it."""
        disk = SimulatedDisk(random.Random(1))
        with disk.boot().append(FILE) as file:
            file.write(b"unsynced\n")
        disk.crash(power=False)
        assert disk.content(FILE) == b"unsynced\n"

    def test_a_dead_process_can_do_nothing(self) -> None:
        """Neither through its disk nor through a file that it had open."""
        disk = SimulatedDisk(random.Random(1))
        process = disk.boot()
        with process.append(FILE) as file:
            disk.crash(power=False)
            with pytest.raises(ProcessDied):
                file.write(b"late\n")
        with pytest.raises(ProcessDied):
            process.size(FILE)
        assert disk.content(FILE) == b""

    def test_an_fsync_takes_time_and_covers_what_was_written_before_it(self) -> None:
        """What is written while it runs is not sure to survive."""
        disk = SimulatedDisk(random.Random(3), lambda: 0.2)

        async def write() -> None:
            with disk.boot().append(FILE) as file:
                file.write(b"before\n")
                async with anyio.create_task_group() as group:
                    group.start_soon(file.sync)
                    await anyio.sleep(0.1)
                    assert disk.durable(FILE) == b""
                    file.write(b"during\n")
                assert anyio.current_time() == pytest.approx(0.2)

        live(write())
        assert disk.durable(FILE).startswith(b"before\n")

    def test_replace_is_old_or_new(self) -> None:
        """A crash at any of its steps leaves one whole file."""
        seen = set()
        for step in range(1, 7):
            disk = SimulatedDisk(random.Random(step))
            disk.put(FILE, b"old\n")
            steps_left = [step]

            def count(_name: str, disk: SimulatedDisk = disk, left: list[int] = steps_left) -> None:
                left[0] -= 1
                if left[0] == 0:
                    disk.crash(power=True)

            disk.before_step = count
            try:
                disk.boot().replace(FILE, [b"new 1\n", b"new 2\n"])
            except ProcessDied:
                seen.add(disk.content(FILE))
        assert seen == {b"old\n", b"new 1\nnew 2\n"}

    def test_a_full_disk_takes_a_part_and_a_cut_mends_it(self) -> None:
        """ENOSPC comes after a partial write, as on a real disk."""
        disk = SimulatedDisk(random.Random(1))
        disk.faults.room_bytes = 4
        with disk.boot().append(FILE) as file:
            with pytest.raises(OSError, match="No space left"):
                file.write(b"too long\n")
            assert disk.content(FILE) == b"too "
            file.truncate(0)
        assert disk.content(FILE) == b""

    def test_a_cut_that_was_not_synced_may_be_undone(self) -> None:
        """After a power cut the old bytes are there or not."""
        ends = set()
        for seed in range(30):
            disk = SimulatedDisk(random.Random(seed))
            disk.put(FILE, b"whole\n")
            with disk.boot().append(FILE) as file:
                file.truncate(0)
            disk.crash(power=True)
            ends.add(disk.content(FILE))
        assert ends == {b"", b"whole\n"}

    def test_the_lock_is_held_by_one_and_let_go_of_by_death(self) -> None:
        """A second holder is told who has it."""
        disk = SimulatedDisk(random.Random(1))
        first = disk.boot()
        with first.lock(FILE, b"first"):
            with pytest.raises(BlockingIOError, match="first"), first.lock(FILE, b"second"):
                pass
            disk.crash(power=False)
        with disk.boot().lock(FILE, b"third"):
            assert disk.locked


class TestClock:
    """Time, death and order."""

    def test_a_killed_process_stops_where_it_is(self) -> None:
        """Its tasks end without reaching what comes next."""
        reached = []
        loop = SimulatedLoop(100.0)

        async def main() -> None:
            loop.call_later(1.0, loop.kill)
            try:
                await anyio.sleep(0.5)
                reached.append("first")
                await anyio.sleep(1.0)
                reached.append("second")
            finally:
                reached.append("cleaned up")

        with steady_order(), pytest.raises(ProcessDied):
            loop.live(main())
        assert reached == ["first", "cleaned up"]

    def test_a_deadlock_is_an_error(self) -> None:
        """Nobody waits for ever."""

        async def main() -> None:
            await anyio.Event().wait()

        with pytest.raises(Deadlock):
            live(main())

    def test_cancellation_reaches_tasks_in_their_order(self) -> None:
        """Sets of tasks are ordered by number, not by address."""

        async def main() -> None:
            ended: list[int] = []

            async def wait(number: int) -> None:
                with anyio.CancelScope():
                    try:
                        await anyio.sleep_forever()
                    finally:
                        ended.append(number)

            async with anyio.create_task_group() as group:
                for number in range(7):
                    group.start_soon(wait, number)
                await anyio.sleep(1)
                group.cancel_scope.cancel()
            orders.append(ended)

        orders: list[list[int]] = []
        for _ in range(5):
            live(main())
        assert all(order == orders[0] for order in orders)


class TestServer:
    """It keeps an identifier for one document, and tells whose it is."""

    def request(self, wire: SimulatedWire, *requests: tuple[str, str, bytes | None]) -> list[Reply]:
        """Send some requests, one after the other."""
        replies: list[Reply] = []
        disk = SimulatedDisk(random.Random(0))

        async def main() -> None:
            transport = wire.connect(disk.boot(), 1, 60.0)
            for method, path, sent in requests:
                replies.append(await transport.request(method, path, KEY, sent))
                await anyio.sleep(10.0)

        live(main())
        return replies

    def wire(self, habits: Habits | None = None, weather: Weather | None = None) -> SimulatedWire:
        """A wire to a fresh server."""
        server = SimulatedServer(random.Random(1), habits or Habits())
        return SimulatedWire(random.Random(2), server, weather or Weather())

    @pytest.mark.parametrize("status", [400, 409, 422])
    @pytest.mark.parametrize("shape", range(4))
    def test_a_taken_identifier_is_refused(self, status: int, shape: int) -> None:
        """In each shape of error; and the document stays the first one's."""
        wire = self.wire(Habits(taken_status=status, error_shape=shape))
        first, second, read = self.request(
            wire,
            ("POST", DOCUMENTS, body()),
            ("POST", DOCUMENTS, body(name="Other")),
            ("GET", f"{DOCUMENTS}/one", None),
        )
        assert isinstance(first, Answer)
        assert isinstance(second, Answer)
        assert isinstance(read, Answer)
        assert (first.status, second.status, read.status) == (201, status, 200)
        assert orjson.loads(read.body)["name"] == "Board"
        assert [document.name for document in wire.server.ours] == ["Board"]

    def test_a_document_that_lags_is_taken_but_not_readable(self) -> None:
        """The create refuses what the GET does not show yet."""
        wire = self.wire(Habits(lag_chance=1.0, lag_seconds=1e6))
        _, again, read = self.request(
            wire, ("POST", DOCUMENTS, body()), ("POST", DOCUMENTS, body()), ("GET", f"{DOCUMENTS}/one", None)
        )
        assert isinstance(again, Answer)
        assert isinstance(read, Answer)
        assert (again.status, read.status) == (400, 404)

    def test_a_late_commit_comes_after_the_get_said_404(self) -> None:
        """And the same identifier is not made twice."""
        wire = self.wire(weather=Weather(chance=1.0, kinds=(Fault.RESET_LATE,), budget=1))
        wire.chance = random.Random(12)
        lost, *reads = self.request(
            wire, ("POST", DOCUMENTS, body()), *[("GET", f"{DOCUMENTS}/one", None) for _ in range(40)]
        )
        assert isinstance(lost, Lost)
        statuses = [read.status for read in reads if isinstance(read, Answer)]
        assert statuses == sorted(statuses, reverse=True)
        assert statuses[-1] == 200

    def test_a_refusing_row_is_refused_until_it_is_fixed(self) -> None:
        """Its description says with which status."""
        wire = self.wire()
        refused, made = self.request(
            wire,
            ("POST", DOCUMENTS, body(description="row:1 v1 refuse:413")),
            ("POST", DOCUMENTS, body(description="row:1 v2")),
        )
        assert isinstance(refused, Answer)
        assert isinstance(made, Answer)
        assert (refused.status, made.status) == (413, 201)

    def test_the_list_is_in_pages(self) -> None:
        """Newest first, and an unknown parameter is an error."""
        wire = self.wire()
        self.request(wire, *[("POST", DOCUMENTS, body(f"one-{number}")) for number in range(3)])
        page = orjson.loads(wire.server.other(99.0, "GET", DOCUMENTS, {"pageSize": "2"}).body)
        assert [one["identifier"] for one in page["records"]] == ["one-2", "one-1"]
        rest = wire.server.other(99.0, "GET", DOCUMENTS, {"pageSize": "2", "cursor": page["pageInfo"]["nextCursor"]})
        assert [one["identifier"] for one in orjson.loads(rest.body)["records"]] == ["one-0"]
        assert wire.server.other(99.0, "GET", DOCUMENTS, {"name": "x"}).status == 400


class TestWire:
    """Each fault does to the server what its name says."""

    @pytest.mark.parametrize("fault", list(Fault))
    def test_a_fault_is_carried_out_or_not_as_its_name_says(self, fault: Fault) -> None:
        """And comes back as clear or unclear, as the contract sorts it."""
        server = SimulatedServer(random.Random(1), Habits())
        wire = SimulatedWire(random.Random(5), server, Weather(chance=1.0, kinds=(fault,), budget=1))
        replies = TestServer().request(wire, ("POST", DOCUMENTS, body()))
        if fault is Fault.PROXY_404:
            return  # only reads meet it
        if fault in MISROUTED:
            return  # only where there is another's answer: below
        made_now = len(server.ours)
        server.advance(1e9)
        match fault:
            case Fault.REFUSED | Fault.DNS | Fault.TLS | Fault.CONNECT_TIMEOUT:
                assert isinstance(replies[0], NotSent)
                assert server.ours == []
            case Fault.MAINTENANCE | Fault.BRAKE | Fault.BRAKE_BARE | Fault.KEY_REFUSED | Fault.FIREWALL:
                assert is_clear(replies[0])
                assert server.ours == []
            case Fault.TIMEOUT_BEFORE | Fault.RESET_BEFORE | Fault.ERROR_BEFORE | Fault.ODD_BEFORE | Fault.CLOUD_BEFORE:
                assert not is_clear(replies[0])
                assert server.ours == []
            case Fault.UNAVAILABLE:
                assert not is_clear(replies[0])
            case Fault.SLOW:
                assert is_clear(replies[0])
                assert made_now == 1
            case _:
                assert not is_clear(replies[0])
                assert len(server.ours) == 1

    @pytest.mark.parametrize("fault", sorted(MISROUTED))
    def test_a_misrouted_answer_is_another_creates(self, fault: Fault) -> None:
        """The row's own document is made, or not, as the fault's name says; the answer names a document that is there."""
        server = SimulatedServer(random.Random(1), Habits())
        wire = SimulatedWire(random.Random(5), server, Weather(chance=1.0, kinds=(fault,), budget=1))
        first, second = TestServer().request(wire, ("POST", DOCUMENTS, body()), ("POST", DOCUMENTS, body("two")))
        assert isinstance(first, Answer)
        assert isinstance(second, Answer)
        named = orjson.loads(second.body)["workbook"]["identifier"]
        assert (second.status, named != "two", named in server.documents) == (201, True, True)
        assert ("two" in server.documents) is (fault is not Fault.TWICE_BEFORE)
        assert wire.posts[1].clear is False

    def test_a_blind_server_answers_every_look_up_alike(self) -> None:
        """Whether there is such a document or not."""
        server = SimulatedServer(random.Random(1), Habits())
        wire = SimulatedWire(random.Random(5), server, Weather(blindness=Blindness(5.0, 15.0, 403)))
        made, *reads, seen = TestServer().request(
            wire, ("POST", DOCUMENTS, body()), ("GET", f"{DOCUMENTS}/one", None), ("GET", f"{DOCUMENTS}/one", None)
        )
        statuses = [reply.status for reply in (made, *reads, seen) if isinstance(reply, Answer)]
        assert statuses == [201, 403, 200]

    def test_a_timeout_takes_the_whole_timeout(self) -> None:
        """The transport, not its caller, gives up."""
        server = SimulatedServer(random.Random(1), Habits())
        wire = SimulatedWire(random.Random(5), server, Weather(chance=1.0, kinds=(Fault.TIMEOUT_AFTER,), budget=1))

        async def main() -> None:
            transport = wire.connect(SimulatedDisk(random.Random(0)).boot(), 1, 7.0)
            reply = await transport.request("POST", DOCUMENTS, KEY, body())
            assert isinstance(reply, Lost)
            assert reply.cause is Cause.TIMEOUT
            assert anyio.current_time() == pytest.approx(7.0)

        live(main())

    def test_a_request_of_a_dead_process_may_arrive_all_the_same(self) -> None:
        """Over some deaths some documents are made, and some are not."""
        made = []
        for seed in range(20):
            server = SimulatedServer(random.Random(seed), Habits())
            wire = SimulatedWire(random.Random(seed), server, Weather(latency_seconds=5.0))
            loop = SimulatedLoop()

            async def main(wire: SimulatedWire = wire, loop: SimulatedLoop = loop) -> None:
                loop.call_later(0.1, loop.kill)
                await wire.connect(SimulatedDisk(random.Random(0)).boot(), 1, 60.0).request(
                    "POST", DOCUMENTS, KEY, body()
                )

            with pytest.raises(ProcessDied):
                loop.live(main())
            server.advance(1e9)
            made.append(len(server.ours))
        assert {0, 1} == set(made)
