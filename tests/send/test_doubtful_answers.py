"""Answers that may mean one thing or another, and what batcher asks to find out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import orjson
import pytest

from batcher.sandbox.calls import Call
from batcher.transport.reply import Answer, Cause, Lost, Reply

from ..support import virtual
from ..support.runs import BASE, Job, Memory, Ran, answer, row
from .test_what_answers_mean import PAGE, live, say

RESET = Lost(Cause.RESET, "the connection was lost")


def name_of(call: Call) -> str:
    """Of the document that this POST makes; empty for a look-up."""
    return str(orjson.loads(call.body)["name"]) if call.method == "POST" else ""


def asked(memory: Memory, path: str) -> int:
    """How often the paths that end so were asked for."""
    return sum(call.path.endswith(path) for _, call in memory.calls)


def runs(
    tmp_path: Path, count: int, script: Callable[[Call, int], Reply | None], times: int = 1, **settings: Any
) -> tuple[list[Ran], Job, Memory]:
    """So many rows, n0 and on, run so often."""
    job, memory, ran = Job(tmp_path), Memory(script), list[Ran]()
    job.rows(*[row(f"n{n}") for n in range(count)])

    async def body() -> None:
        for _ in range(times):
            ran.append(await job.run(BASE, **{"concurrency": 1, **settings}))

    live(job, memory, body)
    return ran, job, memory


def test_a_firewall_from_the_start_stops_and_nothing_has_failed(tmp_path: Path) -> None:
    """Three different rows, no pass between: exit 3 names it, and nobody goes asking for permissions."""
    is_up = [True]
    ran, job, memory = runs(tmp_path, 9, lambda call, _: say(403, PAGE) if name_of(call) and is_up[0] else None)
    assert (ran[0].code, ran[0].counts, job.reasons) == (3, {"to_do": 9}, {})
    assert "firewall" in (ran[0].summary.stopped or "")
    assert len(memory.times()) == 3


def test_a_firewall_in_the_middle(tmp_path: Path) -> None:
    """What was created stays; the next run does the rest."""
    posts = list[int]()

    def script(call: Call, _number: int) -> Reply | None:
        if name_of(call):
            posts.append(1)
        return say(403, PAGE) if name_of(call) and 4 < len(posts) <= 7 else None

    ran, _, memory = runs(tmp_path, 9, script, times=2)
    assert (ran[0].code, ran[0].counts) == (3, {"created_now": 4, "to_do": 5})
    assert (ran[1].code, len(memory.documents)) == (0, 9)


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_row_that_a_firewall_objects_to_is_tried_again_last(tmp_path: Path, concurrency: int) -> None:
    """Three answers each while others pass: failed, and the hint names the firewall; one that passes then is created."""
    order = list[str]()

    def script(call: Call, _number: int) -> Reply | None:
        name = name_of(call)
        order.append(name)
        return say(403, PAGE) if name == "n2" or (name in ("n5", "n6") and order.count(name) == 1) else None

    ran, job, _ = runs(tmp_path, 9, script, concurrency=concurrency)
    assert (ran[0].code, job.reasons, len(job.how)) == (1, {"n2": "failed forbidden"}, 8)
    assert "firewall" in job.failures[0]["hint"]
    assert order.count("n2") == 3
    assert set(order[-4:]) == {"n2", "n5", "n6"}, "after all others"


def test_rows_that_a_firewall_objects_to_do_not_count_against_a_limit_twice(tmp_path: Path) -> None:
    """`--limit 3` is three rows, however often one of them is tried."""
    ran, job, _ = runs(tmp_path, 9, lambda call, _: say(403, PAGE) if name_of(call) == "n1" else None, limit=3)
    assert (ran[0].code, len(job.how), job.reasons) == (6, 2, {"n1": "failed forbidden"})


def test_a_firewall_that_lets_nothing_pass_fails_nothing(tmp_path: Path) -> None:
    """Two rows are too few for three in a row; but without any pass it isn't about them."""
    ran, job, _ = runs(tmp_path, 2, lambda call, _: say(403, PAGE) if name_of(call) else None)
    assert (ran[0].code, ran[0].counts, job.reasons) == (3, {"to_do": 2}, {})


