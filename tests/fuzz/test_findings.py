"""What fuzzing found, each as a person would meet it: it failed before it was fixed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from batcher.config import Files, Reading
from batcher.errors import UsageError
from batcher.files.csv_form import failures_header, failures_to_csv
from batcher.files.csv_records import torn_record
from batcher.files.disk import Disk
from batcher.files.failures_view import Form, is_edited
from batcher.files.history import Journaled, read_journal
from batcher.files.journal_lines import JournalHeader
from batcher.files.past import read_past
from batcher.files.results import read_results
from batcher.files.run_lines import Rewriting
from batcher.identity import fingerprint
from batcher.models import Failed, encode_failure
from batcher.omni import compare
from batcher.read.csv_table import header_of
from batcher.read.failures_lines import as_read
from batcher.read.json_text import shown
from batcher.read.read import layout_of
from batcher.reasons import Reason
from batcher.transport.base_url import normalise
from batcher.validate.checked_rows import ValidRow
from tests.support.rows import MODEL, Told, write

DEEP = "[" * 1000 + "]" * 1000
HEADER = JournalHeader("", "").encode()


def failed(row: ValidRow, key: str) -> dict[str, Any]:
    """Its failures line."""
    return encode_failure(
        Failed(
            key=key, source=row.source, line=row.line, reason=Reason.REJECTED, status=400, message="m", hint="h",
            attempts=1, identifier=None, at="2026-11-23T22:16:04.123+00:00", run="r", spec=as_read(row.row),
        )
    )  # fmt: skip


def test_two_unknown_columns_of_one_name_keep_the_keys_of_a_failures_file(tmp_path: Path) -> None:
    """They became one cell under two headers, so every cell after it stood in another column: the key was `a.csv`.

    Fed back, such a row was another row, and its document was made again.
    """
    path = write(tmp_path / "a.csv", f"key,modelId,name,note,note\nk1,{MODEL},a,x,y\n")
    reading = Reading(ignore_unknown=True)
    row = Told(path, reading=reading).first[0]
    layout = layout_of([path], reading)
    text = failures_header(layout) + failures_to_csv(failed(row, "k1"), layout)
    again = Told(write(tmp_path / "a.failures.csv", text), reading=reading)
    assert again.keys == ["k1"]
    assert again.first[0].row.fields == row.row.fields


def test_every_column_has_a_field_of_its_own() -> None:
    """A column could have the name that another's repetition was given; one of the two cells was lost."""
    columns = ["modelId", "name", "x (column 5)", "x", "x", "", "column 6"]
    assert len(set(header_of(columns, "a.csv", 1).fields)) == len(columns)


def test_rows_behind_a_line_that_is_too_long_are_rows(tmp_path: Path) -> None:
    """Those in the last piece of the file, up to 128 KB, were taken for one broken row."""
    rows = "".join(f'{{"modelId":"{MODEL}","name":"{name}"}}\n' for name in "abc")
    long = f'{{"name":"{"x" * 200_000}"}}\n'
    found = Told(write(tmp_path / "a.jsonl", long + rows), reading=Reading(max_row_bytes=1000))
    assert [spec.name for spec in found.specs] == ["a", "b", "c"]
    assert [spec.line for spec in found.specs] == [2, 3, 4]
    assert found.checked.rows == 4


def test_a_line_that_is_not_utf8_stays_invalid_when_its_failures_line_is_fed_back(tmp_path: Path) -> None:
    """Its name with a replacement character was a valid row there, and would have become a document."""
    line = b'{"modelId":"%s","name":"Caf\xe9"}\n' % MODEL.encode()
    found = Told(write(tmp_path / "a.jsonl", line))
    ((row, key),) = found.invalid
    spec = as_read(row)
    fed = {"key": key, "outcome": "failed", "reason": "invalid", "spec": spec}
    again = Told(write(tmp_path / "a.failures.jsonl", orjson.dumps(fed) + b"\n"))
    assert again.specs == []
    assert [other for _, other in again.invalid] == [key]


@pytest.mark.parametrize("columns", ["modelId,name,filterConfig", "filterConfig,name,modelId"])
@pytest.mark.parametrize("model", [MODEL, ""])
def test_a_cell_nested_a_thousand_levels_deep_is_a_problem_of_its_row(tmp_path: Path, columns: str, model: str) -> None:
    """To show it, or to make a key of it, recursed too deeply: an internal error."""
    cells = {"modelId": model, "name": "", "filterConfig": DEEP}
    text = f"{columns}\n{','.join(cells[column] for column in columns.split(','))}\n"
    found = Told(write(tmp_path / "a.csv", text))
    assert found.checked.invalid == 1
    assert any(said.startswith("filterConfig: ") and "levels deep" in said for said in found.said)


@pytest.mark.parametrize("rest", [DEEP, f'{{"key":{DEEP}}}', f'{{"filterConfig":{DEEP}}}'])
def test_so_is_one_in_a_failures_file(tmp_path: Path, rest: str) -> None:
    """An internal error, too."""
    cells = f'k,failed,invalid,"{rest.replace(chr(34), chr(34) * 2)}"'
    text = f"batcher_key,batcher_outcome,batcher_reason,batcher_rest\n{cells}\n"
    assert Told(write(tmp_path / "a.failures.csv", text)).checked.invalid == 1


