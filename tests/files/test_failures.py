"""The failures file: its lines, and whether somebody edited it."""

from __future__ import annotations

import json
import tempfile
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.errors import UsageError
from batcher.files.disk import Disk
from batcher.files.failures_view import Form, digest_of, failures_text, is_edited, journaled_failures, outcome_at
from batcher.files.history import read_journal
from batcher.files.journal_lines import FailureLine
from batcher.models import Failed, Uncertain
from batcher.read.csv_table import Layout
from batcher.read.failures_csv import FAILURES
from batcher.reasons import Reason

HEAD = '{"type":"journal","version":1,"baseUrl":"b","namespace":""}\n'
CSV = Form(Layout(("name", "modelId")))
FORMS = {"f.jsonl": Form(), "f.csv": CSV}


def failed(key: str, message: str = "no") -> Failed:
    """One outcome."""
    return Failed(
        key=key,
        source="d.csv",
        line=3,
        reason=Reason.REJECTED,
        status=400,
        message=message,
        hint="mend it",
        attempts=1,
        identifier=None,
        at="2026-11-23T10:00:00.000+00:00",
        run="r",
        spec={"name": f"name of {key}", "modelId": "m", "queryPresentations": []},
    )


def texts(form: Form, *outcomes: Failed) -> list[bytes]:
    """Their lines."""
    return [form.line(one) for one in outcomes]


def test_a_line_has_the_contracts_fields() -> None:
    """All of them, in order, from what the journal says."""
    assert list(json.loads(FailureLine(failed("k")).encode()))[:2] == ["key", "type"]
    assert tuple(json.loads(Form().line(failed("k")))) == (*FAILURES, "spec")
    assert json.loads(Form().line(failed("k").become(Uncertain)))["outcome"] == "uncertain"


class Past:
    """A journal and a failures file as a run leaves them."""

    def __init__(self, directory: Path, name: str) -> None:
        self.form = FORMS[name]
        self.path, self.journal = directory / name, directory / "j"
        self.journal.write_text(HEAD)
        self.path.write_bytes(self.form.head())
        self.based = len(self.form.head())  # bytes of the file that were not appended

    def book(self, *outcomes: Failed) -> None:
        """The run writes outcomes to both."""
        for outcome in outcomes:
            with self.journal.open("ab") as file:
                file.write(FailureLine(outcome).encode())
            with self.path.open("ab") as file:
                file.writelines(texts(self.form, outcome))

    def rewrite(self, *outcomes: Failed, done: bool = True) -> None:
        """The run replaces the file, or dies after it has announced that."""
        chunks = [self.form.head(), *texts(self.form, *outcomes)]
        size, digest = digest_of(chunks)
        with self.journal.open("a") as file:
            file.write(json.dumps({"type": "rewriting", "size": size, "digest": digest}, separators=(",", ":")) + "\n")
        if done:
            self.path.write_bytes(b"".join(chunks))

        if done:
            self.based = size

    def text(self, held: dict[str, Failed]) -> bytes:
        """What the file must hold for these outcomes."""
        return b"".join([self.form.head(), *texts(self.form, *held.values())])

    def cut(self, size: int) -> None:
        """What was appended last has not reached the file, or only a part of it."""
        self.path.write_bytes(self.path.read_bytes()[:size])

    @property
    def edited(self) -> bool:
        """Whether it is taken for edited."""
        said = read_journal(Disk(), self.journal, lambda _: False)
        return is_edited(Disk(), self.path, self.journal, said, self.form)


@pytest.fixture(params=list(FORMS))
def past(request: pytest.FixtureRequest, tmp_path: Path) -> Past:
    """In both forms."""
    return Past(tmp_path, request.param)


def test_what_batcher_wrote_is_not_edited(past: Past) -> None:
    """While a run is at work, after it, after the next, and after a death at each moment in between."""
    assert not past.edited
    past.book(failed("a"), failed("b"))
    assert not past.edited
    past.rewrite(failed("a"), failed("b"), done=False)
    assert not past.edited
    past.rewrite(failed("a"), failed("b"))
    assert not past.edited
    past.book(failed("a", "again"))
    assert not past.edited
    past.rewrite(failed("b"), done=False)
    assert not past.edited
    past.rewrite(failed("b"))
    past.rewrite()
    assert not past.edited


def test_rewritings_that_the_disk_refused_are_no_edits(past: Past) -> None:
    """Seed 114429: one run after the other announces another text, and the disk takes none of them."""
    past.rewrite(failed("a"))
    past.book(failed("b"), failed("c"))
    for number in range(10):
        past.rewrite(failed("a", f"no {number}"), done=False)
        assert not past.edited
    past.cut(past.path.stat().st_size - 5)
    assert not past.edited


