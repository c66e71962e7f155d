"""What one seed stands for: the rows, how they are sent, what goes wrong, what is edited between runs, where it dies.

Everything is drawn from the seed alone. A life is a few chaotic runs (each may crash, be interrupted or find the disk
full) and then calm ones, at least eleven minutes later, until there is nothing left to do. Each seed uses only a few
kinds of trouble (chosen by lot), since a life with every fault at once ends soon and looks like every other. In some
lives the switches change between runs, and rows are broken (`--skip-invalid` is always on) and made whole again.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import Any

from batcher.config import Sending
from batcher.models import ApiVersion
from batcher.pace.rate import Rate

from .server import BLOCKED, Ending, Habits
from .transport import LONG_TIMEOUT_SECONDS, Blindness, Fault, Outage, Weather

MODELS = ("6f0b7c1e-3a52-4a55-9a0e-111111111111", "6f0b7c1e-3a52-4a55-9a0e-222222222222")
_UNCLEAR = (
    Fault.TIMEOUT_BEFORE, Fault.TIMEOUT_AFTER, Fault.TIMEOUT_LATE, Fault.RESET_BEFORE, Fault.RESET_AFTER,
    Fault.RESET_LATE, Fault.TRUNCATED, Fault.OVERSIZED, Fault.UNREADABLE, Fault.ERROR_BEFORE, Fault.ERROR_AFTER,
    Fault.ERROR_LATE, Fault.UNAVAILABLE, Fault.ODD_BEFORE, Fault.ODD_AFTER,
)  # fmt: skip
_CLEAR = (
    Fault.REFUSED, Fault.DNS, Fault.TLS, Fault.CONNECT_TIMEOUT, Fault.MAINTENANCE, Fault.BRAKE, Fault.BRAKE_BARE,
    Fault.PROXY_404, Fault.KEY_REFUSED, Fault.SLOW,
)  # fmt: skip
_REFUSALS = (400, 403, 404, 413, 422, 429)
_MIDDLEMEN = (
    Fault.CLOUD_BEFORE, Fault.CLOUD_AFTER, Fault.CLOUD_LATE, Fault.FIREWALL,
    Fault.TWICE_BEFORE, Fault.TWICE_AFTER, Fault.STRANGERS,
)  # fmt: skip
BESET = 0.3  # of the lives: those with something between batcher and the server, or a server that hides its documents
CHANGING = 0.3  # of the lives: those whose runs have other switches than the ones before them


Content = tuple[str, str, str]  # model, name, description


@dataclass(frozen=True, slots=True, kw_only=True)
class SimRow:
    """A row of the input. `number` is its marker: it stays with the row through every edit."""

    number: int
    name: str
    model_id: str
    key: str | None = None
    identifier: str | None = None
    version: int = 1
    refuse: int | None = None
    is_broken: bool = False  # the check finds it invalid
    folder: str | None = None
    labels: tuple[str, ...] = ()

    @property
    def marker(self) -> str:
        """By which the server's documents tell whose they are."""
        return f"row:{self.number}"

    @property
    def description(self) -> str:
        """What the server reads (see `server.py`)."""
        return f"{self.marker} v{self.version}" + (f" refuse:{self.refuse}" if self.refuse else "")

    @property
    def content(self) -> Content:
        """As `content_of` its document."""
        return self.model_id, self.name, self.description