def test_so_is_a_line_of_json(tmp_path: Path) -> None:
    """An internal error: an array was shown before it was known how deep it is."""
    assert Told(write(tmp_path / "a.jsonl", f'{{"modelId":""}}\n{DEEP}\n')).said[-1].endswith("levels deep")


def test_a_number_of_thousands_of_digits_is_none(tmp_path: Path) -> None:
    """Python refuses to read it: an internal error, from a cell of a failures file or of an earlier results file."""
    text = f"batcher_key,batcher_line,batcher_outcome,modelId,name\nk,{'9' * 5000},failed,{MODEL},a\n"
    assert Told(write(tmp_path / "a.failures.csv", text)).keys == ["k"]
    results = write(
        tmp_path / "a.results.csv", f"key,line,outcome,identifier,response\nk,{'9' * 5000},created,abc,{{}}\n"
    )
    assert [created.line for created in read_results(Disk(), results)] == [0]


def test_a_quote_is_no_delimiter(tmp_path: Path) -> None:
    """Newer Pythons raise for it; older ones read nonsense."""
    with pytest.raises(UsageError, match=r"a\.csv:1: a quote can't be the delimiter"):
        Told(write(tmp_path / "a.csv", 'sep="\nmodelId"name\n'))


def test_a_results_csv_without_columns_is_not_whole(tmp_path: Path) -> None:
    """An index error."""
    with write(tmp_path / "a.csv", "\n\r").open("rb") as stream:
        assert torn_record(stream) == (1, False)


def journal(tmp_path: Path, line: str) -> Path:
    """A journal with this line."""
    return write(tmp_path / "a.journal.jsonl", HEADER + line.encode() + b"\n")


FAILURE = (
    '{{"key":{key},"type":"failed","source":"a","line":1,"outcome":"failed","reason":"invalid","status":null,"message":"",'
    '"hint":"","attempts":0,"identifier":null,"at":"","run":"","spec":{spec}}}'
)
INTENT = (
    '{"key":"k","type":"intent","identifier":null,"filled":false,"at":"2026-11-23T22:16:04","specHash":"0","body":{}}'
)


@pytest.mark.parametrize(
    "line",
    [
        FAILURE.format(key='"k"', spec=DEEP),
        FAILURE.format(key=DEEP, spec="{}"),
        INTENT,
        f'{{"key":{DEEP},"type":"clear"}}',
    ],
    ids=["deep-spec", "deep-key", "no-time-zone", "deep-key-of-clear"],
)
def test_a_line_of_the_journal_that_cannot_be_used_is_named(tmp_path: Path, line: str) -> None:
    """Each was an internal error, in reading or in the middle of a run."""
    with pytest.raises(UsageError, match=r"a\.journal\.jsonl:2: this line cannot be read"):
        read_journal(Disk(), journal(tmp_path, line), lambda _: False)


def test_a_failure_whose_key_is_no_text_has_it_as_text(tmp_path: Path) -> None:
    """As in all other lines; a list as a key was an internal error."""
    read = read_journal(Disk(), journal(tmp_path, FAILURE.format(key="[5]", spec="{}")), lambda _: False)
    assert list(read.histories) == ["[5]"]


@pytest.mark.parametrize("size", [1 << 62, -5])
def test_a_rewriting_of_an_impossible_size_is_not_read(tmp_path: Path, size: int) -> None:
    """So much memory was asked for."""
    path = journal(tmp_path, Rewriting(size, "0" * 32, "r").encode().decode().strip())
    failures = write(tmp_path / "a.failures.jsonl", "x")
    read: Journaled = read_journal(Disk(), path, lambda _: False)
    assert is_edited(Disk(), failures, path, read, Form())


def test_a_negative_spec_hash_is_none(tmp_path: Path) -> None:
    """An overflow in the index."""
    assert fingerprint("-5") == 0
    results = write(tmp_path / "a.results.jsonl", '{"key":"k","identifier":"abc","specHash":"-5"}\n')
    files = Files(results=results, failures=tmp_path / "f", journal=tmp_path / "j")
    assert "k" in read_past(Disk(), files, "", "").created


@pytest.mark.parametrize(
    "text", ["http://[::1%zone]", "https://[v1.acme.omniapp.co]", "https://[fe80::1%25e[]", "[v1.localhost]"]
)
def test_brackets_hold_an_ipv6_address(text: str) -> None:
    """A zone could hold anything, and a version to come was taken for a name without its brackets: another host."""
    with pytest.raises(UsageError, match="has no IPv6 address"):
        normalise(text, "--base-url")


def test_a_document_that_answers_a_nest_for_its_model_is_another() -> None:
    """A look-up ended the run with an internal error, and so it did every run after it; `verify` did when it showed it."""
    sent = {"modelId": MODEL, "name": "a"}
    echoed = sent | {"modelId": orjson.loads(DEEP)}
    assert not compare.is_match(sent, echoed)
    (one,) = compare.differences(sent, echoed)
    assert shown(one.echoed).startswith("a value that is nested more than 250 level")
