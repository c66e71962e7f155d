"""Undo: only what is ours, newest first, resumable at every instant; and what a later run makes of it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from batcher.api_keys import ApiKey
from batcher.commands.undo import UndoSettings, undo
from batcher.commands.undoing import Undoing
from batcher.config import Endpoint, Sending
from batcher.errors import Locked, UsageError
from batcher.models import Problem
from batcher.report.observers import Observer
from batcher.send.drain import Drain, End

from ..support.command import environment, start
from ..support.earlier import into_csv
from ..support.faulty import FaultyServer, named, on, server_thread
from ..support.processes import bounded
from ..support.runs import Job, contents, row


class Told(Observer):
    """Remembers what an undo told."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.lines: list[str] = []
        self.problems: list[Problem] = []

    def warning(self, message: str) -> None:
        """Keep it."""
        self.warnings.append(message)

    def done(self, line: str) -> None:
        """Keep it."""
        self.lines.append(line)

    def problem(self, problem: Problem) -> None:
        """Keep it."""
        self.problems.append(problem)


def settings(job: Job, base_url: str, *, dry: bool = False, force: bool = False, **sending: Any) -> UndoSettings:
    """An undo without a rate."""
    given = {"rate": None, "concurrency": 1, "timeout_seconds": 5.0, "max_attempts": 3} | sending
    endpoint = Endpoint(base_url=base_url, keys=(ApiKey("k1"),))
    return UndoSettings(endpoint=endpoint, files=job.files, sending=Sending(**given), is_dry=dry, force=force)


async def undone(
    job: Job, base_url: str, told: Told | None = None, drain: Drain | None = None, **given: Any
) -> Undoing:
    """Undo it; the counts add up."""
    found = await undo(settings(job, base_url, **given), observer=told or Told(), drain=drain, runtime=job.runtime)
    assert found.deleted + found.gone + found.kept + found.left == len(found.owned)
    return found


def deletions(server: FaultyServer) -> list[str]:
    """The identifiers that DELETEs named, in order."""
    return [seen.path.rpartition("/")[2] for seen in server.seen if seen.method == "DELETE"]


def names(job: Job) -> list[str]:
    """The names in the results file, in order."""
    return [line["name"] for line in job.results]


async def test_it_deletes_what_was_created_newest_first(tmp_path: Path) -> None:
    """One DELETE each; the journal says so; a second undo has nothing to do."""
    job = Job(tmp_path)
    job.rows(*(row(f"N{number}") for number in range(5)))
    async with FaultyServer() as server:
        await job.run(server.base_url)
        told = Told()
        found = await undone(job, server.base_url, told)
        assert (found.deleted, found.kept, found.left, found.exit_code) == (5, 0, 0, 0)
        assert not server.documents
        assert deletions(server) == [line["identifier"] for line in reversed(job.results)]
        lines = [line for line in job.journal if line["type"] == "undone"]
        assert [line["identifier"] for line in lines] == deletions(server)
        results = {line["identifier"]: line for line in job.results}
        for line in lines:
            assert list(line) == ["key", "type", "identifier", "specHash", "lines", "at", "run"]
            assert line["key"] == results[line["identifier"]]["key"]
            assert line["specHash"] == results[line["identifier"]]["specHash"]
        again = await undone(job, server.base_url)
        assert (again.owned, again.undone_before, again.requests) == ((), 5, 0)
    assert len(deletions(server)) == 5
    assert re.fullmatch(rf"{re.escape(str(job.input))}:\d: n\d-[a-z2-7]{{16}} deleted \(N\d\)", told.lines[0])


async def test_a_dry_run_sends_and_writes_nothing(tmp_path: Path) -> None:
    """It finds the same documents and leaves every file as it is, without a key."""
    job = Job(tmp_path)
    job.rows(row("a"), row("b"))
    async with FaultyServer() as server:
        await job.run(server.base_url)
        before = contents(tmp_path)
        server.seen.clear()
        dry = settings(job, server.base_url, dry=True)
        found = await undo(replace(dry, endpoint=Endpoint(base_url="")), observer=Told(), runtime=job.runtime)
        assert [one.name for one in found.owned] == ["b", "a"] or [one.name for one in found.owned] == ["a", "b"]
        assert [one.name for one in found.owned] == names(job)[::-1]
        assert found.exit_code == 0
        assert server.seen == []
        assert contents(tmp_path) == before


