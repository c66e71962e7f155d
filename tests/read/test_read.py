"""Files → rows: formats, encodings, delimiters, compression, what is broken, and failures files fed back in."""

from __future__ import annotations

import gzip
import io
import os
import re
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import orjson
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from batcher.config import Reading
from batcher.errors import UsageError
from batcher.models import Row
from batcher.read import json_texts
from batcher.read.read import as_read, layout_of
from batcher.read.sources import open_inputs
from tests.support.rows import COLUMNS, ITEM, MODEL, Told, csv_text, documents, jsonl, read_rows, write

SIMPLE = f"modelId,name\n{MODEL},One\n{MODEL},Two\n"


def rows_of(path: Path, **how: object) -> list[Row]:
    """Every row of a file."""
    return list(read_rows([path], Reading(**how)))  # type: ignore[arg-type] # the tests' own keywords


def refusal(path: Path, **how: object) -> str:
    """What is said of a file that cannot be read."""
    with pytest.raises(UsageError) as caught:
        rows_of(path, **how)
    return str(caught.value).replace(str(path.parent) + "/", "")


@pytest.mark.parametrize(
    "encoded",
    [
        SIMPLE.encode(),
        SIMPLE.encode("utf-8-sig"),
        SIMPLE.encode("utf-16"),
        b"\xfe\xff" + SIMPLE.encode("utf-16-be"),
        SIMPLE.replace(",", ";").encode(),
        SIMPLE.replace(",", "\t").encode(),
        SIMPLE.replace("\n", "\r\n").encode(),
        SIMPLE.replace("\n", "\r").encode(),
        ("sep=;\r\n" + SIMPLE.replace(",", ";")).encode(),
        ("\n\n" + SIMPLE.replace("\n", "\n\n,\n")).encode(),
        SIMPLE.replace("modelId,name", "MODEL ID ,Na_me").encode(),
        SIMPLE.replace("modelId", '"model\nid"').replace("\nid", "-id").encode(),
        SIMPLE.rstrip().encode(),
        gzip.compress(SIMPLE.encode()),
        gzip.compress(SIMPLE[:40].encode()) + gzip.compress(SIMPLE[40:].encode()),
        zstandard.compress(SIMPLE.encode("utf-16")),
        zstandard.compress(SIMPLE[:40].encode()) + zstandard.compress(SIMPLE[40:].encode()),
    ],
    ids=range(17),
)
def test_every_dialect_of_csv_gives_the_same_rows(tmp_path: Path, encoded: bytes) -> None:
    """Encoding, delimiter, line ends, header spelling and compression change nothing."""
    rows = rows_of(write(tmp_path / "a.csv", encoded))
    assert [row.fields for row in rows] == [{"modelId": MODEL, "name": "One"}, {"modelId": MODEL, "name": "Two"}]


def test_line_is_where_a_row_begins(tmp_path: Path) -> None:
    """Quoted newlines and blank lines count; the place is the row's first line."""
    path = write(tmp_path / "a.csv", f'\nmodelId,name\n{MODEL},"a\nb"\n\n{MODEL},c\n')
    assert [row.place for row in rows_of(path)] == [f"{path}:3", f"{path}:6"]


def test_cells_have_no_limit_of_their_own(tmp_path: Path) -> None:
    """Python's csv refuses cells over 131,072 characters by default; ours may be as long as a row may be."""
    path = write(tmp_path / "a.csv", f'modelId,name,queryPresentations\n{MODEL},x,"{"y" * 300_000}"\n')
    assert len(str(rows_of(path)[0].fields["queryPresentations"])) == 300_000


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "a.csv: is empty; the first row must name the columns (modelId, name, …)"),
        ("1,2\n3,4\n", "a.csv:1: the first row must name the columns (modelId, name, …); found: 1, 2"),
        ("\nname,notes\nx,y\n", "a.csv:2: there is no column modelId, which every document needs; found: name, notes."),
        ("modelId,name,Model ID\n", "a.csv:1: two columns for modelId, “modelId” and “Model ID”; remove one"),
        (b"modelId,name\nx,caf\xe9 bleu\n", "a.csv:2: is not UTF-8 text, at"),
        (b"modelId,name\n" + b"x,yyyyyyyy\n" * 40_000 + b"x,caf\xe9\n", "a.csv:40002: is not UTF-8 text, at"),
        ("modelId,name\n".encode("utf-16-le"), "a.csv: is binary, or UTF-16 without a byte order mark"),
        (SIMPLE.encode("utf-32"), "a.csv: is UTF-32; save it as UTF-8"),
        (gzip.compress(SIMPLE.encode())[:-12], "a.csv: the compressed data is damaged or cut off"),
        (zstandard.compress(SIMPLE.encode() * 9)[:-6], "a.csv: the compressed data is damaged or cut off"),
        (b"\x28\xb5\x2f\xfdnonsense", "a.csv: the compressed data is damaged or cut off"),
        (b"\x1f\x8bnonsense", "a.csv: cannot be read: "),
        ("modelId,name\n" + "x" * 5000, "a.csv: has a line of more than 4000 bytes"),
    ],
    ids=lambda value: "" if isinstance(value, bytes) or "\n" in value else value,
)
def test_what_is_wrong_with_a_whole_file_is_said_once(tmp_path: Path, content: str | bytes, said: str) -> None:
    """File, line and remedy, as an error that ends the command."""
    assert refusal(write(tmp_path / "a.csv", content), max_row_bytes=1000).startswith(said)


