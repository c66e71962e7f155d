"""Contract 9 as one table: what an answer to a create means for its row, and for the run.

Three rows, one after the other, in virtual time; one of them is always answered so. "first": nothing has been created
there, ever; "later": the row before it was; "resumed": so it was in an earlier run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from batcher.sandbox.calls import Call
from batcher.transport.reply import Answer, Cause, Lost, Reply

from ..support import virtual
from ..support.runs import BASE, Job, Memory, Ran, row, virtual_world

PAGE = b"<html><h1>Just a moment</h1></html>"
AUTH = {"error": {"code": 403, "message": "Invalid bearer token"}}
GOES_ON, ENDS = 1, 3  # exit codes


def say(status: int, body: bytes | dict[str, Any] | str = b"", **headers: str) -> Answer:
    """An answer; a text becomes the application's own `detail`."""
    said = {"detail": body, "status": status} if isinstance(body, str) else body
    text = orjson.dumps(said) if isinstance(said, dict) else said
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, text)


TABLE = [
    # the row: as the failures file has it, or None if it stays to do; the exit code; the words of the stop
    ("400", say(400, "Bad Request: name: too plain"), "first", "failed rejected", GOES_ON, ""),
    ("413", say(413, PAGE), "first", "failed rejected", GOES_ON, ""),
    ("422", say(422, "Unprocessable"), "first", "failed rejected", GOES_ON, ""),
    ("403 of Omni", say(403, "No permission"), "first", "failed forbidden", GOES_ON, ""),
    (
        "token in a filter",
        say(400, "Bad Request: unexpected token ')' in filter"),
        "first",
        "failed rejected",
        GOES_ON,
        "",
    ),
    (
        "token in a calculation",
        say(400, "Unexpected token in table calculation"),
        "later",
        "failed rejected",
        GOES_ON,
        "",
    ),
    (
        "credentials of a model",
        say(403, "The connection needs credentials"),
        "resumed",
        "failed forbidden",
        GOES_ON,
        "",
    ),
    ("403 in the shape", say(403, {"error": {"code": 403, "message": "No"}}), "later", "failed forbidden", GOES_ON, ""),
    ("401", say(401, PAGE), "later", None, ENDS, "the server rejected every API key"),
    (
        "401 in the shape",
        say(403, {"error": {"code": 401, "message": "No"}}),
        "first",
        None,
        ENDS,
        "the server rejected every API key",
    ),
    ("plain words", say(403, AUTH), "resumed", None, ENDS, "the server rejected every API key"),
    (
        "plain words, 400",
        say(400, "Malformed Authorization header"),
        "first",
        None,
        ENDS,
        "the server rejected every API key",
    ),
    ("404 of a model", say(404, "Model not found"), "first", "failed not_found", GOES_ON, ""),
    ("404 of a topic", say(404, 'Topic "orders" not found'), "first", "failed not_found", GOES_ON, ""),
    ("404", say(404, "Not Found"), "first", None, ENDS, "no longer offers v1 create"),
    ("404, later", say(404, "Not Found"), "later", "failed not_found", GOES_ON, ""),
    ("404, resumed", say(404, "Not Found"), "resumed", "failed not_found", GOES_ON, ""),
    ("405", say(405, PAGE), "first", None, ENDS, "no longer offers v1 create"),
    ("405, later", say(405, "Method Not Allowed"), "later", "failed not_found", GOES_ON, ""),
    ("404 page, later", say(404, PAGE), "later", "failed forbidden", GOES_ON, ""),
    ("410", say(410, "Gone"), "resumed", None, ENDS, "v2"),
    ("410 of a branch", say(410, "The branch was deleted"), "later", "failed not_found", GOES_ON, ""),
    ("a firewall", say(403, PAGE), "later", "failed forbidden", GOES_ON, ""),
    ("a redirect", say(302, b"", location="https://login.test/"), "first", None, ENDS, "is this an Omni base URL?"),
    ("a redirect, later", say(302, b"", location="/login"), "later", "failed bad_response", GOES_ON, ""),
    ("a redirect, resumed", say(302, b"", location="/login"), "resumed", "failed bad_response", GOES_ON, ""),
    ("a page", say(200, PAGE), "first", "uncertain bad_response", ENDS, "is this an Omni base URL?"),
    ("a page, later", say(200, PAGE), "later", "uncertain bad_response", 5, ""),
    ("a page, resumed", say(201, b""), "resumed", "uncertain bad_response", 5, ""),
    ("other JSON", say(201, {"ok": True}), "first", "uncertain bad_response", 5, ""),
    ("500", say(500, PAGE), "first", "uncertain server_error", 5, ""),
    ("408", say(408), "later", "uncertain timeout", 5, ""),
    ("425", say(425), "first", "uncertain timeout", 5, ""),
    ("503", say(503, "Invalid bearer token"), "later", "uncertain server_error", 5, ""),
    ("521", say(521, PAGE), "later", "uncertain server_error", 5, ""),
    ("530", say(530, PAGE), "first", "uncertain server_error", 5, ""),
    (
        "unreadable",
        Lost(Cause.UNREADABLE, "the answer can't be understood (x)"),
        "later",
        "uncertain bad_response",
        5,
        "",
    ),
    ("cut", Lost(Cause.TRUNCATED, "the answer ended early", 201), "first", "uncertain bad_response", 5, ""),
]


@pytest.mark.parametrize(
    ("reply", "when", "outcome", "code", "stopped"), [case[1:] for case in TABLE], ids=[case[0] for case in TABLE]
)
def test_what_an_answer_means(
    tmp_path: Path, reply: Reply, when: str, outcome: str | None, code: int, stopped: str
) -> None:
    """Its row's outcome, whether the run goes on, and in which words it stops."""
    job, others = Job(tmp_path), {"first": ("c", "d"), "later": ("a", "c"), "resumed": ("a", "c")}[when]

    def script(call: Call, _number: int) -> Reply | None:
        return reply if call.method == "POST" and orjson.loads(call.body)["name"] == "b" else None

    def given(*names: str) -> None:
        job.rows(*[row(name) for name in names])

    async def body() -> None:
        if when == "resumed":
            given("a")
            await job.run(BASE)
        given(*(("b", *others) if when == "first" else (others[0], "b", others[1])))
        ran.append(await job.run(BASE, concurrency=1, max_attempts=2))

    ran: list[Ran] = []
    live(job, Memory(script), body)
    assert (ran[0].code, job.reasons.get("b")) == (code, outcome), ran[0].summary.stopped
    if code == ENDS:
        assert stopped in (ran[0].summary.stopped or "")
        assert reply.status == 302 or "nothing was created" not in (ran[0].summary.stopped or "")  # type: ignore[union-attr]
    else:
        assert set(others) <= set(job.how), "the others are created"


def live(job: Job, memory: Memory, body: Any) -> None:
    """In virtual time, with this server."""
    job.runtime = virtual_world(memory)

    async def main() -> None:
        with memory.serving():
            await body()

    virtual.run(main)
