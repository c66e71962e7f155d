"""What a reply means: every kind of reply, in each of the four error shapes (contract 7 and 9)."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from random import Random
from time import perf_counter
from typing import Any

import pytest

from batcher.omni.judge import judge_create, judge_delete, judge_look
from batcher.omni.v1_answers import message_of
from batcher.omni.verdicts import (
    Absent,
    Blocked,
    Braked,
    EndpointUnusable,
    KeyDoubted,
    KeyRefused,
    Made,
    Refused,
    There,
    Unclear,
    Unknown,
    Unsent,
)
from batcher.reasons import Reason
from batcher.send.workers import backoff_seconds
from batcher.transport.reply import Answer, Cause, Lost, NotSent, Reply

NOW = datetime(2026, 11, 23, tzinfo=UTC)
MADE = {"dashboard": {"id": "d", "dashboardId": "d"}, "workbook": {"id": "w", "documentId": "w", "identifier": "doc-1"}}
DOCUMENT = {"name": "a", "modelId": "m", "queryPresentations": []}

SHAPES: dict[str, Callable[[int, str], bytes]] = {
    "detail": lambda status, text: json.dumps({"detail": text, "status": status}).encode(),
    "nested": lambda status, text: json.dumps({"error": {"code": status, "message": text}}).encode(),
    "plain": lambda _status, text: json.dumps({"success": False, "error": text}).encode(),
    "coded": lambda _status, text: json.dumps({"error": "some_code", "message": text}).encode(),
}


def reply(status: int, body: bytes | dict[str, Any] = b"", **headers: str) -> Answer:
    """An answer."""
    text = json.dumps(body).encode() if isinstance(body, dict) else body
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, text)


def create(answered: Reply, *, is_proven: bool = True, has_created: bool = False) -> Any:
    """The verdict on a POST."""
    return judge_create(answered, is_proven=is_proven, has_created=has_created, now=NOW)


def look(answered: Reply) -> Any:
    """The verdict on a GET of doc-1."""
    return judge_look(answered, "doc-1", now=NOW)


def kind_of(verdict: object) -> type:
    """What kind of verdict it is."""
    return type(verdict)


CREATES = [
    (400, "Bad Request: modelId: Required", Refused, Reason.REJECTED),
    (400, 'Bad Request: identifier: "doc-1" is already in use', Refused, Reason.REJECTED),
    (400, "Malformed Authorization header", KeyRefused, None),
    (401, "Unauthorized", KeyRefused, None),
    (403, "Invalid bearer token", KeyRefused, None),
    (403, "Your API key has been revoked", KeyRefused, None),
    (403, "You do not have permission to create documents here", Refused, Reason.FORBIDDEN),
    (404, "Model with id x not found", Refused, Reason.NOT_FOUND),
    (404, "Branch not found", Refused, Reason.NOT_FOUND),
    (404, "Not Found", EndpointUnusable, None),
    (405, "Method not allowed", EndpointUnusable, None),
    (410, "Gone", EndpointUnusable, None),
    (408, "Request Timeout", Unclear, Reason.TIMEOUT),
    (409, "Conflict", Refused, Reason.REJECTED),
    (413, "Payload Too Large", Refused, Reason.REJECTED),
    (418, "I'm a teapot", Refused, Reason.REJECTED),
    (422, "Unprocessable", Refused, Reason.REJECTED),
    (425, "Too Early", Unclear, Reason.TIMEOUT),
    (429, "Too Many Requests", Braked, None),
    (500, "Internal", Unclear, Reason.SERVER_ERROR),
    (502, "Bad Gateway", Unclear, Reason.SERVER_ERROR),
    (503, "Unavailable", Unclear, Reason.SERVER_ERROR),
    (504, "Gateway Timeout", Unclear, Reason.SERVER_ERROR),
    (599, "Odd", Unclear, Reason.SERVER_ERROR),
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("status", "text", "kind", "reason"), CREATES)
def test_a_create_in_each_shape(shape: str, status: int, text: str, kind: type, reason: Reason | None) -> None:
    """The same status and words mean the same in all four error shapes, and the words are the API's own."""
    answered = reply(status, SHAPES[shape](status, text))
    verdict = create(answered)
    assert message_of(answered) == text
    if isinstance(verdict, KeyDoubted) and shape == "nested":  # the authentication's shape: whoami decides
        verdict = verdict.refused
    assert kind_of(verdict) is kind, verdict
    assert text in verdict.message
    if reason is not None:
        assert verdict.reason is reason


