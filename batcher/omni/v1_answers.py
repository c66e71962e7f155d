"""What the documents API answers, read: its ids, documents, lists, errors, and the words in them.

Facts are from the vendor's description, its documentation and its clients, as gathered in `API.md`; where that is unsure,
each possible answer is understood.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from ..models import ApiVersion
from ..transport.reply import Answer
from .api import ListedDocument, Page
from .fields import API_FIELDS
from .verdicts import Document, Made


def json_of(answer: Answer) -> Any | None:
    """The answer's JSON, or None when it holds none."""
    return _json(answer.body)


def made_of(answer: Answer, version: ApiVersion = ApiVersion.V1) -> Made | None:
    """Read a create's 2xx; None if it doesn't look like one."""
    answered = json_of(answer)
    if not isinstance(answered, dict):
        return None
    if version is ApiVersion.V2:
        identifier = _text(answered.get("identifier"))
        return None if identifier is None else Made(answer.status, identifier, None, None, answer.body)
    workbook, dashboard = answered.get("workbook"), answered.get("dashboard")
    if not isinstance(workbook, dict) or not isinstance(dashboard, dict):
        return None
    return Made(
        answer.status,
        _text(workbook.get("identifier") or dashboard.get("identifier")),
        _text(dashboard.get("dashboardId") or dashboard.get("id")),
        _text(workbook.get("id")),
        answer.body,
    )


def document_of(answer: Answer, version: ApiVersion = ApiVersion.V1) -> Document | None:
    """Read a GET's 200; None if it is no document."""
    answered = json_of(answer)
    if isinstance(answered, dict) and ("name" in answered or "modelId" in answered):
        return Document(answered, version)
    return None


def page_of(answered: bytes) -> Page | None:
    """Read a list page; None if it isn't one."""
    page = _json(answered)
    if not isinstance(page, dict) or not isinstance(page.get("records"), list):
        return None
    documents = tuple(
        ListedDocument(record["identifier"], _text(record.get("name")) or "", _text(record.get("updatedAt")) or "")
        for record in page["records"]
        if isinstance(record, dict) and _text(record.get("identifier"))
    )
    match page.get("pageInfo"):
        case {"hasNextPage": has_more, "nextCursor": str(cursor)} if has_more and cursor:
            return Page(documents, cursor)
        case _:
            return Page(documents, None)


def says_deleted(answer: Answer) -> bool:
    """Whether a 2xx to a DELETE says so; `{"success": true}` is documented, its absence is no denial."""
    answered = json_of(answer)
    return isinstance(answered, dict) and answered.get("success", True) is True


def owner_of(answered: bytes) -> str | None:
    """The id of the user that a whoami names."""
    match _json(answered):
        case {"user": {"id": str(owner)}} if owner:
            return owner
        case _:
            return None


def has_records(answered: bytes) -> bool | None:
    """Whether a list answer holds anything; None if it is no list."""
    match _json(answered):
        case {"records": list(records)}:
            return bool(records)
        case _:
            return None


def message_of(answer: Answer) -> str:
    """The API's own words, from any of the four error shapes; a short piece of the body where it is none of them."""
    answered = json_of(answer)
    if isinstance(answered, dict):
        for name in ("detail", "message", "error"):
            match answered.get(name):
                case str(text) | {"message": str(text)} if text:
                    return _one_line(text[:_LONGEST_MESSAGE])
                case _:
                    continue
    text = re.sub(r"<[^>]*>", " ", answer.body[:4096].decode("utf-8", "replace"))
    return _one_line(text)[:200] or f"HTTP {answer.status} with an empty body"


def refuses_key(answer: Answer) -> bool:
    """Whether a 400 or 403 says plainly that the key itself is not accepted."""
    match json_of(answer):
        case {"error": {"code": 401}}:
            return True
        case dict():
            return _PLAIN.fullmatch(message_of(answer).rstrip(".! ")) is not None
        case _:
            return False


def may_be_of_key(answer: Answer) -> bool:
    """Whether a 400 or 403 may be about the key and not about the row, whatever words of the row it repeats."""
    match json_of(answer):
        case {"error": {"code": 403}}:  # the authentication's shape
            return True
        case dict():
            message = message_of(answer)
            return _FIELD.match(message) is None and _TOKEN.search(_QUOTED.sub("", message)) is not None
        case _:
            return False


def why_unread(answer: Answer) -> str:
    """Why the answer's body is no document: the parser's reason, or that it is other JSON."""
    if not answer.body:
        return "it is empty"
    try:
        orjson.loads(answer.body)
    except orjson.JSONDecodeError as error:
        return f"it isn't JSON: {_one_line(str(error))}"
    return "it names no document"


def proves_absence(answer: Answer, identifier: str) -> bool:
    """Whether a 404 is the application's own word on this document; a proxy's or router's 404 is not.

    A router repeats the path, which holds "documents" and the identifier, so paths prove nothing.
    """
    said = json_of(answer)
    if answer.status != 404 or not isinstance(said, dict):
        return False
    words = _PATH.sub(" ", message_of(answer)).lower()
    is_quoted = any(f"{quote}{identifier.lower()}{quote}" in words for quote in "\"'`")
    is_in_own_shape = isinstance(said.get("detail"), str) and said.get("status") == 404
    return _NO_DOCUMENT.search(words) is not None and (is_quoted or is_in_own_shape)


def speaks_of_content(answer: Answer) -> bool:
    """Whether a 404 to a create says that something which the row names is unknown: the model, say."""
    return isinstance(json_of(answer), dict) and _NAMED_BY_ROW.search(_PATH.sub(" ", message_of(answer))) is not None


def names_other_field(message: str) -> bool:
    """Whether a 400 blames a certain field other than the identifier, so that no GET is needed to understand it."""
    field = _FIELD.match(message)
    return field is not None and "identifier" not in message.lower()


_LONGEST_MESSAGE = 4000  # characters; it goes into files, and patterns look through it
_TOKEN = re.compile(r"\b(bearer|token|api[ _-]?key|authorization|authenticat\w+|credentials?)\b", re.IGNORECASE)
_KEY = r"(?:(?:bearer|api|access|auth\w*)[ _-](?:token|key|header)|bearer|authorization)"
_BAD = r"(?:invalid|expired|revoked|missing|malformed|unknown|disabled|deleted|inactive)"
_PLAIN = re.compile(
    rf"(?:Bad Request: )?(?:(?:the|your|this) )?(?:{_BAD}(?: or {_BAD})? {_KEY}|no {_KEY}(?: \w+)?"
    rf"|{_KEY} (?:(?:is|was|has|has been) )?(?:{_BAD}|required|not (?:valid|found|recogni[sz]ed|accepted)))",
    re.IGNORECASE,
)
_NAMED_BY_ROW = re.compile(r"\b(model|branch|folder|topic)", re.IGNORECASE)
_PATH = re.compile(r"\S*/\S*")
_NO_DOCUMENT = re.compile(r"\bdocument\b.*\bnot found\b")
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
_FIELD = re.compile(rf"(?:Bad Request: )?(?:{'|'.join(API_FIELDS)})\b[^:]*: ")


def _json(text: bytes) -> Any | None:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _one_line(text: str) -> str:
    return " ".join(text.split())
