"""The laws that every life is held to, and in which worlds each of them holds.

Asked before each POST leaves (`before_post`), after each run (`after_run`) and in the end (`in_the_end`). What the
contract leaves open is left open here too, and said where it is:

- Identity goes by key. Rows that are told apart by their order only (`~2`, `~3`) keep that order in every edit.
- A commit that lands more than ten minutes after its request is outside the promise; the wire makes none.
- Where the user says `--resend-uncertain`, a second document of a row without identifier is what was asked for.
- A document at an identifier that batcher filled in counts as ours once an attempt of ours at it was unclear: if a
  stranger took just that identifier just then, nobody can tell (contract 7: existence is proof).
- A document at the user's own identifier that cannot be read cannot be told from a stranger's: the row is uncertain.
  (One that somebody has renamed cannot either: `identifier_taken`. The server renames only others.)
- A server that makes documents under other identifiers than those asked for stops each run; nothing is promised there
  but that what it made and answered is kept.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from batcher.errors import DiskTrouble, Stopped
from batcher.report.summary import Summary, exit_code

from .records import FILES, Start, keys_of, run_id
from .schedule import content_of
from .server import Document, Guard, Post

if TYPE_CHECKING:
    from .world import World

SETTLED_SECONDS = 600.0  # a GET 404 this long after the end of an unclear attempt proves that it did nothing
WINDOW = 1.005  # at most N starts in a window this much longer than the period
JITTER_SECONDS = 1e-6


def before_post(world: World, start: Start, post: Post) -> None:
    """A created row is not sent again; an unclear attempt binds its row to its identifier, or to not being sent."""
    if post.key in start.created_before or any(line["key"] == post.key for line in world.lines(FILES.results)):
        raise world.broken(f"{post.key} is created already and is sent again")
    for earlier in world.wire.posts:
        if earlier.key == post.key and earlier.clear is not True:
            _check_bound(world, earlier, post)
            _check_looked_up(world, earlier, post)
    known = world.known(start)
    if post.key not in known:
        raise world.broken(f"{post.key} is sent, but it is not in the input")
    if known[post.key].row.is_broken:
        raise world.broken(f"{post.key} is sent, but it is not valid")


def _check_bound(world: World, earlier: Post, post: Post) -> None:
    if earlier.identifier is None:
        if not post.resend_allowed:
            raise world.broken(
                f"{post.key} is unclear without an identifier (POST {earlier.number}) and is resent unasked"
            )
        return
    if earlier.identifier != post.identifier and not _is_settled(world, earlier):
        raise world.broken(
            f"{post.key} is unclear at {earlier.identifier} (POST {earlier.number}) and is sent as {post.identifier}"
        )


def _check_looked_up(world: World, earlier: Post, post: Post) -> None:
    """What is unclear is sent again only after a GET has said 404 since (or the user's own: has shown a stranger's)."""
    statuses = (404, 200) if earlier.identifier in world.users_own else (404,)
    if earlier.identifier is not None and not any(
        read.identifier == earlier.identifier and read.status in statuses and read.at >= earlier.ended_at
        for read in world.server.reads
    ):
        raise world.broken(f"{post.key} is unclear (POST {earlier.number}) and is sent again without being looked up")


def _is_settled(world: World, post: Post) -> bool:
    """A GET said 404 long after it; or, at the user's own identifier, showed that a stranger has it."""
    is_own = post.identifier in world.users_own
    return any(
        (read.status == 404 and read.at >= post.ended_at + SETTLED_SECONDS)
        or (is_own and read.status == 200 and read.at >= post.ended_at)
        for read in world.server.reads
        if read.identifier == post.identifier
    )


def after_run(world: World, start: Start) -> None:
    """No internal error; nothing durable is gone; pace and concurrency held; the counts are those of the files."""
    if start.crash is not None:
        raise world.broken(f"the run raised {start.crash!r}") from start.crash
    check_safe(world)
    _check_held(world, start)
    _check_pace(world, start)
    _check_stops_at_firewall(world, start)
    if start.error is not None and not _may_stop(start):
        raise world.broken(f"the run ended with {start.error!r}")
    if start.died or start.summary is None:
        return
    _check_blocked(world, start)
    _check_counts(world, start, start.summary)
    if any(line.get("run") == run_id(start) for line in world.lines(FILES.journal)) and not had_disk_trouble(start):
        _check_durable(world)