def test_a_torn_line_of_ours_is_not_edited(past: Past) -> None:
    """Cut anywhere in what the last run appended."""
    past.rewrite(failed("a"))
    size = past.path.stat().st_size
    past.book(failed("b"), failed("c"))
    whole = past.path.read_bytes()
    for cut in range(size, len(whole)):
        past.path.write_bytes(whole[:cut])
        assert not past.edited, cut


def test_whatever_else_is_edited(past: Past) -> None:
    """A changed, removed, added or swapped line, or one more space."""
    past.rewrite(failed("a"), failed("b"))
    past.book(failed("c"))
    text = past.path.read_bytes()
    first, second, third = texts(past.form, failed("a"), failed("b"), failed("c"))
    changes = [
        text.replace(b"name of a", b"mended a"),
        text.replace(first, b""),
        text + first,
        text.replace(first + second, second + first),
        text.replace(b"name of c", b"mended c"),
        text + b" ",
        text.replace(third, first),
    ]
    for change in changes:
        past.path.write_bytes(change)
        assert past.edited, change
    past.path.write_bytes(text)
    assert not past.edited


def test_an_empty_or_missing_file_is_not_edited(past: Past) -> None:
    """There is nothing to keep."""
    past.rewrite(failed("a"))
    past.path.write_bytes(b"")
    assert not past.edited
    past.path.unlink()
    assert not past.edited


def test_lines_are_read_from_the_journal_at_their_offsets(past: Past) -> None:
    """The failures file is written from the journal."""
    past.book(failed("a"), failed("b"))
    said = read_journal(Disk(), past.journal, lambda _: False)
    offsets = sorted(one.failure for one in said.histories.values() if one.failure is not None)
    assert [line.key for line in journaled_failures(Disk(), past.journal, offsets)] == ["a", "b"]
    assert [outcome_at(Disk(), past.journal, offset) for offset in offsets] == [failed("a"), failed("b")]


def test_an_outcome_that_somebody_broke_is_named(past: Past) -> None:
    """Its reason isn't one of the contract's: the error names the place, nothing is guessed."""
    past.book(failed("a"))
    past.journal.write_bytes(past.journal.read_bytes().replace(b'"rejected"', b'"dejected"'))
    with pytest.raises(UsageError, match=r"j:2: .*dejected"):
        read_journal(Disk(), past.journal, lambda _: False)
    with pytest.raises(UsageError, match=r":offset \d+: .*dejected"):
        outcome_at(Disk(), past.journal, len(HEAD))


@given(name=st.sampled_from(list(FORMS)), data=st.data())
def test_however_a_run_dies_its_file_is_not_edited(name: str, data: st.DataObject) -> None:
    """Runs that put the file right, append, rewrite, and die at each moment in between, with a tail cut at any byte."""
    with tempfile.TemporaryDirectory() as directory:
        past, number = Past(Path(directory), name), 0
        held: dict[str, Failed] = {}
        for _ in range(data.draw(st.integers(1, 5))):
            died = data.draw(st.sampled_from(["", "announced at the start", "at work", "announced at the end"]))
            if past.path.read_bytes() != past.text(held):
                past.rewrite(*held.values(), done=died != "announced at the start")
            if died == "announced at the start":
                continue
            for key in data.draw(st.lists(st.sampled_from("abc"), max_size=4)):
                number += 1
                held.pop(key, None)
                held[key] = failed(key, f"no {number}")
                past.book(held[key])
            whole = past.path.read_bytes()
            past.cut(data.draw(st.integers(past.based, len(whole))))
            if died != "at work":
                past.rewrite(*held.values(), done=not died)
            assert not past.edited
        said = read_journal(Disk(), past.journal, lambda _: False)
        assert b"".join(failures_text(Disk(), past.journal, said.histories, past.form)) == past.text(held)


def test_an_unedited_file_is_looked_through_line_by_line(past: Past) -> None:
    """Regression: what was left of it was copied at each line: 30,000 lines that a run had died over took two minutes."""
    past.book(*(failed(f"k{number}", "no " * 1000) for number in range(3000)))
    size = past.path.stat().st_size
    said = read_journal(Disk(), past.journal, lambda _: False)
    tracemalloc.start()
    try:
        assert not is_edited(Disk(), past.path, past.journal, said, past.form)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 0.4 * size  # a line at a time, and what is read ahead