def test_whoami_is_asked_once_for_all_rows_that_smell_of_the_key(tmp_path: Path) -> None:
    """It answers: the rows are rejected, the key stays. (Failed before: one such row stopped every run, for ever.)"""

    def script(call: Call, _number: int) -> Reply | None:
        return answer(400, "unexpected token in expression") if name_of(call) in ("n1", "n3") else None

    ran, job, memory = runs(tmp_path, 5, script, times=2)
    assert [one.code for one in ran] == [1, 1]
    assert job.reasons == {"n1": "failed rejected", "n3": "failed rejected"}
    assert asked(memory, "/whoami") == 2, "once a run"


@pytest.mark.parametrize("trouble", [RESET, say(502, PAGE)])
def test_a_key_is_not_dropped_because_whoami_could_not_be_reached(tmp_path: Path, trouble: Reply) -> None:
    """Nor because the models couldn't: it's asked again. (Failed before: exit 3, "the server refused the API key".)"""
    met = list[str]()

    def script(call: Call, _number: int) -> Reply | None:
        if name_of(call) == "n1":
            return say(403, {"message": "Authorization failed: manager role required"})
        if not name_of(call) and len(met) < 3:
            met.append(call.path)
            return trouble
        return None

    ran, job, _ = runs(tmp_path, 3, script)
    assert (ran[0].code, ran[0].counts, len(met)) == (1, {"created_now": 2, "failed": 1}, 3)
    assert job.reasons == {"n1": "failed forbidden"}


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_whoami_refuses_is_dropped(tmp_path: Path, status: int) -> None:
    """The row goes back, and the other key creates it."""

    def script(call: Call, _number: int) -> Reply | None:
        if not (call.authorization or "").endswith("bad"):
            return None
        said = {"error": {"code": status, "message": "credentials"}}
        return say(403, said) if name_of(call) else say(status, said)

    job, memory, ran = Job(tmp_path), Memory(script), list[Ran]()
    job.rows(*[row(f"n{n}") for n in range(4)])

    async def body() -> None:
        ran.append(await job.run(BASE, keys=("bad", "good")))

    live(job, memory, body)
    assert (ran[0].code, len(job.how)) == (0, 4)
    assert "API key 1 was refused" in ran[0].warnings


@pytest.mark.parametrize("status", [403, 422])
def test_an_answer_to_any_look_up_proves_nothing(tmp_path: Path, status: int) -> None:
    """A firewall's word to every GET: uncertain. (Failed before: `reconciled`, with nothing there.)"""

    def script(call: Call, number: int) -> Reply | None:
        if call.method == "GET" and "/documents/" in call.path:
            return say(status, {"message": "Forbidden"})
        return answer(500) if number in (1, 3) and name_of(call) else None

    ran, job, memory = runs(tmp_path, 4, script)
    assert (ran[0].code, ran[0].counts) == (5, {"created_now": 2, "uncertain": 2})
    assert {why.split()[0] for why in job.reasons.values()} == {"uncertain"}
    assert sum("nobody-has-used" in call.path for _, call in memory.calls) == 1, "asked once a run"


def test_what_a_look_up_proves_may_end_in_the_middle(tmp_path: Path) -> None:
    """A document that can't be read was proven by 403; later each look-up is answered so. (Failed before: `reconciled`.)"""
    posted = list[str]()

    def script(call: Call, _number: int) -> Reply | None:
        if name := name_of(call):
            posted.append(name)
            if name == "n0":
                memory_of[0].carry_out(call)
            return answer(500) if name in ("n0", "n2") else None
        is_refused = "/documents/n0-" in call.path or "n2" in posted
        return say(403, {"message": "Forbidden"}) if is_refused else None

    job, memory, ran = Job(tmp_path), Memory(script), list[Ran]()
    memory_of[:] = [memory]
    job.rows(*[row(f"n{n}") for n in range(4)])

    async def body() -> None:
        ran.append(await job.run(BASE, concurrency=1))

    live(job, memory, body)
    assert (ran[0].code, ran[0].counts) == (5, {"created_now": 2, "reconciled": 1, "uncertain": 1})
    assert {why.split()[0] for why in job.reasons.values()} == {"uncertain"}


