"""Files of whole lines: any file cut at any byte is fixed to a prefix of its lines, and reading agrees with mending."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.errors import DiskTrouble, ForeignWriter, UsageError
from batcher.files.disk import Disk
from batcher.files.lines import Lines, find_tail, open_lines, parse_line, read_lines, repair
from batcher.files.results import read_results
from tests.support.earlier import RESULTS, results_header, results_to_csv

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
RESPONSES = st.none() | st.dictionaries(st.text(max_size=8), JSON, max_size=4)  # a bare number cut short is a number
OBJECTS = st.lists(st.dictionaries(st.text(max_size=8), JSON, max_size=4), max_size=6)


def prefixes(whole: list[bytes]) -> list[bytes]:
    """The texts of the first 0, 1, 2 … lines."""
    return [b"".join(whole[:count]) for count in range(len(whole) + 1)]


@given(OBJECTS, st.data())
def test_a_file_cut_at_any_byte_is_fixed_to_whole_lines(objects: list[dict[str, Any]], data: st.DataObject) -> None:
    """Repair leaves a prefix of the lines, loses none that was whole, and changes nothing the second time."""
    whole = [orjson.dumps(one) + b"\n" for one in objects]
    text = b"".join(whole)
    cut = data.draw(st.integers(0, len(text)))
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "f.jsonl"
        path.write_bytes(text[:cut])
        read = [line for _, line in read_lines(Disk(), path)]
        repair(Disk(), path)
        fixed = path.read_bytes()
        assert fixed in prefixes(whole)
        assert len(fixed) >= len(text[:cut].rpartition(b"\n")[0])
        assert [line.rstrip(b"\n") for line in read] == fixed.splitlines()
        repair(Disk(), path)
        assert path.read_bytes() == fixed


@given(st.binary(max_size=300))
def test_any_bytes_are_fixed_to_something_that_ends_well(text: bytes) -> None:
    """Whatever a file holds, afterwards it is empty or ends with a newline, and its beginning is untouched."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "f.jsonl"
        path.write_bytes(text)
        repair(Disk(), path)
        fixed = path.read_bytes()
    assert not fixed or fixed.endswith(b"\n")
    assert text.startswith(fixed[:-1])


def created(name: str, response: object, number: int) -> dict[str, object]:
    """A results line."""
    texts = dict.fromkeys(RESULTS, "x")
    return texts | {
        "key": f"k{number}",
        "name": name,
        "line": number,
        "attempts": 1,
        "status": 201,
        "elapsedMs": 5,
        "how": "created",
        "specHash": "ab",
        "response": response,
    }


@given(
    st.lists(st.tuples(st.text(st.characters(codec="utf-8"), max_size=12), RESPONSES), min_size=1, max_size=4),
    st.data(),
)
def test_a_csv_results_file_cut_at_any_byte_is_fixed_to_whole_records(
    rows: list[tuple[str, object]], data: st.DataObject
) -> None:
    """The same law for the CSV form: the header and a prefix of the records, each as it was."""
    made = [created(name, response, number) for number, (name, response) in enumerate(rows)]
    whole = [results_header(), *(results_to_csv(one) for one in made)]
    text = b"".join(whole)
    cut = data.draw(st.integers(0, len(text)))
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "f.csv"
        path.write_bytes(text[:cut])
        keys = [one.key for one in read_results(Disk(), path)]
        repair(Disk(), path)
        fixed = path.read_bytes()
        assert fixed in prefixes(whole)
        complete = max(len(one) for one in prefixes(whole) if len(one) <= cut)
        assert len(fixed) >= complete
        assert keys == [one.key for one in read_results(Disk(), path)]
        assert keys == [f"k{number}" for number in range(prefixes(whole).index(fixed) - 1)]


def test_a_long_torn_line_is_found(tmp_path: Path) -> None:
    """A torn line of a megabyte, longer than the first look from the end."""
    path = tmp_path / "f.jsonl"
    path.write_bytes(b'{"a":1}\n' + b'{"b":"' + b"x" * 1_000_000)
    tail = find_tail(Disk(), path)
    assert tail is not None
    assert (tail.offset, tail.is_whole) == (8, False)
    repair(Disk(), path)
    assert path.read_bytes() == b'{"a":1}\n'


