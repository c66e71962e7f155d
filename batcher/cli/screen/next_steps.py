"""What to do next, after every command: each step is a command line that can be pasted, and does no more than was asked.

`tests/cli/test_next_steps.py` runs each of them in the state in which it is printed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import StopReason
from ...models import Uncertain
from ...report.plan import LARGE_RUN, Plan
from ...report.summary import Summary
from ..settings import options
from .command_lines import CommandLine
from .console import count
from .page import Page

if TYPE_CHECKING:  # at run time `check` and `--help` do without what these import
    from ...commands.undoing import Undoing
    from ...commands.verified import Verified

_OF_A_REHEARSAL = ("--sandbox", "--rate", "--limit", "--create-again", "--rows")  # what was right for it alone


@dataclass(frozen=True, slots=True)
class Step:
    """What to do, in words, and the command line that does it, if one does. `lead` is `Next`, or `Or` after another."""

    what: str
    command: CommandLine | None = None
    lead: str = "Next"


def steps_text(steps: Iterable[Step], page: Page) -> Iterator[str]:
    """The lines. A command line is never broken: it's there to be copied."""
    for step in steps:
        yield page.wrap(f"{step.lead}: {step.what}{'.' if step.command is None else ':'}")
        if step.command is not None:
            yield page.bold(f"  {step.command}")


def after_run(line: CommandLine, summary: Summary, real: str = "") -> tuple[Step, ...]:
    """What to do after `line`. `real` is where a run without --sandbox would send, if that is known."""
    return tuple(_after_run(line, summary, real)) if summary.adds_up else ()


def _after_run(line: CommandLine, summary: Summary, real: str) -> Iterator[Step]:
    line = line.without("--rekey")  # what it said is in the journal now
    if summary.stop_reason is StopReason.ENDPOINT_GONE:
        line = line.without("--api").plus("--api", summary.api.other)
    if not line.has("--create-again"):
        line = line.without("--rows")
    same = line.without("--limit") if summary.limit_reached else _limited(line, summary.created_now)
    yield from _going_on(same, summary)
    if summary.held_back:
        rows = f"the {count(summary.held_back, 'row')} held back" if summary.held_back > 1 else "the row held back"
        plain = same.without("--rows").without("--create-again")
        yield Step(f"give {rows} the documents created before", plain.plus("--rekey"))
        yield Step("create second documents", plain.plus("--create-again"), "Or")
    if not _tables(line) and _is_fixable(summary) and summary.files is not None:
        where = str(summary.files.failures)
        failures = _naming_results(line.without("--sheet-out").reading([where]), line, summary)
        yield Step(f"fix the failed rows in {where}, then", failures)
    if summary.created == summary.rows and summary.created_now and not summary.unfinished:
        yield from _after_success(line, summary, real)


def _going_on(same: CommandLine, summary: Summary) -> Iterator[Step]:
    """What the same command does when it is run again, once."""
    again = " (with the same standard input)" if "-" in same.inputs else ""
    tables = _tables(same) if _is_fixable(summary) else []
    fixed = f"fix the failed rows in {tables[0] if len(tables) == 1 else 'the inputs'}, then" if tables else ""
    if summary.to_do:
        rows = "the first rows" if same.has("--limit") else f"the {count(summary.to_do, 'row')} left"
        yield Step(f"{fixed} continue with {rows}{again}".strip(), same)
        if summary.to_do >= LARGE_RUN and not summary.created and not again and not same.has("--limit"):
            yield Step("try five first", same.plus("--limit", "5"), "Or")
        return
    if summary.uncertain and summary.files is not None and _awaits_person(summary):
        yield Step(f"settle the uncertain rows by hand; the hint of each in {summary.files.failures} says how")
    elif summary.uncertain:
        yield Step(f"settle the uncertain rows, which the next run does first{again}", same)
    if summary.unfinished:
        steps = "step" if summary.unfinished == 1 else "steps"
        yield Step(f"do the missing {steps} once the cause is gone{again}", same)
    if fixed:
        yield Step(f"{fixed}{again}", same)


def _is_fixable(summary: Summary) -> bool:
    return summary.failed > summary.held_back and summary.files is not None


