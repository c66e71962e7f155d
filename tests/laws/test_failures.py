"""The failures file over several runs: what it holds, fed back in, edited, left by a run that died (contract 6)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from batcher.commands import status
from batcher.errors import InvalidInput
from batcher.sandbox import Fault

from ..support.faulty import FaultyServer, named, on
from ..support.runs import Job, Witness, contents, row
from .test_intents import CrowdedDisk

REFUSED = b'{"detail": "Bad Request: name: too plain", "status": 400}'


def refuse(*names: str) -> list[Fault]:
    """Creates of these names are refused, as long as they are called so."""
    return [on("400", named(name), body=REFUSED) for name in names]


async def test_a_failures_line_says_everything_in_the_contracts_order(tmp_path: Path) -> None:
    """The fields of a failures line, their order, and what they hold: the API's own words and the row as read."""
    job = Job(tmp_path)
    job.rows(row("a", key="K", identifier="mine-1"))
    async with FaultyServer(*refuse("a")) as server:
        await job.run(server.base_url)
    [line] = job.failures
    order = "key source line outcome reason status message hint attempts identifier at run spec"
    assert list(line) == order.split()
    assert (line["key"], line["line"], line["outcome"], line["reason"]) == ("K", 1, "failed", "rejected")
    assert (line["status"], line["message"]) == (400, "Bad Request: name: too plain")
    assert (line["attempts"], line["identifier"], line["run"]) == (1, "mine-1", "run1")
    assert line["spec"] == row("a", key="K", identifier="mine-1")
    assert line["source"] == str(job.input)


async def test_fed_back_in_a_fixed_row_stays_the_same_row(tmp_path: Path) -> None:
    """The failures file as input: its keys hold, X's results and journal are used, and it ends empty."""
    job = Job(tmp_path)
    job.rows(row("a"), row("b"), row("c"))
    async with FaultyServer(*refuse("a", "b")) as server:
        assert (await job.run(server.base_url)).code == 1
        keys = {line["spec"]["name"]: line["key"] for line in job.failures}
        job.edit_failures(lambda line: line["spec"].update(name=line["spec"]["name"].upper()))
        ran = await job.run(server.base_url, inputs=[job.files.failures])
        assert (ran.code, ran.counts, job.failures) == (0, {"created_now": 2}, [])
        assert {line["name"]: line["key"] for line in job.results if line["name"] in "AB"} == {
            "A": keys["a"],
            "B": keys["b"],
        }
        ran = await job.run(server.base_url)  # the original again: its rows a and b are created under their keys
    assert (ran.counts, ran.summary.changed) == ({"created_before": 3}, 2)
    assert len(server.commits) == 3


async def test_what_was_fixed_outlives_a_run_that_ends_before_it(tmp_path: Path) -> None:
    """A canary over a fixed failures file: the rows that it leaves keep what somebody has put into them."""
    job = Job(tmp_path)
    job.rows(row("a"), row("b"), row("c"))
    async with FaultyServer(*refuse("a", "b", "c")) as server:
        await job.run(server.base_url)
        lines = {line["key"]: line for line in job.failures}
        job.edit_failures(lambda line: line["spec"].update(name=line["spec"]["name"].upper()))
        ran = await job.run(server.base_url, inputs=[job.files.failures], limit=1)
        assert ran.counts == {"created_now": 1, "failed": 2}
        assert [line["spec"]["name"] for line in job.failures] == ["B", "C"]
        assert all(line["message"] == lines[line["key"]]["message"] for line in job.failures)
        ran = await job.run(server.base_url, inputs=[job.files.failures])
    assert (ran.code, ran.counts, job.failures) == (0, {"created_now": 2}, [])
    assert {line["name"] for line in job.results} == {"A", "B", "C"}