def test_a_missing_and_an_empty_file_are_well(tmp_path: Path) -> None:
    """Nothing is made by looking."""
    assert find_tail(Disk(), tmp_path / "no") is None
    repair(Disk(), tmp_path / "no")
    assert list(tmp_path.iterdir()) == []


def test_a_corrupt_line_names_file_and_place() -> None:
    """A line in the middle that cannot be read is an error with its place and a remedy, never a guess."""
    for line in (b"{oops\n", b"[1]\n", b"7\n"):
        with pytest.raises(UsageError, match=r"d\.journal\.jsonl:7: .*Restore the file"):
            parse_line(line, Path("d.journal.jsonl"), "7")


class Failing:
    """A file on a disk that fills up: it takes a part of a line, and may refuse to be cut."""

    def __init__(self, *, can_cut: bool, can_sync: bool = True) -> None:
        self.text = b""
        self.room = 10
        self.can_cut = can_cut
        self.can_sync = can_sync

    def write(self, data: bytes) -> None:
        self.text += data[: self.room - len(self.text)]
        if len(self.text) == self.room:
            raise OSError(28, "No space left on device")

    async def sync(self) -> None:
        if not self.can_sync:
            self.can_sync = True
            raise OSError(5, "Input/output error")

    def size(self) -> int:
        return len(self.text)

    def truncate(self, size: int) -> None:
        if not self.can_cut:
            raise OSError(5, "Input/output error")
        self.text = self.text[:size]


def test_a_failed_write_leaves_no_torn_line_behind() -> None:
    """After a failed write the tail is cut, so that a shorter line may still be written whole."""
    file = Failing(can_cut=True)
    lines = Lines(file, Path("f"))
    assert lines.write(b"12345\n") == 0
    with pytest.raises(DiskTrouble, match="No space left on device"):
        lines.write(b"123456789\n")
    assert file.text == b"12345\n"
    file.room = 100
    assert lines.write(b"12\n") == 6


def test_a_tail_that_cannot_be_cut_ends_all_writing() -> None:
    """Where even the cut fails nothing more is appended to the torn line."""
    file = Failing(can_cut=False)
    lines = Lines(file, Path("f"))
    with pytest.raises(DiskTrouble):
        lines.write(b"0123456789abc\n")
    file.room = 100
    with pytest.raises(DiskTrouble):
        lines.write(b"1\n")
    assert file.text == b"0123456789"


async def test_a_failed_fsync_is_never_forgotten() -> None:
    """What a failed fsync leaves is not to be trusted: no later sync or write says that all is well."""
    lines = Lines(Failing(can_cut=True, can_sync=False), Path("f"))
    lines.write(b"1\n")
    with pytest.raises(DiskTrouble, match="fsync"):
        await lines.sync()
    with pytest.raises(DiskTrouble):
        await lines.sync()
    with pytest.raises(DiskTrouble):
        lines.write(b"2\n")


def test_a_file_that_cannot_be_opened_is_disk_trouble(tmp_path: Path) -> None:
    """A directory in the file's place: one message with the path and what to do."""
    (tmp_path / "f").mkdir()

    with (
        pytest.raises(DiskTrouble, match=r"cannot open .*run the same command again"),
        open_lines(Disk(), tmp_path / "f"),
    ):
        raise AssertionError("a directory was opened")


async def test_bytes_of_somebody_else_are_noticed(tmp_path: Path) -> None:
    """No sync says that all is well once there are any; outcomes are still written, each at the place that is told."""
    path = tmp_path / "d.journal.jsonl"
    with open_lines(Disk(), path) as mine, open_lines(Disk(), path) as other:
        mine.write(b"1\n")
        await mine.sync()
        assert other.write(b"2\n") == 2
        for _ in range(2):
            with pytest.raises(ForeignWriter, match=r"another run writes to .*d\.journal\.jsonl"):
                await mine.sync()
        with pytest.raises(ForeignWriter):
            await other.sync()
        assert mine.has_foreign
        assert mine.write(b"3\n") == 4
    assert path.read_bytes() == b"1\n2\n3\n"
