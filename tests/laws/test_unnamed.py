"""Rows without any identifier (--no-fill-identifiers): unclear stays uncertain until a person says so (contract 5, 7)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from batcher.sandbox.calls import Call
from batcher.transport.reply import Reply

from ..support.faulty import FaultyServer, named, on
from ..support.runs import BASE, Job, Memory, QuickDisk, row
from .test_intents import RESET, live

LOST = on("reset-after", named("b"))


async def unclear(job: Job, server: FaultyServer, **sending: Any) -> None:
    """A first run in which the answer about row b is lost."""
    job.rows(row("a"), row("b"), row("c"))
    ran = await job.run(server.base_url, fill_identifiers=False, concurrency=1, **sending)
    assert (ran.code, ran.counts) == (5, {"created_now": 2, "uncertain": 1})


async def test_nothing_is_sent_without_being_asked(tmp_path: Path) -> None:
    """The server chooses the identifiers; an unclear row is uncertain, names its candidates, and is not sent again."""
    job = Job(tmp_path)
    async with FaultyServer(LOST) as server:
        await unclear(job, server)
        posts = len(server.posts)
        ran = await job.run(server.base_url, fill_identifiers=False)
        assert (ran.code, ran.counts) == (5, {"created_before": 2, "uncertain": 1})
        ran = await job.run(server.base_url)  # switched back on: still not
    assert (ran.code, len(server.posts), job.reasons) == (5, posts, {"b": "uncertain connection"})
    [made] = server.created_by_name["b"]
    assert f"documents with this name: {made}" in job.failures[0]["message"]
    assert job.failures[0]["identifier"] is None
    assert "--resend-uncertain" in job.failures[0]["hint"]
    assert "--adopt-existing" in job.failures[0]["hint"]


async def test_resend_uncertain_takes_the_risk(tmp_path: Path) -> None:
    """--resend-uncertain sends it once more, and the answer is the outcome; here that makes a second document."""
    job = Job(tmp_path)
    async with FaultyServer(on("reset-after@1", named("b"))) as server:
        await unclear(job, server)
        ran = await job.run(server.base_url, fill_identifiers=False, resend_uncertain=True)
    assert (ran.code, ran.counts, job.failures) == (0, {"created_before": 2, "created_now": 1}, [])
    assert len(server.created_by_name["b"]) == 2


async def test_resend_uncertain_with_filling_gets_the_protection_back(tmp_path: Path) -> None:
    """Resent under a filled identifier, the row is from then on safe: a second loss is reconciled."""
    job = Job(tmp_path)
    async with FaultyServer(on("reset-before@1", named("b")), on("reset-after@2", named("b"))) as server:
        await unclear(job, server)
        ran = await job.run(server.base_url, resend_uncertain=True)
    assert (ran.code, job.how["b"]) == (0, "reconciled")
    assert len(server.created_by_name["b"]) == 1


@pytest.mark.parametrize("where", ["spec", "line"])
async def test_a_person_settles_it_by_naming_the_document(tmp_path: Path, where: str) -> None:
    """The found document's identifier in the failures line, fed in with --adopt-existing: adopted, nothing sent."""
    job = Job(tmp_path)
    async with FaultyServer(LOST) as server:
        await unclear(job, server)
        posts = len(server.posts)
        [made] = server.created_by_name["b"]
        job.edit_failures(lambda line: (line["spec"] if where == "spec" else line).update(identifier=made))
        ran = await job.run(server.base_url, inputs=[job.files.failures], fill_identifiers=False, adopt_existing=True)
    assert (ran.code, job.how["b"], job.failures) == (0, "adopted", [])
    assert {line["name"]: line["identifier"] for line in job.results}["b"] == made
    assert len(server.posts) == posts


async def test_a_person_who_names_the_wrong_document_is_told(tmp_path: Path) -> None:
    """The named document is another one: the row stays uncertain, and the message says why."""
    job = Job(tmp_path)
    async with FaultyServer(LOST) as server:
        await unclear(job, server)
        [wrong] = server.created_by_name["a"]
        job.edit_failures(lambda line: line["spec"].update(identifier=wrong))
        ran = await job.run(server.base_url, inputs=[job.files.failures], adopt_existing=True)
    assert (ran.code, set(job.how)) == (5, {"a", "c"})
    assert "is not what this row sent" in job.failures[0]["message"]


async def test_naming_a_document_without_leave_to_adopt_changes_nothing(tmp_path: Path) -> None:
    """An identifier typed in without --adopt-existing: still uncertain, nothing is sent under it."""
    job = Job(tmp_path)
    async with FaultyServer(LOST) as server:
        await unclear(job, server)
        posts = len(server.posts)
        job.edit_failures(lambda line: line["spec"].update(identifier="typed-in"))
        ran = await job.run(server.base_url, inputs=[job.files.failures])
    assert (ran.code, len(server.posts)) == (5, posts)


