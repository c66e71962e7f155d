"""Results and journals that a person or a program has written anew: the right effect, or an error that names the place."""

from __future__ import annotations

import csv
import json
import tempfile
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.commands.undo import undo
from batcher.errors import UsageError
from batcher.files.disk import Disk
from batcher.files.earlier_results import in_lines
from batcher.files.history import read_journal
from batcher.files.past import read_past
from batcher.files.results import created_of, encode_line
from batcher.files.results_index import index_results
from batcher.identity import fingerprint

from ..files.test_history import HEAD, intent
from ..files.test_results import created
from ..support.earlier import encode_record, into_csv, results_header
from ..support.faulty import FaultyServer
from ..support.runs import Job, row
from .test_undo import Told
from .test_undo import settings as undo_settings


async def test_keys_that_a_program_made_numbers_are_still_created(tmp_path: Path) -> None:
    """Pandas' read_json/to_json turns `"key":"1001"` into `"key":1001`; without a journal the row is made twice."""
    job = Job(tmp_path)
    job.rows(row("a", key="1001"))
    async with FaultyServer() as server:
        await job.run(server.base_url, fill_identifiers=False)
        (line,) = job.results
        job.files.results.write_text(json.dumps(line | {"key": 1001}) + "\n")
        job.files.journal.unlink()
        with pytest.raises(UsageError, match=r":1: .*key is 1001, which isn't text"):
            await job.run(server.base_url, fill_identifiers=False)
        assert len(server.commits) == 1


async def test_two_results_lines_joined_lose_no_row(tmp_path: Path) -> None:
    """`cat a.results.jsonl b.results.jsonl`, the first without its last newline: the second row was made twice."""
    job = Job(tmp_path)
    job.rows(row("a", key="a"), row("b", key="b"))
    async with FaultyServer() as server:
        await job.run(server.base_url, fill_identifiers=False, concurrency=1)
        job.files.results.write_bytes(job.files.results.read_bytes().replace(b"}\n{", b"}{", 1))
        job.files.journal.unlink()
        with pytest.raises(UsageError, match=":1: this line cannot be read"):
            await job.run(server.base_url, fill_identifiers=False)
        assert len(server.commits) == 2


def test_two_journal_lines_joined_lose_no_intent(tmp_path: Path) -> None:
    """The second intent, of a row that is not created, vanished without a word."""
    path = tmp_path / "j"
    lines = [orjson.dumps(one) for one in (HEAD, intent("a"), intent("b"))]
    path.write_bytes(lines[0] + b"\n" + lines[1] + lines[2] + b"\n")
    with pytest.raises(UsageError, match=":2: "):
        read_journal(Disk(), path, lambda key: key == "a")


async def test_what_undo_deleted_is_known_in_a_journal_with_other_spacing(tmp_path: Path) -> None:
    """Each line of the journal through json.loads and json.dumps: the deleted document counted as created."""
    job = Job(tmp_path)
    job.rows(row("a"))
    async with FaultyServer() as server:
        await job.run(server.base_url)
        await undo(undo_settings(job, server.base_url), observer=Told())
        before = (await job.run(server.base_url)).counts
        job.files.journal.write_text("".join(json.dumps(line) + "\n" for line in job.journal))
        after = (await job.run(server.base_url)).counts
    assert before == {"undone": 1}
    assert after == before


async def test_a_journal_without_its_first_line_is_refused(tmp_path: Path) -> None:
    """Cut from the front so that it begins with an intent of a created row: another base URL was taken without a word."""
    job = Job(tmp_path)
    job.rows(row("a", key="a"))
    async with FaultyServer() as one, FaultyServer() as other:
        await job.run(one.base_url)
        kept = job.files.journal.read_bytes().splitlines(keepends=True)
        at = next(n for n, line in enumerate(kept) if b'"type":"intent"' in line)
        job.files.journal.write_bytes(b"".join(kept[at:]))
        job.rows(row("a", key="a"), row("b", key="b"))
        with pytest.raises(UsageError):
            await job.run(other.base_url)


@pytest.mark.parametrize("change", [{"specHash": 12}, {"key": []}, {"key": {}}])
def test_a_results_line_with_other_types_is_a_clear_error(tmp_path: Path, change: dict[str, object]) -> None:
    """Not an internal error."""
    path = tmp_path / "r.jsonl"
    path.write_text(json.dumps(orjson.loads(encode_line(created())) | change) + "\n")
    with pytest.raises(UsageError, match=":1: "):
        index_results(Disk(), path, {})


