"""Lives of people: their files are edited between runs, saved by other programs, and put back from old copies.

Everything else is as in the other lives. What is asked for here is what a person sees (`people_laws.py`): one document for
each row, nothing deleted that isn't ours, and a way out of every refusal that works: the person takes the one it names.
"""

from __future__ import annotations

import random
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from batcher.commands.undoing import Undoing
from batcher.config import Sending
from batcher.errors import BatcherError, UsageError

from . import people_laws
from .answers import THREE, Answers, put_back, take_way_out
from .clock import SimulatedLoop, steady_order
from .deeds import DEEDS, do
from .desk import Desk, DeskRow, content_seen, edits
from .disk import ProcessDisk
from .life import count, finish
from .records import FILES, Start
from .schedule import MODELS, Crash, Run, Schedule
from .server import Habits, Post
from .transport import Fault, SimulatedTransport, Weather
from .world import Product, World

MOST_ANSWERS = 6  # to one refusal after the other, before one run
_FAULTS = (Fault.TIMEOUT_AFTER, Fault.RESET_BEFORE, Fault.RESET_AFTER, Fault.ERROR_AFTER, Fault.REFUSED, Fault.BRAKE)


class PeoplesProduct(Product, Protocol):
    """What is put to the test; it can undo, too."""

    def undo(
        self, world: World, process: ProcessDisk, transport: SimulatedTransport, *, force: bool
    ) -> Coroutine[Any, Any, Undoing]:
        """One undo of all that the results file holds."""


def draw_people(seed: int) -> Schedule:
    """The life of this seed, but for the rows."""
    chance = random.Random(f"{seed}:people")
    sending = Sending(
        rate=None,
        concurrency=chance.choice((1, 3, 8)),
        timeout_seconds=20.0,
        max_attempts=3,
        stop_after=1000,
        fill_identifiers=chance.random() < 0.8,
        recreate_undone=chance.random() < 0.5,
        shared_pace=False,
    )
    has_weather = chance.random() < 0.4
    runs = tuple(
        Run(
            sending=sending,
            gap_seconds=chance.choice((5.0, 700.0)),
            edits=tuple(edits(chance, chance.choice((0, 1, 1, 2, 3)))) + _deeds(chance) if number else (),
            crash=Crash(step=int(300 ** chance.random()), power=False) if chance.random() < 0.2 else None,
            from_failures=number > 0 and chance.random() < 0.2,
        )
        for number in range(chance.choice((2, 3, 4, 5, 7)))
    )
    kinds = tuple(chance.sample(_FAULTS, 2)) if has_weather else ()
    return Schedule(
        seed=seed,
        rows=(),
        habits=Habits(taken_status=chance.choice((400, 409)), error_shape=chance.randrange(4)),
        weather=Weather(chance=0.2, kinds=kinds, budget=6, latency_seconds=0.2),
        runs=runs,
        calm=Run(sending=sending, gap_seconds=700.0),
        fsync_seconds=0.005,
    )


def _deeds(chance: random.Random) -> tuple[str, ...]:
    return (chance.choice(DEEDS),) if chance.random() < 0.4 else ()