@pytest.mark.parametrize("fill_identifiers", [True, False])
async def test_mending_a_row_whose_last_run_died_under_it_does_not_forget_that(
    tmp_path: Path, *, fill_identifiers: bool
) -> None:
    """Failed once; sent again, and that run was killed; then fixed: still unclear, so looked up or left, never just sent.

    The simulation's seed 27644.
    """
    job = Job(tmp_path)
    job.rows(row("a"))
    async with FaultyServer("400@1", "reset-after@2") as server:
        await job.run(server.base_url, fill_identifiers=fill_identifiers)
        failures = job.files.failures.read_bytes()
        await job.run(server.base_url, inputs=[job.files.failures], fill_identifiers=fill_identifiers, max_attempts=1)
        # as a kill at the moment of that answer leaves it: the journal ends with the second attempt's intent
        journal = job.files.journal.read_bytes().splitlines(keepends=True)
        last = max(number for number, line in enumerate(journal) if b'"type":"intent"' in line)
        job.files.journal.write_bytes(b"".join(journal[: last + 1]))
        job.files.results.write_bytes(b"")
        job.files.failures.write_bytes(failures)
        job.edit_failures(lambda line: line["spec"].update(description="mended"))
        await job.run(server.base_url, inputs=[job.files.failures], fill_identifiers=fill_identifiers)
        assert len(server.commits) == 1
        assert len(server.posts) == 2
    if fill_identifiers:
        assert job.how == {"a": "reconciled"}
    else:
        assert job.reasons == {"a": "uncertain interrupted"}


async def test_an_identifier_put_in_by_hand_outlives_a_run_without_adopt_existing(tmp_path: Path) -> None:
    """Who settles an uncertain row and forgets the flag need not look for the document again."""
    job = Job(tmp_path)
    job.rows(row("a"))
    async with FaultyServer(on("reset-after", named("a"))) as server:
        await job.run(server.base_url, fill_identifiers=False)
        [identifier] = server.documents
        job.edit_failures(lambda line: line.update(identifier=identifier))
        ran = await job.run(server.base_url, inputs=[job.files.failures])
        assert ran.counts == {"uncertain": 1}
        ran = await job.run(server.base_url, inputs=[job.files.failures], adopt_existing=True)
    assert (ran.counts, job.failures) == ({"adopted": 1}, [])


async def test_fed_back_rows_that_fail_again_stand_there_once(tmp_path: Path) -> None:
    """A fed-back row that fails again has one line, the newer one; the created one is gone."""
    job = Job(tmp_path)
    job.rows(row("a"), row("b"))
    async with FaultyServer(*refuse("a", "b")) as server:
        await job.run(server.base_url)
        job.edit_failures(lambda line: line["spec"].update(name=line["spec"]["name"].replace("b", "good")))
        ran = await job.run(server.base_url, inputs=[job.files.failures])
    assert (ran.code, ran.counts) == (1, {"created_now": 1, "failed": 1})
    assert [(line["spec"]["name"], line["run"]) for line in job.failures] == [("a", "run2")]


async def test_a_fed_back_run_that_died_is_simply_run_again(tmp_path: Path) -> None:
    """A run that reads the failures file appends to it and may die: its repeated keys are one row each afterwards."""
    job = Job(tmp_path)
    job.rows(row("a"), row("b"))
    async with FaultyServer(*refuse("a", "b")) as server:
        await job.run(server.base_url)
        before = job.files.failures.read_bytes()
        await job.run(server.base_url, inputs=[job.files.failures])
        torn = job.failures[0]["message"].encode()
        # as it was while the second run was at work: the old lines, the new ones after them, the last one torn
        after = job.files.failures.read_bytes()
        job.files.failures.write_bytes(before + after[:-3])
        assert torn in after
        ran = await job.run(server.base_url, inputs=[job.files.failures])
    assert (ran.code, ran.counts) == (1, {"failed": 2})
    assert set(job.reasons) == {"a", "b"}


async def test_an_edited_failures_file_is_kept(tmp_path: Path) -> None:
    """Edited since batcher closed it and not the input: kept as X.failures.RUN.jsonl before anything is written."""
    job = Job(tmp_path)
    job.rows(row("a"), row("b"))
    async with FaultyServer(*refuse("a")) as server:
        await job.run(server.base_url)
        job.edit_failures(lambda line: line["spec"].update(name="mended"))
        edited = job.files.failures.read_bytes()
        ran = await job.run(server.base_url)
    assert ran.summary.kept_failures == tmp_path / "d.failures.run2.jsonl"
    assert contents(tmp_path)["d.failures.run2.jsonl"] == edited
    assert job.reasons == {"a": "failed rejected"}


async def test_an_untouched_failures_file_is_not_kept(tmp_path: Path) -> None:
    """Nobody edited it: no copy, run after run, also after a run that added lines and one that died in between."""
    job = Job(tmp_path)
    job.rows(row("a"), row("b"))
    async with FaultyServer(*refuse("a", "b")) as server:
        await job.run(server.base_url)
        first = job.files.failures.read_bytes()
        for _ in range(2):
            assert (await job.run(server.base_url)).summary.kept_failures is None
        job.files.failures.write_bytes(first)  # restored from a copy: older, but nobody's words but batcher's
        assert (await job.run(server.base_url)).summary.kept_failures is None
        assert job.files.failures.read_bytes() != first


