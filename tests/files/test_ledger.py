"""The three files together: where each row stands before a run, and what an outcome leaves in which file."""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batcher.config import Files
from batcher.errors import DiskTrouble, UsageError
from batcher.files.disk import AppendFile, Disk, DiskFile
from batcher.files.failures_view import Form
from batcher.files.journal_lines import Intent
from batcher.files.key_history import NO_HISTORY, KeyHistory
from batcher.files.ledger import Ledger, open_ledger
from batcher.files.past import Past, RowState, read_past
from batcher.files.undo_lines import Undone
from batcher.identity import spec_hash
from batcher.models import Created, Failed, How, Uncertain
from batcher.reasons import Reason

from ..support import virtual
from ..support.runs import QuickDisk

NOW = datetime(2026, 11, 23, tzinfo=UTC)
BODY = b'{"modelId":"m","name":"n"}'
OTHER = b'{"modelId":"m","name":"n","description":"changed"}'
AT = "2026-11-23T10:00:00.000+00:00"


def files_in(directory: Path) -> Files:
    """The three files there."""
    return Files(results=directory / "r.jsonl", failures=directory / "f.jsonl", journal=directory / "j.jsonl")


def past_of(files: Files) -> Past:
    """What they say."""
    return read_past(Disk(), files, "base", "")


@asynccontextmanager
async def opened(directory: Path, storage: Disk | None = None) -> AsyncIterator[Ledger]:
    """The files open for a run."""
    files = files_in(directory)
    troubles: list[DiskTrouble] = []
    async with open_ledger(
        storage or Disk(),
        files,
        past_of(files),
        run="r1",
        now=lambda: NOW,
        form=Form(),
        base_url="base",
        namespace="",
        fsync_ms=10,
        on_trouble=troubles.append,
    ) as ledger:
        yield ledger


def intent(key: str, identifier: str | None = "doc-1") -> Intent:
    """An intent of BODY."""
    return Intent(
        key, identifier, identifier is not None, 1, datetime.fromisoformat(AT), "r1", "d", 1, spec_hash(BODY), BODY
    )


COMMON: dict[str, Any] = {"source": "d", "line": 1, "attempts": 1, "at": AT, "run": "r1", "status": 201}


def created(key: str, sent_hash: str = spec_hash(BODY)) -> Created:
    """A created outcome."""
    return Created(
        key=key,
        how=How.CREATED,
        spec_hash=sent_hash,
        identifier="doc-1",
        name="n",
        model_id="m",
        url="u",
        dashboard_id=None,
        workbook_id=None,
        elapsed_ms=1,
        **COMMON,
    )


def unsuccessful(kind: type[Failed | Uncertain], key: str) -> Failed | Uncertain:
    """A failed or uncertain outcome."""
    return kind(key=key, reason=Reason.REJECTED, message="m", hint="h", identifier=None, spec={"name": "n"}, **COMMON)


async def test_where_rows_stand_after_a_run(tmp_path: Path) -> None:
    """Created, changed, failed, uncertain, new; an unclear attempt without a failures line is uncertain, too."""
    async with opened(tmp_path) as ledger:
        for key in ("created", "failed", "uncertain", "open", "cleared"):
            await ledger.intend(intent(key))
        ledger.book(created("created"))
        ledger.book(created("adopted", ""))
        ledger.clear("failed")
        ledger.book(unsuccessful(Failed, "failed"))
        ledger.book(unsuccessful(Uncertain, "uncertain"))
        ledger.clear("cleared")
    past = past_of(files_in(tmp_path))
    expected = {
        "created": RowState.CREATED,
        "adopted": RowState.CREATED,
        "failed": RowState.FAILED,
        "uncertain": RowState.UNCERTAIN,
        "open": RowState.UNCERTAIN,
        "cleared": RowState.NEW,
        "never seen": RowState.NEW,
    }
    assert {key: past.state(key, lambda: spec_hash(BODY)) for key in expected} == expected
    assert past.state("created", lambda: spec_hash(OTHER)) is RowState.CHANGED
    assert past.state("adopted", lambda: spec_hash(OTHER)) is RowState.CREATED, "what was adopted has no hash"


async def test_an_undone_row_is_new_again_only_when_asked_or_changed(tmp_path: Path) -> None:
    """Not created again without --recreate-undone; a row whose content has changed since is another wish."""
    files = files_in(tmp_path)
    async with opened(tmp_path) as ledger:
        await ledger.intend(intent("k"))
        ledger.book(created("k"))
        ledger.journal.write(Undone("k", "doc-1", spec_hash(BODY), 1, AT, "r2"))
    past = past_of(files)
    assert past.state("k", lambda: spec_hash(BODY)) is RowState.UNDONE
    assert past.state("k", lambda: spec_hash(BODY), recreate=True) is RowState.NEW
    assert past.state("k", lambda: spec_hash(OTHER)) is RowState.NEW


