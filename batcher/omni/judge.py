"""What a reply means: pure functions, no clocks, no waiting (contract 7 and 9)."""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from ..errors import StopReason
from ..models import ApiVersion
from ..reasons import Reason
from ..transport.headers import printable, retry_after
from ..transport.reply import Answer, Cause, Lost, NotSent, Reply
from .v1_answers import (
    document_of,
    json_of,
    made_of,
    may_be_of_key,
    message_of,
    names_other_field,
    proves_absence,
    refuses_key,
    says_deleted,
    speaks_of_content,
    why_unread,
)
from .verdicts import (
    Absent,
    Blocked,
    Braked,
    EndpointUnusable,
    KeyDoubted,
    KeyRefused,
    Look,
    Refused,
    There,
    Unclear,
    Unknown,
    Unsent,
    Verdict,
)

_NO_OMNI = "is this an Omni base URL? It answered {what}. Check --base-url{and_then}."
_NO_CREATE = (
    "this instance {no_longer} {version} create (POST /api/{version}/documents answered {status}: {message}). "
    "It may offer {other}: use --api {other}, or check --base-url."
)
_NO_LONGER = {ApiVersion.V1: "no longer offers", ApiVersion.V2: "doesn't offer"}
_OR_RIGHTS = ", which is also how v2 may say that the key can't create documents there"  # API.md 8
_NO_ENDPOINT = (404, 405, 410)
_OUTAGE = frozenset({502, 503, 504, *range(520, 528), 530})  # 52x and 530: a proxy doesn't reach what is behind it


def judge_create(
    reply: Reply, *, is_proven: bool, has_created: bool, now: datetime, version: ApiVersion = ApiVersion.V1
) -> Verdict:
    """What the reply to a POST means. `is_proven`: this is an Omni base URL; `has_created`: one that takes creates."""
    match reply:
        case Answer(status=status) if 200 <= status < 300:
            return made_of(reply, version) or _unreadable(reply, is_proven=is_proven)
        case Answer(status=status):
            if 300 <= status < 400 and not is_proven:
                target = printable(reply.headers.get("location", "nowhere")).split("?")[0]
                what = f"{status}, a redirect to {target}"
                message = _NO_OMNI.format(what=what, and_then="; nothing was created by that request")
                return EndpointUnusable(message, StopReason.NOT_OMNI)
            return _judge_common(reply, now) or _judge_refusal(reply, has_created=has_created, version=version)
        case NotSent():
            return _unsent(reply)
        case Lost():
            return Unclear(_reason_of(reply), reply.status, reply.message, is_outage=reply.cause is Cause.TIMEOUT)
        case _:
            assert_never(reply)


def judge_look(reply: Reply, identifier: str, *, now: datetime, version: ApiVersion = ApiVersion.V1) -> Look:
    """What the reply to a GET says about the existence of a document (contract 7; API.md 5 and 10)."""
    match reply:
        case NotSent():
            return _unsent(reply)
        case Lost():
            return Unknown(_reason_of(reply), reply.status, reply.message, is_outage=reply.cause is Cause.TIMEOUT)
        case Answer(status=status):
            common = _judge_common(reply, now)
            if isinstance(common, Braked | KeyRefused):
                return common
            message = message_of(reply)
            has_json = isinstance(json_of(reply), dict)
            if status == 200 and (document := document_of(reply, version)) is not None:
                return There(status, document, reply.body)
            if proves_absence(reply, identifier):
                return Absent()
            if has_json and (status in (403, 422) or (status == 400 and "analysis" in message.lower())):
                return There(status, None)
            reason = Reason.SERVER_ERROR if status >= 500 else Reason.BAD_RESPONSE
            is_gone = status in _NO_ENDPOINT
            return Unknown(reason, status, message, is_outage=status in _OUTAGE, is_gone=is_gone)
        case _:
            assert_never(reply)


def judge_ask(reply: Reply, *, now: datetime, is_of_key: bool = False) -> Look:
    """What the reply to a question of the preflight or a deletion means, as far as every request's does.

    There: a 2xx with JSON. Absent: a 404 or 405 of the application. Unknown: all that is strange. `is_of_key`: nothing
    but the key can be wrong with this question.
    """
    match reply:
        case NotSent():
            return _unsent(reply)
        case Lost():
            return Unknown(_reason_of(reply), reply.status, reply.message, is_outage=reply.cause is Cause.TIMEOUT)
        case Answer(status=status):
            common = _judge_common(reply, now)
            if isinstance(common, Braked | KeyRefused):
                return common
            if isinstance(common, KeyDoubted) and is_of_key:
                return KeyRefused(status, common.refused.message)
            if isinstance(common, Unclear):
                return Unknown(common.reason, status, common.message, is_outage=common.is_outage)
            if isinstance(json_of(reply), dict):
                if 200 <= status < 300:
                    return There(status, None, reply.body)
                if status in (404, 405):
                    return Absent()
            return Unknown(Reason.BAD_RESPONSE, status, message_of(reply))
        case _:
            assert_never(reply)


