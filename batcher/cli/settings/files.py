"""Which three files belong to a run: beside the input by default, or where `--results` says (contract 3 and 6)."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import orjson

from ...config import Files
from ...errors import UsageError
from ...files.disk import where_it_lies
from ...files.earlier_results import SUFFIX as RESULTS_SUFFIX
from ...files.earlier_results import earlier_or, placed
from ...files.lines import is_object
from ...files.lock import TOO_LONG, check_plain, has_past
from ...read.cells import cells_of, delimiter_of
from ...read.failures_csv import is_sheet
from ...read.failures_lines import is_failure
from .near_files import meant_instead_of
from .sheet_file import is_sheet_file, sheet_file

STANDARD_INPUT = "-"
_HEAD_BYTES = 1 << 16
_LONGEST_LINE = 1 << 26
_COMPRESSED = (".gz", ".zst")
_FORMATS = (".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".json", ".xlsx")
_RESULTS_LINE = re.compile(rb'\{"key":[^\n]{1,4096}?,"outcome":"created","how":')
_OURS = re.compile(r"(?P<stem>.+)\.(?P<kind>results|failures|journal)(?:\.(?P<run>[^.]+))?\.(?P<form>jsonl|csv)")


def files_of(
    inputs: Sequence[str],
    *,
    sandbox: bool = False,
    results: Path | None = None,
    failures: Path | None = None,
    sheet: Path | None = None,
    others: Sequence[Path | None] = (),
) -> Files:
    """The files of a run over these inputs; `others` are what else it reads or writes.

    Raises UsageError where they must be named or collide.
    """
    check_inputs(inputs)
    try:
        files = _files_of(inputs, results, failures, sandbox=sandbox)
        if sheet is None:
            return files
        taken = [files.found, files.results, files.failures, files.journal, *(other for other in others if other)]
        taken += (Path(name) for name in inputs if name != STANDARD_INPUT)
        return replace(files, sheet=sheet_file(sheet, taken))
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise UsageError(f"{error.filename}: {TOO_LONG}") from None
        raise UsageError(f"{error.filename}: {error.strerror}") from None


def _files_of(inputs: Sequence[str], results: Path | None, failures: Path | None, *, sandbox: bool) -> Files:
    for given in (results, failures):
        if given is not None and given.suffix.lower() in _COMPRESSED:
            raise UsageError(f"{given} is written line by line and never compressed; name it {given.with_suffix('')}")
    if results is None:
        results, default_failures = _beside(inputs, sandbox=sandbox)
    else:
        default_failures = _itself(inputs)
    files = placed(_around(results, failures or default_failures))
    _check_apart(inputs, files)
    return files


def files_of_results(results: Path) -> Files:
    """The files that belong to a results file, for `batcher undo`. Raises UsageError if it isn't one."""
    if not results.is_file() and (results := earlier_or(results)).suffix == RESULTS_SUFFIX:
        raise UsageError(f"{results}: no such results file{meant_instead_of(results)}")
    beside = [results.with_name(f"{_stem(results.name)}{mark}.results{RESULTS_SUFFIX}") for mark in ("", ".sandbox")]
    if of_input := [path for path in beside if path.is_file()]:
        raise UsageError(f"{results} isn't a results file; name {' or '.join(map(str, of_input))}")
    ours = _OURS.fullmatch(results.name)
    if ours and ours["kind"] != "results":
        raise UsageError(f"{results} is a {ours['kind']} file; undo takes the results file next to it")
    return placed(_around(results, None))


def results_among(inputs: Sequence[str]) -> Path | None:
    """The results file that is the only input, by its name or by what it begins with; None if there is none."""
    if len(inputs) != 1 or inputs[0] == STANDARD_INPUT or not Path(inputs[0]).is_file():
        return None
    path = Path(inputs[0])
    ours = _OURS.fullmatch(path.name)
    with path.open("rb") as stream:
        is_results = _RESULTS_LINE.match(stream.read(_HEAD_BYTES)) is not None
    return path if is_results or (ours and ours["kind"] == "results") else None


def check_inputs(inputs: Sequence[str]) -> None:
    """Raise UsageError for inputs that make no sense: missing, named twice, or written by batcher for itself."""
    seen: dict[tuple[int, int], str] = {}
    if inputs.count(STANDARD_INPUT) > 1:
        raise UsageError("standard input (-) is named twice; it can be read only once")
    for name in inputs:
        if name == STANDARD_INPUT:
            continue
        ours = _OURS.fullmatch(Path(name).name)
        if ours and ours["kind"] != "failures":
            raise UsageError(f"{name} is a {ours['kind']} file that batcher wrote; name the input that it came from")
        try:
            status = Path(name).stat()
        except FileNotFoundError:
            raise UsageError(f"{name}: no such file{meant_instead_of(Path(name))}") from None
        except OSError as error:
            raise UsageError(f"{name}: can't be read: {error.strerror}") from error
        if Path(name).is_dir():
            raise UsageError(f"{name} is a directory; name the files in it")
        if first := seen.get((status.st_dev, status.st_ino)):
            raise UsageError(f"{first} and {name} are the same file; name it once, or its rows would be created twice")
        seen[status.st_dev, status.st_ino] = name


