"""The results file: one line for each created document. It is the truth about what is created (contract 6)."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from ..errors import UsageError
from ..models import Created, How
from ..read.json_text import shown
from ..read.sources import SAVE_AS_UTF8
from .csv_form import is_csv, results_from_csv
from .disk import Storage
from .lines import find_tail, parse_line, read_lines

_SURELY_SHALLOW = 1000  # levels; orjson reads 1,024, of which the line has one


def line_of(created: Created) -> dict[str, Any]:
    """The line's fields, in the contract's order."""
    return {
        "key": created.key,
        "source": created.source,
        "line": created.line,
        "outcome": "created",
        "how": created.how,
        "specHash": created.spec_hash,
        "identifier": created.identifier,
        "name": created.name,
        "modelId": created.model_id,
        "url": created.url,
        "dashboardId": created.dashboard_id,
        "workbookId": created.workbook_id,
        "attempts": created.attempts,
        "status": created.status,
        "elapsedMs": created.elapsed_ms,
        "at": created.at,
        "run": created.run,
        "response": orjson.Fragment(_fit_for_a_line(created.response)),
    }


def encode_line(created: Created) -> bytes:
    """The JSONL line."""
    return orjson.dumps(line_of(created), option=orjson.OPT_APPEND_NEWLINE)


def created_of(line: Mapping[str, Any], place: str) -> Created:
    """Read a line back. Raises UsageError naming the place."""
    try:
        return Created(
            key=_text(line, "key"),
            source=line.get("source", ""),
            line=int(line.get("line") or 0),
            how=How(line.get("how", "created")),
            spec_hash=_text(line, "specHash") if line.get("specHash") else "",
            identifier=_text(line, "identifier"),
            name=line.get("name") or "",
            model_id=line.get("modelId") or "",
            url=line.get("url") or "",
            dashboard_id=line.get("dashboardId") or None,
            workbook_id=line.get("workbookId") or None,
            attempts=int(line.get("attempts") or 0),
            status=line.get("status"),
            elapsed_ms=int(line.get("elapsedMs") or 0),
            at=line.get("at") or "",
            run=line.get("run") or "",
            response=_written(line.get("response")),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise UsageError(
            f"{place}: this is not a line of a batcher results file ({error}). "
            "Restore the file from a copy, or name other files with --results."
        ) from None


def _text(line: Mapping[str, Any], name: str) -> str:
    """A program that rewrites the file may turn it into a number: then it would be another key."""
    text = line[name]
    if not isinstance(text, str):
        raise TypeError(f"{name} is {shown(text)}, which isn't text")
    return text


def read_results(storage: Storage, path: Path) -> Iterator[Created]:
    """All lines of a results file; also of a CSV of an earlier version. Raises UsageError for a line that cannot be read."""
    if is_csv(path):
        yield from _read_csv(storage, path)
        return
    for number, (_, text) in enumerate(read_lines(storage, path), 1):
        yield created_of(parse_line(text, path, str(number)), f"{path}:{number}")


def _read_csv(storage: Storage, path: Path) -> Iterator[Created]:
    tail = find_tail(storage, path)
    size = None if tail is None or tail.is_whole else tail.offset
    number = 1
    with storage.read(path) as stream:
        try:
            for number, line in enumerate(results_from_csv(stream, size), 2):
                yield created_of(line, f"{path}, record {number}")
        except (UnicodeDecodeError, csv.Error) as error:
            raise UsageError(f"{path}: cannot be read after record {number} ({error}); {SAVE_AS_UTF8}") from None


def _fit_for_a_line(body: bytes) -> bytes:
    """A JSON body without line breaks: it goes into a line as it came, and a second line would spoil the whole file.

    Between tokens they mean nothing, and JSON has none inside its texts. One that is nested too deep to be read back is
    left out. A short one never is, and to count the brackets of all of them was 3 % of a run.
    """
    if (
        len(body) > 2 * _SURELY_SHALLOW
        and body.count(b"[") + body.count(b"{") > _SURELY_SHALLOW
        and not _survives(body)
    ):
        return b"null"
    return body.translate(None, b"\r\n") if b"\n" in body or b"\r" in body else body


def _survives(body: bytes) -> bool:
    try:
        orjson.dumps([orjson.loads(body)])
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return False
    return True


def _written(response: object) -> bytes:
    """As JSON again; a line of an earlier version may hold one that is nested too deep for that."""
    try:
        return orjson.dumps(response)
    except orjson.JSONEncodeError:
        return b"null"