async def test_an_outcome_is_on_disk_when_book_returns(tmp_path: Path) -> None:
    """Results for created ones, the journal for the others; it says `created` once. The failures file follows it."""
    files = files_in(tmp_path)
    async with opened(tmp_path) as ledger:
        ledger.book(created("a"))
        assert b'"a"' in files.results.read_bytes()
        ledger.book(created("b"))
        ledger.book(unsuccessful(Failed, "c"))
        assert b'"c"' in files.journal.read_bytes()
        assert files.failures.read_bytes() == b"", "before an fsync the journal may still lose it"
        await ledger.sync()
        assert b'"c"' in files.failures.read_bytes()
    types = [json.loads(line)["type"] for line in files.journal.read_text().splitlines()]
    assert types == ["journal", "run", "created", "failed"]


class Timed(QuickDisk):
    """A disk that keeps the times at which results were fsynced."""

    def __init__(self) -> None:
        self.synced: list[float] = []

    @contextmanager
    def append(self, path: Path) -> Iterator[Any]:
        """A file whose fsync is noted if it holds results."""
        with super().append(path) as file:
            yield Noting(file, self.synced) if path.name == "r.jsonl" else file


class Noting:
    """One file of `Timed`."""

    def __init__(self, file: AppendFile, synced: list[float]) -> None:
        self.write, self.size, self.truncate, self._synced = file.write, file.size, file.truncate, synced

    async def sync(self) -> None:
        self._synced.append(round(virtual.loop().time() - virtual.EPOCH, 3))


def test_an_outcome_after_a_calm_while_is_durable_at_once(tmp_path: Path) -> None:
    """A slow run wakes up once for each outcome, not again 100 ms later; a fast one still fsyncs in groups of 100 ms."""
    disk = Timed()

    async def main() -> None:
        files = files_in(tmp_path)
        past = read_past(disk, files, "base", "")
        given: dict[str, Any] = {"form": Form(), "base_url": "base", "namespace": "", "on_trouble": print}
        async with open_ledger(disk, files, past, run="r1", now=lambda: NOW, fsync_ms=100, **given) as ledger:
            for at in (1.0, 2.0, 2.03, 2.06, 2.25, 5.0):
                await anyio.sleep(at - (virtual.loop().time() - virtual.EPOCH))
                ledger.book(created(f"k{at}"))
            await anyio.sleep(1)

    virtual.run(main)
    assert disk.synced == [1.0, 2.0, 2.1, 2.25, 5.0]


async def test_rewriting_leaves_exactly_what_still_holds(tmp_path: Path) -> None:
    """One line a key, the last one; created keys are gone; the size and digest are announced before."""
    files = files_in(tmp_path)
    async with opened(tmp_path) as ledger:
        for key in "abc":
            ledger.book(unsuccessful(Failed, key))
        ledger.book(unsuccessful(Uncertain, "a"))
        ledger.book(created("b"))
        await ledger.rewrite_failures()
    lines = [json.loads(line) for line in files.failures.read_text().splitlines()]
    assert {line["key"]: line["outcome"] for line in lines} == {"a": "uncertain", "c": "failed"}
    announced = json.loads(files.journal.read_text().splitlines()[-1])
    assert (announced["type"], announced["size"]) == ("rewriting", files.failures.stat().st_size)


async def test_settling_and_clearing(tmp_path: Path) -> None:
    """`clear` takes back the last attempt, `settle` all; what is not there cannot be taken back, and says nothing."""
    async with opened(tmp_path) as ledger:
        await ledger.intend(intent("k"))
        await ledger.intend(intent("k", "doc-2"))
        ledger.clear("k")
        assert [sent.identifier for sent in ledger.unclear("k")] == ["doc-1"]
        ledger.settle("k")
        assert ledger.unclear("k") == ()
        size = ledger.journal.size()
        ledger.clear("k")
        ledger.settle("nobody")
        assert ledger.journal.size() == size


class Full(Disk):
    """A disk that refuses what is larger than `most` bytes, once there is a limit."""

    most: int | None = None

    @contextmanager
    def append(self, path: Path) -> Iterator[DiskFile]:
        """As `Disk`."""
        with super().append(path) as file:
            write = file.write

            def refuse(data: bytes) -> None:
                if self.most is not None and len(data) > self.most:
                    raise OSError(28, "No space left on device")
                write(data)

            file.write = refuse  # type: ignore[method-assign] # the disk's own fault, not ours
            yield file


