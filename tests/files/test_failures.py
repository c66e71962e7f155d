"""The failures file's lines, whether somebody edited it, and mending one that a run died over."""

from __future__ import annotations

import json
import tempfile
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.errors import UsageError
from batcher.files import csv_form
from batcher.files.disk import Disk
from batcher.files.failures import Form, digest_of, is_edited, journaled_failures, outcome_at
from batcher.files.history import read_journal
from batcher.files.journal_lines import FailureLine
from batcher.models import Failed, Reason, Uncertain
from batcher.plan.repair_input import tidy
from batcher.read.csv_table import Layout
from batcher.read.failures_csv import FAILURES, failures_from_csv

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


def keys(path: Path) -> list[str]:
    """The keys in a failures file."""
    if csv_form.is_csv(path):
        with path.open("rb") as stream:
            return [str(line["key"]) for line in failures_from_csv(stream)]
    return [json.loads(line)["key"] for line in path.read_bytes().splitlines()]


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


@given(st.sampled_from(list(FORMS)), st.lists(st.sampled_from("abc"), max_size=8), st.data())
def test_a_file_that_a_run_died_over_is_one_line_for_each_key(
    name: str, appended: list[str], data: st.DataObject
) -> None:
    """Whatever was appended, cut at any byte: each key once, with its last whole line; a second time changes nothing."""
    form = FORMS[name]
    first = [form.head(), *texts(form, failed("a"), failed("b"), failed("c"))]
    more = texts(form, *(failed(key, f"again {number}") for number, key in enumerate(appended)))
    cut = data.draw(st.integers(0, len(b"".join(more))))
    whole: list[int] = [number for number in range(len(more)) if len(b"".join(more[: number + 1])) <= cut]
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / name
        path.write_bytes(b"".join(first) + b"".join(more)[:cut])
        tidy(Disk(), path, path.with_name("none.journal.jsonl"))
        found = path.read_bytes()
        assert sorted(keys(path)) == ["a", "b", "c"]
        for key in "abc":
            newest = max((number for number in whole if appended[number] == key), default=None)
            if newest is not None and all(appended[n] != key for n in range(newest + 1, len(more))):
                assert f"again {newest}".encode() in found
        assert not tidy(Disk(), path, path.with_name("none.journal.jsonl"))
        assert path.read_bytes() == found


def test_a_file_that_is_well_is_left_alone(tmp_path: Path) -> None:
    """Nothing is written where nothing is to be done, and a missing file is none."""
    path = tmp_path / "f.jsonl"
    assert not tidy(Disk(), path, path.with_name("none.journal.jsonl"))
    path.write_bytes(b"".join(texts(Form(), failed("a"), failed("b"))))
    assert not tidy(Disk(), path, path.with_name("none.journal.jsonl"))


@pytest.mark.parametrize("name", list(FORMS))
def test_a_persons_last_line_is_kept(tmp_path: Path, name: str) -> None:
    """A last line without newline whose key stands nowhere else is a person's, and gets its newline."""
    path, form = tmp_path / name, FORMS[name]
    path.write_bytes((form.head() + b"".join(texts(form, failed("a"), failed("b")))).rstrip(b"\r\n"))
    assert tidy(Disk(), path, path.with_name("none.journal.jsonl"))
    assert keys(path) == ["a", "b"]
    assert path.read_bytes().endswith(b"\n")


def test_a_persons_broken_last_line_is_kept_for_the_check_to_name(tmp_path: Path) -> None:
    """A typo in the last line is no torn tail."""
    path = tmp_path / "f.jsonl"
    first, second = texts(Form(), failed("a"), failed("b"))
    path.write_bytes(first + second.rstrip()[:-1])
    tidy(Disk(), path, path.with_name("none.journal.jsonl"))
    assert path.read_bytes() == first + second.rstrip()[:-1] + b"\n"


def test_a_spreadsheet_in_another_encoding_is_left_alone(tmp_path: Path) -> None:
    """UTF-16, as some programs save it: nothing of ours was appended to it."""
    path = tmp_path / "f.csv"
    text = (CSV.head() + b"".join(texts(CSV, failed("a"), failed("a")))).decode().encode("utf-16")
    path.write_bytes(text)
    assert not tidy(Disk(), path, path.with_name("none.journal.jsonl"))
    assert path.read_bytes() == text


def test_lines_are_appended_only_to_a_file_of_the_same_form(tmp_path: Path) -> None:
    """A CSV file with other columns does not fit; JSON lines always do."""
    path = tmp_path / "f.csv"
    assert CSV.fits(Disk(), path)
    path.write_bytes(CSV.head())
    assert CSV.fits(Disk(), path)
    assert not Form(Layout(("modelId", "name"))).fits(Disk(), path)
    assert Form().fits(Disk(), path)


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