@pytest.mark.parametrize("lacks", ["key", "identifier"])
def test_an_undone_line_that_lacks_something_is_a_clear_error(tmp_path: Path, lacks: str) -> None:
    """Not an internal error."""
    line = {"key": "a", "type": "undone", "identifier": "i", "specHash": "ab", "lines": 1}
    line.pop(lacks)
    path = tmp_path / "j.jsonl"
    path.write_bytes(b'{"type":"journal"}\n' + orjson.dumps(line) + b"\n")
    with pytest.raises(UsageError, match=":2: "):
        read_journal(Disk(), path, lambda _: True)


async def test_a_stray_quote_does_not_cut_off_the_records_after_it(tmp_path: Path) -> None:
    """The records after it were taken for one torn one, and cut off without a word."""
    job = Job(tmp_path, form="csv")
    job.rows(*(row(f"pipe {n} inch", key=f"k{n}") for n in range(4)))
    async with FaultyServer() as server:
        await job.run(server.base_url, fill_identifiers=False, concurrency=1)
        text = into_csv(job.files.results).read_bytes()
        job.files.results.write_bytes(text.replace(b",pipe 0 inch,", b',pipe 0",', 1))
        with pytest.raises(UsageError, match=r"results\.csv:2: .*one quote too many or too few"):
            await job.run(server.base_url, fill_identifiers=False)
    assert len(job.files.results.read_bytes().splitlines()) == 5


@pytest.fixture(autouse=True)
def fresh_process() -> None:
    """As every process begins; other tests may have raised the limit."""
    csv.field_size_limit(131072)


@pytest.mark.parametrize("encoding", ["utf-16", "cp1252"])
def test_a_results_file_saved_in_another_encoding_is_a_clear_error(tmp_path: Path, encoding: str) -> None:
    """As Excel saves it; the failures file and the input say "save it as UTF-8"."""
    job = Job(tmp_path, form="csv")
    text = (results_header() + encode_record(created(name="Umsätze"))).decode()
    (tmp_path / "d.results.csv").write_bytes(text.encode(encoding))
    with pytest.raises(UsageError), in_lines(Disk(), job.files, keeps=False):
        pass


@pytest.mark.parametrize("lacks", [2, 1, 20_001])
def test_a_torn_last_record_with_a_long_answer_is_repaired(tmp_path: Path, lacks: int) -> None:
    """Killed while it wrote a record with an answer of more than 128 KiB: the next run must simply go on."""
    job = Job(tmp_path, form="csv")
    answer = json.dumps({"x": "y" * 100_000, "z": '""' * 50_000}).encode()
    whole = results_header() + encode_record(created()._replace(response=answer))
    (tmp_path / "d.results.csv").write_bytes(whole[:-lacks] + (b'"' if whole[:-lacks].count(b'"') % 2 else b""))
    with in_lines(Disk(), job.files, keeps=False) as files:
        read_past(Disk(), files, "", "")


def _model(data: bytes) -> dict[str, int] | None:
    """What full parsing says; None for an error."""
    found: dict[str, int] = {}
    *whole, tail = data.split(b"\n")
    for number, line in enumerate([*whole, *([tail] if tail else [])]):
        try:
            said = orjson.loads(line)
        except ValueError:
            said = None
        if not isinstance(said, dict):
            if number == len(whole):
                break  # a torn tail
            return None
        try:
            one = created_of(said, "x")
        except UsageError:
            return None
        found.setdefault(one.key, fingerprint(one.spec_hash))
    return found


@given(st.data())
def test_the_quick_way_says_what_a_parser_says(data: st.DataObject) -> None:
    """Lines with pieces cut out, put in or doubled: the same keys. What the parser refuses, the quick way may pass over.

    But then no line is lost that is still whole.
    """
    keys = st.sampled_from(["a", "b", 'k"q', "é", "😀", "\ufffd", 'x","outcome":"created"'])
    wrote = [created(data.draw(keys)) for _ in range(data.draw(st.integers(1, 3)))]
    text = b"".join(map(encode_line, wrote))
    at = data.draw(st.integers(0, len(text)))
    until = min(len(text), at + data.draw(st.sampled_from([0, 0, 1, 2, 40])))
    put = data.draw(st.sampled_from([b"", b" ", b'"', b"\\u0022", b"\xff", b"\r", b"{", b"\n", b"\0"]))
    text = text[:at] + put + text[until:]
    said = _model(text)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "x.jsonl"
        path.write_bytes(text)
        try:
            index = index_results(Disk(), path, {})
        except UsageError:
            assert said is None
            return
    if said is not None:
        assert {key: index.get(key) for key in said} == said
        assert len(index) == len(said)
    lines = map(encode_line, wrote)  # one that follows NULs is what a power cut left, which is passed over
    assert all(
        one.key in index for one, line in zip(wrote, lines, strict=True) if line in text and b"\0" + line not in text
    )
