"""Uncertain rows whose journal is missing or old: nobody knows what may not be sent again, so nothing is (contract 7)."""

from __future__ import annotations

import contextlib
import csv
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import orjson

from ..config import Files
from ..files.disk import Storage
from ..files.past import Past

_UNCERTAIN = re.compile(rb'"outcome"\s*:\s*"uncertain"|[,;\t]uncertain[,;\t]')


def is_unknown(past: Past, key: str) -> bool:
    """Whether the journal knows of no attempt of this row, so that its failures line can't be right."""
    history = past.history_of(key)
    return not (history.unclear or history.failure is not None or history.undone)


def is_uncertain_beside(storage: Storage, path: Path) -> bool:
    """Whether a failures file has uncertain lines, whatever program has saved it since."""
    if not storage.size(path):
        return False
    with storage.read(path) as stream:
        return any(_UNCERTAIN.search(line.replace(b"\0", b"")) for line in stream)


def is_old_beside(storage: Storage, path: Path, past: Past) -> bool:
    """Whether a failures file has an uncertain line whose key and run the journal never had: the journal is an old copy.

    A key alone may have been changed by the program that saved the file: then the journal knows that row all the same.
    """
    read = _uncertain_in_csv if path.suffix.lower() == ".csv" else _uncertain_in
    if not storage.size(path):
        return False
    known, runs = past.journaled.histories, past.journaled.runs
    with storage.read(path) as stream:
        return any(key not in past.created and key not in known and run not in runs for key, run in read(stream))


def _uncertain_in(stream: Iterable[bytes]) -> Iterator[tuple[str, str]]:
    """Key and run of each uncertain line."""
    for line in stream:
        if _UNCERTAIN.search(line):
            with contextlib.suppress(ValueError, AttributeError):  # somebody broke it: its row isn't uncertain for that
                fields = orjson.loads(line)
                if fields.get("outcome") == "uncertain":
                    yield str(fields.get("key")), str(fields.get("run"))


def _uncertain_in_csv(stream: Iterable[bytes]) -> Iterator[tuple[str, str]]:
    lines = (line.decode("utf-8-sig", "replace") for line in stream)
    first = next(lines, "")
    delimiter = max(",;\t", key=first.count)
    with contextlib.suppress(csv.Error):
        for fields in csv.DictReader(chain([first], lines), delimiter=delimiter):
            if fields.get("batcher_outcome") == "uncertain":
                yield str(fields.get("batcher_key")), str(fields.get("batcher_run"))


def put_it_back(files: Files, place: str) -> str:
    """Why nothing is sent, and what to do. `place` is where the first uncertain line was met."""
    return (
        f"{place}: uncertain, but {files.journal} has no record of it. Put that journal and its results back, then run "
        "again; nothing was sent. If they are lost: look for the documents of the uncertain rows in Omni, keep only the "
        "rows that have none, in a separate input, and move the failures file away."
    )