def judge_delete(reply: Reply, identifier: str, *, now: datetime) -> Look | Refused:
    """What the reply to a DELETE means. Absent: there is no such document now, by this request or an earlier one."""
    look = judge_ask(reply, now=now)
    if not isinstance(reply, Answer):
        return look
    match look:
        case There():
            return Absent() if says_deleted(reply) else Refused(Reason.REJECTED, reply.status, message_of(reply))
        case Absent() if proves_absence(reply, identifier):
            return look
        case Absent():
            return Unknown(Reason.BAD_RESPONSE, reply.status, message_of(reply))
        case Unknown(status=403):
            return Refused(Reason.FORBIDDEN, 403, message_of(reply))
        case Unknown(status=204):
            return Absent()
        case Unknown() if 400 <= reply.status < 500 and reply.status not in (408, 425):
            return Refused(Reason.REJECTED, reply.status, message_of(reply))
        case _:
            return look


def _unreadable(answer: Answer, *, is_proven: bool) -> Unclear:
    """A 2xx that doesn't say what was made."""
    end = None
    if not is_proven and json_of(answer) is None:
        what = f"{answer.status} with something that is not JSON"
        end = _NO_OMNI.format(what=what, and_then=", and look there for what that request may have created")
    return Unclear(
        Reason.BAD_RESPONSE,
        answer.status,
        f"an unreadable answer ({why_unread(answer)}: {message_of(answer)[:120]})",
        end=end,
    )


def _reason_of(reply: Lost) -> Reason:
    match reply.cause:
        case Cause.TIMEOUT:
            return Reason.TIMEOUT
        case Cause.OVERSIZED | Cause.TRUNCATED | Cause.UNREADABLE:
            return Reason.BAD_RESPONSE
        case _:
            return Reason.CONNECTION


def _judge_common(answer: Answer, now: datetime) -> Braked | KeyRefused | KeyDoubted | Unclear | None:
    """What means the same for every request."""
    status = answer.status
    if status == 429 or (status == 503 and "retry-after" in answer.headers):
        return Braked(status, message_of(answer), retry_after(answer.headers, now))
    if status == 401 or (status in (400, 403) and refuses_key(answer)):
        return KeyRefused(status, message_of(answer))
    if status in (400, 403) and may_be_of_key(answer):
        reason = Reason.FORBIDDEN if status == 403 else Reason.REJECTED
        return KeyDoubted(Refused(reason, status, message_of(answer), may_be_taken=status == 400))
    if status >= 500 or status in (408, 425):
        reason = Reason.SERVER_ERROR if status >= 500 else Reason.TIMEOUT
        return Unclear(reason, status, message_of(answer), is_outage=status in _OUTAGE)
    return None


def _judge_refusal(answer: Answer, *, has_created: bool, version: ApiVersion) -> Refused | Blocked | EndpointUnusable:
    """A 3xx or 4xx that is about this row, about the address, or of something before the server."""
    status, message = answer.status, message_of(answer)
    is_omnis = isinstance(json_of(answer), dict)
    match status:
        case 404 | 405 | 410 if speaks_of_content(answer):
            return Refused(Reason.NOT_FOUND, status, message)
        case 404 | 405 if has_created and is_omnis:
            return Refused(Reason.NOT_FOUND, status, message)
        case 404 | 405 if has_created:
            return Blocked(status, message)
        case 404 | 405 | 410:
            words = {"no_longer": _NO_LONGER[version], "version": version, "other": version.other}
            said = _NO_CREATE.format(**words, status=status, message=message)
            return EndpointUnusable(said, StopReason.ENDPOINT_GONE)
        case 403 if not is_omnis:
            is_bare = version is ApiVersion.V2 and not answer.body
            return Blocked(status, message + (_OR_RIGHTS if is_bare else ""))
        case 403:
            return Refused(Reason.FORBIDDEN, status, message)
        case 400 | 409:
            return Refused(Reason.REJECTED, status, message, may_be_taken=not names_other_field(message))
        case _ if status < 400:
            return Refused(Reason.BAD_RESPONSE, status, f"a redirect, which is not followed ({message})")
        case _:
            return Refused(Reason.REJECTED, status, message)


def _unsent(reply: NotSent) -> EndpointUnusable | Unsent:
    if reply.cause is Cause.CERTIFICATE:
        message = f"{reply.message}. The key is not sent to such a server."
        return EndpointUnusable(message, StopReason.CERTIFICATE)
    return Unsent(reply.cause, reply.message)
