"""Corners of never twice, never lost, each of which was once got wrong, or easily could be (contract 5 to 7)."""

from __future__ import annotations

import json
from pathlib import Path

import anyio
import pytest

from batcher.commands import status
from batcher.send.drain import Drain, End

from ..support.faulty import FaultyServer, named, on
from ..support.runs import Job, Witness, contents, row, until


async def test_an_invalid_row_keeps_its_unclear_attempt(tmp_path: Path) -> None:
    """An uncertain row is edited and now invalid: it stays uncertain, and is not sent again once it is fixed.

    (Failed before: with --skip-invalid it was booked as failed, which forgot the attempt, and then made twice.)
    """
    job = Job(tmp_path)
    job.rows(row("a", key="K"), row("b"))
    async with FaultyServer(on("reset-after", named("a"))) as server:
        assert (await job.run(server.base_url, fill_identifiers=False)).code == 5
        job.rows(row("a", key="K", description=7), row("b"))
        ran = await job.run(server.base_url, fill_identifiers=False, skip_invalid=True)
        assert (ran.code, ran.counts) == (5, {"created_before": 1, "uncertain": 1})
        job.rows(row("a", key="K", description="seven"), row("b"))
        ran = await job.run(server.base_url, fill_identifiers=False)
    assert (ran.code, ran.counts) == (5, {"created_before": 1, "uncertain": 1})
    assert len(server.created_by_name["a"]) == 1


@pytest.mark.parametrize("held_up", ["429=600@3-", "503=600@3-"])
async def test_a_resend_that_never_left_is_not_repeated_unasked(tmp_path: Path, held_up: str) -> None:
    """--resend-uncertain, but a brake and ctrl-C come first: still uncertain, and not sent again without the flag.

    (Failed before: the resend's intent took the place of the unclear attempt, and clearing it forgot both.)
    """
    job = Job(tmp_path)
    job.rows(row("a"), row("b"))
    drain = Drain()
    async with FaultyServer("reset-after@1", held_up) as server:
        assert (await job.run(server.base_url, fill_identifiers=False, concurrency=1)).code == 5

        async def stop() -> None:
            await until(lambda: len(server.posts) == 3)
            await anyio.sleep(0.05)
            drain.start(End.INTERRUPTED)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stop)
            ran = await job.run(server.base_url, drain=drain, fill_identifiers=False, resend_uncertain=True)
        assert (ran.code, ran.counts) == (130, {"created_before": 1, "uncertain": 1})
        with anyio.fail_after(5):
            ran = await job.run(server.base_url, fill_identifiers=False)
    assert (ran.code, ran.counts, len(server.posts)) == (5, {"created_before": 1, "uncertain": 1}, 3)
    assert len(server.created_by_name["a"]) == 1


@pytest.mark.parametrize("fill", [True, False])
async def test_a_resend_that_is_refused_leaves_the_first_attempt_unclear(tmp_path: Path, fill: bool) -> None:
    """A row is failed only if none of its attempts is unclear: a refused resend (413: no lag to wait out) is still uncertain.

    (Failed before: it was booked as failed, and the next run sent it again unasked.)
    """
    job = Job(tmp_path)
    job.rows(row("a"), row("b"))
    async with FaultyServer("reset-after@1", "413@3") as server:
        assert (await job.run(server.base_url, fill_identifiers=False, concurrency=1)).code == 5
        ran = await job.run(server.base_url, fill_identifiers=fill, resend_uncertain=True)
        assert (ran.code, ran.counts) == (5, {"created_before": 1, "uncertain": 1})
        ran = await job.run(server.base_url, fill_identifiers=fill)
    assert (ran.code, len(server.posts)) == (5, 3)


async def test_rows_without_a_request_do_not_use_up_the_limit(tmp_path: Path) -> None:
    """--limit counts rows whose request leaves; uncertain rows that only a person can settle send none.

    (Failed before: a few of them, and a canary never sent anything.)
    """
    job = Job(tmp_path)
    job.rows(*[row(f"lost {n}") for n in range(3)])
    async with FaultyServer("reset-after@1-3") as server:
        assert (await job.run(server.base_url, fill_identifiers=False)).counts == {"uncertain": 3}
        job.rows(*[row(f"lost {n}") for n in range(3)], *[row(f"new {n}") for n in range(5)])
        ran = await job.run(server.base_url, fill_identifiers=False, limit=2)
    assert (ran.code, ran.counts) == (5, {"uncertain": 3, "created_now": 2, "to_do": 3})


async def test_the_journal_keeps_a_rows_filled_identifier(tmp_path: Path) -> None:
    """A failed row that is renamed keeps the identifier of its first run."""
    job = Job(tmp_path)
    job.rows(row("first name", key="K"))
    async with FaultyServer("422@1") as server:
        await job.run(server.base_url)
        [intent] = job.intents("first name")
        job.rows(row("second name", key="K"))
        assert (await job.run(server.base_url)).code == 0
    assert list(server.documents) == [intent["identifier"]]
    assert intent["identifier"].startswith("first-name-")


async def test_an_identifier_given_later_takes_the_place_of_the_filled_one(tmp_path: Path) -> None:
    """Once nothing is unclear, the user's own identifier counts."""
    job = Job(tmp_path)
    job.rows(row("a", key="K"))
    async with FaultyServer("422@1") as server:
        await job.run(server.base_url)
        job.rows(row("a", key="K", identifier="mine-1"))
        assert (await job.run(server.base_url)).code == 0
    assert list(server.documents) == ["mine-1"]


