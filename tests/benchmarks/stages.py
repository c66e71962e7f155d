"""Where the CPU of a document goes: each stage of the send pass alone, over all specs of a file, in this process.

`python -m tests.benchmarks.stages SPECS URL HOME` prints CPU seconds by stage, as JSON. Threads count, too. What a whole
run costs above their sum is what joins them: workers, slots, scopes, and coroutines that wait.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import process_time

import uvloop

from batcher.api_keys import ApiKey
from batcher.cli.loop import spare_collector
from batcher.config import Reading, Sending
from batcher.files.disk import Disk
from batcher.files.journal import Journal
from batcher.files.journal_lines import Intent, JournalHeader
from batcher.files.key_history import NO_HISTORY
from batcher.files.lines import open_lines
from batcher.files.results import encode_line
from batcher.files.spool import open_specs
from batcher.models import ApiVersion, How, Spec
from batcher.omni.judge import judge_create
from batcher.omni.v1 import DOCUMENTS, V1
from batcher.omni.verdicts import Made
from batcher.send.row_progress import RowProgress, set_out
from batcher.transport.http import open_transport
from batcher.transport.reply import Answer, Reply
from batcher.validate.check import check

WORKERS = 64
RUN = "benchmark"
_SENDING, _API, _HEADER = Sending(), V1(""), JournalHeader("", "")


def read(path: Path) -> tuple[Sequence[Spec], float]:
    """Each row from the spool that the check has put it into."""
    with open_specs(Disk(), path) as spool:
        check([path], Reading(), on_problem=lambda _: None, on_row=lambda row: spool.add(row.spec()))
        spool.seal()
        begun = process_time()
        specs = tuple(spool)
        return specs, process_time() - begun


def intend(specs: Sequence[Spec]) -> tuple[Sequence[Intent], float]:
    """Identifier, body, hash, and the intent itself."""
    begun = process_time()
    intents = tuple(map(_intent, specs))
    return intents, process_time() - begun


def _intent(spec: Spec) -> Intent:
    row = set_out(spec, NO_HISTORY, _SENDING, _API, _HEADER)
    return Intent(
        spec.key, row.identifier, True, 1, datetime.now(UTC), RUN, spec.source, spec.line, spec.spec_hash, row.body
    )


async def _by_workers(do: Callable[[Intent], Awaitable[object]], intents: Sequence[Intent]) -> float:
    waiting: Iterator[Intent] = iter(intents)

    async def work() -> None:
        for one in waiting:
            await do(one)

    begun = process_time()
    async with asyncio.TaskGroup() as group:
        for _ in range(WORKERS):
            group.create_task(work())
    return process_time() - begun


async def write_intents(intents: Sequence[Intent], home: Path) -> float:
    """Into the journal, each durable before its worker goes on, in groups."""
    with open_lines(Disk(), home / "stages.journal.jsonl") as lines:
        journal = Journal(lines)
        async with journal.group_syncs():
            return await _by_workers(journal.intend, intents)


async def post(intents: Sequence[Intent], url: str) -> tuple[Reply, float]:
    """Request and answer through aiohttp; the last reply, too."""
    last: list[Reply] = []
    async with open_transport(url) as transport:

        async def send(intent: Intent) -> None:
            last[:] = [await transport.request("POST", DOCUMENTS[ApiVersion.V1], ApiKey(RUN), intent.body)]

        seconds = await _by_workers(send, intents)
    return last[0], seconds


def judge(intents: Sequence[Intent], reply: Reply) -> tuple[Made, float]:
    """What each answer means."""
    now, verdict = datetime.now(UTC), None
    begun = process_time()
    for _ in intents:
        verdict = judge_create(reply, is_proven=True, has_created=True, now=now)
    seconds = process_time() - begun
    assert isinstance(verdict, Made), verdict
    return verdict, seconds


def write_results(specs: Sequence[Spec], made: Made, home: Path) -> float:
    """The outcome and its line in the results file, written at once."""
    with open_lines(Disk(), home / "stages.results.jsonl") as lines:
        begun = process_time()
        for spec in specs:
            way = RowProgress(spec, "identifier", True, spec.body)
            outcome = way.created(
                How.CREATED, "identifier", "url", RUN, datetime.now(UTC), status=made.status, response=made.response
            )
            lines.write(encode_line(outcome))
        return process_time() - begun


async def measure(path: Path, url: str, home: Path) -> dict[str, float]:
    """CPU seconds of each stage."""
    spare_collector()
    specs, reading = read(path)
    intents, intending = intend(specs)
    writing = await write_intents(intents, home)
    reply, posting = await post(intents, url)
    assert isinstance(reply, Answer), reply
    made, judging = judge(intents, reply)
    return {
        "read each row again": reading,
        "identifier, body, hash, intent": intending,
        "intents into the journal, fsynced": writing,
        "request and answer (aiohttp)": posting,
        "judge the answer": judging,
        "outcome into the results file": write_results(specs, made, home),
    }


if __name__ == "__main__":
    print(json.dumps(uvloop.run(measure(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])))))
