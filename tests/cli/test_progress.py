"""What people see while a run sends: counted cheaply, painted apart from it, silent when nobody reads."""

from __future__ import annotations

import io
import math
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.cli.screen import progress
from batcher.cli.screen.bar import picture
from batcher.cli.screen.console import Console, Unbreakable, one_line
from batcher.cli.screen.observer import ConsoleObserver
from batcher.cli.screen.page import Page
from batcher.cli.screen.progress import Snapshot, Tally, Watch, line_text, plan_text, rate_text
from batcher.errors import StopReason
from batcher.models import Created, Failed, How, Problem
from batcher.pace.rate import Rate
from batcher.reasons import Reason
from batcher.report.observers import Observer
from batcher.report.plan import Plan

NOW = datetime(2026, 7, 1, 9, 30, tzinfo=UTC)


class Dial:
    """A gauge that is set by hand."""

    def __init__(self) -> None:
        """At rest: nothing sent, one request a second allowed."""
        self.requests = 0
        self.in_flight = 0
        self.note = ""
        self.rate = 1.0
        self.braked = 0.0

    def rate_now(self) -> float:
        """What is allowed."""
        return self.rate

    def braked_for(self) -> float:
        """The brake."""
        return self.braked


def created(line: int = 2) -> Created:
    """A created row."""
    return Created(
        key="id:a",
        source="d.csv",
        line=line,
        how=How.CREATED,
        spec_hash="0" * 32,
        identifier="a-b",
        name="A",
        model_id="m",
        url="https://acme.omniapp.co/dashboards/a-b",
        dashboard_id="d",
        workbook_id="w",
        attempts=1,
        status=201,
        elapsed_ms=100,
        at="2026-07-01T09:30:00.000Z",
        run="r1",
    )


def failed() -> Failed:
    """A failed row."""
    return Failed(
        key="id:b",
        source="d.csv",
        line=3,
        reason=Reason.REJECTED,
        status=400,
        message="Bad\nRequest",
        hint="",
        attempts=1,
        identifier=None,
        at="2026-07-01T09:30:00.000Z",
        run="r1",
        spec={},
    )


def console(*, json: bool = False, quiet: bool = False) -> tuple[Console, io.StringIO]:
    """A console that writes into memory."""
    stream = io.StringIO()
    return Console(Unbreakable(stream), json, quiet), stream


def test_the_observers_keep_the_protocol() -> None:
    """The command line's and the silent one are Observers; mypy checks the rest of the sentence."""
    observers: list[Observer] = [ConsoleObserver(console()[0]), Observer()]
    for observer in observers:
        observer.outcome(created())


def test_the_first_minute_does_not_look_faster_than_allowed() -> None:
    """One request a second from the start on: after ten seconds there are eleven, and that is 60/min."""
    dial = Dial()
    watch = Watch(60, Tally(), dial)
    watch.snapshot(100.0)
    dial.requests = 11
    assert rate_text(watch.snapshot(110.0).rate_now) == "60/min"


def test_watch_tells_rate_and_time_left() -> None:
    """Ten rows in ten seconds, fifty left: one a second, fifty seconds."""
    dial, tally = Dial(), Tally()
    watch = Watch(60, tally, dial)
    first = watch.snapshot(100.0)
    assert (first.left, first.rate_now, first.seconds_left) == (60, 0.0, 60.0)
    tally.created, tally.failed, dial.requests = 9, 1, 12
    later = watch.snapshot(110.0)
    assert (later.left, later.total, later.rate_now, later.seconds_left) == (50, 60, 1.1, 50.0)
    dial.braked = 30.0
    braked = watch.snapshot(110.0)
    assert (braked.seconds_left, braked.note) == (80.0, "paused by the server for 30 s")


def test_the_time_left_is_steady() -> None:
    """By the allowed rate: outcomes that come in bursts, and a pause by the server, don't make it jump."""
    dial, tally = Dial(), Tally()
    watch = Watch(3_000, tally, dial)
    watch.snapshot(0.0)
    told = []
    for second in range(1, 301):
        dial.braked = float(131 - second) if 100 <= second <= 130 else 0.0
        sent = second - max(0, min(second, 130) - 100)
        tally.created = sent // 7 * 7  # in bursts
        snapshot = watch.snapshot(float(second))
        assert snapshot.seconds_left is not None
        told.append(snapshot.seconds_left + second)  # when it will be over
    assert max(told) - min(told) <= 31 + 7  # the pause itself, and one burst


def test_rows_that_take_longer_than_is_allowed_are_told_as_they_go() -> None:
    """Answers take long, so that half of the rate is used: the time left is by what was done of late."""
    dial, tally = Dial(), Tally()
    watch = Watch(1_000, tally, dial)
    last = watch.snapshot(-1.0)
    for second in range(61):
        tally.created = second // 2
        last = watch.snapshot(float(second))
    assert last.seconds_left == pytest.approx(2 * 970, rel=0.05)