def _tables(line: CommandLine) -> list[str]:
    """Inputs that are somebody's spreadsheets: that is where their rows are fixed."""
    return [name for name in line.inputs if _is_table(name)]


def _limited(line: CommandLine, done: int) -> CommandLine:
    """A canary that was cut off continues with as many rows as it has not sent."""
    limit = line.value("--limit")
    return line if limit is None else line.setting("--limit", str(max(1, int(limit) - done)))


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


def _after_success(line: CommandLine, summary: Summary, real: str) -> Iterator[Step]:
    kept = [name for name in line.inputs if not _is_failures_file(name, summary)]
    if not kept:  # its rows are created, so it is empty now
        return
    line = line.reading(kept)
    if summary.sandbox:
        for name in _OF_A_REHEARSAL:
            line = line.without(name)
        where = f"on {real}" if real else "on your instance (NAME.omniapp.co)"
        line = line if real else line.plus("--instance", "NAME")
        yield Step(f"create five for real, {where}", line.plus("--limit", "5"))
    elif "-" not in kept:
        verify = line.of_command("verify", options.VERIFY, dropped="Sending")
        yield Step("compare the documents with what was sent", verify)
        if summary.created >= LARGE_RUN:
            yield Step("compare fifty of them", verify.plus("--sample", "50"), "Or")


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


def after_look(line: CommandLine, plan: Plan, known: str, begun: str, *, has_key: bool) -> tuple[Step, ...]:
    """After `check` and `status`, of rows that a run takes.

    `known` is where it would send, `begun` where earlier runs of these files did; empty if nobody knows.
    """
    if not plan.sending:
        return ()
    is_fed = "-" in line.inputs
    run = line.of_command("run", options.RUN)
    if not line.has("--results") and (len(line.inputs) > 1 or is_fed):
        run = run.plus("--results", "documents.results.jsonl")  # which a run of these needs
    where = known or begun or "sandbox"
    if not known:
        run = run.plus("--sandbox") if where == "sandbox" else run.plus("--base-url", where)
    if plan.is_large_first:
        run = run.plus("--limit", "5")
    what = _what_is_left(plan)
    if where == "sandbox":
        what = "rehearse it on the embedded server, which needs no account"
    elif not has_key:
        what = f"set OMNI_API_KEY, then {what}"
    return (Step(what + (" (with the same standard input)" if is_fed else ""), run),)


def _what_is_left(plan: Plan) -> str:
    failed = plan.failed - plan.invalid
    if not plan.to_do:
        if failed:
            return f"fix the {count(failed, 'failed row')}, then"
        return "settle the uncertain rows" if plan.uncertain else "do the missing steps"
    if plan.is_large_first:
        return "create the first five"
    if plan.created:
        return f"create the other {count(plan.sending, 'row')}"
    return "create it" if plan.sending == 1 else "create them"


def after_verify(line: CommandLine, verified: Verified) -> tuple[Step, ...]:
    """Compare the rest, or create what has no document. A document that differs is for a person to look at."""
    if verified.left and (verified.stopped is not None or verified.interrupted):
        return (Step("compare the documents again", line),)
    if verified.not_created:
        run = line.of_command("run", options.RUN, dropped="Sending")
        rows = "the row that has" if verified.not_created == 1 else f"the {verified.not_created:,} rows that have"
        return (Step(f"create documents for {rows} none", run),)
    return ()


def after_undo(line: CommandLine, undoing: Undoing, known: str) -> tuple[Step, ...]:
    """Delete what a dry run has listed, or the rest of what was asked for: never more. `known` is where it would go."""
    if undoing.is_dry:
        if not known:
            line = line.plus(*(["--sandbox"] if undoing.base_url == "sandbox" else ["--base-url", undoing.base_url]))
        return (Step("move them to Trash", line.plus("--yes")),)
    if undoing.limit is not None:  # not the next so many
        line = _limited(line, undoing.deleted + undoing.gone)
    if left := len(undoing.chosen) - undoing.deleted - undoing.gone - undoing.kept:
        return (Step(f"delete the {count(left, 'document')} left", line),)
    if undoing.kept:
        return (Step("try again with a key that may delete them", line),)
    return ()
