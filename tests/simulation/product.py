"""The real program, plugged into the world: everything from the check of the rows to the summary.

Three things are the simulation's: the storage, the transport, and where rows come from (memory instead of files).
"""

from __future__ import annotations

import contextlib
import os
import random
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import anyio

from batcher import runtime as outside
from batcher.api_keys import ApiKey
from batcher.commands import run as run_command
from batcher.commands.undo import UndoSettings, undo
from batcher.commands.undoing import Undoing
from batcher.config import Endpoint, Files, RunSettings
from batcher.files.disk import Storage
from batcher.files.key_history import KeyHistory
from batcher.identity import name_key
from batcher.models import Problem, Spec
from batcher.read.sources import Source
from batcher.report.observers import Observer
from batcher.report.summary import Summary
from batcher.send import settle_rules
from batcher.send.drain import Drain, End
from batcher.send.sender import Aside, Sender
from batcher.send.settle_rules import Case, Decision

from .disk import ProcessDisk
from .records import FILES, SENDING, Input, Start, run_id
from .times import wall_clock
from .transport import SimulatedTransport
from .world import BASE_URL, World


class Real:
    """The program as it is. A broken copy overrides one of the methods: each is a seam that the program has anyway."""

    state = Path(tempfile.gettempdir())  # where creators of folders meet; its locks are simulated

    def storage(self, process: ProcessDisk) -> Storage:
        """The disk that the program is given."""
        return process

    def decide(self, case: Case) -> Decision:
        """What a look means for a row in doubt."""
        return settle_rules.decide(case)

    def settings(self, start: Start) -> RunSettings:
        """What the command line would have been."""
        return settings_of(start)

    async def live(self, world: World, start: Start, process: ProcessDisk, transport: SimulatedTransport) -> Summary:
        """One run of the program."""
        loop = world.loop
        assert loop is not None
        run, seed = start.run, world.schedule.seed
        start.keys = keys_of(start.inputs)
        drain = Drain()

        def interrupt() -> None:
            start.was_interrupted = True
            world.tell("ctrl-C")
            drain.start(End.INTERRUPTED)

        if run.interrupt_seconds is not None:
            loop.call_later(run.interrupt_seconds, interrupt)
        if run.second_interrupt_seconds is not None:
            loop.call_later(run.second_interrupt_seconds, drain.abort)
        given = outside.Runtime(
            storage=self.storage(process),
            open_inputs=partial(from_memory, start.texts),
            transport=transport,
            now=lambda: wall_clock(loop.time()),
            timer=loop.time,
            random=random.Random(f"{seed}:run:{start.number}"),
            run_id=run_id(start),
            directory="",
            state=self.state,
            decide=self.decide,
        )
        with telling_the_row():
            return await run_command.run(
                self.settings(start), observer=Teller(world, start), drain=drain, runtime=given
            )

    async def undo(self, world: World, process: ProcessDisk, transport: SimulatedTransport, *, force: bool) -> Undoing:
        """One undo of all that the results file holds."""
        loop = world.loop
        assert loop is not None
        settings = UndoSettings(
            endpoint=_ENDPOINT, files=FILES, sending=world.schedule.calm.sending, is_dry=False, force=force
        )
        given = outside.Runtime(
            storage=self.storage(process),
            transport=transport,
            now=lambda: wall_clock(loop.time()),
            timer=loop.time,
            random=random.Random(f"{world.schedule.seed}:undo"),
            run_id=f"undo{len(world.starts)}",
        )
        return await undo(settings, observer=Teller(world, world.starts[-1]), runtime=given)


class Teller(Observer):
    """Adds outcomes and warnings to the story, and keeps what else a person sees."""

    def __init__(self, world: World, start: Start) -> None:
        self._world = world
        self._start = start

    def problem(self, problem: Problem) -> None:
        """As `Teller`."""
        self._start.problems.append(problem)

    def outcome(self, outcome: Any) -> None:
        """As `Teller`."""
        said = getattr(outcome, "how", None) or f"{type(outcome).__name__} {outcome.reason}: {outcome.message}"
        self._world.tell(f"outcome {outcome.key} {outcome.identifier} {said}")

    def warning(self, message: str) -> None:
        """As `Teller`."""
        self._start.warnings.append(message)
        self._world.tell(f"warning: {message}")


_ENDPOINT = Endpoint(base_url=BASE_URL, keys=(ApiKey("key-1", 1),))


def settings_of(start: Start) -> RunSettings:
    """What the command line would have been."""
    return RunSettings(
        inputs=tuple(start.texts),
        endpoint=Endpoint(base_url=BASE_URL, keys=tuple(ApiKey(f"key-{n}", n) for n in range(1, start.run.keys + 1))),
        files=Files(results=FILES.results, failures=FILES.failures, journal=FILES.journal),
        sending=start.run.sending,
        skip_invalid=start.skip_invalid,
        rekey=start.rekey,
        create_again=start.create_again,
        preflight=start.run.preflight,
        create_folders=start.run.makes_places,
        create_labels=start.run.makes_places,
        apply_steps=start.run.applies_steps,
    )


def keys_of(inputs: tuple[Input, ...]) -> dict[str, Input]:
    """Which key each row has (contract 5)."""
    keys: dict[str, Input] = {}
    for given in inputs:
        row = given.row
        base = given.key or (f"id:{row.identifier}" if row.identifier else name_key(row.model_id, row.name))
        key, count = base, 1
        while key in keys:
            count += 1
            key = f"{base}~{count}"
        keys[key] = given
    return keys


@contextlib.contextmanager
def from_memory(texts: Mapping[str, bytes], names: Sequence[str], _copies: Path | None) -> Iterator[tuple[Source, ...]]:
    """The inputs: files in memory that hold these texts."""
    with contextlib.ExitStack() as stack:
        sources = []
        for name in names:
            spool = stack.enter_context(os.fdopen(os.memfd_create("input"), "w+b"))
            size = spool.write(texts[name])
            spool.flush()
            sources.append(Source(name, Path(name), size, spool))
        yield tuple(sources)


@contextlib.contextmanager
def telling_the_row() -> Iterator[None]:
    """While a row is under way, `SENDING` says which."""
    send = Sender.send

    async def sent(sender: Sender, spec: Spec, history: KeyHistory, flight: anyio.CancelScope) -> Aside | None:
        SENDING.set(spec.key)
        return await send(sender, spec, history, flight)

    with patch.object(Sender, "send", sent):
        yield