def _may_stop(start: Start) -> bool:
    has_trouble = start.run.room_bytes is not None or start.run.failing_sync is not None
    return (isinstance(start.error, DiskTrouble) and has_trouble) or (
        isinstance(start.error, Stopped) and not start.is_calm
    )


def had_disk_trouble(start: Start) -> bool:
    """Whether a write or an fsync of this run was refused."""
    return bool(start.disk_faults)


def check_safe(world: World) -> None:
    """What was durable is there."""
    for path, safe in world.safe.items():
        if not world.disk.content(path).startswith(safe):
            raise world.broken(f"{path} has lost lines that were durable")


def _check_held(world: World, start: Start) -> None:
    """A row leaves the failures file only when it is created, whatever else happens.

    Or when the whole file is kept beside: a line that the journal does not know may be a person's.
    """
    held = {line["key"] for line in world.lines(FILES.failures)}
    kept = FILES.failures.with_name(f"{FILES.failures.stem}.{run_id(start)}{FILES.failures.suffix}")
    held |= {line["key"] for line in world.lines(kept)}
    created, firsts = {line["key"] for line in world.lines(FILES.results)}, world.first_keys()
    gone = {key for key in start.held_before - held if firsts.get(key, key) not in created | held}
    if gone:
        raise world.broken(f"gone from the failures file, and not created: {sorted(gone)}")


def _check_durable(world: World) -> None:
    for path in (FILES.results, FILES.journal, FILES.failures):
        if world.disk.durable(path) != world.disk.content(path):
            raise world.broken(f"the run is over and a part of {path} is not fsynced")


def _check_pace(world: World, start: Start) -> None:
    sending = start.run.sending
    if world.wire.most_in_flight > sending.concurrency:
        raise world.broken(f"{world.wire.most_in_flight} requests in flight, {sending.concurrency} allowed")
    if sending.rate is None:
        return
    by_key: dict[str, list[float]] = {}
    for secret, at in world.wire.watch.starts:
        by_key.setdefault(secret, []).append(at)
    limit, window = sending.rate.limit, sending.rate.period_seconds * WINDOW
    for times in by_key.values():
        for first, last in zip(times, times[limit:], strict=False):
            if last - first < window - JITTER_SECONDS:
                raise world.broken(f"{limit + 1} requests within {last - first:.3f} s at {sending.rate}")


def _check_blocked(world: World, start: Start) -> None:
    """A firewall's word fails a row only after three times, and only if something passes (contract 9)."""
    posts = [post for post in world.wire.posts if post.run == start.number]
    blocked = Counter(post.key for post in posts if post.is_blocked)
    passed = any(post.status is not None and post.clear and not post.is_blocked for post in posts)
    passed |= any(at >= start.began_at for at in world.wire.steps_passed)
    known = world.known(start)
    for line in world.lines(FILES.failures):
        key, is_forbidden = line["key"], (line["outcome"], line["reason"]) == ("failed", "forbidden")
        if not is_forbidden or line["run"] != run_id(start) or key not in known or known[key].row.refuse == 403:
            continue
        if blocked[key] < 3 or not passed:
            raise world.broken(f"{key} is failed, but a firewall refused it {blocked[key]} times (passes: {passed})")


def _check_stops_at_firewall(world: World, start: Start) -> None:
    """Once it has refused three different rows, with no pass between, nothing more leaves (contract 9).

    An answer that may be about the key counts as a pass only once whoami has told that it isn't: that may be later.
    """
    posts = [post for post in world.wire.posts if post.run == start.number]
    if any(post.status == 403 and not post.is_blocked for post in posts):
        return
    blocked: set[str] = set()
    in_a_row, before = 0, 0.0
    for post in sorted((post for post in posts if post.status not in (None, 429)), key=lambda post: post.ended_at):
        if any(before < at <= post.ended_at for at in world.wire.steps_passed):
            in_a_row = 0
        before = post.ended_at
        if not post.is_blocked:
            in_a_row = 0
        elif post.key not in blocked:
            blocked.add(post.key)
            in_a_row += 1
        late = [later.number for later in posts if later.at > post.ended_at] if in_a_row == 3 else []
        if late:
            raise world.broken(f"a firewall refused three rows in a row, and yet POSTs {late} left after that")