class PeoplesWorld(World):
    """One life of a person, over the same disk, server and wire."""

    option = " --people"

    def __init__(self, schedule: Schedule, *, watches_intents: bool = True) -> None:
        super().__init__(schedule, watches_intents=watches_intents)
        self.desk = _desk(self.chance)
        self.answers = Answers(skip_invalid=self.chance.random() < 0.5)
        self.copies: list[tuple[int, dict[Path, bytes]]] = []  # of the three files, each with the runs before it
        self.put_away: dict[Path, bytes] = {}  # what was there before somebody changed it
        self.undone: dict[int, int] = {}  # markers of what was deleted, each with the runs before it
        self.feeds = self.only_input = False  # what is run next: the failures file, or never that
        self.part: int | None = None  # which of two files is run; None: both
        self.server.before_delete = self._before_delete
        for row in self.desk.rows[::3]:  # what a spreadsheet program makes of our identifiers is somebody else's
            if row.identifier is not None:
                self.server.place_stranger(0.0, row.identifier.lstrip("0"))

    def give_inputs(self, start: Start) -> None:
        """As `World`: the desk's files, one of them, or the failures file."""
        for name in ("rekey", "create_again", "skip_invalid"):
            setattr(start, name, getattr(self.answers, name))
        feeds = (start.run.from_failures or self.feeds) and not self.only_input
        if feeds and self.lines(FILES.failures):
            start.reads_failures = True
            start.texts = {str(FILES.failures): self.disk.content(FILES.failures)}
        elif "run results" in start.run.edits and self.lines(FILES.results):
            start.texts = {str(FILES.results): self.disk.content(FILES.results)}
        else:
            start.texts = self.desk.texts(self.part)

    def judge_run(self, start: Start) -> None:
        """As `World`."""
        people_laws.after_run(self, start)
        if not start.was_finished:
            return
        is_whole = set(start.texts) == set(self.desk.texts()) and not people_laws.told_rows(start)
        if is_whole and start.summary is not None and not start.summary.uncertain:
            self.desk.settled({people_laws.marker(made): content_seen(made.body) for made in self.server.ours})
        self.copies.append((self.desk.runs, {path: self.disk.content(path) for path in THREE}))

    def judge_post(self, start: Start, post: Post) -> None:
        """As `World`: what was made of it is judged when the run is over."""

    def _before_delete(self, identifier: str) -> None:
        people_laws.before_delete(self, identifier)
        document = self.server.documents.get(identifier)
        if document is not None:
            self.undone[people_laws.marker(document)] = self.desk.runs

    # what the person does ------------------------------------------------------------------------------------------

    def attend(self, run: Run, product: Product, *, is_calm: bool = False) -> Start:
        """A run, and again after each refusal, with the way out that it names."""
        taken, refused = list[str](), ""
        self.part = self.chance.choice((None, None, 0, 1)) if not is_calm else None
        for _ in range(MOST_ANSWERS):
            start = self.start(run, product, is_calm=is_calm)
            refused = str(start.error) if isinstance(start.error, UsageError) else people_laws.told_rows(start)
            if not refused and not self._follows(start):
                break
            if not refused:
                continue
            way = take_way_out(self, refused, start)
            self.tell(f"the person's answer: {way}")
            if way is None:
                raise self.broken(f"a refusal without a way out: {refused}")
            taken.append(way)
            run = replace(run, crash=None, edits=())
        else:
            raise self.broken(f"ways out that don't work: {taken}, then: {refused}")
        self.answers.rekey = self.answers.create_again = self.feeds = self.only_input = False
        if not start.died:
            self.put_away.clear()
        return start

    def _follows(self, start: Start) -> bool:
        """Whether a warning names --rekey, and the person takes the advice: some do."""
        if self.schedule.seed % 2 or start.rekey or start.died:
            return False
        self.answers.rekey = any("--rekey" in warning for warning in start.warnings)
        return self.answers.rekey

    def may_forget(self) -> bool:
        """Whether a lost journal is within the promise: not without identifiers that were filled in (contract 5)."""
        return self.schedule.calm.sending.fill_identifiers

    def forget(self, since: int) -> None:
        """The journal knows nothing of what came after that run (contract 7, files lost).

        A row edited since, or made again after an undo, or that `--rekey` was told of, is made twice.
        """
        self.desk.is_forgotten = True
        for row in self.desk.rows:
            if max(row.edited_at, row.rekeyed_at, self.undone.get(row.number, 0)) > since:
                self.desk.seconds[row.number] += 1

    def put(self, path: Path, data: bytes) -> None:
        """Somebody writes one of the three files; what was durable of it isn't any more."""
        self.disk.put(path, data)
        self.remember_safe()

    def remove(self, path: Path) -> None:
        """Somebody moves one of the three files away."""
        self.disk.names.pop(path, None)
        self.remember_safe()

    # an undo -------------------------------------------------------------------------------------------------------

    def undo(self, product: PeoplesProduct) -> None:
        """Undo everything; what was edited before is put back if it says so."""
        error: Exception | None = None
        for _ in range(MOST_ANSWERS + len(self.lines(FILES.results))):
            self._prepare(self.schedule.calm)
            loop, error = SimulatedLoop(self.now), None
            self.loop = loop
            try:
                process = self.disk.boot()
                with steady_order():
                    transport = self.wire.connect(process, 0, 20.0)
                    loop.live(product.undo(self, process, transport, force=self.answers.force))
            except (BatcherError, ExceptionGroup) as ended:
                error = ended
            self.now, self.loop = loop.time(), None
            if self.first_broken is not None:
                raise self.first_broken
            self.tell(f"undo: {error!r}")
            if isinstance(error, ExceptionGroup):
                raise self.broken("the undo raised that")
            self.remember_safe()
            if not isinstance(error, UsageError):
                put_back(self)
                return
            if take_way_out(self, str(error), self.starts[-1]) is None:
                raise self.broken(f"a refusal without a way out: {error}")
        raise self.broken(f"undo's ways out don't work: {error}")


def _desk(chance: random.Random) -> Desk:
    has_keys, has_identifiers = chance.random() < 0.5, chance.random() < 0.35
    broken, refused = chance.choice((0.0, 0.2)), chance.choice((0.0, 0.3, 0.6))
    return Desk(
        [
            DeskRow(
                number,
                chance.choice(MODELS),
                f"Café {number}",
                key=f"{number + 1:04}" if has_keys else None,
                identifier=f"{number + 10:05}" if has_identifiers else None,
                refuse=chance.choice((400, 422)) if chance.random() < refused else None,
            )
            if chance.random() >= broken
            else DeskRow(
                number, MODELS[0], f"Café {number}", key=f"{number + 1:04}" if has_keys else None, is_nameless=True
            )
            for number in range(chance.choice((1, 2, 3, 5, 8)))
        ]
    )


def live_people(world: PeoplesWorld, product: PeoplesProduct) -> None:
    """Live it to the end. Raises Broken."""
    for run in world.schedule.runs:
        world.desk.runs += 1
        for what in run.edits:
            if world.desk.edit(what, world.chance) or do(world, what, product):
                world.tell(f"edit: {what}")
        world.attend(run, product)
    world.calm_down()
    finish(world, product, world.schedule.calm)
    people_laws.in_the_end(world)
    count(world)
