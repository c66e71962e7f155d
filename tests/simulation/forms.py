"""How people's programs write a table: JSON lines, or CSV in one of its dialects."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

NAMES = ("key", "modelId", "name", "description", "identifier")


@dataclass(frozen=True, slots=True)
class Form:
    """How a program writes the file. `delimiter` None: JSON lines."""

    delimiter: str | None = None
    line_end: str = "\n"
    encoding: str = "utf-8"
    header: tuple[str, ...] = NAMES
    blank: str = ""  # behind keys, ids and identifiers

    @property
    def suffix(self) -> str:
        """Of the file's name."""
        return ".jsonl" if self.delimiter is None else ".csv"

    def text(self, rows: Sequence[Mapping[str, str]]) -> bytes:
        """The file."""
        if self.delimiter is None:
            return b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)
        stream = io.StringIO(newline="")
        write = csv.writer(stream, delimiter=self.delimiter, lineterminator=self.line_end).writerow
        write(self.header)
        for fields in rows:
            trimmed = {name: fields[name] + self.blank for name in ("key", "modelId", "identifier") if name in fields}
            write([{**fields, **trimmed}.get(name, "") for name in NAMES])
        return stream.getvalue().encode(self.encoding)


FORMS = (
    Form(),
    Form(","),
    Form(";", "\r\n", "utf-8-sig", ("Key", "Model ID", "Name", "Description", "Identifier")),
    Form("\t", "\r\n", "utf-16", ("KEY", "model_id", "NAME", "description", "identifier"), "  "),
)