async def test_reconciled_is_ours_and_adopted_is_not(tmp_path: Path) -> None:
    """A document that was there before and was adopted survives; one whose answer was lost does not."""
    job = Job(tmp_path)
    job.rows(row("lost answer"), row("theirs", identifier="theirs-1"))
    async with FaultyServer("reset-after@2") as server:
        other = Job(tmp_path / "other")
        other.directory.mkdir()
        other.rows(row("theirs", identifier="theirs-1"))
        await other.run(server.base_url)
        ran = await job.run(server.base_url, adopt_existing=True, concurrency=1)
        assert ran.counts == {"reconciled": 1, "adopted": 1}
        found = await undone(job, server.base_url)
        assert (found.deleted, found.adopted) == (1, 1)
        assert list(server.documents) == ["theirs-1"]


async def test_a_row_that_was_undone_is_not_created_again(tmp_path: Path) -> None:
    """It is named and counted; changed content is a new row; --recreate-undone makes it anew; and so on, for ever."""
    job = Job(tmp_path)
    job.rows(row("a"), row("b"))
    async with FaultyServer() as server:
        await job.run(server.base_url)
        await undone(job, server.base_url)
        ran = await job.run(server.base_url)
        assert (ran.code, ran.counts) == (0, {"undone": 2})
        assert "2 rows were deleted by undo" in ran.warnings
        assert "d.jsonl:1 (a)" in ran.warnings

        job.rows(row("a", description="new"), row("b"))
        ran = await job.run(server.base_url)
        assert (ran.code, ran.counts) == (0, {"created_now": 1, "undone": 1})

        ran = await job.run(server.base_url, recreate_undone=True)
        assert ran.counts == {"created_now": 1, "created_before": 1}
        assert (await job.run(server.base_url)).counts == {"created_before": 2}

        found = await undone(job, server.base_url)
        assert (found.deleted, found.undone_before) == (2, 2)
        assert (await job.run(server.base_url)).counts == {"undone": 2}
        assert (await job.run(server.base_url, recreate_undone=True)).counts == {"created_now": 2}
        assert (await undone(job, server.base_url)).deleted == 2
        assert not server.documents
    made = server.created_by_name
    assert {name: len(set(identifiers)) for name, identifiers in made.items()} == {"a": 3, "b": 3}
    assert len(server.commits) == 6


async def test_made_anew_under_the_same_identifier_it_is_created(tmp_path: Path) -> None:
    """The user's own identifier may be free again in Trash; the new document is no undone one."""
    job = Job(tmp_path)
    job.rows(row("own", identifier="own-1"))
    async with FaultyServer(trash_keeps_identifier=False) as server:
        for _ in range(3):
            assert (await job.run(server.base_url, recreate_undone=True)).counts == {"created_now": 1}
            assert (await job.run(server.base_url)).counts == {"created_before": 1}
            assert (await undone(job, server.base_url)).deleted == 1
            assert (await job.run(server.base_url)).counts == {"undone": 1}
    assert server.created_by_name == {"own": ["own-1"] * 3}


async def test_a_crash_between_delete_and_journal_costs_one_404(tmp_path: Path) -> None:
    """The document is gone, the line is missing: the next undo asks again and writes it down."""
    job = Job(tmp_path)
    job.rows(row("a"), row("b"))
    async with FaultyServer() as server:
        await job.run(server.base_url)
        await undone(job, server.base_url)
        whole = job.files.journal.read_bytes().splitlines(keepends=True)
        job.files.journal.write_bytes(b"".join(whole[:-1]) + whole[-1][:-20])  # torn by the crash
        found = await undone(job, server.base_url)
        assert (found.deleted, found.undone_before, found.requests) == (1, 1, 1)
        assert (await undone(job, server.base_url)).undone_before == 2
        assert (await job.run(server.base_url)).counts == {"undone": 2}