def test_watch_forgets_what_is_older_than_a_minute() -> None:
    """After a pause the rate is that of the last minute, not of the whole run; memory stays small."""
    dial, tally = Dial(), Tally()
    watch = Watch(10_000, tally, dial)
    last = watch.snapshot(0.0)
    for second in range(0, 1000, 5):
        dial.requests = tally.created = min(900, second)
        last = watch.snapshot(float(second))
    assert last.rate_now == 0.0
    assert len(watch.history) <= 15


@given(
    st.integers(0, 10**7),
    st.integers(0, 10**7),
    st.floats(0, 1e6) | st.just(math.inf),
    st.floats(0, 1e6),
    st.none() | st.floats(0, 1e9),
    st.integers(0, 200),
)
def test_the_bar_fits_every_window(
    done: int, left: int, rate: float, allowed: float, seconds: float | None, width: int
) -> None:
    """Whatever the numbers and the width, it is three lines whose bar line fits, and nothing raises."""
    snapshot = Snapshot(done, 0, 0, left, done + left, allowed, rate, seconds, 3, done, "")
    text = picture(snapshot, width, NOW)
    lines = text.plain.split("\n")
    assert len(lines) in (3, 4)
    assert text.no_wrap
    assert text.overflow == "ellipsis"
    assert lines[0].startswith(" ") or len(lines[0]) <= width
    assert line_text(snapshot, NOW)


def test_the_bar_in_words() -> None:
    """Created, failed, uncertain, left; rate now and allowed; time left; what slows it."""
    snapshot = Snapshot(1_200, 4, 1, 3_795, 5_000, 0.98, 1.0, 3_900, 8, 1_210, "server not reachable")
    lines = picture(snapshot, 80, NOW).plain.split("\n")
    assert lines[0].endswith(" 1,205 of 5,000, 24%")
    assert lines[1:] == [
        "1,200 created  4 failed  1 uncertain  3,795 left",
        "59/min of 60/min allowed  about 65 min left (done by 10:35)",
        "server not reachable",
    ]
    narrow = picture(snapshot, 40, NOW).plain.split("\n")
    assert narrow[2:] == ["about 65 min left (done by 10:35)", "59/min of 60/min allowed", "server not reachable"]
    assert picture(snapshot, 80, NOW, "compared").plain.split("\n")[1].startswith("1,205 compared")
    assert line_text(snapshot, NOW) == (
        "1,200 created, 4 failed, 1 uncertain, 3,795 left; 59/min; about 65 min left (done by 10:35); "
        "server not reachable"
    )


@pytest.mark.parametrize(
    ("per_second", "text"),
    [
        (1.0, "60/min"),
        (0.5, "30/min"),
        (50.0, "50/s"),
        (1234.4, "1,234/s"),
        (1 / 3600, "1/h"),
        (0.0, "0/min"),
        (math.inf, "no limit"),
    ],
)
def test_rates_in_the_unit_that_reads_best(per_second: float, text: str) -> None:
    """Per second, minute or hour."""
    assert rate_text(per_second) == text


def test_the_plan_in_words() -> None:
    """What was found, what will be done, how long it takes by the rate of all keys and by the clock."""
    plan = Plan(
        rows=100, created=20, failed=12, invalid=2, uncertain=3, undone=5, to_do=60, rate=Rate(60, 60.0), keys=2
    )
    assert plan.sending == 73
    assert plan_text(plan, NOW) == (
        "100 rows: 20 created before, 5 undone, 2 invalid, 73 to create (10 failed before, 3 uncertain); "
        "about 36 s at 60/min for each of 2 keys (done by 09:30)"
    )
    assert Plan(rows=100, to_do=100, limit=5).sending == 5
    assert Plan(rows=100, to_do=100).seconds is None