def _check_counts(world: World, start: Start, summary: Summary) -> None:
    if not summary.adds_up or exit_code(summary) == 70:
        raise world.broken(f"the counts do not add up: {summary}")
    if had_disk_trouble(start):
        return  # then the failures file is not brought up to date, and says so by the run's being stopped
    if start.reads_failures and summary.not_attempted:
        return  # the failures file is left as it was read: it may be all there is of the rows not attempted
    known = world.known(start)
    created = keys_of(world.lines(FILES.results)).keys()
    held = {line["key"]: line["outcome"] for line in world.lines(FILES.failures)}
    told = (summary.rows, summary.created, summary.failed, summary.uncertain)
    found = (
        len(start.inputs),
        sum(key in created for key in known),
        sum(held.get(key) == "failed" for key in known),
        sum(held.get(key) == "uncertain" for key in known),
    )
    if told != found:
        raise world.broken(f"rows, created, failed, uncertain: the summary says {told}, the files say {found}")
    _check_once(world)


def _check_once(world: World) -> None:
    """No row is in a file twice, or in both."""
    created, held = keys_of(world.lines(FILES.results)), keys_of(world.lines(FILES.failures))
    for name, counted in (("results", created), ("failures", held)):
        twice = [key for key, count in counted.items() if count > 1]
        if twice:
            raise world.broken(f"more than once in {name}: {twice}")
    unfinished = {line["key"] for line in world.lines(FILES.failures) if line["outcome"] == "unfinished"}
    both = (created.keys() & held.keys()) - unfinished
    if both:
        raise world.broken(f"created and in the failures file: {sorted(both)}")


def in_the_end(world: World, expected: frozenset[str]) -> None:
    """After the calm: each row (`expected`: their keys) has one outcome, each document of ours is accounted for."""
    _check_once(world)
    created = {line["key"]: line for line in world.lines(FILES.results)}
    held = {line["key"]: line for line in world.lines(FILES.failures)}
    lost = [key for key in expected if key not in created and key not in held]
    if lost:
        raise world.broken(f"rows without any outcome: {sorted(lost)}")
    for key, line in created.items():
        _check_created(world, key, line)
    for document in world.server.ours:
        _check_document(world, document, created, held)
    for key in {post.key for post in world.wire.posts}:
        _check_not_twice(world, key)
    if world.rekeys:
        _check_contents(world)
    for key, line in held.items():
        if line["outcome"] == "uncertain":
            _check_uncertain(world, key, line)
    world.tally.reconciled += sum(line["how"] == "reconciled" for line in created.values())
    world.tally.uncertain += sum(line["outcome"] == "uncertain" for line in held.values())


def _check_created(world: World, key: str, line: dict[str, Any]) -> None:
    document = world.server.documents.get(line["identifier"])
    if document is None:
        raise world.broken(f"{key} is booked as {line['identifier']}, which does not exist")
    if document.post is not None:
        if document.post.key != key and not (_was_adopted(world, line) or _is_same_row(world, key, document)):
            raise world.broken(f"{key} is booked as {line['identifier']}, which is {document.post.key}'s")
        return
    if not _may_be_booked(world, key, line, document):
        raise world.broken(f"{key} is booked as {line['identifier']} ({line['how']}), which is a stranger's")


def _is_same_row(world: World, key: str, document: Document) -> bool:
    """A row that was given a key is another row, with the same content at the user's own identifier."""
    return document.identifier in world.users_own and any(
        intent.identifier == document.identifier and intent.body == document.body
        for intent in world.unclear_intents(key)
    )


def _was_adopted(world: World, line: dict[str, Any]) -> bool:
    """The user asked for whatever reads the same, though it be another row's (a row given a key is another row)."""
    return line["how"] == "adopted" and any(start.run.sending.adopt_existing for start in world.starts)