def test_a_refused_look_up_is_asked_again_once_others_are_not_refused(tmp_path: Path) -> None:
    """It ended just then, and what nobody has used is Not Found: that proves nothing of the first answer."""
    looks = list[str]()

    def script(call: Call, _number: int) -> Reply | None:
        if call.method == "GET" and "/documents/" in call.path:
            looks.append(call.path)
            return say(403, {"message": "Forbidden"}) if len(looks) == 1 else None
        return answer(500) if name_of(call) == "n1" and not looks else None

    ran, _, memory = runs(tmp_path, 2, script)
    assert (ran[0].code, ran[0].counts, len(memory.documents)) == (0, {"created_now": 2}, 2)
    assert looks[0] == looks[2]
    assert "nobody-has-used" in looks[1]


def test_the_ten_minutes_count_from_an_attempts_end(tmp_path: Path) -> None:
    """It was waited for 15 minutes; the 404 right afterwards settles nothing, and the late commit is found.

    Failed before: counted from the intent, one 404 settled it, and the row whose document came was `identifier_taken`.
    """
    left = list[float]()

    def script(call: Call, _number: int) -> Any:
        if name_of(call) and not left:
            left.append(virtual.loop().time())

            async def late() -> Reply:
                await anyio.sleep(900)
                return Lost(Cause.TIMEOUT, "no complete answer within 900 s")

            return late()
        if name_of(call):
            memory.carry_out(call)
            return answer(409, "Conflict")
        if call.method == "GET" and virtual.loop().time() < left[0] + 905:
            return answer(404, 'Document with identifier "mine-1" not found')
        return None

    job, memory, ran = Job(tmp_path), Memory(script), list[Ran]()
    job.rows(row("a", identifier="mine-1"))

    async def body() -> None:
        ran.append(await job.run(BASE, timeout_seconds=900.0))

    live(job, memory, body)
    assert (ran[0].code, job.how) == (0, {"a": "reconciled"})


def test_the_journal_says_how_long_an_answer_was_waited_for(tmp_path: Path) -> None:
    """Killed while it waited: the next run counts the ten minutes from when the wait would have ended."""
    job, memory, ran = Job(tmp_path), Memory(), list[Ran]()
    job.rows(row("a", identifier="mine-1"))

    def script(call: Call, number: int) -> Reply | None:
        if name_of(call):
            return RESET if number == 1 else answer(422, "Unprocessable")
        return answer(500) if len(memory.times("GET")) <= 5 else None

    memory.script = script

    async def body() -> None:
        for pause in (700, 400):
            ran.append(await job.run(BASE, timeout_seconds=400.0))
            await anyio.sleep(pause)
        ran.append(await job.run(BASE, timeout_seconds=400.0))

    live(job, memory, body)
    assert [one.code for one in ran] == [5, 5, 1]
    assert job.journal[2]["timeout"] == 400.0


def twice(which: str) -> Callable[[Call, int], Reply | None]:
    """The answer to this row's create comes a second time, instead of the next one's."""
    held = list[Answer]()

    def script(call: Call, _number: int) -> Reply | None:
        if not name_of(call):
            return None
        made = memory_of[0].carry_out(call)
        if held:
            return held.pop()
        if name_of(call) == which:
            held.append(made)
        return made

    return script


memory_of: list[Memory] = []


