"""One world: process after process over one disk, one wire and one server.

The world knows everything: what the server made and for which attempt, what was durable when a process died, what each
run said of itself. Whether that was right is `laws.py`'s business, which is asked at each request and after each run.
A life in which a law is broken ends with `Broken`; its story tells how it came to that.
"""

from __future__ import annotations

import random
import traceback
from collections import Counter
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import orjson

from batcher.errors import BatcherError
from batcher.files.journal_lines import JournalHeader
from batcher.files.lines import is_object
from batcher.report.summary import Summary

from . import laws
from .clock import ProcessDied, SimulatedLoop, steady_order
from .disk import DiskFaults, ProcessDisk, SimulatedDisk
from .records import (
    FILES,
    SENDING,
    Broken,
    Input,
    Intent,
    Start,
    Tally,
    brief,
    describe,
    line_of,
    row_of,
    run_id,
    whole_lines,
)
from .schedule import Content, Crash, Run, Schedule, edit
from .server import NEVER_OMNIS, Document, Post, SimulatedServer
from .transport import SimulatedTransport, SimulatedWire, Weather

BASE_URL = "https://acme.omniapp.co"
INPUT = "boards.jsonl"
UPGRADED = 0.2  # of the lives: those whose journal an earlier version began, which made identifiers without content


class Product(Protocol):
    """What is put to the test: the real program, or a copy of it with one part broken."""

    def live(
        self, world: World, start: Start, process: ProcessDisk, transport: SimulatedTransport
    ) -> Coroutine[Any, Any, Summary]:
        """One run of the program, from reading the past to its summary."""