def content_of(fields: dict[str, Any]) -> Content:
    """What people see of a document: all but its identifier."""
    return fields["modelId"], fields["name"], fields["description"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    """The process dies at its n-th step (of disk or wire), or some seconds after its start; with `power`, all does."""

    step: int | None = None
    seconds: float | None = None
    power: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One start of the program. `gap_seconds` passes before it; `edits` names what happens to the input first."""

    sending: Sending
    gap_seconds: float
    edits: tuple[str, ...] = ()
    crash: Crash | None = None
    interrupt_seconds: float | None = None
    second_interrupt_seconds: float | None = None
    room_bytes: int | None = None
    failing_sync: int | None = None
    from_failures: bool = False
    keys: int = 1
    preflight: bool = False
    ending: Ending | None = None
    makes_places: bool = False
    applies_steps: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """One whole life."""

    seed: int
    rows: tuple[SimRow, ...]
    habits: Habits
    weather: Weather = field(repr=False)
    runs: tuple[Run, ...]
    calm: Run
    fsync_seconds: float
    loses_input: bool = False  # after the first finished run only the failures file is left
    settles_by_hand: bool = False


def draw(seed: int) -> Schedule:
    """The life of this seed."""
    chance = random.Random(f"{seed}:schedule")
    rows = _rows(chance)
    sending = _sending(chance, len(rows))
    habits = _habits(chance)
    if habits.ignores_identifiers:
        rows = rows[:3]
    count = chance.choice((0, 1, 1, 2, 2, 3, 4, 6))
    runs = tuple(_run(chance, sending, rows, is_first=number == 0) for number in range(count))
    change = random.Random(f"{seed}:alter")
    if change.random() < CHANGING:
        runs = tuple(_changed(change, run, len(rows)) for run in runs)
    calm_sending = replace(
        sending,
        limit=None,
        resend_uncertain=sending.resend_uncertain and not habits.ignores_identifiers,  # else each run makes another
        stop_after=1000,
        max_attempts=max(sending.max_attempts, 3),
        rate=None,
        give_up_after_seconds=900.0,
    )
    schedule = Schedule(
        seed=seed,
        rows=rows,
        habits=habits,
        weather=_weather(chance, habits, len(rows)),
        runs=runs,
        calm=Run(sending=calm_sending, gap_seconds=chance.choice((700.0, 1500.0, 90000.0))),
        fsync_seconds=chance.choice((0.0005, 0.005, 0.05, 0.3)),
        loses_input=chance.random() < 0.12,
        settles_by_hand=chance.random() < 0.5,
    )
    beset = random.Random(f"{seed}:middlemen")  # drawn apart: all other lives stay what they are
    return _beset(beset, schedule) if beset.random() < BESET and not habits.ignores_identifiers else schedule


def draw_versions(seed: int) -> Schedule:
    """The same life under both versions of the API."""
    return with_versions(draw(seed))


def with_versions(schedule: Schedule) -> Schedule:
    """The same life, whose runs choose a version of the API each; in most lives one of the versions goes away for good.

    The run in which it does is of that version, mostly, and later ones of the other; some people go on as before.
    """
    chance = random.Random(f"{schedule.seed}:versions")
    runs, both = schedule.runs, tuple(ApiVersion)
    gone = chance.choice((None, ApiVersion.V1, ApiVersion.V1, ApiVersion.V2))
    place = chance.randrange(len(runs) + 1)

    def of_run(number: int, run: Run) -> Run:
        chosen = chance.choice(both)
        if gone is not None and number == place:
            chosen = gone
        elif gone is not None and number > place and chance.random() < 0.8:
            chosen = gone.other
        return replace(run, sending=replace(run.sending, api=chosen))

    versioned = [of_run(number, run) for number, run in enumerate((*runs, schedule.calm))]
    if gone is not None:
        status = chance.choice((410, 410, 404) if gone is ApiVersion.V1 else (410, 404, 405))
        after = chance.choice((0.0, 0.5, 3.0, 20.0)) * chance.random()
        ending = Ending(version=gone, after_seconds=after, status=status, ends_reads=chance.random() < 0.5)
        versioned[place] = replace(versioned[place], ending=ending)
    *others, calm = versioned
    if gone is not None:
        calm = replace(calm, sending=replace(calm.sending, api=gone.other))
    habits = replace(schedule.habits, is_classic=chance.random() < 0.6)
    return replace(schedule, runs=tuple(others), calm=calm, habits=habits)


_FOLDERS = ("Sales", "sales/EMEA", "Sales Team/Q3", "/sales team", None)
_LABELS = ("q3", "finance", "Q4 old")


def draw_placed(seed: int) -> Schedule:
    """The same life under either version, whose rows go into folders and get labels; some go elsewhere later."""
    schedule, chance = draw_versions(seed), random.Random(f"{seed}:placed")
    share = chance.choice((0.3, 1.0))

    def placed(row: SimRow) -> SimRow:
        return place_anew(row, chance) if chance.random() < share else row

    def of_run(run: Run, *, is_calm: bool = False) -> Run:
        edits = tuple(what for what in run.edits if what != "key")  # such a row is compared by its content alone
        more = ("place",) if not is_calm and chance.random() < 0.3 else ()
        makes, applies = chance.random() < 0.8, chance.random() < 0.2
        return replace(run, edits=(*edits, *more), makes_places=is_calm or makes, applies_steps=is_calm or applies)

    runs, calm = tuple(of_run(run) for run in schedule.runs), of_run(schedule.calm, is_calm=True)
    lost = tuple(chance.choice(_UNCLEAR) for _ in range(chance.choice((0, 0, 1, 2, 3))))
    return replace(
        schedule,
        rows=tuple(placed(row) for row in schedule.rows),
        weather=replace(schedule.weather, of_folders=lost),
        runs=runs,
        calm=calm,
    )


def place_anew(row: SimRow, chance: random.Random) -> SimRow:
    """The row with another folder and other labels."""
    labels = tuple(chance.sample(_LABELS, chance.choice((0, 1, 2))))
    return replace(row, folder=chance.choice(_FOLDERS), labels=labels)


def _beset(chance: random.Random, schedule: Schedule) -> Schedule:
    """The life with firewalls, proxies that mix answers up, look-ups that prove nothing, or a long timeout in it."""
    weather, rows, runs, calm = schedule.weather, schedule.rows, schedule.runs, schedule.calm
    kinds = (*weather.kinds, *chance.sample(_MIDDLEMEN, chance.choice((0, 1, 1, 2, 3))))
    outages, blindness = weather.outages, None
    start = chance.uniform(0, 300)
    if chance.random() < 0.3:
        fault = chance.choice((Fault.FIREWALL, Fault.FIREWALL, Fault.CLOUD_BEFORE, Fault.CLOUD_AFTER))
        outages = (*outages, Outage(start, start + chance.choice((5.0, 60.0, 400.0)), fault))
    if chance.random() < 0.4:
        blindness = Blindness(
            start, start + chance.choice((5.0, 60.0, 400.0, 1e6)), chance.choice((403, 403, 422, 400))
        )
    if chance.random() < 0.3:
        rows = tuple(replace(row, refuse=BLOCKED) if chance.random() < 0.3 else row for row in rows)
    if chance.random() < 0.2:
        runs = tuple(replace(run, sending=_patient(run.sending)) for run in runs)
        calm = replace(
            calm, sending=_patient(calm.sending), gap_seconds=calm.gap_seconds + LONG_TIMEOUT_SECONDS
        )  # a killed run's attempt may have ended so late
    weather = replace(weather, kinds=kinds, outages=outages, blindness=blindness)
    return replace(schedule, weather=weather, rows=rows, runs=runs, calm=calm)


def _patient(sending: Sending) -> Sending:
    return replace(sending, timeout_seconds=LONG_TIMEOUT_SECONDS)


def _rows(chance: random.Random) -> tuple[SimRow, ...]:
    count = chance.choice((1, 1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 30))
    own, keyed, twins, refused = (chance.choice((0.0, 0.0, 0.2, 0.6, 1.0)) for _ in range(4))
    rows: list[SimRow] = []
    for number in range(count):
        same = rows and chance.random() < twins * 0.4
        refuse = chance.choice(_REFUSALS) if chance.random() < refused * 0.4 else None
        rows.append(
            SimRow(
                number=number,
                name=chance.choice(rows).name if same else f"Board {number}",
                model_id=chance.choice(MODELS),
                key=f"k{number}" if chance.random() < keyed else None,
                identifier=f"own-{number}" if chance.random() < own else None,
                refuse=refuse,
            )
        )
    return tuple(rows)


def _sending(chance: random.Random, rows: int) -> Sending:
    return Sending(
        rate=chance.choice((None, None, Rate(60, 60.0), Rate(30, 10.0), Rate(500, 60.0))),
        concurrency=chance.choice((1, 2, 3, 4, 8)),
        max_attempts=chance.choice((1, 2, 3, 5)),
        timeout_seconds=chance.choice((5.0, 20.0, 60.0)),
        limit=chance.randint(1, rows) if chance.random() < 0.08 else None,
        give_up_after_seconds=chance.choice((30.0, 300.0, 900.0)),
        stop_after=chance.choice((3, 10, 10, 1000)),
        fill_identifiers=chance.random() < 0.75,
        namespace=chance.choice(("", "", "team")),
        adopt_existing=chance.random() < 0.15,
        resend_uncertain=chance.random() < 0.08,
        shared_pace=False,
        fsync_ms=chance.choice((20, 100, 100, 300, 1000)),
    )


def _habits(chance: random.Random) -> Habits:
    def sometimes(odds: float, *values: float) -> float:
        return chance.choice(values) if chance.random() < odds else 0.0

    return Habits(
        taken_status=chance.choice((400, 400, 409, 409, 422)),
        error_shape=chance.randrange(4),
        lag_chance=sometimes(0.4, 0.3, 1.0),
        lag_seconds=chance.choice((2.0, 20.0, 250.0)),
        guard_chance=sometimes(0.12, 0.2, 1.0),
        rename_chance=sometimes(0.08, 0.3),
        stranger_chance=sometimes(0.3, 0.1, 0.5),
        filled_stranger_chance=sometimes(0.06, 0.1, 0.3),
        twin_chance=sometimes(0.5, 0.3, 1.0),
        ignores_identifiers=chance.random() < 0.01,
        has_whoami=chance.random() < 0.8,
        deprecated=chance.random() < 0.05,
    )


def _changed(chance: random.Random, run: Run, rows: int) -> Run:
    """The run with other switches than those that all runs of this life have, or with a row broken or made whole."""
    sending = run.sending
    changed = replace(
        sending,
        adopt_existing=sending.adopt_existing != (chance.random() < 0.25),
        resend_uncertain=sending.resend_uncertain != (chance.random() < 0.1),
        fill_identifiers=sending.fill_identifiers != (chance.random() < 0.2),
        limit=chance.randint(1, rows) if chance.random() < 0.2 else sending.limit,
    )
    edits = (*run.edits, "break") if chance.random() < 0.4 else run.edits
    return replace(run, sending=changed, edits=edits, from_failures=run.from_failures or chance.random() < 0.2)


def _weather(chance: random.Random, habits: Habits, rows: int) -> Weather:
    kinds = tuple(chance.sample(_UNCLEAR, chance.choice((0, 1, 2, 4)))) + tuple(
        chance.sample(_CLEAR, chance.choice((0, 0, 1, 2)))
    )
    outages = []
    if chance.random() < 0.12:
        start = chance.uniform(0, 60)
        outages.append(Outage(start, start + chance.choice((5.0, 60.0, 400.0)), chance.choice(_OUTAGE_KINDS)))
    if habits.ignores_identifiers:  # what is lost there cannot be found again: outside the promise
        kinds, outages = (), []
    return Weather(
        chance=chance.choice((0.05, 0.2, 0.5, 0.9)),
        kinds=kinds,
        budget=chance.choice((1, 3, 10, 40)) + rows // 2,
        outages=tuple(outages),
        latency_seconds=chance.choice((0.02, 0.2, 1.0)),
        slow_chance=0.05,
        wrong_identifier_at=chance.randint(1, 8) if chance.random() < 0.015 else None,
    )


_OUTAGE_KINDS = (Fault.REFUSED, Fault.TLS, Fault.CONNECT_TIMEOUT, Fault.ERROR_BEFORE, Fault.TIMEOUT_BEFORE)
_EDITS = ("reorder", "mend", "rename", "remove", "add", "identify", "reidentify", "toggle fill", "double", "key")


def _run(chance: random.Random, sending: Sending, rows: tuple[SimRow, ...], *, is_first: bool) -> Run:
    edits = () if is_first else tuple(chance.sample(_EDITS, chance.choice((0, 0, 0, 1, 2))))
    crash, interrupt, second = None, None, None
    room, failing_sync = None, None
    match chance.choice(("nothing", "step", "step", "step", "time", "interrupt", "interrupt", "full", "sync")):
        case "step":  # as likely among the first few as among the last few
            most = 60 + 40 * len(rows)
            crash = Crash(step=int(most ** chance.random()), power=chance.random() < 0.75)
        case "time":
            crash = Crash(
                seconds=chance.choice((0.5, 3.0, 20.0, 120.0)) * chance.random(), power=chance.random() < 0.75
            )
        case "interrupt":
            interrupt = chance.choice((0.3, 2.0, 10.0, 60.0)) * chance.random()
            second = interrupt + chance.uniform(0.0, 5.0) if chance.random() < 0.5 else None
        case "full":
            room = int(4000 * len(rows) * chance.random() ** 2)
        case "sync":
            failing_sync = chance.randint(0, 8)
        case _:
            pass
    return Run(
        sending=sending,
        gap_seconds=chance.choice((0.5, 5.0, 60.0, 700.0)),
        edits=edits,
        crash=crash,
        interrupt_seconds=interrupt,
        second_interrupt_seconds=second,
        room_bytes=room,
        failing_sync=failing_sync,
        from_failures=not is_first and chance.random() < 0.15,
        keys=2 if chance.random() < 0.1 else 1,
        preflight=chance.random() < 0.1,
    )


def edit(rows: tuple[SimRow, ...], what: str, chance: random.Random) -> tuple[SimRow, ...]:  # noqa: C901, PLR0912 - a table
    """The input after one edit. Rows that are told apart by their order only keep that order.

    A `name:` key counts the rows of one name (contract 5), so moving or removing one of several would give its key to
    another: what happens then is defined, but it is not the same row any more.
    """
    counts: dict[tuple[str, str], int] = {}
    for row in rows:
        counts[row.name, row.model_id] = counts.get((row.name, row.model_id), 0) + 1

    def is_alone(row: SimRow) -> bool:
        return row.key is not None or row.identifier is not None or counts[row.name, row.model_id] == 1

    alone = [index for index, row in enumerate(rows) if is_alone(row)]
    edited = list(rows)
    match what:
        case "reorder":
            places = alone[:]
            chance.shuffle(places)
            for index, place in zip(alone, places, strict=True):
                edited[index] = rows[place]
        case "mend":
            edited = [replace(row, refuse=None, version=row.version + 1) if row.refuse else row for row in rows]
        case "add":
            number = max((row.number for row in rows), default=0) + 100
            edited.insert(
                chance.randint(0, len(rows)),
                SimRow(
                    number=number,
                    name=f"Board {number}",
                    model_id=MODELS[0],
                    identifier=chance.choice((None, f"own-{number}")),
                ),
            )
        case "break":  # one row is not valid any more, or all are again
            if any(row.is_broken for row in rows):
                edited = [replace(row, is_broken=False) for row in rows]
            elif alone:
                index = chance.choice(alone)
                edited[index] = replace(rows[index], is_broken=True)
        case "double":  # a fully identical row: allowed, with a warning
            if rows:
                row = chance.choice(rows)
                if row.key is None and row.identifier is None:
                    edited.append(row)
        case "place":
            for index in (one for one in alone if chance.random() < 0.4):
                edited[index] = place_anew(rows[index], chance)
        case "rename" | "remove" | "identify" | "reidentify" | "key":
            if alone:
                _edit_one(edited, chance.choice(alone), what)
        case _:
            pass
    return tuple(edited)


def _edit_one(rows: list[SimRow], index: int, what: str) -> None:
    row = rows[index]
    match what:
        case "rename":
            rows[index] = replace(row, name=f"{row.name} (new)", version=row.version + 1)
        case "remove":
            del rows[index]
        case "identify":
            if row.identifier is None:
                rows[index] = replace(row, identifier=f"own-{row.number}", version=row.version + 1)
        case "key":
            rows[index] = replace(row, key=row.key or f"k{row.number}")
        case _:  # reidentify: another identifier; with a `key` it is still the same row
            if row.identifier is not None:
                rows[index] = replace(row, identifier=f"{row.identifier}-b", version=row.version + 1)