async def test_an_attempt_that_was_never_written_is_not_taken_back_on_disk(tmp_path: Path) -> None:
    """The disk takes a short line again after it refused an intent: that line would take back an earlier attempt."""
    disk = Full()
    async with opened(tmp_path, disk) as ledger:
        await ledger.intend(intent("k"))
        disk.most = 100
        with pytest.raises(DiskTrouble):
            await ledger.intend(intent("k", "doc-2"))
        ledger.take_back("k")
        assert [sent.identifier for sent in ledger.unclear("k")] == ["doc-1"]
    assert [sent.identifier for sent in past_of(files_in(tmp_path)).journaled.histories["k"].unclear] == ["doc-1"]


async def test_an_attempt_whose_request_does_not_leave_is_taken_back(tmp_path: Path) -> None:
    """Here and on disk."""
    async with opened(tmp_path) as ledger:
        await ledger.intend(intent("k"))
        await ledger.intend(intent("k", "doc-2"))
        ledger.take_back("k")
        assert [sent.identifier for sent in ledger.unclear("k")] == ["doc-1"]
    assert [sent.identifier for sent in past_of(files_in(tmp_path)).journaled.histories["k"].unclear] == ["doc-1"]


async def test_bodies_of_earlier_runs_are_read_from_the_journal(tmp_path: Path) -> None:
    """What an unclear attempt sent is found again by its offset."""
    async with opened(tmp_path) as ledger:
        await ledger.intend(intent("other"))
        await ledger.intend(intent("k"))
        assert ledger.body_of(ledger.unclear("k")[0]) == BODY
    async with opened(tmp_path) as ledger:
        [sent] = ledger.unclear("k")
        assert sent.body is None
        assert json.loads(ledger.body_of(sent)) == json.loads(BODY)


@pytest.mark.parametrize(
    ("head", "words"),
    [
        ({"version": 1, "baseUrl": "elsewhere", "namespace": ""}, "baseUrl 'elsewhere', but this run has 'base'"),
        ({"version": 1, "baseUrl": "base", "namespace": "eu"}, "namespace 'eu', but this run has ''"),
        ({"version": 2, "baseUrl": "base", "namespace": ""}, "has version 2; this batcher reads version 1"),
        (
            {"version": 1, "baseUrl": "base", "namespace": "", "identifiers": "dice"},
            "makes identifiers from 'dice'.* Update",
        ),
    ],
)
def test_files_that_belong_to_something_else_are_refused(tmp_path: Path, head: dict[str, Any], words: str) -> None:
    """Another base URL, namespace or version, with what to do."""
    files = files_in(tmp_path)
    files.journal.write_text(json.dumps({"type": "journal"} | head) + "\n")
    with pytest.raises(UsageError, match=words):
        past_of(files)


async def test_status_needs_no_base_url(tmp_path: Path) -> None:
    """Without a base URL any journal is read."""
    async with opened(tmp_path):
        pass
    assert read_past(Disk(), files_in(tmp_path), "", "").created.get("k") is None


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["intend", "take_back", "clear", "settle", "fail", "doubt", "fix", "create"]),
        st.sampled_from(["a", "b"]),
        st.sampled_from([None, "doc-1", "doc-2"]),
    ),
    max_size=12,
)


async def take(ledger: Ledger, step: str, key: str, identifier: str | None) -> None:
    """One step of a run."""
    match step:
        case "intend":
            await ledger.intend(intent(key, identifier))
        case "fail":
            ledger.book(unsuccessful(Failed, key))
        case "doubt":
            ledger.book(unsuccessful(Uncertain, key))
        case "fix":
            ledger.close_failure(key)
        case "create":
            ledger.book(created(key))
        case _:
            getattr(ledger, step)(key)


def known(histories: Mapping[str, KeyHistory]) -> dict[str, KeyHistory]:
    """Without what is not the same on disk and in memory: where an attempt's body is."""
    same = {
        key: history._replace(unclear=tuple(sent._replace(offset=0, body=None) for sent in history.unclear))
        for key, history in histories.items()
    }
    return {key: history for key, history in same.items() if history != NO_HISTORY}


@settings(max_examples=40, deadline=None)
@given(STEPS, STEPS)
def test_the_ledger_knows_what_a_later_run_would_read(
    first: list[tuple[str, str, str | None]], second: list[tuple[str, str, str | None]]
) -> None:
    """After any steps of two runs; and what a run has read at its start stays as it was, whatever the run does."""

    async def main(directory: Path) -> None:
        done: set[str] = set()
        for steps in (first, second):
            past = past_of(files_in(directory))
            before = dict(past.journaled.histories)
            async with opened(directory, QuickDisk()) as ledger:
                for step, key, identifier in steps:
                    if key not in done:  # nothing is sent for a row that is created
                        await take(ledger, step, key, identifier)
                    if step == "create":
                        done.add(key)
                now = known(ledger.histories)
            assert now == known(past_of(files_in(directory)).journaled.histories)
            assert past.journaled.histories == before

    with tempfile.TemporaryDirectory() as directory:
        virtual.run(lambda: main(Path(directory)))