@pytest.mark.parametrize("form", ["jsonl", "csv"])
async def test_an_edit_while_the_run_goes_on_is_kept(tmp_path: Path, form: str) -> None:
    """Saved through a link or by an editor that renames: the run replaces the file at its end, and keeps a copy."""
    for by_rename in (False, True):
        job = Job(tmp_path / str(by_rename), form)
        job.directory.mkdir()
        job.rows(row("a"), row("b"), row("c"))
        async with FaultyServer(*refuse("a", "b")) as server:
            await job.run(server.base_url)
            witness = Witness()

            def edit(_outcome: object, job: Job = job, by_rename: bool = by_rename) -> None:
                path = job.files.failures
                text = path.read_bytes().replace(b"too plain", b"FIXED")
                if by_rename:
                    path.with_suffix(".tmp").write_bytes(text)
                    path.with_suffix(".tmp").replace(path)
                else:
                    link = path.with_name("link")
                    link.unlink(missing_ok=True)
                    link.symlink_to(path)
                    link.write_bytes(text)

            witness.on_outcome = edit
            ran = await job.run(server.base_url, witness=witness)
        kept = ran.summary.kept_failures
        assert kept is not None
        assert b"FIXED" in kept.read_bytes()
        assert b"FIXED" not in job.files.failures.read_bytes()
        assert (ran.summary.failed, job.files.failures.read_bytes().count(b"too plain")) == (2, 2)


async def test_a_killed_first_run_leaves_a_failures_csv_with_its_header(tmp_path: Path) -> None:
    """The file is whole as soon as it is there: its header is written before its first line."""
    job = Job(tmp_path, form="csv")
    job.rows(row("a"), row("b"))
    seen: list[bytes] = []
    async with FaultyServer(*refuse("a")) as server:
        witness = Witness()
        witness.on_outcome = lambda _outcome: seen.append(job.files.failures.read_bytes())
        await job.run(server.base_url, witness=witness)
    assert all(text.startswith(b"name") or b"batcher_key" in text.split(b"\n")[0] for text in seen)
    assert seen


async def test_a_removed_failures_file_is_written_anew(tmp_path: Path) -> None:
    """The journal is the truth about failures: without the file the next run makes it again."""
    job = Job(tmp_path)
    job.rows(row("a"), row("b"))
    async with FaultyServer(*refuse("a")) as server:
        await job.run(server.base_url)
        job.files.failures.unlink()
        ran = await job.run(server.base_url)
    assert (ran.code, job.reasons) == (1, {"a": "failed rejected"})


async def test_lines_of_rows_that_these_inputs_do_not_hold_stay(tmp_path: Path) -> None:
    """A failed row that is gone from the input keeps its line, is counted apart, and does not change the exit code."""
    job = Job(tmp_path)
    job.rows(row("a"), row("b"))
    async with FaultyServer(*refuse("a")) as server:
        await job.run(server.base_url)
        job.rows(row("b"), row("c"))
        ran = await job.run(server.base_url)
        assert (ran.code, ran.counts, ran.summary.other_failures) == (0, {"created_before": 1, "created_now": 1}, 1)
        assert job.reasons == {"a": "failed rejected"}
        ran = await job.run(server.base_url)
        assert status.status(job.settings(server.base_url), observer=Witness()).other_failures == 1  # was always 0
    assert (ran.code, ran.counts, ran.summary.other_failures) == (0, {"created_before": 2}, 1)


async def test_a_row_fixed_in_the_input_leaves_an_invalid_line_behind_only_once(tmp_path: Path) -> None:
    """Mended in the spreadsheet instead of the failures file: a row with a key of its own is created and its line goes."""
    job = Job(tmp_path)
    job.rows(row("a", key="K", description=7), row("b"))
    async with FaultyServer() as server:
        assert (await job.run(server.base_url, skip_invalid=True)).code == 1
        job.rows(row("a", key="K", description="seven"), row("b"))
        ran = await job.run(server.base_url)
    assert (ran.code, ran.counts, job.failures) == (0, {"created_before": 1, "created_now": 1}, [])