def test_files_that_are_not_there_or_not_known(tmp_path: Path) -> None:
    """A missing file, a directory, a name that tells nothing, the same file twice."""
    assert refusal(tmp_path / "no.csv") == "no.csv: there is no such file"
    unknown = write(tmp_path / "a.dat", SIMPLE)
    assert "use --format" in refusal(unknown)
    assert len(rows_of(unknown, format="csv")) == 2
    with pytest.raises(UsageError, match="is a directory"), open_inputs([tmp_path]):
        pass
    with pytest.raises(UsageError, match="is the same file as"), open_inputs([unknown, f"{tmp_path}/./a.dat"]):
        pass
    with pytest.raises(UsageError, match="is not compressed, though its name says so"):
        rows_of(write(tmp_path / "b.csv.gz", SIMPLE))


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (f"{MODEL},a,b,c", "has 4 cells, but the header names 2 columns"),
        (f'{MODEL},"a"b', "the quoting is broken"),
        (f'{MODEL},"{"x" * 2000}"', "is longer than --max-row-bytes allows"),
    ],
)
def test_a_broken_line_of_csv_does_not_hide_the_next(tmp_path: Path, line: str, fault: str) -> None:
    """The row has its fault, and reading goes on behind it."""
    path = write(tmp_path / "a.csv", f"modelId,name\n{line}\n{MODEL},fine\n")
    broken, fine = rows_of(path, max_row_bytes=1000)
    assert fault in str(broken.fault)
    assert broken.line == 2
    assert broken.text == line
    assert fine.fields["name"] == "fine"


def test_a_quote_that_is_never_closed_is_found_where_it_opens(tmp_path: Path) -> None:
    """Else the rest of the file would quietly become one cell."""
    path = write(tmp_path / "a.csv", f'modelId,name\n{MODEL},ok\n{MODEL},"oops\n{MODEL},lost\n')
    fine, broken = rows_of(path)
    assert (fine.fault, broken.line) == (None, 3)
    assert "never closed" in str(broken.fault)


def test_short_rows_and_empty_extra_cells_are_fine(tmp_path: Path) -> None:
    """Spreadsheet programs leave out, or add, empty cells at the end."""
    path = write(tmp_path / "a.csv", f"modelId,name,description,,\n{MODEL},a\n{MODEL},b,c,,,\n")
    assert [row.fields["name"] for row in rows_of(path)] == ["a", "b"]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b"nope", "is not JSON: "),
        (b'{"name": NaN}', "is not JSON: "),
        (b'{"name": "\\ud800"}', "is not JSON: "),
        (b'{"name": "a\0b"}', "is not JSON: "),
        (b'{"name": "caf\xe9"}', "is not JSON: "),
        (b"[1]", "must be a JSON object {…}, but is an array, [1]"),
        (b'"x"', 'must be a JSON object {…}, but is the text "x"'),
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', 'has the key "c" twice in one object'),
        (b'{"a": 1,"\\u0061": 1}', 'has the key "a" twice in one object'),
        (b'{"a": 12345678901234567890123}', "holds the number 12345678901234567890123, which has too many digits"),
        (b'{"a":' * 300 + b"1" + b"}" * 300, "is nested more than 250 levels deep"),
        (b"[" * 1500, "is not JSON: "),
        (b'{"name": "' + b"x" * 2000 + b'"}', "is longer than --max-row-bytes allows"),
    ],
)
def test_a_broken_line_of_json_does_not_hide_the_next(tmp_path: Path, line: bytes, fault: str) -> None:
    """The row has its fault, and reading goes on behind it."""
    fine = orjson.dumps({"modelId": MODEL, "name": "fine"})
    broken, valid = rows_of(write(tmp_path / "a.jsonl", line + b"\n\n" + fine), max_row_bytes=1900)
    assert str(broken.fault).startswith(fault)
    assert (valid.line, valid.fields) == (3, {"modelId": MODEL, "name": "fine"})


