"""Failed and uncertain rows on the screen: a block for each reason, with counts, first places and one hint."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ...report.failure_groups import FailureGroup, SameMessage, places_text
from .console import count, one_line
from .page import Page

_WIDEST_MESSAGE = 300


def failures_text(groups: Iterable[FailureGroup], page: Page) -> Iterator[str]:
    """The lines, wrapped to the page; none without failures."""
    for group in groups:
        yield from _group(group, page)


def _group(group: FailureGroup, page: Page) -> Iterator[str]:
    paint = page.red if group.word == "failed" else page.yellow
    yield paint(f"{group.count:,} {group.word}: {group.reason}")
    for message in group.messages:
        yield from _message(message, page)
    if group.others:
        yield page.wrap(f"  {count(group.others, 'row')} with other messages")
    if group.hint:
        yield page.wrap(f"  Hint: {one_line(group.hint)}")


def _message(message: SameMessage, page: Page) -> Iterator[str]:
    text = one_line(message.text)
    text = text if len(text) <= _WIDEST_MESSAGE else f"{text[:_WIDEST_MESSAGE]}…"
    yield page.wrap(f"  {message.status}: {text}" if message.status else f"  {text}")
    rows = "" if message.count == 1 else f"{message.count:,} rows: "
    yield page.wrap(f"    {rows}{places_text(message.places, message.count)}")
