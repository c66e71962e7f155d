"""Answers: what they mean, whatever they hold. An input is a status, header lines, an empty line, and the body."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from batcher.files.results import created_of, encode_line
from batcher.models import ApiVersion, Created, How
from batcher.omni.v1 import V1
from batcher.omni.v2 import api_of
from batcher.omni.verdicts import Absent, Braked, EndpointUnusable, KeyRefused, Look, Made, There, Unclear, Verdict
from batcher.read.json_text import shown
from batcher.transport.headers import LONGEST_SECONDS
from batcher.transport.reply import Answer

_NOW = datetime(2026, 11, 23, 22, 16, 4, tzinfo=UTC)
_APIS = tuple(api_of(version, "https://acme.omniapp.co") for version in ApiVersion)
_IDENTIFIER = "sales-abcdefghijklmnop"
_TILE = {"name": "a", "query": {"table": "t", "fields": ["t.a"]}}
_SENT = orjson.dumps({"modelId": "3f2b8c1e-5d4a-4b6f-9a7e-2c1d0e9f8a7b", "name": "a", "queryPresentations": [_TILE]})


def answer_of(data: bytes) -> Answer:
    """The answer that an input stands for."""
    head, _, body = data.partition(b"\n\n")
    first, *more = head.split(b"\n")
    status = int(first) if re.fullmatch(rb"[1-9][0-9]{2}", first) else 200
    headers: dict[str, str] = {}
    for line in more:
        name, _, value = line.decode("utf-8", "surrogateescape").partition(":")
        headers[name.strip().lower()] = value.strip()
    return Answer(status, headers, body)


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def hold_answer(data: bytes) -> None:
    """Nothing looks created or absent without proof, no wait is endless, and what is booked reads back."""
    for api in _APIS:
        _hold_version(answer_of(data), api)


def _hold_version(answer: Answer, api: V1) -> None:
    said = _json(answer.body)
    for is_proven, has_created in ((False, False), (True, False), (True, True)):
        verdict = api.judge_create(answer, is_proven=is_proven, has_created=has_created, now=_NOW)
        _hold_verdict(verdict, answer, said, api.version)
    for question in (api.get(_IDENTIFIER), api.delete(_IDENTIFIER), api.whoami()):
        look = question.judge(answer, _NOW)
        _hold_wait(look)
        assert not isinstance(look, There) or isinstance(said, dict)
        if isinstance(look, There) and look.document is not None:
            assert all(shown(one.echoed) for one in api.differences(_SENT, look.document))
            if api.is_match(_SENT, look.document):
                assert isinstance(said, dict)
                assert said["name"] == "a"
    look = api.get(_IDENTIFIER).judge(answer, _NOW)
    if isinstance(look, Absent):
        assert answer.status == 404, "only the application's own 404 proves absence"
        assert isinstance(said, dict)
        assert b"\\" in answer.body or {b"not", b"found"} <= set(re.findall(rb"[a-z]+", answer.body.lower()))
    for read in (api.page_of, api.owner_of, api.has_records, api.offer_of):
        read(answer.body)
    page = api.page_of(answer.body)
    assert page is None or all(one.identifier for one in page.documents)


def _hold_wait(verdict: Verdict | Look) -> None:
    if isinstance(verdict, Braked):
        seconds = verdict.retry_after_seconds
        assert seconds is None or 0 <= seconds <= LONGEST_SECONDS
    message = getattr(verdict, "message", "")
    message.encode()  # it goes into files
    assert len(message) <= 5000


def _hold_verdict(verdict: Verdict, answer: Answer, said: Any, version: ApiVersion) -> None:
    _hold_wait(verdict)
    is_good = 200 <= answer.status < 300
    if isinstance(verdict, Made):
        assert is_good
        assert isinstance(said, Mapping)
        assert version is ApiVersion.V1 or said["identifier"] == verdict.identifier
        is_whole = all(isinstance(said.get(name), dict) for name in ("workbook", "dashboard"))
        assert version is ApiVersion.V2 or is_whole
        _hold_booked(verdict)
    elif is_good:
        assert isinstance(verdict, Unclear), "a 2xx may have made it"
    elif answer.status in (408, 500, 502, 504):
        assert isinstance(verdict, Unclear)
    elif isinstance(verdict, KeyRefused | EndpointUnusable):
        assert verdict.message


def _hold_booked(made: Made) -> None:
    created = Created(
        "k", "a.csv", 2, How.CREATED, "0" * 32, made.identifier or "i", "a", "m", "u", made.dashboard_id, made.workbook_id, 1,
        made.status, 5, "2026-11-23T22:16:04.123+00:00", "r", made.response,
    )  # fmt: skip
    line = encode_line(created)
    assert line.count(b"\n") == 1
    again = created_of(orjson.loads(line), "a:1")
    assert again._replace(response=b"") == created._replace(response=b"")
    assert again.response in (b"null", orjson.dumps(orjson.loads(made.response)))