@pytest.mark.parametrize(
    ("element", "fault"),
    [
        (b'{"name": NaN, "other": -Infinity}', "is not JSON: "),
        (b'{"name": "\\ud800"}', "is not JSON: "),
        (b'{"name": "caf\xe9"}', "is not JSON: "),
        (b"[1]", "must be a JSON object {…}, but is an array, [1]"),
        (b"-1.5e3", "must be a JSON object {…}, but is the number -1500.0"),
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', 'has the key "c" twice in one object'),
        (b'{"a": ' + b"1" * 5000 + b"}", "is not JSON: number is infinity when parsed as double, at character 7"),
        (b'{"a": ' + b"1" * 25 + b"}", "holds the number 1111111111111111111111111, which has too many digits"),
        (b'{"a":' * 300 + b"1" + b"}" * 300, "is nested more than 250 levels deep"),
    ],
)
def test_an_element_that_cannot_be_a_row_does_not_hide_the_next(tmp_path: Path, element: bytes, fault: str) -> None:
    """As long as it is clear where it ends, the rows behind it are read."""
    fine = orjson.dumps({"modelId": MODEL, "name": "fine"})
    broken, valid = rows_of(write(tmp_path / "a.json", b"[" + element + b",\n" + fine + b"]"))
    assert str(broken.fault).startswith(fault)
    assert (valid.line, valid.fields) == (2, {"modelId": MODEL, "name": "fine"})


@pytest.mark.parametrize(
    ("element", "message"),
    [
        (
            b"nope",
            "a.json:2: is not JSON: Expecting value, at character 1; fix it first, the rows after it can't be read",
        ),
        (
            b'{"a": 1,\n "b" 2}',
            "a.json:2: is not JSON: Expecting ':' delimiter, in line 3, at character 6; fix it first",
        ),
        ('{"é": "é" 1}'.encode(), "a.json:2: is not JSON: Expecting ',' delimiter, at character 11; fix it first"),
        (b'{"name": "a\0b"}', "a.json:2: is not JSON: Invalid control character, at character 12; fix it first"),
        (b'{"name": "a}', "a.json:2: is not JSON: Invalid control character, at character 14; fix it first"),
        (b'{"name": [1}', "a.json:2: is not JSON: Expecting ',' delimiter, at character 12; fix it first"),
        (b"[" * 100_000, "a.json:2: is nested more than 250 levels deep; fix it first"),
        (b'{"a": "' + b"x" * 200_000 + b'"}', "a.json:2: is longer than --max-row-bytes allows, or a quote or bracket"),
        (b'{"a": "' + b"x" * 200_000, "a.json:2: is longer than --max-row-bytes allows, or a quote or bracket"),
    ],
    ids=range(9),
)
def test_an_element_that_breaks_its_array_ends_the_reading(tmp_path: Path, element: bytes, message: str) -> None:
    """Nobody can say which rows stand behind it, so the file is refused, with the place and the reason."""
    path = write(tmp_path / "a.json", b'[{"name": "fine"},\n' + element + b',\n{"name": "lost"}]')
    assert refusal(path, max_row_bytes=150_000).startswith(message)


def test_whole_numbers_of_64_bits_are_no_reason_to_doubt(tmp_path: Path) -> None:
    """Only what the parser would round is refused; a key written with an escape is not a key given twice."""
    line = b'{"a": 18446744073709551615, "b": -9223372036854775808, "c\\u003ad": "1234567890123456789012"}'
    assert rows_of(write(tmp_path / "a.jsonl", line))[0].fault is None


