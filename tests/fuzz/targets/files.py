"""The files of earlier runs: journal, results, and both together; whole, torn and corrupt."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from batcher.config import Files
from batcher.errors import UsageError
from batcher.files.disk import Disk
from batcher.files.failures_view import Form, is_current, is_edited
from batcher.files.history import Journaled, lines_about_rows, read_journal
from batcher.files.intended import read_intended
from batcher.files.journal_lines import Unknown, parse_journal_line
from batcher.files.lines import read_lines, repair
from batcher.files.past import RowState, read_past
from batcher.files.results import encode_line, read_results
from batcher.files.results_index import index_results, open_documents
from batcher.identity import fingerprint
from batcher.models import Created

_DISK = Disk()


@cache
def _folder() -> Path:
    memory = Path("/dev/shm")  # noqa: S108 - where there is one, nothing waits for a disk
    return Path(tempfile.mkdtemp(prefix="fuzz", dir=memory if memory.is_dir() else None))


def _file(name: str, data: bytes) -> Path:
    path = _folder() / name
    path.write_bytes(data)
    return path


def _never(_: str) -> bool:
    return False


def _journaled(path: Path) -> Journaled | None:
    try:
        return read_journal(_DISK, path, _never)
    except UsageError:
        return None


def hold_journal(data: bytes) -> None:
    """It is read, or refused by name and place; what is read can be written again; a torn tail changes nothing."""
    path = _file("a.journal.jsonl", data)
    whole = _journaled(path)
    for act in (
        lambda: list(lines_about_rows(_DISK, path, _never)),
        lambda: read_intended(_DISK, path),
        lambda: read_journal(_DISK, path, lambda key: len(key) % 2 == 0),
    ):
        try:
            act()
        except UsageError:
            assert whole is None
    if whole is None:
        return
    for _, line in read_lines(_DISK, path):
        parsed = parse_journal_line(line)
        if not isinstance(parsed, Unknown):
            assert parse_journal_line(parsed.encode()) == parsed, "what is written reads back"
    for history in whole.histories.values():
        assert all(attempt.at.utcoffset() is not None for attempt in history.unclear)
    failures = _file("a.failures.jsonl", data[: len(data) // 2])
    is_edited(_DISK, failures, path, whole, Form())
    is_current(_DISK, failures, path, whole.histories, Form())
    _hold_torn(path, data)


def _hold_torn(path: Path, data: bytes) -> None:
    """Cut anywhere in its last line it reads as without that line, or as a whole."""
    lines = data.splitlines(keepends=True)
    if not lines or not data.endswith(b"\n"):
        return
    last = data[: data[:-1].rfind(b"\n") + 1]
    path.write_bytes(last)
    before = _journaled(path)
    path.write_bytes(data)
    after = _journaled(path)
    step = max(1, (len(data) - len(last)) // 7)
    for size in range(len(last), len(data), step):
        path.write_bytes(data[:size])
        assert _journaled(path) in (before, after)
        repair(_DISK, path)
        assert path.read_bytes() in (last, data)


def hold_results(data: bytes) -> None:
    """In both forms each line can be written again; as JSON lines it is indexed without parsing as it is with.

    A torn tail is cut off.
    """
    path = _file("a.results.jsonl", data)
    created = _created(path)
    try:
        index = index_results(_DISK, path, {})
        with open_documents(_DISK, path, {}) as document_of:
            documents = {one.key: document_of(one.key) for one in created or ()}
    except UsageError:
        assert created is None
    else:
        if created is None:
            return  # what is wrong stands behind what the index looks at
        first = {one.key: fingerprint(one.spec_hash) for one in reversed(created)}
        assert {key: index.get(key) for key in first} == first
        assert len(index) == len(first)
        assert documents == {one.key: one for one in created}
    for name in ("a.results.jsonl", "a.results.csv"):
        path = _file(name, data)
        created = _created(path)
        for one in created or ():
            if max(one.line, one.attempts, one.elapsed_ms, -one.line, -one.attempts, -one.elapsed_ms) >= 1 << 63:
                continue  # nobody writes such a line again: only a CSV is converted, and there a number has 18 digits
            assert _created(_file("b.results.jsonl", encode_line(one))) == [one], "what is written reads back"
        if created is not None:
            repair(_DISK, path)
            assert _created(path) == created


def _created(path: Path) -> list[Created] | None:
    try:
        return list(read_results(_DISK, path))
    except UsageError:
        return None


def hold_past(data: bytes) -> None:
    """A results file and a journal, one behind the other, as a run reads them; undone documents are not created."""
    results, _, journal = data.partition(b"\n---\n")
    files = Files(
        results=_file("b.results.jsonl", results + b"\n" * bool(results)),
        failures=_folder() / "b.failures.jsonl",
        journal=_file("b.journal.jsonl", journal),
    )
    try:
        past = read_past(_DISK, files, "", "")
    except UsageError:
        return
    for key, history in past.journaled.histories.items():
        assert key not in past.created
        assert past.state(key, lambda: "0" * 32) in RowState
        assert history.is_open == (key in past.uncertain)
    for key, documents in past.journaled.undone.items():
        assert documents
        assert past.state(key, lambda: "0" * 32) in RowState
