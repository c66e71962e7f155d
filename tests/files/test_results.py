"""The results file: written in order, read back in any state, indexed by slicing with the same result as by parsing."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.errors import UsageError
from batcher.files.disk import Disk
from batcher.files.results import created_of, encode_line, read_results
from batcher.files.results_index import index_results
from batcher.identity import fingerprint
from batcher.models import Created, How
from tests.support.earlier import encode_record, results_header

TEXT = st.text(st.characters(codec="utf-8"), max_size=15)


def created(key: str = "k", *, identifier: str = "doc-1", spec_hash: str = "ab" * 16, name: str = "n") -> Created:
    """One outcome."""
    return Created(
        key=key,
        source="d.csv",
        line=3,
        how=How.CREATED,
        spec_hash=spec_hash,
        identifier=identifier,
        name=name,
        model_id="m",
        url="http://b/dashboards/doc-1",
        dashboard_id="d",
        workbook_id=None,
        attempts=2,
        status=201,
        elapsed_ms=12,
        at="2026-11-23T10:00:00.000+00:00",
        run="r",
        response=b'{"workbook":{"identifier":"doc-1"}}',
    )


NOT_UTF8 = (  # the first was an internal error
    b'{"key":"\xff","source":"d.csv","line":3,"specHash":"abababababababab","identifier":"i"}\n',
    encode_line(created()).replace(b'"key":"k"', b'"key":"\xff"'),
)


@given(TEXT, TEXT)
def test_what_is_written_is_read_back(key: str, name: str) -> None:
    """Any key and name."""
    outcome = created(key or "k", name=name)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "x.jsonl"
        path.write_bytes(encode_line(outcome) + encode_line(created("other")))
        first, second = read_results(Disk(), path)
        index = index_results(Disk(), path, {})
    assert first == outcome
    assert second.key == "other"
    assert index.get(outcome.key) == fingerprint(outcome.spec_hash)
    assert index.get("never there") is None


@given(st.lists(TEXT.filter(bool), max_size=6, unique=True))
def test_slicing_says_what_parsing_says(keys: list[str]) -> None:
    """The quick index and the whole reading know the same keys, and so for a file that another program wrote anew."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "x.jsonl"
        outcomes = [created(key, identifier=f"doc-{number}") for number, key in enumerate(keys)]
        path.write_bytes(b"".join(map(encode_line, outcomes)))
        index = index_results(Disk(), path, {})
        rewritten = Path(directory) / "y.jsonl"
        lines = [json.loads(line) for line in path.read_bytes().splitlines()]
        rewritten.write_text("".join(json.dumps(dict(sorted(line.items()))) + "\n" for line in lines))
        again = index_results(Disk(), rewritten, {})
    assert len(index) == len(again) == len(keys)
    assert all(index.get(key) == again.get(key) == fingerprint("ab" * 16) for key in keys)


def test_values_that_look_like_fields_mislead_nobody(tmp_path: Path) -> None:
    """A name or key that holds `","source":"` is still one key."""
    path = tmp_path / "x.jsonl"
    odd = 'k","source":"x","specHash":"00","identifier":"evil'
    path.write_bytes(encode_line(created(odd, name=odd)))
    index = index_results(Disk(), path, {})
    assert (index.get(odd), index.get("k")) == (fingerprint("ab" * 16), None)


def test_undone_lines_are_left_out(tmp_path: Path) -> None:
    """A key whose last document was undone is not created; one that was made anew since, under another identifier, is."""
    path = tmp_path / "x.jsonl"
    path.write_bytes(
        encode_line(created("a")) + encode_line(created("b")) + encode_line(created("b", identifier="doc-2"))
    )
    index = index_results(Disk(), path, {"a": {"doc-1": 1}, "b": {"doc-1": 1}})
    assert (index.get("a"), index.get("b")) == (None, fingerprint("ab" * 16))


@pytest.mark.parametrize(("spec_hash", "kept"), [("", 0), ("ab", 0xAB), ("zz" * 16, 0), ("12_4" * 8, None)])
def test_a_spec_hash_that_somebody_edited_is_kept_as_if_parsed(
    tmp_path: Path, spec_hash: str, kept: int | None
) -> None:
    """Too short, or no number: no error, and the same in a line that is sliced as in one that is parsed."""
    path = tmp_path / "x.jsonl"
    path.write_bytes(encode_line(created("a", spec_hash=spec_hash)) + encode_line(created('"', spec_hash=spec_hash)))
    index = index_results(Disk(), path, {})
    assert index.get("a") == index.get('"') == (fingerprint(spec_hash) if kept is None else kept)