@pytest.mark.parametrize("between", ["", "\n", " ,\n\n ", "\n,"])
def test_json_arrays_are_split_whatever_lies_around_the_commas(tmp_path: Path, between: str) -> None:
    """Also objects one after another without an array, as `jq` writes them, with commas or without."""
    objects = ['{"a": "]}\\"["}', '{\n"b": [1, {}]}', '{"c": {}}']
    array = rows_of(write(tmp_path / "a.json", "[\n" + (between if "," in between else ",").join(objects) + "]\n"))
    loose = rows_of(write(tmp_path / "b.json", between.join(objects)))
    assert [row.fields for row in array] == [row.fields for row in loose] == [orjson.loads(text) for text in objects]
    assert array[0].line == 2


_BETWEEN = "has a comma without an element before or after it; remove the comma or add the element"


@pytest.mark.parametrize(
    ("array", "message"),
    [
        ("[{1}\n{2}]", "a.json:2: needs a comma before this element"),
        ("[{1},\n{2} {3}]", "a.json:2: needs a comma before this element"),
        ("[{1},\n,{2}]", f"a.json:2: {_BETWEEN}"),
        ("[,{1}]", f"a.json:1: {_BETWEEN}"),
        ("[{1},\n{2},\n]", f"a.json:3: {_BETWEEN}"),
        ("[{1}\n,\n\n,,{2}]", f"a.json:4: {_BETWEEN}"),
        ("[{1}}, {2}]", "a.json:1: needs a comma before this element"),
        ("[ ]", None),
        ("[{1}]\n[{2} ,\n{3}]", None),
        ("{1}{2},\n{3}", None),
    ],
)
def test_an_array_with_wrong_separators_is_refused_at_the_place(
    tmp_path: Path, array: str, message: str | None
) -> None:
    """Regression: it was taken as if nothing were wrong, though where one is missing a row may be."""
    path = write(tmp_path / "a.json", re.sub(r"\{(\d)\}", r'{"name": "n\1"}', array))
    if message is None:
        assert [row.fields["name"] for row in rows_of(path)] == re.findall(r"n\d", path.read_text())
    else:
        assert refusal(path).startswith(message)


@pytest.mark.parametrize("end", ["", ",", " ,\n"])
@pytest.mark.parametrize("begin", ["", "[{}]\n"])
def test_an_array_that_is_cut_off_between_two_elements_is_refused(tmp_path: Path, begin: str, end: str) -> None:
    """Else the rows behind the cut would be lost without a word."""
    message = refusal(write(tmp_path / "a.json", begin + '[{"name": "a"}' + end))
    line = 2 if begin else 1
    assert message == f"a.json:{line}: the array that begins here is never closed; is the file cut off?"


def test_an_array_cut_off_inside_an_element_says_so(tmp_path: Path) -> None:
    """Regression: it was told in the parser's words, which speak of a string."""
    path = tmp_path / "a.json"
    path.write_text('[\n{"name": "A"},\n{"name": "B", "modelI')
    assert "a.json:3: ends in the middle of a value: is the file cut off?" in refusal(path)


def test_a_json_row_larger_than_a_piece_is_read_whole(tmp_path: Path) -> None:
    """Rows may straddle any number of pieces that the file is read in."""
    wide: list[dict[str, object]] = [{"name": "é" * 200_000, "n": number} for number in range(3)]
    assert [row.fields for row in rows_of(write(tmp_path / "a.jsonl", jsonl(wide)))] == wide
    assert [row.fields for row in rows_of(write(tmp_path / "a.json", orjson.dumps(wide)))] == wide


class Counted(io.BytesIO):
    """A file that counts how often it is asked for more."""

    reads = 0

    def read(self, size: int | None = -1) -> bytes:
        self.reads += 1
        return super().read(size)


@pytest.mark.parametrize("end", [b'"}]', b'", oops}]', b""])
def test_a_long_element_is_gone_through_a_few_times_only(end: bytes) -> None:
    """Each look at it that finds no end is followed by one at twice as much, so the time is linear in its length."""
    stream = Counted(b'[{"name": "' + b"x" * (8 << 20) + end)
    try:
        for _ in json_texts.elements(stream, "a.json", 16 << 20):
            pass
    except UsageError:
        assert end != b'"}]'
    assert stream.reads < 12