@pytest.mark.parametrize("fault", ["reset-after", "500-after", "garbage", "empty", "html-after", "truncate", "503=0"])
async def test_a_lost_answer_is_asked_for_again(fault: str, tmp_path: Path) -> None:
    """A second DELETE does no harm: 404 says that the first one worked."""
    job = Job(tmp_path)
    job.rows(row("a"), row("b"), row("c"))
    async with FaultyServer(f"DELETE {fault}@2") as server:
        await job.run(server.base_url)
        found = await undone(job, server.base_url)
        assert (found.deleted, found.kept, found.exit_code) == (3, 0, 0)
        assert not server.documents


async def test_what_may_not_be_deleted_is_named(tmp_path: Path) -> None:
    """403: not deleted, exit code 1, nothing in the journal; the others are."""
    job = Job(tmp_path)
    job.rows(row("a"), row("b"), row("c"))
    body = b'{"detail": "You need manager rights", "status": 403}'
    async with FaultyServer(on("DELETE 403@2", body=body)) as server:
        await job.run(server.base_url)
        told = Told()
        found = await undone(job, server.base_url, told)
        assert (found.deleted, found.kept, found.left, found.exit_code) == (2, 1, 0, 1)
        [problem] = told.problems
        assert str(problem).endswith(f"{job.results[1]['identifier']}: not deleted: 403: You need manager rights")
        assert list(server.documents) == [job.results[1]["identifier"]]
        assert (await undone(job, server.base_url)).deleted == 1


@pytest.mark.parametrize(
    "body", [b"<h1>Not Found</h1>", b'{"message": "Route DELETE:/api/v1/documents/a not found", "statusCode": 404}']
)
async def test_a_404_that_is_not_the_applications_proves_nothing(tmp_path: Path, body: bytes) -> None:
    """A proxy's or router's 404 deletes nothing, and the row stays created."""
    job = Job(tmp_path)
    job.rows(row("a"))
    async with FaultyServer(on("DELETE 404", body=body)) as server:
        await job.run(server.base_url)
        found = await undone(job, server.base_url)
        assert (found.kept, found.exit_code) == (1, 1)
        assert (await job.run(server.base_url)).counts == {"created_before": 1}


async def test_the_same_refusal_again_and_again_stops(tmp_path: Path) -> None:
    """After --stop-after of them the cause is not the documents."""
    job = Job(tmp_path)
    job.rows(*(row(f"n{number}") for number in range(20)))
    async with FaultyServer("DELETE 403") as server:
        await job.run(server.base_url)
        found = await undone(job, server.base_url, stop_after=4)
    assert (found.kept, found.left, found.exit_code) == (4, 16, 3)
    assert len(deletions(server)) == 4


async def test_a_refused_key_stops_it(tmp_path: Path) -> None:
    """Exit code 3, everything is left."""
    job = Job(tmp_path)
    job.rows(row("a"), row("b"))
    async with FaultyServer("DELETE revoke-key") as server:
        await job.run(server.base_url)
        found = await undone(job, server.base_url)
    assert (found.deleted + found.left, found.exit_code) == (2, 3)
    assert "the server rejected every API key" in (found.stopped or "")


async def test_what_settles_rows_without_identifier_is_said(tmp_path: Path) -> None:
    """Regression: they were said to be settled by another run, which leaves them exactly as they are."""
    job = Job(tmp_path)
    job.rows(row("a", identifier="mine-1"), row("b"), row("c"))
    async with FaultyServer(on("reset-after@1", named("a")), on("reset-after@1", named("b")), "GET 500@1-9") as server:
        await job.run(server.base_url, concurrency=1, max_attempts=2, fill_identifiers=False)
        with pytest.raises(UsageError) as caught:
            await undone(job, server.base_url)
    assert str(caught.value) == (
        "2 rows are uncertain: it isn't known yet whether the document exists. Run the same inputs again first, which "
        "settles 1 of them. 1 row is to be settled by hand, since no identifier was sent: see the hint of "
        f"each in {job.files.failures}. Or leave them as they are with --force. Nothing was deleted."
    )