@pytest.mark.parametrize(
    ("answered", "kind", "reason"),
    [
        (reply(201, MADE), Made, None),
        (reply(200, MADE), Made, None),
        (reply(202, MADE), Made, None),
        (reply(201, b""), Unclear, Reason.BAD_RESPONSE),
        (reply(204), Unclear, Reason.BAD_RESPONSE),
        (reply(200, b"<html>Welcome</html>"), Unclear, Reason.BAD_RESPONSE),
        (reply(201, b'{"dashboard": {"id": "d'), Unclear, Reason.BAD_RESPONSE),
        (reply(201, {"ok": True}), Unclear, Reason.BAD_RESPONSE),
        (reply(201, b"[]"), Unclear, Reason.BAD_RESPONSE),
        (reply(302, b"", location="/login"), Refused, Reason.BAD_RESPONSE),
        (reply(304), Refused, Reason.BAD_RESPONSE),
        (reply(503, b"", retry_after="7"), Braked, None),
        (reply(429, b"<html>blocked</html>"), Braked, None),
        (reply(400), Refused, Reason.REJECTED),
        (reply(403, b"<html>Forbidden by firewall: token</html>"), Blocked, None),
        (reply(403), Blocked, None),
        (reply(403, {"error": {"code": 401, "message": "No"}}), KeyRefused, None),
        (Lost(Cause.UNREADABLE, "u", 201), Unclear, Reason.BAD_RESPONSE),
        (reply(404, b"<html>model not here</html>"), EndpointUnusable, None),
        (Lost(Cause.TIMEOUT, "t"), Unclear, Reason.TIMEOUT),
        (Lost(Cause.RESET, "r"), Unclear, Reason.CONNECTION),
        (Lost(Cause.TRUNCATED, "r", 201), Unclear, Reason.BAD_RESPONSE),
        (Lost(Cause.OVERSIZED, "r", 201), Unclear, Reason.BAD_RESPONSE),
        (NotSent(Cause.REFUSED, "x"), Unsent, None),
        (NotSent(Cause.DNS, "x"), Unsent, None),
        (NotSent(Cause.TLS, "x"), Unsent, None),
        (NotSent(Cause.CONNECT_TIMEOUT, "x"), Unsent, None),
        (NotSent(Cause.CERTIFICATE, "x"), EndpointUnusable, None),
    ],
)
def test_a_create_without_an_error_body(answered: Reply, kind: type, reason: Reason | None) -> None:
    """Successes, pages, empty bodies and transport failures."""
    verdict = create(answered)
    assert kind_of(verdict) is kind
    if reason is not None:
        assert verdict.reason is reason


@pytest.mark.parametrize(
    ("answered", "stops"),
    [
        (reply(200, b"<html>Welcome</html>"), True),
        (reply(201, b""), True),
        (reply(201, {"ok": True}), False),
        (reply(201, MADE), False),
        (reply(500, b"<html>"), False),
    ],
)
def test_a_2xx_that_is_not_json_stops_only_before_the_first_success(answered: Answer, stops: bool) -> None:
    """`is this an Omni base URL?` is asked while nothing has succeeded; the attempt is unclear in either case."""
    first, later = create(answered, is_proven=False), create(answered)
    assert (isinstance(first, Unclear) and first.end is not None) is stops
    assert not isinstance(later, Unclear) or later.end is None


def test_a_redirect_before_the_first_success_stops() -> None:
    """It names where to, without the query, which may hold secrets."""
    verdict = create(reply(302, b"", location="https://login.test/?secret=1"), is_proven=False)
    assert isinstance(verdict, EndpointUnusable)
    assert "https://login.test/" in verdict.message
    assert "secret" not in verdict.message