async def test_candidates_are_only_those_of_the_right_name_and_time(tmp_path: Path) -> None:
    """Documents with another name are no candidates; where there are none the message names none."""
    job = Job(tmp_path)
    async with FaultyServer(on("reset-before", named("b"))) as server:
        await unclear(job, server)
    assert "documents with this name" not in job.failures[0]["message"]
    assert len([seen for seen in server.gets if seen.path.endswith("/documents")]) == 1


async def test_a_list_that_does_not_answer_changes_nothing(tmp_path: Path) -> None:
    """The list endpoint fails: the row is uncertain all the same, without candidates."""
    job = Job(tmp_path)
    async with FaultyServer(LOST, "GET 500") as server:
        await unclear(job, server)
    assert job.reasons == {"b": "uncertain connection"}


async def test_the_users_own_identifiers_are_still_used(tmp_path: Path) -> None:
    """--no-fill-identifiers leaves rows that bring their own as safe as ever."""
    job = Job(tmp_path)
    job.rows(row("a", identifier="mine-1"))
    async with FaultyServer("reset-after@1") as server:
        ran = await job.run(server.base_url, fill_identifiers=False)
    assert (ran.code, job.how) == (0, {"a": "reconciled"})


async def test_a_strangers_document_says_nothing_of_the_attempt_without_identifier(tmp_path: Path) -> None:
    """Sent again under the user's own identifier, unclear again, and a stranger has that: still uncertain, not failed.

    Failed before: `identifier_taken`, so that with another identifier it was sent a third time without being asked.
    """
    job = Job(tmp_path)
    async with FaultyServer(on("reset-after@1", named("b")), on("reset-before@2", named("b"))) as server:
        await unclear(job, server)
        own = row("b", key=job.failures[0]["key"], identifier="mine-1")
        job.rows(row("a"), own, row("c"))
        ran = await job.run(server.base_url, resend_uncertain=True, max_attempts=1)
        assert (ran.code, job.failures[0]["identifier"]) == (5, "mine-1")
        strangers = Job(tmp_path / "strangers")
        strangers.directory.mkdir()
        strangers.rows(row("theirs", identifier="mine-1"))
        assert (await strangers.run(server.base_url)).code == 0
        posts = len(server.posts)
        ran = await job.run(server.base_url)
        assert (ran.code, job.reasons, job.failures[0]["identifier"]) == (5, {"b": "uncertain interrupted"}, None)
        job.rows(row("a"), own | {"identifier": "mine-2"}, row("c"))
        ran = await job.run(server.base_url)
    assert (ran.code, len(server.posts), len(server.created_by_name["b"])) == (5, posts, 1)


async def test_resend_uncertain_is_asked_for_in_each_run(tmp_path: Path) -> None:
    """Sent again with it, and that came to nothing: without it the row is looked up and stays uncertain, but is not sent.

    Failed before: it was bound to the identifier that it had been sent again under, and sent there by every later run.
    """
    job = Job(tmp_path)
    async with FaultyServer(on("reset-after@1", named("b")), on("reset-before@2", named("b"))) as server:
        await unclear(job, server)
        assert (await job.run(server.base_url, resend_uncertain=True, max_attempts=1)).code == 5
        posts = len(server.posts)
        ran = await job.run(server.base_url)
        assert (ran.code, len(server.posts)) == (5, posts)
        assert "the attempt without an identifier is still unclear" in job.failures[0]["message"]
        assert "--resend-uncertain" in job.failures[0]["hint"]
        ran = await job.run(server.base_url, resend_uncertain=True)
    assert (ran.code, len(server.posts), len(server.created_by_name["b"])) == (0, posts + 1, 2)


def test_a_resend_that_came_to_nothing_can_be_settled_by_hand(tmp_path: Path) -> None:
    """Ten minutes later it is known to have done nothing: then the row is as it was before it was sent again."""
    memory, job = Memory(), Job(tmp_path)

    def script(call: Call, number: int) -> Reply | None:
        if call.method == "POST" and number == 1:
            memory.carry_out(call)
        return RESET if call.method == "POST" else None

    memory.script = script
    job.rows(row("a", key="K"))

    async def body() -> None:
        assert (await job.run(BASE, fill_identifiers=False)).code == 5
        assert (await job.run(BASE, resend_uncertain=True, max_attempts=1)).code == 5
        await anyio.sleep(700)
        assert (await job.run(BASE)).code == 5
        assert job.failures[0]["identifier"] is None
        job.edit_failures(lambda line: line.update(identifier=memory.documents[0].identifier))
        ran = await job.run(BASE, inputs=[job.files.failures], adopt_existing=True)
        assert (ran.code, job.how) == (0, {"a": "adopted"})

    live(job, memory, QuickDisk(), body)
    assert len(memory.times("POST")) == 2
