"""What to do next, as command lines that can be pasted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ...models import Uncertain
from ...report.plan import LARGE_RUN
from ...report.summary import Summary
from .command_lines import again, only, with_inputs, without

_VERIFY = ("--base-url", "--instance", "--sandbox", "--profile", "--config", "--results", "--failures", "--namespace")


def next_steps(argv: Sequence[str], inputs: Sequence[str], summary: Summary) -> tuple[str, ...]:
    """Explanations, each with its command line; empty if there is nothing to say."""
    return tuple(_steps(argv, inputs, summary)) if summary.adds_up else ()


def _steps(argv: Sequence[str], inputs: Sequence[str], summary: Summary) -> Iterator[str]:
    from_input = "-" in inputs  # the same standard input must be fed again
    same = again(without(argv, "--limit") if summary.limit_reached else argv)
    if summary.to_do:
        yield f"go on with the {summary.to_do:,} rows left: {same}"
        if summary.to_do >= LARGE_RUN and not summary.created and not from_input:
            yield f"or only five at first, to look at them in Omni: {same} --limit 5"
    elif summary.uncertain and summary.files is not None and _awaits_person(summary):
        yield f"settle the uncertain rows by hand, as the hint of each in {summary.files.failures} says"
    elif summary.uncertain:
        yield f"settle the uncertain rows, which comes first in the next run: {same}"
    if from_input and (summary.to_do or summary.uncertain):
        yield "(with the same standard input)"
    if summary.failed and summary.files is not None:
        line = with_inputs(argv, inputs, [str(summary.files.failures)], _named(argv, inputs, summary))
        yield f"mend the failed rows in {summary.files.failures}, then: {line}"
    if summary.created == summary.rows and summary.created_now:
        yield from _after_success(argv, inputs, summary)


def _awaits_person(summary: Summary) -> bool:
    """Whether running again settles nothing: rows without an identifier are not even looked up, so nothing is told of them."""
    if summary.stopped is not None or summary.interrupted or summary.deadline_reached:
        return False
    told = [one for one in summary.first_failures if isinstance(one, Uncertain)]
    return not told or any(one.identifier is None for one in told)


def _after_success(argv: Sequence[str], inputs: Sequence[str], summary: Summary) -> Iterator[str]:
    kept = [name for name in inputs if not _is_failures_file(name, summary)]
    if not kept:  # its rows are created, so it is empty now
        return
    if summary.sandbox:
        yield f"for real: {with_inputs([*without(argv, '--sandbox'), '--instance', 'NAME'], inputs, kept)}"
    elif "-" not in inputs:
        yield f"compare them with what was sent: {again(['verify', *kept, *only(argv, _VERIFY)])}"


def _is_failures_file(name: str, summary: Summary) -> bool:
    """Whether this input was the failures file of the run before."""
    return summary.files is not None and Path(name).resolve() == summary.files.failures.resolve()


def _named(argv: Sequence[str], inputs: Sequence[str], summary: Summary) -> list[str]:
    """`--results` for a failures file whose own name does not lead to these results."""
    given = any(word == "--results" or word.startswith("--results=") for word in argv)
    if given or summary.files is None or len(inputs) != 1:
        return []
    expected = summary.files.failures.name.partition(".failures.")[0]
    usual = expected and summary.files.results.name.startswith(f"{expected}.results.")
    return [] if usual else ["--results", str(summary.files.results)]
