"""One whole life: the chaotic runs of a schedule, then calm ones until nothing is left to do, then the last laws."""

from __future__ import annotations

from dataclasses import replace

from batcher.config import Sending

from . import laws
from .records import FILES, Start
from .schedule import Run, Schedule
from .world import Product, World

MOST_CALM_RUNS = 3  # with nothing going wrong any more, every life has come to its end by then
LONGEST_RUN_SECONDS = 900.0  # then somebody presses ctrl-C: a lone row that a firewall refuses would brake for ever


def live(schedule: Schedule, product: Product) -> World:
    """Live it to the end. Raises Broken."""
    world = World(schedule)
    live_in(world, product)
    return world


def live_in(world: World, product: Product) -> None:
    """The same, in a world that the caller can look at even if a law was broken."""
    for planned in world.schedule.runs:
        run = world.edit(planned)
        if run.interrupt_seconds is None:
            run = replace(run, interrupt_seconds=LONGEST_RUN_SECONDS)
        start = world.start(run, product)
        if start.was_finished and world.schedule.loses_input:
            lose_input(world, start)
    world.calm_down()
    calm = world.with_toggles(world.schedule.calm)
    finish(world, product, calm)
    if world.schedule.settles_by_hand and settle_by_hand(world, product, calm):
        finish(world, product, calm)
    laws.in_the_end(world, world.expected)
    count(world)


def lose_input(world: World, start: Start) -> None:
    """From now on the failures file is all that is left of the rows that are not created."""
    if world.lines(FILES.failures) and not (world.only_failures_left or start.reads_failures or start.has_work_left):
        world.tell("the input is lost; the failures file is run instead")
        world.only_failures_left = True


def finish(world: World, product: Product, calm: Run) -> None:
    """Calm runs until two in a row have found nothing that is still to do, and agree: the law of liveness.

    A server that names documents itself ends each run after one row, by contract 7.
    """
    seen: list[tuple[int, ...]] = []
    most = MOST_CALM_RUNS + (len(world.schedule.rows) if world.schedule.habits.ignores_identifiers else 0)
    for _ in range(most + 1):  # one more, to agree
        start = world.attend(calm, product, is_calm=True)
        summary = start.summary
        if summary is None or not start.was_finished or summary.to_do or summary.unfinished:
            seen.clear()
            continue
        seen.append((summary.created, summary.failed, summary.uncertain))
        if len(seen) > 1 and seen[-1] == seen[-2]:
            return
    raise world.broken(f"it does not come to an end in {most} calm runs")


def settle_by_hand(world: World, product: Product, calm: Run) -> bool:
    """A person has found the documents of rows without identifier, and says so in the failures file."""
    lines = world.lines(FILES.failures)
    found: set[str] = set()
    for line in lines:
        made = world.documents_of(line["key"])
        if line["outcome"] == "uncertain" and line["identifier"] is None and len(made) == 1:
            line["spec"]["identifier"] = made[0].identifier
            line["spec"].pop("facetFilters", None)
            found.add(line["key"])
    if not found:
        return False
    world.edit_failures(lines, f"a person settles {sorted(found)}")
    sending: Sending = replace(calm.sending, adopt_existing=True)
    world.start(replace(calm, sending=sending, from_failures=True), product, is_calm=True)
    created = {line["key"]: line["how"] for line in world.lines(FILES.results)}
    laws.settled_by_hand(world, found, created)
    return True


def count(world: World) -> None:
    """Add up what this life has met."""
    tally = world.tally
    tally.posts = len(world.wire.posts)
    tally.reads = len(world.server.reads)
    tally.documents = len(world.server.ours)
    tally.faults.update(world.wire.watch.met)