def test_standard_input_is_read_as_often_as_needed() -> None:
    """It is spooled, and its kind is told by how it begins."""
    for content in (SIMPLE.encode(), jsonl([{"modelId": MODEL, "name": "One"}]), b' [{"name": "One"}]'):
        with open_inputs(["-"], io.BytesIO(content)) as inputs:
            first, again = (list(read_rows(inputs, Reading())) for _ in range(2))
            assert first == again
            assert first[0].fields["name"] == "One"
            assert first[0].source == "stdin"


def test_a_named_pipe_is_spooled_too() -> None:
    """So that `batcher run <(…)` works although it is read twice."""
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb") as out:
        out.write(SIMPLE.encode())
    with open_inputs([f"/dev/fd/{reader}"]) as inputs:
        assert [len(list(read_rows(inputs, Reading()))) for _ in range(2)] == [2, 2]
    os.close(reader)


def failure(spec: object, **line: object) -> bytes:
    """A line of a failures file."""
    whole = {
        "key": "name:1",
        "source": "a.csv",
        "line": 2,
        "outcome": "failed",
        "identifier": None,
        "spec": spec,
    } | line
    return orjson.dumps(whole) + b"\n"


def test_a_failures_line_is_the_row_that_it_came_from(tmp_path: Path) -> None:
    """Its key holds; text where a value belongs is taken for a cell."""
    spec = {"modelId": MODEL, "name": "x", "queryPresentations": orjson.dumps([ITEM]).decode(), "facetFilters": "TRUE"}
    told = Told(write(tmp_path / "a.failures.jsonl", failure(spec)))
    assert told.keys == ["name:1"]
    assert orjson.loads(told.specs[0].body) == spec | {"queryPresentations": [ITEM], "facetFilters": True}


@pytest.mark.parametrize(
    ("line", "identifier"),
    [
        ({"outcome": "uncertain", "identifier": "found-it"}, "found-it"),
        ({"outcome": "uncertain", "identifier": "x-abcdefghijklmn27"}, None),
        ({"outcome": "failed", "identifier": "found-it"}, None),
        ({"outcome": "uncertain", "identifier": None}, None),
    ],
)
def test_which_identifier_of_a_failures_line_is_the_users(
    tmp_path: Path, line: dict[str, object], identifier: str | None
) -> None:
    """Beside `spec`, only in an uncertain line and only if batcher did not fill it in; in `spec`, always."""
    spec = {"modelId": MODEL, "name": "x"}
    assert Told(write(tmp_path / "a.jsonl", failure(spec, **line))).specs[0].identifier == identifier
    own = failure(spec | {"identifier": "mine"}, **line)
    assert Told(write(tmp_path / "b.jsonl", own)).specs[0].identifier == "mine"


def test_a_broken_rows_text_stays_broken_until_it_is_fixed(tmp_path: Path) -> None:
    """As an object in `spec`, or as text that is one; its key is the same all the while."""
    told = Told(write(tmp_path / "a.jsonl", failure("1,2,3", key="raw:1") + failure("[1", key="raw:2")))
    assert [key for _, key in told.invalid] == ["raw:1", "raw:2"]
    assert "replace it with the row as a JSON object" in told.said[0]
    assert [as_read(row) for row, _ in told.invalid] == ["1,2,3", "[1"]
    fixed = failure(f'{{"modelId": "{MODEL}", "name": "x"}}', key="raw:1")
    assert Told(write(tmp_path / "b.jsonl", fixed)).keys == ["raw:1"]


def test_a_broken_row_of_a_csv_failures_file_is_fixed_in_its_own_columns(tmp_path: Path) -> None:
    """Regression: the message spoke of `spec`, which no column is called. What it says to do mends the row."""
    header = "modelId,name,batcher_key,batcher_outcome,batcher_rest\n"
    told = Told(write(tmp_path / "a.csv", f'{header},,raw:1,failed,"""1,2,3"""\n'))
    [said] = told.said
    assert "batcher_rest holds what was read of the row, which is not JSON" in said
    assert "fill in the row's own columns" in said
    fixed = Told(write(tmp_path / "b.csv", f'{header}{MODEL},x,raw:1,failed,"""1,2,3"""\n'))
    assert (fixed.said, fixed.keys) == ([], ["raw:1"])