@pytest.mark.parametrize("form", ["jsonl", "csv"])
async def test_a_created_row_that_is_invalid_for_a_while_stays_created(tmp_path: Path, form: str) -> None:
    """Created, then broken, then whole again: a warning, with or without --skip-invalid, and no line (failed before)."""
    job = Job(tmp_path, form)
    whole, broken = row("a", key="K"), row("a", key="K", description=7)
    async with FaultyServer() as server:
        codes: list[int] = []
        for one in (whole, broken, whole, whole):
            job.rows(one)
            ran = await job.run(server.base_url, skip_invalid=len(codes) % 2 == 0)
            codes.append(ran.code)
            assert ("changed since; not sent again" in ran.warnings) is (one is broken)
            assert ("d.jsonl:1 (invalid now: description: must be text" in ran.warnings) is (one is broken)
            assert b"must be text" not in job.files.failures.read_bytes()
        size = job.files.journal.stat().st_size
        assert (await job.run(server.base_url)).counts == {"created_before": 1}
    assert (codes, len(server.posts)) == ([0, 0, 0, 0], 1)
    assert job.files.journal.stat().st_size == size, "nothing is written where nothing is to be done"


async def test_a_fed_back_file_is_left_without_lines_of_created_rows(tmp_path: Path) -> None:
    """Failed, then created; an old copy of the file is run: nothing is to be sent, and the line goes all the same."""
    job = Job(tmp_path)
    job.rows(row("a", key="K"))
    async with FaultyServer("400@1") as server:
        await job.run(server.base_url)
        copy = job.files.failures.read_bytes()
        await job.run(server.base_url)
        job.files.failures.write_bytes(copy)
        ran = await job.run(server.base_url, inputs=[job.files.failures])
    assert (ran.code, job.failures, len(server.documents)) == (0, [], 1)


async def test_a_row_too_broken_to_read_keeps_its_text(tmp_path: Path) -> None:
    """A line that is no JSON goes to the failures file as text under a `raw:` key; fixed there it is created."""
    job = Job(tmp_path)
    job.input.write_text(json.dumps(row("a")) + '\n{"name": "b", oops\n')
    async with FaultyServer() as server:
        ran = await job.run(server.base_url, skip_invalid=True)
        [line] = job.failures
        assert (ran.code, line["key"][:4], line["spec"]) == (1, "raw:", '{"name": "b", oops')
        job.edit_failures(lambda line: line.update(spec=row("b")))
        ran = await job.run(server.base_url, inputs=[job.files.failures])
    assert (ran.code, job.failures, sorted(server.created_by_name)) == (0, [], ["a", "b"])


async def test_a_failed_row_that_is_found_created_leaves_the_file(tmp_path: Path) -> None:
    """A failed row whose identifier somebody frees is created in a later run and its line is gone."""
    job = Job(tmp_path)
    job.rows(row("a", identifier="mine-1"))
    async with FaultyServer("409@1") as server:
        assert (await job.run(server.base_url)).code == 1
        ran = await job.run(server.base_url)
    assert (ran.code, job.how, job.failures) == (0, {"a": "created"}, [])


async def test_the_failures_file_is_read_as_it_stood_at_the_start(tmp_path: Path) -> None:
    """Lines that the run itself appends to its input are no rows of it."""
    job = Job(tmp_path)
    job.rows(*[row(f"n{n}") for n in range(30)])
    async with FaultyServer("400") as server:
        await job.run(server.base_url, stop_after=1000)
        ran = await job.run(server.base_url, stop_after=1000, inputs=[job.files.failures])
    assert (ran.summary.rows, ran.counts, len(job.failures)) == (30, {"failed": 30}, 30)


async def test_two_inputs_one_of_them_the_failures_file(tmp_path: Path) -> None:
    """The failures file beside another input: all rows of both are accounted for."""
    job = Job(tmp_path)
    job.rows(row("a"))
    async with FaultyServer(*refuse("a")) as server:
        await job.run(server.base_url)
        job.edit_failures(lambda line: line["spec"].update(name="mended"))
        job.rows(row("b"))
        ran = await job.run(server.base_url, inputs=[job.input, job.files.failures])
    assert (ran.code, ran.counts, job.failures) == (0, {"created_now": 2}, [])


