"""Input for the tests of reading and checking: small files, and hypothesis strategies for documents."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import orjson
from hypothesis import strategies as st

from batcher.config import Reading
from batcher.files.csv_form import csv_records
from batcher.models import Problem, Row
from batcher.read.cells import field_of
from batcher.read.failures_csv import failures_line
from batcher.read.read import read_contents
from batcher.read.sources import Source, open_inputs
from batcher.validate.check import Checked, check
from batcher.validate.checked_rows import ValidRow

MODEL = "3f2b8c1e-5d4a-4b6f-9a7e-2c1d0e9f8a7b"
OTHER_MODEL = "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d"
ITEM = {"name": "Revenue", "query": {"table": "orders", "fields": ["orders.total"]}}


def read_rows(inputs: Sequence[Source | Path], reading: Reading) -> Iterator[Row]:
    """Every row of every input, in order."""
    for content in read_contents(inputs, reading):
        for line, record in content.records:
            row = content.row(line, record)
            if row is not None:
                yield row


def write(path: Path, content: str | bytes) -> Path:
    """A file of this content."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def csv_text(rows: list[dict[str, object]], columns: list[str], delimiter: str = ",") -> str:
    """The documents as a table: JSON in the cells of what is no text."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row.get(column)) for column in columns])
    return out.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def jsonl(rows: list[dict[str, object]]) -> bytes:
    """The documents as JSON lines."""
    return b"".join(orjson.dumps(row) + b"\n" for row in rows)


class Told:
    """What a check said, and what it found."""

    def __init__(self, *paths: Path, reading: Reading = Reading()) -> None:  # noqa: B008 - frozen
        self.problems: list[Problem] = []
        self.first: list[ValidRow] = []
        self.invalid: list[tuple[Row, str]] = []
        self.warnings: list[str] = []
        with open_inputs(paths) as inputs:
            self.checked: Checked = check(
                inputs,
                reading,
                on_problem=self.problems.append,
                on_row=self.first.append,
                on_invalid=lambda row: self.invalid.append((row.row, row.key)),
                on_warning=self.warnings.append,
            )
            self.specs = [row.spec() for row in self.first]

    @property
    def said(self) -> list[str]:
        """The problems without the place: `field: message`."""
        return [f"{problem.field}: {problem.message}" for problem in self.problems]

    @property
    def keys(self) -> list[str]:
        """The keys of the rows that can be sent."""
        return [spec.key for spec in self.specs]


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
names = texts.filter(lambda name: name.strip() != "" and not {"\n", "\r"} & set(name))
scalars = (
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | texts
)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=6
)
items = st.fixed_dictionaries(
    {
        "name": names,
        "query": st.fixed_dictionaries(
            {"table": names, "fields": st.lists(texts, max_size=3)},
            optional={"filters": st.dictionaries(texts, anything, max_size=2), "limit": st.integers(0, 1000)},
        ),
    },
    optional={
        "topicName": texts,
        "prefersChart": st.booleans(),
        "visConfig": st.dictionaries(texts, anything, max_size=2),
    },
)
identifiers = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,20}[a-z0-9]", fullmatch=True)
documents = st.fixed_dictionaries(
    {"modelId": st.sampled_from([MODEL, OTHER_MODEL]), "name": names},
    optional={
        "description": names.map(str.strip),
        "queryPresentations": st.lists(items, max_size=2),
        "facetFilters": st.booleans(),
        "filterConfig": st.dictionaries(texts, anything, max_size=2),
        "filterOrder": st.lists(texts, max_size=3),
    },
)
COLUMNS = ["modelId", "name", "description", "queryPresentations", "facetFilters", "filterConfig", "filterOrder"]


def failures_from_csv(stream: BinaryIO) -> Iterator[dict[str, object]]:
    """The lines of a failures file in the CSV form."""
    for columns, cells in csv_records(stream, None):
        yield failures_line(columns, [field_of(column) or column for column in columns], cells)