@pytest.mark.parametrize("fills", [True, False])
def test_an_answer_that_comes_twice(tmp_path: Path, *, fills: bool) -> None:
    """Never booked for the next row: that one is looked up, or uncertain without an identifier; the run stops."""
    job, memory = Job(tmp_path), Memory(twice("n1"))
    memory_of[:] = [memory]
    job.rows(*[row(f"n{n}") for n in range(5)])
    ran = list[Ran]()

    async def body() -> None:
        for _ in range(2):
            ran.append(await job.run(BASE, concurrency=1, fill_identifiers=fills))

    live(job, memory, body)
    assert ran[0].code == 3
    assert "names" in (ran[0].summary.stopped or "")
    assert len(memory.documents) == 5
    assert ran[0].counts == {"created_now": 2, "reconciled" if fills else "uncertain": 1, "to_do": 2}
    by_name = {document.name: document.identifier for document in memory.documents}
    assert all(line["identifier"] == by_name[line["name"]] for line in job.results)
    assert ran[1].code == (0 if fills else 5)


def test_an_answer_that_comes_twice_for_a_row_without_identifier(tmp_path: Path) -> None:
    """The one before it had its own. (Failed before: both were booked under that one.)"""
    job, memory, ran = Job(tmp_path), Memory(twice("n0")), list[Ran]()
    memory_of[:] = [memory]
    job.rows(row("n0", identifier="mine-1"), row("n1"))

    async def body() -> None:
        ran.append(await job.run(BASE, concurrency=1, fill_identifiers=False))

    live(job, memory, body)
    assert (ran[0].code, ran[0].counts) == (3, {"created_now": 1, "uncertain": 1})


def test_an_answer_that_names_what_cannot_be_read(tmp_path: Path) -> None:
    """Another's answer, while reads lag: uncertain, and found later. (Failed before: created, as that document.)"""
    is_lagging = [True]

    def script(call: Call, _number: int) -> Reply | None:
        if name_of(call) == "n0":
            made = memory_of[0].carry_out(call)
            body = made.body.replace(orjson.loads(made.body)["workbook"]["identifier"].encode(), b"foreign-1")
            return Answer(201, made.headers, body)
        if call.path.endswith("/foreign-1"):
            return say(403, {"message": "You do not have permission to view this document"})
        if is_lagging and "/documents/n0-" in call.path:
            return answer(404, f'Document with identifier "{call.path.rpartition("/")[2]}" not found')
        return None

    job, memory, ran = Job(tmp_path), Memory(script), list[Ran]()
    memory_of[:] = [memory]
    job.rows(row("n0"), row("n1"))

    async def body() -> None:
        ran.append(await job.run(BASE, concurrency=1))
        is_lagging.clear()
        ran.append(await job.run(BASE, concurrency=1))

    live(job, memory, body)
    assert (ran[0].code, ran[0].counts) == (3, {"uncertain": 1, "to_do": 1})
    assert (ran[1].code, sorted(job.how.values())) == (0, ["created", "reconciled"])


def test_the_first_three_answers_cannot_be_read(tmp_path: Path) -> None:
    """Then the others will be like that, too: exit 3 after three."""
    unreadable = Lost(Cause.UNREADABLE, "the answer can't be understood (too long)")
    ran, _, memory = runs(tmp_path, 20, lambda _call, _number: unreadable)
    assert (ran[0].code, len(memory.calls)) == (3, 3)
    assert "too long" in (ran[0].summary.stopped or "")


def test_a_preflight_that_is_answered_in_json_proves_the_base_url(tmp_path: Path) -> None:
    """A page after that is unclear, like any other; it doesn't end the run."""
    once = list[int]()

    def script(call: Call, _number: int) -> Reply | None:
        if name_of(call) and not once:
            once.append(1)
            memory_of[0].carry_out(call)
            return say(200, PAGE)
        return None

    job, memory = Job(tmp_path), Memory(script)
    memory_of[:] = [memory]
    job.rows(*[row(f"n{n}") for n in range(3)])
    ran = list[Ran]()

    async def body() -> None:
        ran.append(await job.run(BASE, concurrency=1, preflight=True))

    live(job, memory, body)
    assert (ran[0].code, ran[0].counts) == (0, {"created_now": 2, "reconciled": 1})