async def test_it_refuses_while_rows_are_uncertain(tmp_path: Path) -> None:
    """Run first, or --force; with it the created ones are deleted and the uncertain one is settled later."""
    job = Job(tmp_path)
    job.rows(row("a"), row("b"))
    async with FaultyServer("reset-after@1", "GET 500@1-2") as server:
        ran = await job.run(server.base_url, concurrency=1, max_attempts=1)
        assert ran.counts == {"uncertain": 1, "created_now": 1}
        for dry in (True, False):
            with pytest.raises(UsageError, match=r"1 row is uncertain: .* Run the same inputs again first"):
                await undone(job, server.base_url, dry=dry)
        assert not deletions(server)
        found = await undone(job, server.base_url, force=True)
        assert (found.deleted, found.uncertain) == (1, 1)
        assert (await job.run(server.base_url)).counts == {"undone": 1, "reconciled": 1}
        assert (await undone(job, server.base_url)).deleted == 1
        assert not server.documents


async def test_only_at_the_place_where_they_were_created(tmp_path: Path) -> None:
    """Another base URL is refused, and so is a results file without its journal."""
    job = Job(tmp_path)
    job.rows(row("a"))
    async with FaultyServer() as server:
        await job.run(server.base_url)
        with pytest.raises(UsageError, match=r"lists documents at http://127.*not at https://acme\.omniapp\.co"):
            await undone(job, "https://acme.omniapp.co")
        job.files.journal.unlink()
        with pytest.raises(UsageError, match=r"journal\.jsonl is missing"):
            await undone(job, server.base_url)
    assert not deletions(server)


async def test_it_takes_the_runs_lock(tmp_path: Path) -> None:
    """While a run (or another undo) has these files, it says who."""
    job = Job(tmp_path)
    job.rows(row("a"))
    async with FaultyServer() as server:
        await job.run(server.base_url)
        with (
            job.runtime.storage.lock(job.files.journal, b"process 1 on elsewhere"),
            pytest.raises(Locked, match="process 1 on elsewhere"),
        ):
            await undone(job, server.base_url)


async def test_a_drain_lets_what_is_in_flight_finish(tmp_path: Path) -> None:
    """Interrupted in the middle of a DELETE: that one is booked, the others are left, and the next undo does them."""
    job = Job(tmp_path)
    job.rows(*(row(f"n{number}") for number in range(6)))
    async with FaultyServer("DELETE slow=0.2") as server:
        await job.run(server.base_url)
        drain = Drain()

        class Stopping(Told):
            def done(self, line: str) -> None:
                super().done(line)
                drain.start(End.INTERRUPTED)

        found = await undone(job, server.base_url, Stopping(), drain, concurrency=2)
        assert found.exit_code == 130
        assert 1 <= found.deleted <= 2
        assert len(server.documents) == 6 - found.deleted
        rest = await undone(job, server.base_url)
        assert (rest.deleted, rest.undone_before) == (6 - found.deleted, found.deleted)


async def test_the_newest_n(tmp_path: Path) -> None:
    """--limit takes the newest and leaves the others: exit code 6."""
    job = Job(tmp_path)
    job.rows(*(row(f"n{number}") for number in range(5)))
    async with FaultyServer() as server:
        await job.run(server.base_url, concurrency=1)
        found = await undone(job, server.base_url, limit=2)
        assert (found.deleted, found.left, found.exit_code) == (2, 3, 6)
        assert sorted(document.name for document in server.documents.values()) == ["n0", "n1", "n2"]


