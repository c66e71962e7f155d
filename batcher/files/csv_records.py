"""The text of CSV records: where each begins and ends, which one is torn, and the cells of one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import orjson

from ..read.cells import cells_of, delimiter_of, restore

_FEWEST_COLUMNS = 10  # fewer than any file of ours has


class StrayQuoteError(ValueError):
    """The record that begins in this line (1-based) has a quote that makes cells of the records after it."""

    def __init__(self, line: int) -> None:
        super().__init__("it has one quote too many or too few, so it swallows the records after it")
        self.line = line


def records(stream: BinaryIO) -> Iterator[bytes]:
    """The text of each record, the header included; the last one may be torn.

    A newline ends a record if the quotes before it are even in number.

    Raises:
        StrayQuoteError: a whole record stands inside of another: that has a quote too many, or one too few.
    """
    lines: list[bytes] = []
    quotes = 0
    names, delimiter = 0, ","
    for number, line in enumerate(stream, 1):
        if lines and names and _has_cells(line, names, delimiter):
            raise StrayQuoteError(number - len(lines))
        lines.append(line)
        quotes += line.count(b'"')
        if quotes % 2 == 0 and line.endswith(b"\n"):
            text = lines[0] if len(lines) == 1 else b"".join(lines)
            if not names:
                first = text.decode("utf-8-sig", "replace")
                delimiter = delimiter_of(first)
                names = len(cells_of(first, delimiter))
            yield text
            lines.clear()
            quotes = 0
    if lines:
        yield b"".join(lines)


def _has_cells(line: bytes, names: int, delimiter: str) -> bool:
    """Whether this line by itself is a record of so many cells. No line of a cell of text is: ours have many columns."""
    if names < _FEWEST_COLUMNS or line.count(b'"') % 2 or not line.endswith(b"\n"):
        return False
    return len(cells_of(line.decode("utf-8", "replace"), delimiter)) == names


def torn_record(stream: BinaryIO) -> tuple[int, bool] | None:
    """Where a last record without its end begins, and whether only its newline is missing; None if all is well.

    Ours ends with a cell of JSON, which no piece of it is. A torn one whose last cell happens to be empty is not whole.
    Raises StrayQuoteError as `records` does.
    """
    header = text = b""
    offset = 0
    for text in records(stream):
        header = header or text
        offset += len(text)
    quotes = text.count(b'"')
    if not text or (text.endswith(b"\n") and quotes % 2 == 0):
        return None
    return offset - len(text), quotes % 2 == 0 and text is not header and _is_complete(header, text)


def _is_complete(header: bytes, record: bytes) -> bool:
    first = header.decode("utf-8-sig", "replace")
    delimiter = delimiter_of(first)
    cells = cells_of(record.decode("utf-8", "replace"), delimiter)
    return 0 < len(cells) == len(cells_of(first, delimiter)) and _is_json(restore(cells[-1]))


def _is_json(text: str) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True