def test_lines_come_seldom_and_end_with_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a terminal a thread writes a line now and then; leaving the block ends it at once."""
    monkeypatch.setattr(progress, "FIRST_LINE_SECONDS", 0.01)
    writer, stream = console()
    observer, dial = ConsoleObserver(writer), Dial()
    before = threading.active_count()
    with observer.working(2, dial):
        observer.outcome(created())
        dial.requests = 1
        deadline = time.monotonic() + 5
        while "1 created" not in stream.getvalue() and time.monotonic() < deadline:
            time.sleep(0.005)
    assert "1 created, 1 left" in stream.getvalue()
    assert threading.active_count() == before


def test_json_lines_carry_the_same_as_fields() -> None:
    """Each line of --log-format json is an object with time, level, event and message."""
    writer, stream = console(json=True)
    observer = ConsoleObserver(writer, verbose=True)
    observer.problem(Problem("d.csv", 17, "name", "is missing"))
    observer.warning("changed")
    observer.outcome(created())
    observer.outcome(failed())
    writer.error("the end", 3, StopReason.DISK)
    lines = [orjson.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["level"], line["event"]) for line in lines] == [
        ("error", "problem"),
        ("warning", "warning"),
        ("info", "created"),
        ("warning", "failed"),
        ("error", "error"),
    ]
    assert (lines[0]["source"], lines[0]["line"], lines[0]["field"]) == ("d.csv", 17, "name")
    assert lines[2]["url"].endswith("/dashboards/a-b")
    assert lines[4]["exitCode"] == 3
    assert all(datetime.fromisoformat(line["time"]).tzinfo for line in lines)


def test_quiet_keeps_problems_warnings_and_errors() -> None:
    """-q takes away notes, progress and summary only."""
    writer, stream = console(quiet=True)
    observer = ConsoleObserver(writer)
    observer.planned(Plan(rows=1, to_do=1))
    with observer.working(1, Dial()):
        observer.warning("a warning")
    writer.summary("a summary", {}, 1)
    observer.problem(Problem("d.csv", 1, "", "broken"))
    assert stream.getvalue() == "warning: a warning\nd.csv:1: broken\n"


class Window(io.TextIOWrapper):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        """As said."""
        return True


@contextmanager
def window_without_reader() -> Iterator[Unbreakable]:
    """A window that somebody has closed."""
    reading, writing = os.pipe()
    os.close(reading)
    with Window(io.BufferedWriter(io.FileIO(writing, "w"))) as file:
        yield Unbreakable(file)


def test_a_reader_that_is_gone_does_not_stop_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writing to a closed window raises nothing, once or often, with lines or with the bar."""
    monkeypatch.setenv("TERM", "xterm")
    with window_without_reader() as stream:
        observer = ConsoleObserver(Console(stream))
        with observer.working(1, Dial()):
            for _ in range(3):
                observer.warning("nobody hears this")
                observer.outcome(created())
        assert stream.broken
        assert not stream.isatty()
    assert observer.tally.created == 3


def test_the_bar_paints_below_messages_and_cleans_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages stay, the bar goes."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    window = Window(io.BytesIO(), encoding="utf-8")
    writer = Console(Unbreakable(window))
    observer = ConsoleObserver(writer)
    with observer.working(2, Dial()):
        observer.outcome(created())
        observer.warning("look [bold]here[/bold]")
        during = writer.above
    assert (during is None, writer.above) == (False, None)
    window.seek(0)
    painted = window.read()
    assert "warning: look [bold]here[/bold]" in painted
    assert "created" in painted
    assert painted.count("\x1b[?25l") == painted.count("\x1b[?25h") == 1


def test_a_command_in_a_message_is_not_broken() -> None:
    """It's there to be copied; all other lines fit."""
    page = Page(width=40)
    lines = page.wrap(
        "an undo was cut off: run it again: `batcher undo d.results.jsonl --sandbox --force`. Nobody knows."
    )
    assert lines.split("\n") == [
        "an undo was cut off: run it again:",
        "  `batcher undo d.results.jsonl --sandbox --force`.",
        "  Nobody knows.",
    ]
    assert page.wrap("  short") == "  short"


@given(st.text(st.characters(categories=("L", "N", "P", "Zs"))), st.integers(20, 80))
def test_wrapping_keeps_the_words(message: str, width: int) -> None:
    """All of them in their order, whole; lines are longer only for a word that is."""
    lines = Page(width).wrap(message.replace("`", "")).split("\n")
    assert "".join("".join(lines).split()) == "".join(message.replace("`", "").split())
    assert all(len(line) <= width or " " not in line.strip() for line in lines)


@given(st.text())
def test_messages_cannot_move_the_cursor(message: str) -> None:
    """What a server or a spreadsheet wrote is one printable line."""
    assert one_line(message).isprintable()
    assert one_line("plain text, été") == "plain text, été"


def test_a_stream_that_cannot_carry_a_character_escapes_it() -> None:
    """LANG=C does not end a run."""
    raw = io.BytesIO()
    stream = Unbreakable(io.TextIOWrapper(raw, encoding="ascii"))
    Console(stream).note("Umsätze…")
    assert raw.getvalue() == b"Ums\\xe4tze\\u2026\n"


def test_counting_an_outcome_is_cheap() -> None:
    """Far below the 2 µs that 5,000 outcomes a second can spare; the best of several rounds on a busy machine."""
    observer, outcome = ConsoleObserver(console()[0]), created()
    best = math.inf
    for _ in range(20):
        began = time.perf_counter()
        for _ in range(1000):
            observer.outcome(outcome)
        best = min(best, (time.perf_counter() - began) / 1000)
    assert best < 2e-6