@pytest.mark.parametrize(
    ("status", "text", "may_be"),
    [
        (400, 'Bad Request: identifier: "x" is already in use', True),
        (400, "Conflict", True),
        (409, "", True),
        (400, "Bad Request: modelId: Required", False),
        (400, "Bad Request: queryPresentations[0].query: Invalid", False),
        (400, "Bad Request: queryPresentations.0.query: Invalid", False),
        (400, "queryPresentations.0.query: Invalid", False),
        (422, "identifier: already in use", False),
        (413, "", False),
    ],
)
def test_which_refusals_may_mean_a_taken_identifier(status: int, text: str, may_be: bool) -> None:
    """400 and 409 may, unless a 400 blames another field; then no GET is needed."""
    verdict = create(reply(status, SHAPES["detail"](status, text)))
    assert isinstance(verdict, Refused)
    assert verdict.may_be_taken is may_be


ABSENT = 'Document with identifier "doc-1" not found'
ROUTE = "Route {}:/api/v1/documents/doc-1 not found"
LOOKS = [
    (400, "Analysis documents are not supported", There),
    (400, "Bad Request", Unknown),
    (401, "Unauthorized", KeyRefused),
    (403, "Invalid bearer token", KeyRefused),
    (403, "No permission", There),
    (404, ABSENT, Absent),
    (404, "Not Found", Unknown),
    (404, 'User "doc-1" not found', Unknown),
    (404, "Route GET:/api/v1/documents/doc-1 not found", Unknown),
    (404, 'The page "/api/v1/documents/doc-1" was not found', Unknown),
    (404, "Cannot GET /api/v1/documents/doc-1", Unknown),
    (408, "Request Timeout", Unknown),
    (422, "Unprocessable", There),
    (429, "Too Many Requests", Braked),
    (500, "Internal", Unknown),
    (502, "Bad Gateway", Unknown),
    (503, "Unavailable", Unknown),
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("status", "text", "kind"), LOOKS)
def test_a_look_in_each_shape(shape: str, status: int, text: str, kind: type) -> None:
    """What a GET says of existence is the same in all four shapes; only the application's own 404 proves absence."""
    found = look(reply(status, SHAPES[shape](status, text)))
    assert type(found) is kind