def test_layout_of_a_failures_file_follows_the_input(tmp_path: Path) -> None:
    """Its columns, its delimiter; the API's fields for JSON."""
    table = write(tmp_path / "a.csv", SIMPLE.replace("modelId,name", "Model ID;Name;Notes").encode("utf-8-sig"))
    objects = write(tmp_path / "b.jsonl", jsonl([{"name": "x"}]))
    layout = layout_of([table], Reading())
    assert (layout.columns, layout.delimiter) == (("Model ID", "Name", "Notes"), ";")
    assert layout_of([objects], Reading()).columns[:2] == ("modelId", "name")
    assert layout_of([table, objects], Reading()).columns[:4] == ("Model ID", "Name", "Notes", "description")


@given(st.lists(documents, max_size=4))
@settings(max_examples=40, deadline=None)
def test_csv_and_jsonl_and_json_say_the_same(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, object]]
) -> None:
    """One document is one spec, whatever file it stands in and however that is compressed."""
    folder = tmp_path_factory.mktemp("same")
    texts = csv_text(rows, COLUMNS).encode()
    told = [
        Told(write(folder / "a.csv", texts)),
        Told(write(folder / "b.csv", b"\xef\xbb\xbf" + csv_text(rows, COLUMNS, ";").encode())),
        Told(write(folder / "a.csv.gz", gzip.compress(texts))),
        Told(write(folder / "a.jsonl", jsonl(rows))),
        Told(write(folder / "a.jsonl.zst", zstandard.compress(jsonl(rows)))),
        Told(write(folder / "a.json", orjson.dumps(rows, option=orjson.OPT_INDENT_2))),
    ]
    for one in told:
        assert [(spec.key, spec.body) for spec in one.specs] == [(spec.key, spec.body) for spec in told[0].specs]
        assert one.said == told[0].said
    assert told[0].checked.rows == len(rows)


@given(st.binary(max_size=300), st.sampled_from(["a.csv", "a.jsonl", "a.json", "a.csv.gz", "a.jsonl.zst", "a.xlsx"]))
@settings(max_examples=150, deadline=None)
def test_no_bytes_whatsoever_break_the_reader(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, name: str
) -> None:
    """Every file is rows, problems, or a UsageError; never anything else."""
    folder = tmp_path_factory.mktemp("any")
    for prefix in (b"", b"modelId,name,metadata\n", b"[", b"\xff\xfe", b'{"name":', b"\x28\xb5\x2f\xfd"):
        path = write(folder / name, prefix + content)
        os.utime(path, (0, 0))  # nobody waits for more of it
        try:
            told = Told(path)
        except UsageError:
            continue
        assert told.checked.rows == len(told.specs) + len(told.invalid)


elements = st.recursive(st.text('[]{}",\\ \n1aé:'), lambda inner: st.lists(inner, max_size=9), max_leaves=12)


@given(
    st.text('[]{}",\\ \n1aé:', max_size=200)
    | elements.map(lambda value: orjson.dumps(value).decode())
    | st.text(max_size=100),
    st.sampled_from([1, 2, 3, 7]),
)
@settings(deadline=None)
def test_pieces_change_nothing(text: str, piece: int) -> None:
    """JSON lines and elements are the same in whatever pieces the file comes."""
    content = text.encode("utf-8", "replace")
    whole = [_pieces(split, content) for split in _SPLITS]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_texts, "_CHUNK_BYTES", piece)
        assert [_pieces(split, content) for split in _SPLITS] == whole


_SPLITS: list[Callable[[BinaryIO], Iterator[object]]] = [
    lambda stream: json_texts.lines(stream, 50),
    lambda stream: json_texts.elements(stream, "a.json", 50),
]


def _pieces(split: Callable[[BinaryIO], Iterator[object]], content: bytes) -> list[object]:
    """What the file is split into, and how it ends."""
    pieces: list[object] = []
    try:
        pieces.extend(split(io.BytesIO(content)))
    except UsageError as error:
        pieces.append(str(error))
    return pieces


@pytest.mark.parametrize("text", ["y" * (1 << 20), '\\"' * (1 << 19)])
def test_a_long_string_in_an_array_takes_a_few_times_its_size(tmp_path: Path, text: str) -> None:
    """Regression: the regular expression that steps over it kept a hundred bytes for each of its own."""
    path = write(tmp_path / "a.json", orjson.dumps([{"name": text}]))
    tracemalloc.start()
    try:
        assert [row.fields for row in rows_of(path)] == [{"name": text}]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20 * path.stat().st_size