class World:
    """One life."""

    option = ""  # what its replay needs

    def __init__(self, schedule: Schedule, *, watches_intents: bool = True) -> None:
        seed = schedule.seed
        self.schedule = schedule
        self.watches_intents = watches_intents
        self.chance = random.Random(f"{seed}:world")
        disk_chance = random.Random(f"{seed}:disk")
        self.disk = SimulatedDisk(disk_chance, lambda: schedule.fsync_seconds * disk_chance.uniform(0.3, 1.7))
        self.server = SimulatedServer(random.Random(f"{seed}:server"), schedule.habits)
        weather = replace(schedule.weather)  # a copy: its budget is spent
        self.wire = SimulatedWire(random.Random(f"{seed}:wire"), self.server, weather)
        self.wire.watch.before_post = self._before_post
        self.disk.before_step = self._before_step
        self.now = 100.0
        self.rows = schedule.rows
        self.expected: frozenset[str] = frozenset()
        self.only_failures_left = False
        self.edited: bytes | None = None  # the failures file as a person left it
        self.fill_toggled = False
        self.rekeys = schedule.seed % 2 == 0  # else a new row with a created content is wanted as a second document
        self.most_alike: Counter[Content] = Counter()  # how many rows of one run's input had this content, at most
        self.users_own = self.server.users_own
        self.starts: list[Start] = []
        self.story: list[str] = []
        self.safe: dict[Path, bytes] = {}
        self.tally = Tally(lives=1)
        self.first_broken: Broken | None = None
        self.loop: SimulatedLoop | None = None
        self._steps_left: int | None = None
        self._unmatched: list[Intent] = []
        self._journal_read = 0
        if random.Random(f"{seed}:journal").random() < UPGRADED:
            self.disk.put(
                FILES.journal, JournalHeader(BASE_URL, schedule.calm.sending.namespace, identifiers=None).encode()
            )

    # one process -----------------------------------------------------------------------------------------------

    def start(self, run: Run, product: Product, *, is_calm: bool = False) -> Start:
        """Live through one run of the program."""
        self.now += run.gap_seconds
        self.server.advance(self.now)
        start = Start(number=len(self.starts) + 1, run=run, began_at=self.now, is_calm=is_calm)
        start.rekey, start.create_again = self.rekeys, not self.rekeys
        self.give_inputs(start)
        self.starts.append(start)
        if run.ending is not None:
            self.server.endings.append((self.now + run.ending.after_seconds, run.ending))
        self.tell(f"--- run {start.number}: {len(start.inputs)} rows, {describe(run)}")
        self.users_own.update(one.row.identifier for one in start.inputs if one.row.identifier)
        self.most_alike |= Counter(given.row.content for given in start.inputs)
        start.created_before = frozenset(line["key"] for line in self.lines(FILES.results))
        start.held_before = frozenset(line["key"] for line in whole_lines(self.disk.durable(FILES.failures)))
        self._prepare(run)
        loop = self.loop = SimulatedLoop(self.now)
        process = self.disk.boot()
        transport = self.wire.connect(process, start.number, run.sending.timeout_seconds)
        if run.crash is not None and run.crash.seconds is not None:
            loop.call_later(run.crash.seconds, self.die, run.crash)
        self._live(start, product.live(self, start, process, transport))
        self.now = loop.time()
        self.loop = None
        if not start.reads_failures:
            self.expected = frozenset(self.known(start))
        self._close(start)
        return start

    def attend(self, run: Run, product: Product, *, is_calm: bool = False) -> Start:
        """A run whose refusals somebody answers; here there are none."""
        return self.start(run, product, is_calm=is_calm)

    def _live(self, start: Start, main: Any) -> None:
        loop = self.loop
        assert loop is not None
        try:
            with steady_order():
                start.summary = loop.live(main)
        except ProcessDied:
            start.died = True
        except BatcherError as error:
            start.error = error
        except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - whatever the product raises is a finding
            start.crash = error
        if self.first_broken is not None:  # within the run, where the program may have caught it
            raise self.first_broken
        if start.crash is not None:
            self.story += "".join(traceback.format_exception(start.crash)).splitlines()
        if loop.complaints and not start.died:
            raise self.broken(f"the loop complained: {loop.complaints[:3]}")

    def _prepare(self, run: Run) -> None:
        self.disk.faults = DiskFaults(run.room_bytes, run.failing_sync)
        self._steps_left = run.crash.step if run.crash else None
        self._unmatched.clear()
        self._journal_read = self.disk.content(FILES.journal).rfind(b"\n") + 1

    def _close(self, start: Start) -> None:
        self.tally.processes += 1
        self.tally.interrupts += start.was_interrupted
        self.tally.faults.update(self.disk.faults_met)
        start.disk_faults = len(self.disk.faults_met)
        self.disk.faults_met.clear()
        if not start.died:
            self.remember_safe()
        self.disk.faults = DiskFaults()
        end = "died" if start.died else repr(start.error or start.crash or brief(start.summary))
        self.tell(f"run {start.number} ended: {end}")
        self.judge_run(start)
        if not start.died:  # then perhaps the machine is switched off, or the disk forgets what nobody synced
            self.disk.crash(power=self.chance.random() < 0.5)

    def judge_run(self, start: Start) -> None:
        """Ask the laws after a run."""
        laws.after_run(self, start)

    def judge_post(self, start: Start, post: Post) -> None:
        """Ask the laws about a POST that is about to leave."""
        laws.before_post(self, start, post)

    def die(self, crash: Crash) -> None:
        """The process is killed now; with `power`, the machine loses power."""
        assert self.loop is not None
        self.remember_safe()
        self.tally.crashes += 1
        self.tally.power_cuts += crash.power
        before = {path.name: len(inode.data) for path, inode in self.disk.names.items()}
        self.disk.crash(power=crash.power)
        after = {path.name: len(inode.data) for path, inode in self.disk.names.items()}
        self.tell(f"{'power cut' if crash.power else 'killed'}: {before} -> {after}")
        self.loop.kill()

    def _before_step(self, name: str) -> None:
        if self._steps_left is None:
            return
        self._steps_left -= 1
        if self._steps_left == 0:
            self._steps_left = None
            crash = self.starts[-1].run.crash
            assert crash is not None
            self.tell(f"dies at step {crash.step}: {name}")
            self.die(crash)

    # what it sees ------------------------------------------------------------------------------------------------

    def _before_post(self, post: Post, body: dict[str, Any]) -> None:
        """A POST is about to leave: find the durable intent that it belongs to, and ask the laws."""
        self._take_in_intents()
        for index, intent in enumerate(self._unmatched):
            if intent.body == body and intent.key == SENDING.get():
                post.key = self._unmatched.pop(index).key
                break
        else:
            if self.watches_intents:
                raise self.broken(f"a request left before its intent was durable: {body}")
            post.key = self._guess_key(post)
        start = self.starts[-1]
        post.resend_allowed = start.run.sending.resend_uncertain
        self.tell(f"POST {post.number} {post.key} {post.identifier}")
        self.judge_post(start, post)

    def _guess_key(self, post: Post) -> str:
        """Whose a POST is that has no intent: the first row with its marker that has not been sent or created yet."""
        start = self.starts[-1]
        mine = [key for key, given in start.keys.items() if given.row.marker == post.marker]
        done = {line["key"] for line in self.lines(FILES.results)}
        done |= {earlier.key for earlier in self.wire.posts if earlier.run == start.number and earlier.clear}
        return next((key for key in mine if key not in done), mine[0] if mine else "")

    def _take_in_intents(self) -> None:
        """Read on in the durable part of the journal."""
        data = self.disk.durable(FILES.journal)
        end = data.rfind(b"\n") + 1
        for line in data[self._journal_read : end].splitlines():
            if b'"type":"intent"' in line:
                said = orjson.loads(line)
                if said["run"] == run_id(self.starts[-1]):  # else a whole line that lacked its newline
                    self._unmatched.append(Intent(said["key"], said["identifier"], said["body"]))
        self._journal_read = max(self._journal_read, end)

    def remember_safe(self) -> None:
        """What is durable now must be there for ever (results and journal only grow)."""
        for path in (FILES.results, FILES.journal):
            durable = self.disk.durable(path)
            self.safe[path] = durable[: durable.rfind(b"\n") + 1]

    def lines(self, path: Path) -> list[dict[str, Any]]:
        """The whole lines of a file as it is now."""
        try:
            return whole_lines(self.disk.content(path))
        except orjson.JSONDecodeError as error:
            raise self.broken(f"a corrupt line in {path}: {error}") from None

    def intents(self, key: str) -> list[Intent]:
        """All intents of this key, as the journal holds them."""
        return [
            Intent(line["key"], line["identifier"], line["body"])
            for line in self.lines(FILES.journal)
            if line.get("type") == "intent" and line["key"] == key
        ]

    def known(self, start: Start) -> dict[str, Input]:
        """The run's rows by the keys under which the files have them: a row whose key was changed keeps its first one."""
        known, firsts = dict(start.keys), self.first_keys()
        for key in start.keys:
            first = firsts.get(key, key)
            if first not in known:
                known[first] = known.pop(key)
        return known

    def first_keys(self) -> dict[str, str]:
        """Of each row whose key was changed the one that it had first, as the journal says."""
        firsts: dict[str, str] = {}
        for line in self.lines(FILES.journal):
            if line.get("type") == "same_row":
                firsts[line["key"]] = firsts.get(line["of"], line["of"])
        return firsts

    def unclear_intents(self, key: str) -> list[Intent]:
        """Its intents of which no later line says that they did nothing."""
        unclear: list[Intent] = []
        for line in self.lines(FILES.journal):
            if line.get("key") != key:
                continue
            if line["type"] == "intent":
                unclear.append(Intent(line["key"], line["identifier"], line["body"]))
            elif line["type"] == "clear" and unclear:
                unclear.pop()
            elif line["type"] == "settled" or (line["type"] == "failed" and line["reason"] != "invalid"):
                unclear.clear()  # invalid says nothing of attempts: the row may be created by now
        return unclear

    def documents_of(self, key: str) -> list[Document]:
        """What the server made for this key."""
        return [document for document in self.server.ours if document.post and document.post.key == key]

    def tell(self, line: str) -> None:
        """Add to the story."""
        at = self.loop.time() if self.loop else self.now
        self.story.append(f"{at:10.3f}  {line}")

    def broken(self, law: str) -> Broken:
        """The error that tells of a broken law."""
        self.tell(f"BROKEN: {law}")
        self.first_broken = self.first_broken or Broken(
            f"seed {self.schedule.seed}: {law}\n(replay: python -m tests.simulation --seed {self.schedule.seed}{self.option} -v)"
        )
        return self.first_broken

    # what happens between runs -----------------------------------------------------------------------------------

    def give_inputs(self, start: Start) -> None:
        """The rows of the next run: the input as edited, or the failures file."""
        lines = self.lines(FILES.failures)
        if lines and (start.run.from_failures or self.only_failures_left):
            start.reads_failures = True
            if self.disk.content(FILES.failures) != self.edited:
                lines = self.failing()  # what the journal says, wherever a crash has cut the file
            lines = self._one_for_each_identifier(lines)
            start.inputs = tuple(Input(row_of(line["spec"]), line["key"]) for line in lines)
            start.texts = {str(FILES.failures): self.disk.content(FILES.failures)}
        else:
            start.inputs = tuple(Input(row, row.key) for row in self.rows)
            start.texts = {INPUT: b"".join(line_of(row) for row in self.rows)}

    def failing(self) -> list[dict[str, Any]]:
        """The last failure of each row without a document, as the journal has it."""
        data = self.disk.content(FILES.journal)
        lines, tail = whole_lines(data), data.rpartition(b"\n")[2]
        failing: dict[str, dict[str, Any]] = {}
        for line in [*lines, *([orjson.loads(tail)] if is_object(tail) else [])]:
            if line["type"] in ("failed", "uncertain", "mended", "undone"):
                failing.pop(line["key"], None)
            if line["type"] in ("failed", "uncertain"):
                failing[line["key"]] = line
        created = {line["key"] for line in self.lines(FILES.results)}
        return [line for key, line in failing.items() if key not in created]

    def _one_for_each_identifier(self, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """A row that was given a key since has two lines, and its identifier can be only one's: a person takes one out."""
        last = {line["spec"].get("identifier") or number: line for number, line in enumerate(lines)}
        if len(last) < len(lines):
            lines = [line for line in lines if any(line is one for one in last.values())]
            self.edit_failures(lines, "a person takes the line of the old key out of the failures file")
        return lines

    def edit(self, run: Run) -> Run:
        """Edit the input as the run's edits say; a switch of `--no-fill-identifiers` stays."""
        for what in run.edits:
            before = self.rows
            self.rows = edit(self.rows, what, self.chance)
            if what == "toggle fill":
                self.fill_toggled = not self.fill_toggled
            if before != self.rows:
                self.tell(f"edit: {what}")
        return self.with_toggles(run)

    def with_toggles(self, run: Run) -> Run:
        """The run with the switches as they stand now."""
        if not self.fill_toggled:
            return run
        sending = replace(run.sending, fill_identifiers=not run.sending.fill_identifiers)
        return replace(run, sending=sending)

    def edit_failures(self, lines: list[dict[str, Any]], why: str) -> None:
        """A person edits the failures file. Of a row with two lines, where a run was killed, only the last one stays."""
        self.tell(why)
        last = {line["key"]: line for line in lines}
        self.edited = b"".join(orjson.dumps(line) + b"\n" for line in last.values())
        self.disk.put(FILES.failures, self.edited)

    def calm_down(self) -> None:
        """No more faults; what is on its way arrives; and what a firewall refuses for ever is fixed."""
        self.rows = tuple(
            replace(row, refuse=None, version=row.version + 1) if row.refuse in NEVER_OMNIS else row
            for row in self.rows
        )
        self.rows = tuple(replace(row, is_broken=False) for row in self.rows)
        lines = self.lines(FILES.failures)
        never = [f" refuse:{status}" for status in NEVER_OMNIS]
        if self.only_failures_left and any(
            line["spec"]["description"].endswith(tuple(never)) or "facetFilters" in line["spec"] for line in lines
        ):
            for line in lines:
                line["spec"].pop("facetFilters", None)
                for refused in never:
                    line["spec"]["description"] = line["spec"]["description"].removesuffix(refused)
            self.edit_failures(lines, "what a firewall refuses, or the check, is fixed in the failures file")
        self.wire.weather = Weather(latency_seconds=self.schedule.weather.latency_seconds)
        self.now = max(self.now, self.server.pending_until)