def check_writable(files: Files) -> None:
    """Raise UsageError unless the files can be written; nothing is created or changed."""
    check_plain(files)
    # where an earlier run's files lie, a run elsewhere would forget what they say
    elsewhere = "" if has_past(files) else ", or name a file elsewhere with --results FILE"
    for path in (files.results, files.failures, files.journal):
        directory = path.parent
        if not directory.is_dir():
            raise UsageError(
                f"{directory} isn't a directory; create it first, or name another file with --results FILE"
            )
        if not os.access(directory, os.W_OK | os.X_OK):
            raise UsageError(f"{directory} can't be written to; change its permissions{elsewhere}")
        if path.exists() and not os.access(path, os.R_OK | os.W_OK):
            raise UsageError(f"{path} can't be written to; change its permissions, then run the same command again")


def _beside(inputs: Sequence[str], *, sandbox: bool) -> tuple[Path, Path | None]:
    """Results and, if the input is a failures file, failures. Raises UsageError where `--results` must be given."""
    if len(inputs) != 1:
        raise UsageError("with several inputs, say where the results go: --results FILE")
    if inputs[0] == STANDARD_INPUT:
        raise UsageError("with standard input, say where the results go: --results FILE")
    path = Path(inputs[0])
    ours = _OURS.fullmatch(path.name)
    stem = ours["stem"] if ours else _stem(path.name)
    mark = ".sandbox" if sandbox and not stem.endswith(".sandbox") else ""
    results = earlier_or(path.with_name(f"{stem}{mark}.results{RESULTS_SUFFIX}"))
    if ours is None:
        if is_sheet_file(path) and not results.exists():
            raise UsageError(
                f"{path.name} is a sheet, which only shows what became of the rows of another input. Fix the row in that input "
                "and run it again; or run the sheet, naming the results file of its run: --results FILE"
            )
        if not results.exists() and _is_failures_file(path):
            raise UsageError(
                f"{path.name} is a failures file under another name; say which run it continues: --results FILE, "
                "where FILE is the results file of that run"
            )
        return results, None
    return results, path.with_name(f"{stem}{mark}.failures.{ours['form']}")


def _itself(inputs: Sequence[str]) -> Path | None:
    """A failures file that is the input, whatever it is called: it goes on being the failures file."""
    if len(inputs) != 1 or inputs[0] == STANDARD_INPUT:
        return None
    path = Path(inputs[0])
    return path if _is_failures_file(path) else None


def _stem(name: str) -> str:
    """`dashboards` of `dashboards.csv`, `dashboards.csv.gz` and `dashboards`."""
    path = Path(name)
    if path.suffix.lower() in _COMPRESSED:
        path = Path(path.stem)
    return path.stem if path.suffix.lower() in _FORMATS else path.name


def _around(results: Path, failures: Path | None) -> Files:
    """The files beside the results, named after them; failures in the same form."""
    ours = _OURS.fullmatch(results.name)
    stem = ours["stem"] if ours else _stem(results.name)
    form = "csv" if results.suffix.lower() == ".csv" else "jsonl"
    return Files(
        results=where_it_lies(results),
        failures=where_it_lies(failures or results.with_name(f"{stem}.failures.{form}")),
        journal=where_it_lies(results.with_name(f"{stem}.journal.jsonl")),
    )


def _check_apart(inputs: Sequence[str], files: Files) -> None:
    results, failures, journal = (path.resolve() for path in (files.results, files.failures, files.journal))
    if len({results, failures, journal}) < 3:
        raise UsageError("results, failures and journal must be three files; give them different names")
    for name in inputs:
        given = None if name == STANDARD_INPUT else Path(name).resolve()
        if given in (results, journal):
            kind = "results" if given == results else "journal"
            raise UsageError(
                f"{name} is an input and would be overwritten as the {kind} file; name another with --results FILE"
            )
        if given == failures and not _may_be_replaced(Path(name)):
            raise UsageError(
                f"{name} is an input, and its rows aren't failures; name another file with --failures FILE"
            )


def _may_be_replaced(path: Path) -> bool:
    """Whether an input may become the failures file: some of it is one already, or it is empty."""
    with path.open("rb") as file:
        is_empty = not file.read(_HEAD_BYTES).strip()
    return is_empty or any(_failures_in(path))


def _is_failures_file(path: Path) -> bool:
    """Whether it begins as a failures file does: then its rows have a past, which must be known."""
    return path.is_file() and next(_failures_in(path), False)


def _failures_in(path: Path) -> Iterator[bool]:
    """For each row, whether it is a line of a failures file; for CSV only once, since all of its rows have one header.

    An input's own words are not to be taken for that (a key, a filter on a field `outcome`): it would be overwritten.
    """
    with path.open("rb") as file:
        start = file.read(_HEAD_BYTES)
        if b"batcher_outcome" in start:
            first = start.splitlines()[0].decode("utf-8-sig", "replace")
            columns = set(cells_of(first, delimiter_of(first)))
            yield {"batcher_key", "batcher_outcome"} <= columns and not is_sheet(columns)
            return
        if not (b'"key"' in start and b'"outcome"' in start):
            return
        file.seek(0)
        has_object = False
        while line := file.readline(_LONGEST_LINE):
            if is_object(line):
                has_object = True
                yield is_failure(orjson.loads(line))
        if not has_object:  # all that there is was torn by a crash
            yield start.startswith(b'{"key":')
