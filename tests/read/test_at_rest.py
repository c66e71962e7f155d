"""A file that changes while it is read, or seems half written."""

from __future__ import annotations

import gzip
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from batcher.config import Reading
from batcher.errors import UsageError
from batcher.read import at_rest
from batcher.read.sources import open_inputs
from tests.support.rows import MODEL, Told, read_rows, write

SIMPLE = f"modelId,name\n{MODEL},One\n{MODEL},Two\n"
CHANGED = r"changed while it was read; is it still being written\? Run again when it is complete\."


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited for; nobody really waits."""
    waited: list[float] = []
    monkeypatch.setattr(at_rest, "sleep", waited.append)
    return waited


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"x\n")


def shrink(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 3)


def replace(path: Path) -> None:
    write(path.with_name("new"), path.read_bytes()[:-2]).rename(path)


def edit(path: Path) -> None:
    facts = path.stat()
    path.write_bytes(path.read_bytes().replace(b"One", b"1ne"))
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1))


@pytest.mark.parametrize("change", [grow, shrink, replace, edit])
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.json", "a.jsonl"])
def test_a_file_that_changes_while_it_is_read_is_refused(
    tmp_path: Path, name: str, change: Callable[[Path], None], waits: list[float]
) -> None:
    """At the last row if not before: nothing is sent by then."""
    text = {"a.json": '[{"name":"One"},\n{"name":"Two"}]\n', "a.jsonl": '{"name":"One"}\n{"name":"Two"}\n'}
    content = text.get(name, SIMPLE).encode()
    path = write(tmp_path / name, gzip.compress(content) if name.endswith("gz") else content)
    with open_inputs([path]) as inputs:
        rows = read_rows(inputs, Reading())
        next(rows)
        change(path)
        with pytest.raises(UsageError, match=CHANGED):
            list(rows)
    assert waits == []


def changing(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """Somebody goes on writing while batcher waits."""
    monkeypatch.setattr(at_rest, "sleep", lambda _: grow(path))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_fresh_file_that_ends_within_a_line_is_looked_at_again(
    tmp_path: Path, encoding: str, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read if nothing comes within two seconds of the last change."""
    path = write(tmp_path / "a.csv", SIMPLE.rstrip("\n").encode(encoding))
    assert Told(path).checked.valid == 2
    assert len(waits) == 1
    assert 0 < waits[0] <= 2
    changing(monkeypatch, path)
    with pytest.raises(UsageError, match=CHANGED):
        Told(path)


def aged(path: Path) -> Path:
    os.utime(path, (time.time() - 3600,) * 2)
    return path


def complete_files(folder: Path) -> Iterator[Path]:
    """Whose end says that nothing is missing, or that nobody writes to any more."""
    yield write(folder / "lf.csv", SIMPLE)
    yield write(folder / "crlf.csv", SIMPLE.replace("\n", "\r\n"))
    yield write(folder / "cr.csv", SIMPLE.replace("\n", "\r"))
    yield write(folder / "wide.csv", SIMPLE.encode("utf-16"))
    yield aged(write(folder / "old.csv", SIMPLE.rstrip("\n")))
    yield write(folder / "a.csv.gz", gzip.compress(SIMPLE.rstrip("\n").encode()))
    yield write(folder / "a.json", f'[{{"modelId":"{MODEL}","name":"One"}},{{"modelId":"{MODEL}","name":"Two"}}]')


def test_nobody_waits_for_a_file_that_is_complete(tmp_path: Path, waits: list[float]) -> None:
    """A JSON array and compressed data say themselves when they are cut off."""
    assert [Told(path).checked.valid for path in complete_files(tmp_path)] == [2] * 7
    assert waits == []


@pytest.mark.parametrize("ending", ["", " "])
def test_a_last_record_that_is_cut_off_is_a_problem(tmp_path: Path, ending: str, waits: list[float]) -> None:
    """Fewer cells than the header, and no line end; also in a file that nobody has touched for long."""
    text = f"modelId,name,description\n{MODEL},One\n{MODEL},Quarterly rep{ending}"
    (problem,) = Told(aged(write(tmp_path / "a.csv", text))).problems
    assert problem.line == 3
    assert problem.message.startswith("is cut off: it has 2 of 3 cells and no line end; complete the file")
    assert Told(write(tmp_path / "b.csv", text + "\n")).problems == []
    assert waits == []


def test_a_failures_file_that_is_cut_off_is_a_problem_too(tmp_path: Path) -> None:
    """Its last cells say what happened to the row."""
    text = f"modelId,name,batcher_key,batcher_outcome\n{MODEL},One,a,failed\n{MODEL},Two,b"
    (problem,) = Told(aged(write(tmp_path / "a.failures.csv", text))).problems
    assert problem.message.startswith("is cut off: it has 3 of 4 cells")