def _may_be_booked(world: World, key: str, line: dict[str, Any], stranger: Document) -> bool:
    """Where nobody could tell it from ours, or the user said so (contract 7)."""
    is_own = stranger.identifier in world.users_own
    looks_same = stranger.twin and stranger.guard is Guard.OPEN
    if line["how"] == "adopted":
        return looks_same and (not is_own or _was_adopted(world, line))
    had_unclear = any(intent.identifier == stranger.identifier for intent in world.unclear_intents(key))
    return line["how"] == "reconciled" and had_unclear and (looks_same or not is_own)


def _check_document(world: World, document: Document, created: dict[str, Any], held: dict[str, Any]) -> None:
    post = document.post
    assert post is not None
    line = created.get(post.key)
    if line is not None and line["identifier"] == document.identifier:
        return
    if held.get(post.key, {}).get("outcome") == "uncertain" or _was_asked_twice(world, post.key):
        return
    if _is_chosen_by_server(world, post.key):
        return
    state = "nowhere" if post.key not in held else f"failed ({held[post.key]['reason']})"
    if line is not None:
        state = f"booked as {line['identifier']}"
    raise world.broken(f"the server made {document.identifier} for {post.key}, which is {state}")


def _is_chosen_by_server(world: World, key: str) -> bool:
    """This server chooses by itself; the run says so and stops, since nothing can be promised there."""
    return any(one.post and one.post.identifier not in (None, one.identifier) for one in world.documents_of(key))


def _was_asked_twice(world: World, key: str) -> bool:
    return any(post.key == key and post.resend_allowed for post in world.wire.posts)


def _check_not_twice(world: World, key: str) -> None:
    made = world.documents_of(key)
    if len(made) > 1 and not _was_asked_twice(world, key) and not _is_chosen_by_server(world, key):
        raise world.broken(f"the server made {[document.identifier for document in made]} for {key}")


def _check_contents(world: World) -> None:
    """No content is made more often than the input had it at one time, whatever keys its rows were given."""
    posts = [document.post for document in world.server.ours if document.post is not None]
    keys = {post.key for post in posts}
    asked = {key for key in keys if _was_asked_twice(world, key) or _is_chosen_by_server(world, key)}
    made = Counter(
        content_of(document.body) for document in world.server.ours if document.post and document.post.key not in asked
    )
    for content, count in made.items():
        if count > world.most_alike[content]:
            raise world.broken(f"{count} documents of one content, and no input had it so often: {content}")


def _cannot_be_compared(world: World, line: dict[str, Any]) -> bool:
    """What the server named by itself, once somebody has renamed it, or if it can't be read: a person must look (contract 5)."""
    document = world.server.documents.get(line["identifier"] or "")
    is_told = document is not None and (
        document.name == "Renamed since"
        or document.guard is not Guard.OPEN
        or world.server.is_unreadable(world.now, document)
    )
    is_named_otherwise = str(line["identifier"]).startswith("other-")
    return is_told and (world.schedule.habits.ignores_identifiers or is_named_otherwise)


def _check_uncertain(world: World, key: str, line: dict[str, Any]) -> None:
    """Where all rows have identifiers and GETs answer 200 or 404 in the end, no row stays uncertain."""
    intents = list(world.intents(key))
    if any(intent.identifier is None for intent in intents) or _cannot_be_compared(world, line):
        return
    unreadable = [
        intent.identifier
        for intent in intents
        if intent.identifier in world.users_own
        and (document := world.server.documents.get(intent.identifier or "")) is not None
        and world.server.is_unreadable(world.now, document)
    ]
    if world.schedule.habits.ignores_identifiers:  # nor can what its answer named be told from another row's
        unreadable += [
            document.identifier
            for document in world.documents_of(key)
            if world.server.is_unreadable(world.now, document)
        ]
    if not unreadable:
        raise world.broken(f"{key} stays uncertain: {line['reason']}, {line['message']}")


def settled_by_hand(world: World, found: set[str], how: dict[str, str]) -> None:
    """What a person has named is booked as adopted, if it can be read and reads as it was sent."""
    for key in found:
        document = world.documents_of(key)[0]
        is_readable = not world.server.is_unreadable(world.now, document)
        is_plain = is_readable and document.name == document.body["name"]
        if is_plain and how.get(key) != "adopted":
            raise world.broken(f"{key} was settled by hand as {document.identifier}, and is {how.get(key)}")