@pytest.mark.parametrize(
    "text", [b"{}\n", b'{"key":"k"}\n', b"oops\n", b'{"key":"k","identifier":"i","how":"magic"}\n', *NOT_UTF8]
)
def test_a_line_that_is_none_names_its_place(tmp_path: Path, text: bytes) -> None:
    """A foreign or broken line is never guessed at, wherever it stands."""
    path = tmp_path / "x.jsonl"
    path.write_bytes(encode_line(created()) + text + encode_line(created("l")))
    with pytest.raises(UsageError, match=r"x\.jsonl:2: "):
        list(read_results(Disk(), path))
    with pytest.raises(UsageError, match=r"x\.jsonl:2: "):
        index_results(Disk(), path, {})


def test_a_csv_that_is_no_results_file_is_refused(tmp_path: Path) -> None:
    """Somebody's own spreadsheet under the name of the results file."""
    path = tmp_path / "x.csv"
    path.write_text("name,modelId\na,b\n")
    with pytest.raises(UsageError, match="not a line of a batcher results file"):
        list(read_results(Disk(), path))


def test_a_results_file_that_a_spreadsheet_has_saved_is_read(tmp_path: Path) -> None:
    """Another delimiter, a byte order mark, other line ends, no last newline."""
    path = tmp_path / "x.csv"
    text = (results_header() + encode_record(created("=1+1"))).decode()
    path.write_bytes(("\ufeff" + text.replace("\r\n", "\n").rstrip("\n")).encode())
    assert [one.key for one in read_results(Disk(), path)] == ["=1+1"]


def test_fields_that_a_later_version_adds_are_passed_over() -> None:
    """Unknown fields are tolerated, missing ones that nobody needs are empty."""
    line = json.loads(encode_line(created())) | {"colour": "blue"}
    assert created_of(line, "x:1") == created()
    assert created_of({"key": "k", "identifier": "i"}, "x:1").how is How.CREATED


ANSWER = {"a": [1, {"b": "two\nlines\r\u2028"}]}


@pytest.mark.parametrize(
    "answer",
    [
        orjson.dumps(ANSWER),
        orjson.dumps(ANSWER) + b"\n",
        orjson.dumps(ANSWER) + b"\r\n",
        orjson.dumps(ANSWER, option=orjson.OPT_INDENT_2).replace(b"\n", b"\r\n"),
        b"\n" + orjson.dumps(ANSWER, option=orjson.OPT_INDENT_2) + b"\n",
        b"\n" + b'{"a":\n' * 250 + orjson.dumps(ANSWER) + b"}" * 250,
    ],
)
def test_an_answer_with_line_breaks_is_one_line(answer: bytes, tmp_path: Path) -> None:
    """However the server writes its JSON, the file stays readable and says the same. (Failed before: two lines.)"""
    line = encode_line(created()._replace(response=answer))
    assert line.strip().splitlines() == [line.strip()]
    path = tmp_path / "x.jsonl"
    path.write_bytes(line + encode_line(created("other")))
    first, other = read_results(Disk(), path)
    assert (orjson.loads(first.response), other.key) == (orjson.loads(answer), "other")


def test_a_fingerprint_of_no_hash_is_zero() -> None:
    """Adopted documents have none: 0 means that no change can be told."""
    assert (fingerprint(""), fingerprint("not hex")) == (0, 0)
    assert fingerprint("f" * 32) == 16**15 - 1


@pytest.mark.parametrize(
    ("depth", "is_kept"),
    [(200, True), (250, True), (300, False), (998, False), (999, False), (1021, False), (5000, False)],
)
def test_an_answer_nested_too_deep_does_not_spoil_the_line(depth: int, is_kept: bool) -> None:
    """It is left out, and the line stays readable. (Failed before: `verify` and `undo` took the file for corrupt.)"""
    body = b'{"a":' + b"[" * depth + b"]" * depth + b"}"
    line = encode_line(created()._replace(response=body))
    read = created_of(orjson.loads(line), "x:1")
    assert read.response == (body if is_kept else b"null")


def test_a_line_of_an_earlier_version_with_a_deep_answer_is_read() -> None:
    """Its answer is passed over."""
    line = orjson.loads(encode_line(created()))
    line["response"] = orjson.loads(b"[" * 300 + b"]" * 300)
    assert created_of(line, "x:1").response == b"null"
