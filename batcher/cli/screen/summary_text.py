"""The summary as people read it and as `--json` prints it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from ...config import RunSettings
from ...pace.rate import Rate
from ...report.json_fields import fields_of
from ...report.plan import Plan
from ...report.summary import Summary, files_object, requests_per_second
from ..settings.durations import duration_text
from .console import count, one_line
from .failures_text import failures_text
from .next_steps import Step, steps_text
from .page import PLAIN, Page
from .progress import rate_text

_CHANGED = (  # for one, for several
    "row has changed since its document was created; it was not updated",
    "rows have changed since their documents were created; not updated",
)
_OTHER_FAILURES = (
    "failure belongs to a row that isn't in this input",
    "failures belong to rows that aren't in this input",
)


def summary_text(summary: Summary, steps: tuple[Step, ...], page: Page = PLAIN) -> str:
    """Counts that add up, why rows failed, the documents and files, and what to do next."""
    blocks = (
        [page.wrap(_headline(summary))],
        list(_counts(summary, page)),
        list(failures_text(summary.failures, page)),
        list(_links(summary)),
        list(_places(summary, page)),
        list(steps_text(steps, page)),
        list(_adopted(summary, page)),
    )
    return "\n".join("\n".join(block) for block in blocks if block)


def _headline(summary: Summary) -> str:
    lost = "INTERNAL ERROR: the counts below don't add up to the rows read. Keep the files and report this."
    everything = summary.created == summary.rows
    others = (
        (summary.unfinished, "of these unfinished"),
        (summary.failed, "failed"),
        (summary.uncertain, "uncertain"),
        (summary.undone, "undone"),
    )
    done = ", ".join(
        [
            f"{summary.created:,} of {summary.rows:,} created",
            *(f"{number:,} {word}" for number, word in others if number),
        ]
    )
    ladder = (
        (not summary.adds_up, lost),
        (summary.interrupted, "Interrupted. All requests in flight are accounted for."),
        (summary.stopped is not None, f"Stopped early: {one_line(summary.stopped or '')}"),
        (summary.deadline_reached and summary.to_do > 0, f"Stopped at the deadline: {done}."),
        (summary.limit_reached and summary.to_do > 0, f"Stopped at the limit: {done}."),
        (summary.rows == 0, "Nothing to do: the input has no rows."),
        (everything and summary.unfinished > 0, f"Not finished: {done}."),
        (
            everything and summary.requests == 0 and summary.created_before == summary.rows,
            "Nothing to do: every row is already created.",
        ),
        (everything, "Finished: every row is created."),
    )
    text = next((text for applies, text in ladder if applies), f"Finished: {done}.")
    if not summary.adopted:
        return text
    which = "1 document was" if summary.adopted == 1 else f"{summary.adopted:,} documents were"
    return f"{text} {which} adopted, not created."


def _counts(summary: Summary, page: Page) -> Iterator[str]:
    yield _count(summary.rows, f"{'row' if summary.rows == 1 else 'rows'} read", ())
    parts = (
        (summary.created_now, "now"),
        (summary.created_before, "before"),
        (summary.reconciled, "reconciled: found after an unclear attempt"),
        (summary.adopted, "adopted: existed already and matched"),
    )
    invalid = summary.invalid - summary.held_back
    of_these = f", of these {summary.unfinished:,} unfinished" if summary.unfinished else ""
    failed, uncertain = page.red if summary.failed else str, page.yellow if summary.uncertain else str
    yield page.wrap(_count(summary.created, "created", parts) + of_these)
    yield failed(_count(summary.failed, "failed", ((invalid, "invalid"), (summary.held_back, "held back"))))
    yield uncertain(_count(summary.uncertain, "uncertain", ()))
    yield _count(summary.not_attempted, "not attempted", ((summary.to_do, "to do"), (summary.undone, "undone")))
    if summary.changed:
        yield page.wrap(_count(summary.changed, _CHANGED[summary.changed != 1], ()))
    if summary.other_failures:
        yield page.wrap(_count(summary.other_failures, _OTHER_FAILURES[summary.other_failures != 1], ()))


def _count(number: int, word: str, parts: tuple[tuple[int, str], ...]) -> str:
    detail = ", ".join(f"{part:,} {name}" for part, name in parts if part)
    return f"  {number:>9,} {word}" + (f" ({detail})" if detail else "")


def _links(summary: Summary) -> Iterator[str]:
    """The documents of a canary, to be looked at. Those of a rehearsal open while a sandbox serves them."""
    if summary.links:
        them = "them" if len(summary.links) == summary.created_now else "the first of them"
        if summary.sandbox and summary.files is not None:
            yield f"Look at {them} while this runs:"
            yield f"  {shlex.join(['batcher', 'sandbox', '--state', str(summary.files.sandbox_state)])}"
        else:
            yield f"Look at {them}:"
        yield from (f"  {one_line(link)}" for link in summary.links)


def _places(summary: Summary, page: Page) -> Iterator[str]:
    if summary.created_now or summary.reconciled:
        where = "the sandbox" if summary.sandbox else summary.base_url
        at = f"{'in' if summary.sandbox else 'on'} {where}"
        if summary.has_folders:
            yield page.wrap(f"Created {at}; rows without a folder are in the API key owner's personal folder.")
        else:
            yield page.wrap(f"Created in the API key owner's personal folder {at}.")
    if summary.files is not None:
        files = (
            ("Results", summary.files.results),
            ("Failures", summary.files.failures),
            ("Sheet", summary.files.sheet),
        )
        for word, path in files:
            if path is not None and path.exists() and path.stat().st_size:
                yield f"{word + ':':<10} {path}"
    if summary.kept_failures is not None:
        yield f"Kept:      {summary.kept_failures} (your edited failures file)"
    yield page.wrap(
        f"Time:      {duration_text(summary.elapsed_seconds)}, {count(summary.requests, 'request')}{_rate_used(summary)}"
    )


def _adopted(summary: Summary, page: Page) -> Iterator[str]:
    """Last, since it is easily overlooked: these documents may be somebody else's."""
    if summary.adopted and summary.files is not None:
        yield page.wrap(
            f"Adopted: {count(summary.adopted, 'row')} took a document that already existed with the same content. Make sure "
            f'they are yours: they have "how":"adopted" in {summary.files.results}'
        )


def _rate_used(summary: Summary) -> str:
    """`, 59 of 60/min`: in the unit of the rate that was allowed, all keys together."""
    if summary.requests < 2 or summary.rate == "":
        return ""
    rate = Rate.parse(summary.rate)
    if rate is None:
        return f", {rate_text(requests_per_second(summary))}"
    allowed = Rate(rate.limit * summary.keys, rate.period_seconds)
    used = requests_per_second(summary) * rate.period_seconds
    # a few requests may be a little closer to each other; a whole period never holds more than is allowed
    if summary.elapsed_seconds < rate.period_seconds:
        used = min(allowed.limit, used)
    return f", {used:,.0f} of {allowed}"


def plan_object(plan: Plan, settings: RunSettings) -> dict[str, object]:
    """The final object of `batcher status --json`; rows = created + failed + invalid + uncertain + undone + toDo."""
    return {
        "baseUrl": settings.endpoint.base_url or None,
        **fields_of(
            plan, "rows created unfinished invalid uncertain undone to_do changed other_failures sending requests"
        ),
        "failed": plan.failed - plan.invalid,
        "rate": str(plan.rate) if plan.rate else "none",
        "secondsAtRate": plan.seconds,
        "files": files_object(settings.files),
    }
