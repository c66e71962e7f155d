"""The live bar: three or four lines at the foot of the terminal, repainted every second by rich's own thread."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import TextIO, cast

from rich.console import Console as RichConsole
from rich.live import Live
from rich.text import Text

from .console import Console
from .page import WIDEST, window_of
from .progress import Snapshot, Watch, left_text, rate_text

# A repaint takes rich almost a millisecond. Four in a second cost more than sending at 60/min does, to show no more.
REPAINTS_PER_SECOND = 1
_WIDEST = 60


@contextmanager
def painting(watch: Watch, console: Console, verb: str = "") -> Iterator[None]:
    """Keep the bar painted while in the block; messages go above it. Colors are off with NO_COLOR.

    With `verb` ("deleted") it's about documents, else about rows.
    """
    rich = RichConsole(
        file=cast("TextIO", console.stream), stderr=True, force_terminal=True, highlight=False, markup=False
    )

    def paint() -> Text:
        rich.width = window_of(console.stream) or WIDEST  # people resize it
        return picture(watch.snapshot(time.monotonic()), rich.width, datetime.now().astimezone(), verb)

    live = Live(
        console=rich,
        get_renderable=paint,
        refresh_per_second=REPAINTS_PER_SECOND,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    with live:
        console.above = partial(rich.print, soft_wrap=True)
        try:
            yield
        finally:
            console.above = None


def picture(snapshot: Snapshot, width: int, now: datetime, verb: str = "") -> Text:
    """The bar as text, each line cut to the window; in a narrow one the time left has a line to itself."""
    text = Text(no_wrap=True, overflow="ellipsis")
    done = snapshot.total - snapshot.left
    share = done / snapshot.total if snapshot.total else 1.0
    numbers = f" {done:,} of {snapshot.total:,}, {share:.0%}"
    full, empty = _blocks()
    cells = max(0, min(_WIDEST, width - len(numbers) - 1))
    filled = int(cells * share)
    text.append(full * filled, "green")
    text.append(empty * (cells - filled), "bright_black")
    text.append(numbers + "\n")
    text.append(f"{done:,} {verb}" if verb else f"{snapshot.created:,} created", "green")
    if snapshot.failed:
        text.append(f"  {snapshot.failed:,} failed", "red")
    if snapshot.uncertain:
        text.append(f"  {snapshot.uncertain:,} uncertain", "yellow")
    text.append(f"  {snapshot.left:,} left\n")
    allowed = rate_text(snapshot.rate_allowed)
    rate = rate_text(snapshot.rate_now) + ("" if allowed == "no limit" else f" of {allowed} allowed")
    when = left_text(snapshot, now)
    text.append(f"{rate}  {when}" if len(rate) + len(when) + 2 <= width else f"{when}\n{rate}")
    if snapshot.note:
        text.append(f"\n{snapshot.note}", "yellow")
    return text


def _blocks() -> tuple[str, str]:
    encoding = (getattr(sys.stderr, "encoding", None) or "ascii").lower()
    return ("█", "░") if encoding.startswith("utf") else ("#", "-")