@pytest.mark.parametrize("is_first", [True, False])
async def test_a_failures_file_beside_its_own_input_is_refused(tmp_path: Path, *, is_first: bool) -> None:
    """Its rows would be read twice: whichever comes first, nothing is sent, also of the second row of one name.

    Failed before, with the failures file first: the input's row was taken for one more of that name, and sent too.
    """
    job = Job(tmp_path)
    job.rows(row("a"), row("b"), row("b", description="twin"))
    twin = on("400", lambda call: b'"twin"' in call.body)
    async with FaultyServer(twin) as server:
        await job.run(server.base_url)
        posts, inputs, witness = len(server.posts), [job.files.failures, job.input], Witness()
        with pytest.raises(InvalidInput):
            await job.run(server.base_url, inputs=inputs if is_first else inputs[::-1], witness=witness)
        assert len(server.posts) == posts
    [problem] = witness.problems
    assert (problem.field, "each row needs its own" in problem.message) == ("key", True)


async def test_invalid_rows_that_find_no_room_are_still_to_do(tmp_path: Path) -> None:
    """The disk is full from the second of them on: the counts add up (failed before: exit 70), and nothing is sent."""
    job = Job(tmp_path)
    job.rows(row("a"), *(row(name, description=7) for name in "bcd"))
    job.runtime = replace(job.runtime, storage=CrowdedDisk(refuses=b'"line":3'))
    async with FaultyServer() as server:
        ran = await job.run(server.base_url, skip_invalid=True)
        assert (ran.code, ran.counts, len(server.seen)) == (3, {"failed": 1, "to_do": 3}, 0)
        job.runtime = replace(job.runtime, storage=CrowdedDisk())
        ran = await job.run(server.base_url, skip_invalid=True)
    assert (ran.code, ran.counts) == (1, {"created_now": 1, "failed": 3})


async def test_an_unclear_attempt_that_no_line_tells_of_is_told_although_its_row_is_gone(tmp_path: Path) -> None:
    """The disk was full for its outcome, but not for the end of the run; then its row was taken out of the input.

    The simulation's seed 43299: nothing said any more that the document may exist.
    """
    job = Job(tmp_path)
    job.rows(row("a"))
    async with FaultyServer("reset-after") as server:
        await job.run(server.base_url, fill_identifiers=False)
        [size] = [line for line in job.journal if line["type"] == "rewriting"]
        kept = [line for line in job.journal if line["type"] not in ("uncertain", "rewriting")]
        empty = dict(size, size=0, digest=hashlib.blake2b(digest_size=16).hexdigest())
        job.files.journal.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in [*kept, empty]))
        job.files.failures.write_bytes(b"")
        job.rows()
        await job.run(server.base_url, fill_identifiers=False)
        assert len(server.posts) == 1
    assert job.reasons == {"a": "uncertain interrupted"}


async def test_an_edited_failures_file_is_kept_and_brought_up_to_date_although_nothing_is_to_be_sent(
    tmp_path: Path,
) -> None:
    """Its rows are created meanwhile, and its lines would say otherwise for ever (the simulation's seed 42406)."""
    job = Job(tmp_path)
    job.rows(row("a"))
    async with FaultyServer("400@1") as server:
        await job.run(server.base_url)
        job.edit_failures(lambda line: line["spec"].update(description="mended"))
        edited = job.files.failures.read_bytes()
        await job.run(server.base_url, inputs=[job.files.failures])
        assert job.how == {"a": "created"}
        job.files.failures.write_bytes(edited)  # as a run leaves it whose disk failed at its end
        ran = await job.run(server.base_url)
        assert (ran.code, len(server.commits), job.failures) == (0, 1, [])
        assert ran.summary.kept_failures is not None
        assert ran.summary.kept_failures.read_bytes() == edited
        before = contents(tmp_path)
        await job.run(server.base_url)
    assert contents(tmp_path) == before


async def test_status_of_a_failures_file_that_a_dead_run_left_says_what_run_would_find(tmp_path: Path) -> None:
    """A killed run has appended the line of a row that failed again; `status` called it invalid."""
    job = Job(tmp_path)
    job.rows(row("a", key="a"))
    async with FaultyServer(*refuse("a")) as server:
        await job.run(server.base_url)
        text = job.files.failures.read_bytes()
        await job.run(server.base_url)
        # as if the second run had been killed after it had appended its line
        job.files.failures.write_bytes(text + job.files.failures.read_bytes())
        settings = job.settings(server.base_url, inputs=[job.files.failures])
        witness = Witness()
        plan = status.status(settings, observer=witness)
        ran = await job.run(server.base_url, inputs=[job.files.failures])
    assert (plan.rows, plan.invalid) == (ran.summary.rows, 0), [str(one) for one in witness.problems]