@pytest.mark.parametrize(
    ("answered", "kind"),
    [
        (reply(200, DOCUMENT), There),
        (reply(200, b"<html>Welcome</html>"), Unknown),
        (reply(200, {}), Unknown),
        (reply(200, b""), Unknown),
        (reply(404, b"<html>document doc-1 not found</html>"), Unknown),
        (reply(404), Unknown),
        (reply(404, {"detail": "Document not found", "status": 404}), Absent),
        (reply(404, {"detail": "Document not found", "status": "404"}), Unknown),
        (reply(404, {"detail": "Document not found"}), Unknown),
        (reply(404, {"message": "Document not found", "status": 404}), Unknown),
        (reply(404, {"message": ROUTE.format("GET"), "error": "Not Found", "statusCode": 404}), Unknown),
        (reply(404, {"detail": ROUTE.format("GET"), "status": 404}), Unknown),
        (reply(403, b"<html>Forbidden</html>"), Unknown),
        (reply(422, b"<html>"), Unknown),
        (reply(302, b"", location="/login"), Unknown),
        (reply(503, b"", retry_after="3"), Braked),
        (Lost(Cause.TIMEOUT, "t"), Unknown),
        (Lost(Cause.RESET, "t"), Unknown),
        (Lost(Cause.TRUNCATED, "t", 200), Unknown),
        (NotSent(Cause.REFUSED, "t"), Unsent),
        (NotSent(Cause.CERTIFICATE, "t"), EndpointUnusable),
    ],
)
def test_a_look_without_an_error_body(answered: Reply, kind: type) -> None:
    """A page, a proxy or a broken wire proves nothing about a document."""
    assert type(look(answered)) is kind


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"detail": ABSENT, "status": 404}, Absent),
        ({"error": {"code": 404, "message": ABSENT}}, Absent),
        ({"message": ROUTE.format("DELETE"), "error": "Not Found", "statusCode": 404}, Unknown),
        ({"error": "Document not found"}, Unknown),
    ],
)
def test_a_deletion_that_finds_nothing(body: dict[str, Any], kind: type) -> None:
    """A router's 404 deleted nothing. (Failed before: it repeats the path, and that was read as the document's name.)"""
    assert kind_of(judge_delete(reply(404, body), "doc-1", now=NOW)) is kind


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    "text",
    [
        'Bad Request: queryPresentations[0].query.fields: unknown field "users.token"',
        'name: "Token and credentials" is too plain',
        'Bad Request: the field "users.api_key" does not exist',
    ],
)
def test_words_of_the_row_do_not_drop_the_key(shape: str, text: str) -> None:
    """A 400 that repeats a `token` out of the row is about the row. (Failed before: the key was dropped, the run ended.)"""
    assert isinstance(create(reply(400, SHAPES[shape](400, text))), Refused)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Invalid bearer token", KeyRefused),
        ("Missing or invalid bearer token.", KeyRefused),
        ("The API key has expired", KeyRefused),
        ("No API key", KeyRefused),
        ("Authorization header is required", KeyRefused),
        ("Invalid token", KeyDoubted),
        ("unexpected token ')' in filter expression at position 17", KeyDoubted),
        ("The model's connection needs valid credentials", KeyDoubted),
        ("The API key of the connection could not be decrypted", KeyDoubted),
        ("You do not have permission to create documents on this model", Refused),
    ],
)
@pytest.mark.parametrize("status", [400, 403])
def test_what_is_plainly_about_the_key(status: int, text: str, kind: type) -> None:
    """Only words about the token itself are; what merely smells of it is asked about. (Failed before: both were the key's.)"""
    assert kind_of(create(reply(status, SHAPES["detail"](status, text)))) is kind


@pytest.mark.parametrize("size", [10_000, 2_000_000])
def test_long_words_are_cut_before_they_are_looked_through(size: int) -> None:
    """However long the answer is: patterns take time that grows with the square."""
    for word in ("document ", "token", "a/", "'", " "):
        answered = reply(404, {"detail": word * (size // len(word)), "status": 404})
        begun = perf_counter()
        create(answered), look(answered), judge_delete(answered, "doc-1", now=NOW)
        assert perf_counter() - begun < 2.0
        assert len(message_of(answered)) <= 4000


@pytest.mark.parametrize(
    ("status", "is_outage"),
    [(500, False), (502, True), (503, True), (504, True), (501, False), (408, False)]
    + [(status, True) for status in (520, 521, 522, 523, 524, 525, 526, 527, 530)]
    + [(519, False), (528, False), (529, False)],
)
def test_what_counts_as_the_servers_trouble(status: int, is_outage: bool) -> None:
    """502, 503, 504, Cloudflare's 52x and 530, and timeouts may be the server's trouble; a 500 is the row's."""
    assert create(reply(status)).is_outage is is_outage
    assert create(Lost(Cause.TIMEOUT, "t")).is_outage
    assert not create(Lost(Cause.RESET, "t")).is_outage


def test_a_body_of_no_known_shape_is_told_in_short() -> None:
    """HTML loses its tags, an empty body says so, and nothing is longer than 200 characters."""
    assert message_of(reply(502, b"<html><h1>Bad  gateway</h1>\n</html>")) == "Bad gateway"
    assert message_of(reply(502)) == "HTTP 502 with an empty body"
    assert len(message_of(reply(502, b"x" * 5000))) == 200
    assert message_of(reply(400, b'{"detail": "two\\n lines"}')) == "two lines"


def test_full_jitter() -> None:
    """Up to 1, 2, 4, 8 … at most 60 seconds, from zero on."""
    dice = Random(1)
    for attempt, most in ((1, 1), (2, 2), (3, 4), (4, 8), (7, 60), (50, 60)):
        waits = [backoff_seconds(attempt, dice) for _ in range(300)]
        assert 0 <= min(waits) < most * 0.1
        assert most * 0.9 < max(waits) <= most
