"""What to do next, as command lines that can be pasted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ...models import Uncertain
from ...report.plan import LARGE_RUN
from ...report.summary import Summary
from ..settings import options
from .command_lines import CommandLine
from .console import count


def next_steps(line: CommandLine, summary: Summary) -> tuple[str, ...]:
    """Explanations of what to do after `line`, each with its command line; empty if there is nothing to do."""
    return tuple(_steps(line, summary)) if summary.adds_up else ()


def _steps(line: CommandLine, summary: Summary) -> Iterator[str]:
    is_fed = "-" in line.inputs  # the same standard input must be fed again
    line = line.without("--rekey")  # what it said is in the journal now
    if not line.has("--create-again"):
        line = line.without("--rows")
    same = line.without("--limit") if summary.limit_reached else line
    if summary.to_do:
        yield f"continue with the {count(summary.to_do, 'row')} left: {same}"
        if summary.to_do >= LARGE_RUN and not summary.created and not is_fed:
            yield f"or try five first: {same.plus('--limit', '5')}"
    elif summary.uncertain and summary.files is not None and _awaits_person(summary):
        yield f"settle the uncertain rows by hand; the hint of each in {summary.files.failures} says how"
    elif summary.uncertain:
        yield f"settle the uncertain rows, which the next run does first: {same}"
    if is_fed and (summary.to_do or summary.uncertain):
        yield "(with the same standard input)"
    if summary.held_back:
        rows = f"the {count(summary.held_back, 'row')} held back" if summary.held_back > 1 else "the row held back"
        plain = same.without("--rows").without("--create-again")
        yield f"give {rows} the documents created before: {plain.plus('--rekey')}"
        yield f"or create second documents: {plain.plus('--create-again')}"
    if summary.failed > summary.held_back and summary.files is not None:
        if tables := [name for name in line.inputs if _is_table(name)]:
            yield f"fix the failed rows in {tables[0] if len(tables) == 1 else 'the inputs'}, then: {same}"
        else:
            failures = line.without("--sheet-out").reading([str(summary.files.failures)])
            yield f"fix the failed rows in {summary.files.failures}, then: {_naming_results(failures, line, summary)}"
    if summary.created == summary.rows and summary.created_now:
        yield from _after_success(line, summary)


def _is_table(name: str) -> bool:
    """Whether this input is somebody's spreadsheet: that is where its rows are fixed."""
    suffixes = [suffix.lower() for suffix in Path(name).suffixes if suffix.lower() not in (".gz", ".zst")]
    return bool(suffixes) and suffixes[-1] in (".csv", ".tsv", ".xlsx") and ".failures" not in suffixes


def _awaits_person(summary: Summary) -> bool:
    """Whether running again settles nothing: rows without an identifier aren't even looked up, so they have no outcome."""
    if summary.stopped is not None or summary.interrupted or summary.deadline_reached:
        return False
    uncertain = [failure for failure in summary.first_failures if isinstance(failure, Uncertain)]
    return not uncertain or any(failure.identifier is None for failure in uncertain)


def _after_success(line: CommandLine, summary: Summary) -> Iterator[str]:
    kept = [name for name in line.inputs if not _is_failures_file(name, summary)]
    if not kept:  # its rows are created, so it is empty now
        return
    line = line.reading(kept)
    if summary.sandbox:
        for name in ("--sandbox", "--rate", "--limit", "--create-again", "--rows"):  # what was right for the rehearsal
            line = line.without(name)
        yield f"for real, five first: {line.plus('--instance', 'NAME').plus('--limit', '5')}"
    elif "-" not in kept:
        verify = line.of_command("verify", options.VERIFY, dropped="Sending")
        yield f"compare them with what was sent: {verify}"


def _is_failures_file(name: str, summary: Summary) -> bool:
    """Whether this input was the failures file of the run before."""
    return summary.files is not None and Path(name).resolve() == summary.files.failures.resolve()


def _naming_results(failed: CommandLine, line: CommandLine, summary: Summary) -> CommandLine:
    """With `--results` where the failures file's own name doesn't lead to these results."""
    if summary.files is None or line.has("--results") or len(line.inputs) != 1:
        return failed
    stem = summary.files.failures.name.partition(".failures.")[0]
    is_usual = stem and summary.files.results.name.startswith(f"{stem}.results.")
    return failed if is_usual else failed.plus("--results", str(summary.files.results))
