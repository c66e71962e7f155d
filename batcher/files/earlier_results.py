"""The results CSV of an earlier version: converted once, under the lock, and kept as it is (contract 4).

Results are JSON lines. Commands that write convert such a CSV into the file next to it, in one step: killed at any
moment, there is no such file yet, or the whole of it. Commands that only read convert it into a temporary one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from ..config import Files
from ..errors import UsageError
from ..read.cells import cells_of, delimiter_of
from ..read.temporary import temporary_place
from .csv_form import is_csv
from .disk import Storage
from .results import encode_line, read_results

SUFFIX = ".jsonl"
_COLUMNS = frozenset({"key", "outcome", "specHash", "identifier"})  # what no table of anybody else has together
_HEAD_BYTES = 1 << 12
_PLAIN_SUFFIXES = (".json", ".ndjson", ".txt", ".tsv", ".csv")  # those that the journal's name leaves out, too


def placed(files: Files) -> Files:
    """These files with the results that a run goes on with: next to a results CSV, which is then `earlier`.

    Raises UsageError for results that are not JSON lines and no results CSV that exists.
    """
    results = files.results
    if results.suffix == SUFFIX:
        return files
    stem = results.name.removesuffix(results.suffix) if results.suffix.lower() in _PLAIN_SUFFIXES else results.name
    lines = results.with_name(f"{stem}{SUFFIX}")
    if is_csv(results) and results.exists():
        if not is_results_csv(results):
            raise UsageError(f"{results} already exists and isn't a batcher results file; name {lines} with --results")
        return replace(files, results=lines, earlier=results)
    rename = f", or rename {results.name} to {lines.name} if an earlier version wrote it" if results.exists() else ""
    raise UsageError(
        f"{results}: results are JSON Lines, and the file's name ends with {SUFFIX}: use --results {lines}{rename}. "
        "For a spreadsheet with the outcome of each row, add --sheet-out FILE.csv."
    )


def earlier_or(results: Path) -> Path:
    """The results CSV of an earlier version under the same name, if there is one; else these results."""
    earlier = results.with_suffix(".csv")
    return earlier if earlier.is_file() and is_results_csv(earlier) else results


def is_results_csv(path: Path) -> bool:
    """Whether it begins as a results CSV does, perhaps saved by a spreadsheet program since; an empty one does, too."""
    try:
        with path.open("rb") as stream:
            start = stream.read(_HEAD_BYTES)
    except OSError:
        return False
    first = start.split(b"\n")[0].decode("utf-8-sig", "replace").strip()
    return not start or set(cells_of(first, delimiter_of(first))) >= _COLUMNS


@contextmanager
def in_lines(
    storage: Storage, files: Files, warn: Callable[[str], None] = lambda _: None, *, keeps: bool
) -> Iterator[Files]:
    """The files for the block, with results that are JSON lines, whatever an earlier version left; `warn` says so.

    With `keeps` (the lock is held) they are converted for good, and `earlier` is none any more; otherwise into a
    temporary file that is gone after the block. Raises UsageError if they can't be.
    """
    files = placed(files)
    if files.earlier is not None:
        warn(
            f"{files.earlier} comes from an earlier version: results continue in {files.results}, as JSON Lines. "
            f"{files.earlier.name} stays as it is and gets no new rows"
        )
    if files.earlier is None or storage.size(files.results):
        yield replace(files, earlier=None)
    elif keeps:
        _convert(storage, files.earlier, files.results)
        yield replace(files, earlier=None)
    else:
        with TemporaryDirectory(prefix="batcher-", dir=temporary_place()) as directory:
            read = replace(files, results=Path(directory, files.results.name))
            _convert(storage, files.earlier, read.results)
            yield read


def _convert(storage: Storage, earlier: Path, results: Path) -> None:
    try:
        storage.replace(results, map(encode_line, read_results(storage, earlier)))
    except OSError as error:
        raise UsageError(
            f"cannot convert {earlier} to {results}: {error.strerror or error}. Nothing was sent, and {earlier.name} is "
            "as it was. Free up space or fix the permissions, then run the same command again."
        ) from error
