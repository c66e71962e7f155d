"""What ended a run is one word in its summary, a value from where it stopped, never read out of a message (contract 3)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from batcher.errors import StopReason
from batcher.report.summary import summary_object
from batcher.sandbox.calls import Call
from batcher.send.drain import Drain, End
from batcher.transport.reply import Answer, Cause, Lost, NotSent, Reply

from ..support import virtual
from ..support.faulty import FaultyServer
from ..support.runs import BASE, Job, MaybeUnreached, Memory, Ran, Witness, answer, interrupt_after, row, virtual_world

Answers = Callable[[Call, int], Reply | Awaitable[Reply | None] | None]
PAGE = {"content-type": "text/html"}


def ran_with(tmp_path: Path, script: Answers, **settings: Any) -> Ran:
    """Twenty rows, one at a time, against a server that says this."""
    job, memory, ran = Job(tmp_path), Memory(script), list[Ran]()
    job.rows(*[row(f"n{n}") for n in range(20)])

    async def body() -> None:
        with memory.serving(), anyio.fail_after(3600):
            job.runtime = virtual_world(memory)
            ran.append(await job.run(BASE, **{"concurrency": 1, "give_up_after_seconds": 60.0, **settings}))

    virtual.run(body)
    return ran[0]


def says(reply: Reply) -> Answers:
    """A server that says nothing else."""
    return lambda _call, _number: reply


STOPS: dict[StopReason, Answers] = {
    StopReason.KEY_REFUSED: says(answer(401)),
    StopReason.UNREACHABLE: says(answer(502)),
    StopReason.RATE_LIMITED: says(answer(429, retry_after="10")),
    StopReason.SAME_FAILURE: says(answer(422, "no")),
    StopReason.NOT_OMNI: says(Answer(302, {"location": "/login"}, b"", 0.01)),
    StopReason.ENDPOINT_GONE: says(answer(410)),
    StopReason.CERTIFICATE: MaybeUnreached(says(NotSent(Cause.CERTIFICATE, "the certificate is not trusted"))),
    StopReason.FIREWALL: says(Answer(403, PAGE, b"<html>Denied</html>", 0.01)),
    StopReason.UNREADABLE: says(Lost(Cause.UNREADABLE, "too long")),
}


@pytest.mark.parametrize("reason", STOPS)
def test_each_trouble_has_its_word(tmp_path: Path, reason: StopReason) -> None:
    """With exit 3; the sentence is beside it, and no word of it is needed."""
    ran = ran_with(tmp_path, STOPS[reason])
    assert (ran.code, ran.summary.stopped_reason, summary_object(ran.summary)["stoppedReason"]) == (3, reason, reason)


def test_a_host_that_nobody_knows_and_a_server_in_maintenance_are_unreachable(tmp_path: Path) -> None:
    """As is one that answers nothing but 503 with Retry-After."""
    scripts: list[Answers] = [MaybeUnreached(says(NotSent(Cause.DNS, "unknown"))), says(answer(503, retry_after="10"))]
    for number, script in enumerate(scripts):
        (tmp_path / str(number)).mkdir()
        ran = ran_with(tmp_path / str(number), script)
        assert (ran.code, ran.summary.stopped_reason) == (3, StopReason.UNREACHABLE)


async def test_an_answer_that_names_another_document(tmp_path: Path) -> None:
    """The run stops after it."""
    job = Job(tmp_path)
    job.rows(row("a"), row("b"), row("c"))
    async with FaultyServer("other-identifier@2") as server:
        ran = await job.run(server.base_url, concurrency=1)
    assert (ran.code, ran.summary.stopped_reason) == (3, StopReason.WRONG_DOCUMENT)


@pytest.mark.parametrize("concurrency", [1, 4])
def test_such_a_document_that_is_nowhere_to_be_found(tmp_path: Path, concurrency: int) -> None:
    """Its row is asked for again and again, for which it gets a place (failed before: others kept it, and the run hung)."""
    made = b'{"workbook": {"identifier": "another"}, "dashboard": {}}'

    def script(call: Call, _number: int) -> Reply | None:
        return Answer(201, {}, made, 0.01) if call.method == "POST" else None

    ran = ran_with(tmp_path, script, concurrency=concurrency)
    assert (ran.code, ran.summary.stopped_reason) == (3, StopReason.WRONG_DOCUMENT)
    assert ran.counts == {"uncertain": concurrency, "to_do": 20 - concurrency}


@pytest.mark.parametrize("end", [End.INTERRUPTED, End.DEADLINE])
def test_a_signal_and_a_deadline(tmp_path: Path, end: End) -> None:
    """The exit code's order holds for the word, too."""
    drain = Drain()
    ran = ran_with(tmp_path, lambda _call, _number: None, drain=drain, witness=interrupt_after(drain, 3, end))
    assert ran.summary.stopped_reason == end.value
    drain.stop("the disk is full", StopReason.DISK)
    assert drain.stop_reason is (StopReason.INTERRUPTED if end is End.INTERRUPTED else StopReason.DISK)


def test_a_limit_and_a_whole_run(tmp_path: Path) -> None:
    """A canary is `limit`; the run that does the rest has no such word, though a deadline comes when all is done."""
    ran = ran_with(tmp_path, lambda _call, _number: None, limit=3)
    assert (ran.code, ran.summary.stopped_reason) == (6, StopReason.LIMIT)
    drain, witness = Drain(), Witness()

    def expire(_outcome: object) -> None:
        if len(witness.outcomes) == 17:
            drain.start(End.DEADLINE)

    witness.on_outcome = expire
    ran = ran_with(tmp_path, lambda _call, _number: None, drain=drain, witness=witness)
    assert (ran.code, ran.summary.stopped_reason) == (0, None)