async def test_a_refused_key_while_orphans_are_looked_up_stops_the_run(tmp_path: Path) -> None:
    """Rows gone from the input are looked up first; a refused key ends that in good order, and nothing is lost."""
    job = Job(tmp_path)
    job.rows(row("gone"))
    async with FaultyServer("500-after@1", "GET 500@1-5", "GET 401@6") as server:
        assert (await job.run(server.base_url)).code == 5
        job.rows(row("b"))
        ran = await job.run(server.base_url)
        assert (ran.code, ran.counts, ran.summary.other_failures) == (3, {"to_do": 1}, 1)
        ran = await job.run(server.base_url)
    assert (ran.code, job.how) == (0, {"gone": "reconciled", "b": "created"})


async def test_a_key_refused_at_a_look_up_leaves_the_row_uncertain(tmp_path: Path) -> None:
    """The key is revoked between a lost POST and its GET: uncertain, exit 3; the next key finds the document."""
    job = Job(tmp_path)
    job.rows(row("a"), row("b"))
    async with FaultyServer("reset-after@1", "GET revoke-key@1") as server:
        ran = await job.run(server.base_url, concurrency=1)
        assert (ran.code, job.reasons) == (3, {"a": "uncertain connection"})
        ran = await job.run(server.base_url, keys=("k2",))
    assert (ran.code, len(server.commits), job.failures) == (0, 2, [])
    assert job.how["a"] == "reconciled"


async def test_status_reads_only(tmp_path: Path) -> None:
    """`status` says what a run would find, and makes and changes nothing, even while a run holds the files."""
    job = Job(tmp_path)
    job.rows(row("a"), row("b"), row("c"))
    async with FaultyServer(on("500", named("b")), on("422", named("c"))) as server:
        await job.run(server.base_url)
        job.rows(row("a", description="changed"), row("b"), row("c"), row("d"), {"name": "no model"})
        before = contents(tmp_path)
        with job.runtime.storage.lock(job.files.journal, b"somebody"):
            plan = status.status(job.settings(server.base_url), observer=Witness(), runtime=job.runtime)
        assert contents(tmp_path) == before
    assert (plan.rows, plan.created, plan.changed, plan.uncertain, plan.to_do) == (5, 1, 1, 1, 1)
    assert (plan.failed, plan.invalid) == (2, 1)


async def test_an_empty_input_is_a_finished_run(tmp_path: Path) -> None:
    """No rows: nothing is sent, nothing is made, exit 0."""
    job = Job(tmp_path)
    job.input.write_text("")
    async with FaultyServer() as server:
        ran = await job.run(server.base_url)
    assert (ran.code, ran.summary.rows, set(contents(tmp_path))) == (0, 0, {"d.jsonl"})


async def test_an_input_that_changes_while_it_is_read_stops_the_run(tmp_path: Path) -> None:
    """The second reading proves that each row is the one that was checked; if not, exit 3, and nothing is made twice."""
    job = Job(tmp_path)
    job.rows(*[row(f"n{n:03}") for n in range(200)])
    witness = Witness()

    def overwrite(_outcome: object) -> None:
        if len(witness.outcomes) == 1:
            text = job.input.read_bytes()
            job.input.write_bytes(text.replace(b"n199", b"XXXX"))

    witness.on_outcome = overwrite
    async with FaultyServer() as server:
        ran = await job.run(server.base_url, witness=witness)
        if ran.code != 0:  # the small file may have been read ahead before it changed
            assert (ran.code, "changed while" in (ran.summary.stopped or "")) == (3, True)
        job.rows(*[row(f"n{n:03}") for n in range(200)])
        ran = await job.run(server.base_url)
    assert (ran.code, ran.summary.created) == (0, 200)
    assert all(len(made) == 1 for made in server.created_by_name.values())


async def test_a_corrupt_line_in_the_middle_is_named_and_nothing_is_sent(tmp_path: Path) -> None:
    """Results or journal with a broken line in the middle: a usage error with file and line; restored, all is well."""
    job = Job(tmp_path)
    job.rows(row("a"), row("b"), row("c"))
    async with FaultyServer() as server:
        await job.run(server.base_url)
        sent = len(server.seen)
        for path in (job.files.results, job.files.journal):
            text = path.read_bytes()
            lines = text.splitlines(keepends=True)
            path.write_bytes(lines[0] + b'{"key":"torn' + b"\n" + b"".join(lines[1:]))
            with pytest.raises(Exception, match=rf"{path.name}:2: this line cannot be read"):
                await job.run(server.base_url)
            path.write_bytes(text)
        assert (await job.run(server.base_url)).counts == {"created_before": 3}
    assert len(server.seen) == sent


async def test_fields_and_types_of_a_later_version_are_tolerated(tmp_path: Path) -> None:
    """Unknown fields in each file and unknown types in the journal change nothing."""
    job = Job(tmp_path)
    job.rows(row("a"), row("b"))
    async with FaultyServer(on("422", named("b"))) as server:
        await job.run(server.base_url)
        for path in (job.files.results, job.files.journal):
            lines = [json.loads(line) | {"colour": "blue"} for line in path.read_bytes().splitlines()]
            text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
            path.write_text(text)
        with job.files.journal.open("a") as file:
            file.write('{"type":"from the future","what":1}\n{"key":"x","type":"novel"}\n')
        ran = await job.run(server.base_url)
    assert (ran.code, ran.counts) == (1, {"created_before": 1, "failed": 1})