async def test_results_in_csv(tmp_path: Path) -> None:
    """Those of an earlier version are converted, and kept as they are."""
    job = Job(tmp_path, form="csv")
    job.rows(row("a"), row("=b"))
    async with FaultyServer() as server:
        await job.run(server.base_url)
        before = into_csv(job.files.results).read_bytes()
        assert (await undone(job, server.base_url)).deleted == 2
        assert not server.documents
        assert (await job.run(server.base_url)).counts == {"undone": 2}
        assert (await job.run(server.base_url, recreate_undone=True)).counts == {"created_now": 2}
        assert (await undone(job, server.base_url)).deleted == 2
        assert job.files.results.read_bytes() == before


def test_public_functions_are_functions_whatever_was_imported_first() -> None:
    """The modules of the same names do not take their places in the package."""
    code = (
        "import batcher\nfrom batcher.commands.undo import UndoSettings\nimport batcher.commands.verify\n"
        "import batcher.commands.run, batcher.validate.check\n"
        "print([callable(getattr(batcher, name)) for name in ('undo', 'verify', 'check', 'run', 'create')])\n"
        "assert batcher.UndoSettings is UndoSettings"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[True, True, True, True, True]\n"


# the command ----------------------------------------------------------------------------------------------------

MODEL = "3f0d2b10-0000-4000-8000-000000000001"


def sheet(directory: Path, count: int) -> None:
    """An input of so many rows."""
    rows = "".join(f"Sheet {number},{MODEL}\n" for number in range(count))
    (directory / "d.csv").write_text(f"name,modelId\n{rows}")


def running(directory: Path, *arguments: str) -> subprocess.Popen[str]:
    """The command in the background, with a key."""
    return subprocess.Popen(
        [sys.executable, "-m", "batcher", *arguments],
        cwd=directory,
        env=environment(directory, OMNI_API_KEY="k"),
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(is_so: Callable[[], bool], seconds: float = 30.0) -> None:
    """Until it is so."""
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)


def test_the_command_lists_first_and_deletes_with_yes(tmp_path: Path) -> None:
    """A dry run names twenty and a count; --yes deletes; the run after it skips them."""
    sheet(tmp_path, 23)
    assert start(tmp_path, "run", "d.csv", "--sandbox", "--rate", "none").returncode == 0
    dry = start(tmp_path, "undo", "d.sandbox.results.jsonl", "--rate", "none")
    lines = [*dry.stdout.splitlines(), *dry.stderr.splitlines()]
    assert dry.returncode == 0
    assert lines[0] == "d.sandbox.results.jsonl: 23 documents at sandbox to delete, newest first:"
    assert all(re.fullmatch(r"  sheet-\d+-\w{16} +\d{4}-\d\d-\d\d \d\d:\d\d  Sheet \d+", line) for line in lines[1:21])
    assert lines[21] == "  and 3 more"
    assert lines[22].startswith("Dry run: nothing was deleted.")
    assert lines[23] == "Next: move them to Trash:"
    command = lines[24].split()[1:]
    assert command == ["undo", "d.sandbox.results.jsonl", "--rate", "none", "--sandbox", "--yes"]
    done = start(tmp_path, *command, "--json", "--summary", "s.json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["command"], said["exitCode"], said["dryRun"]) == ("undo", 0, False)
    assert (said["documents"], said["deleted"], said["notDeleted"], said["left"]) == (23, 23, 0, 0)
    assert len(said["first"]) == 20
    assert json.loads((tmp_path / "s.json").read_text()) == said
    assert "Later runs skip these rows" in done.stderr
    after = start(tmp_path, "run", "d.csv", "--sandbox", "--rate", "none")
    assert after.returncode == 0
    assert "23 rows were deleted by undo; not created again without --recreate-undone" in after.stderr
    assert "23 not attempted (23 undone)" in after.stderr
    again = start(tmp_path, "undo", "d.sandbox.results.jsonl", "--sandbox", "--yes")
    assert (again.returncode, again.stdout, again.stderr) == (
        0,
        "d.sandbox.results.jsonl: nothing to delete (23 deleted before)\n",
        "",
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--yes"], "no base URL"),
        (["--yes", "--instance", "acme"], "add --sandbox"),
        (["--instance", "acme"], "add --sandbox"),
    ],
)
def test_mistakes_delete_nothing(arguments: Sequence[str], message: str, tmp_path: Path) -> None:
    """Exit code 2 and one line."""
    sheet(tmp_path, 1)
    start(tmp_path, "run", "d.csv", "--sandbox")
    done = start(tmp_path, "undo", "d.sandbox.results.jsonl", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_without_a_key_nothing_is_deleted(tmp_path: Path) -> None:
    """The dry run needs none; --yes says how to give one."""
    sheet(tmp_path, 2)
    with server_thread(tmp_path / "state.sqlite") as server:
        at = ("--base-url", server.base_url)
        assert start(tmp_path, "run", "d.csv", *at, OMNI_API_KEY="k").returncode == 0
        assert start(tmp_path, "undo", "d.results.jsonl", *at).returncode == 0
        done = start(tmp_path, "undo", "d.results.jsonl", *at, "--yes")
        assert (done.returncode, "no API key" in done.stderr) == (2, True)
        assert all(document.deleted_at is None for document in server.commits)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_undo_that_is_cut_is_finished_by_the_next(number: signal.Signals, tmp_path: Path) -> None:
    """Whether ended in good order or killed, the next undo deletes the rest; only what was in flight is asked twice."""
    sheet(tmp_path, 12)
    with server_thread(tmp_path / "state.sqlite", "--fault", "DELETE slow=0.3") as server:
        command = ("d.results.jsonl", "--base-url", server.base_url, "--rate", "none", "--concurrency", "2", "--yes")
        ran = start(tmp_path, "run", "d.csv", *command[1:3], "--rate", "none", "--no-preflight", OMNI_API_KEY="k")
        assert ran.returncode == 0, ran.stderr
        with bounded(running(tmp_path, "undo", *command)) as process:
            wait_for(lambda: any(document.deleted_at for document in server.commits))
            process.send_signal(number)
            _, errors = process.communicate(timeout=30)
        left = sum(document.deleted_at is None for document in server.commits)
        assert 0 < left < 12
        if number == signal.SIGINT:
            assert process.returncode == 130
            assert "Interrupted." in errors
        done = start(tmp_path, "undo", *command, "--json", OMNI_API_KEY="k")
        assert done.returncode == 0, done.stderr
        assert 0 <= json.loads(done.stdout)["deleted"] - left <= (0 if number == signal.SIGINT else 2)
        assert all(document.deleted_at for document in server.commits)
        assert start(tmp_path, "run", "d.csv", *command[1:3]).returncode == 0
        assert len(server.commits) == 12


def test_an_undo_while_a_run_goes_on_is_refused(tmp_path: Path) -> None:
    """Exit code 4, at once."""
    sheet(tmp_path, 3)
    with server_thread(tmp_path / "state.sqlite", "--fault", "POST hang-before@2-") as server:
        at = ["--base-url", server.base_url]
        with bounded(running(tmp_path, "run", "d.csv", *at, "--rate", "none", "--timeout", "300")) as process:
            results = tmp_path / "d.results.jsonl"
            wait_for(lambda: results.exists() and results.read_bytes().endswith(b"\n"))
            done = start(tmp_path, "undo", "d.results.jsonl", *at, "--yes", OMNI_API_KEY="k")
            assert (done.returncode, process.poll()) == (4, None), done.stderr
            assert f"process {process.pid}" in done.stderr


def test_the_list_fits_eighty_columns(tmp_path: Path) -> None:
    """Whatever the names: they are shortened, identifiers never."""
    (tmp_path / "d.csv").write_text(f"name,modelId,identifier\n{'Long name ' * 20},{MODEL},{'x' * 48}\n")
    assert start(tmp_path, "run", "d.csv", "--sandbox", "--rate", "none").returncode == 0
    listed = start(tmp_path, "undo", "d.sandbox.results.jsonl").stdout.splitlines()[1]
    assert listed.startswith(f"  {'x' * 48}  ")
    assert listed.endswith("…")
    assert len(listed) <= 82  # at least twelve characters of the name
