"""The kinds of faults, each with what it does, and the help that `batcher sandbox --faults` prints, made from them."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Effect(StrEnum):
    """What becomes of a request that meets a fault; the value is the headline of such kinds in the help."""

    NOT_CARRIED_OUT = "Nothing is created:"
    CARRIED_OUT = "The request is carried out, but:"
    ADDITIONAL = "On top of whatever else happens:"


class Kind(StrEnum):
    """What goes wrong.

    `effect` and `meaning` describe it; `default` is the number that a missing =VALUE stands for (None: the kind takes
    no number); `method` is the one that is meant where a fault names none (None: any).
    """

    effect: Effect
    meaning: str
    default: float | None
    method: str | None

    def __new__(
        cls, word: str, effect: Effect, meaning: str, default: float | None = None, method: str | None = "POST"
    ) -> Self:
        kind = str.__new__(cls, word)
        kind._value_ = word
        kind.effect, kind.meaning, kind.default, kind.method = effect, meaning, default, method
        return kind

    STATUS = (
        "STATUS",
        Effect.NOT_CARRIED_OUT,
        "429, 503, … (400 to 599); =5 or =date+5 adds Retry-After",
    )
    RESET_BEFORE = "reset-before", Effect.NOT_CARRIED_OUT, "the connection is reset"
    HANG_BEFORE = "hang-before", Effect.NOT_CARRIED_OUT, "no answer ever"
    HTML = "html", Effect.NOT_CARRIED_OUT, "200 with an HTML page, as from a proxy that wants a login"
    REDIRECT = "redirect", Effect.NOT_CARRIED_OUT, "302 to /login"
    EARLY = "early", Effect.NOT_CARRIED_OUT, "413 (or =STATUS) before the body is read", 413.0
    ANALYSIS = (
        "analysis",
        Effect.NOT_CARRIED_OUT,
        "reads answer 400 (v2: 422), as for analysis documents",
        None,
        "GET",
    )
    RESET_AFTER = "reset-after", Effect.CARRIED_OUT, "the connection is reset without an answer"
    HANG_AFTER = "hang-after", Effect.CARRIED_OUT, "no answer ever"
    STATUS_AFTER = (
        "STATUS-after",
        Effect.CARRIED_OUT,
        "500-after, 200-after, … (200 to 599); =5 adds Retry-After",
    )
    TRUNCATE = "truncate", Effect.CARRIED_OUT, "half the answer, then the connection ends"
    STALL = "stall", Effect.CARRIED_OUT, "half the answer, then silence"
    GARBAGE = "garbage", Effect.CARRIED_OUT, "201 with an unreadable body"
    EMPTY = "empty", Effect.CARRIED_OUT, "201 with no body"
    HTML_AFTER = "html-after", Effect.CARRIED_OUT, "200 with an HTML page"
    BARE = "bare", Effect.CARRIED_OUT, "only the four promised fields are answered"
    OVERSIZED = "oversized", Effect.CARRIED_OUT, "an answer of =MEGABYTES (default 9)", 9.0
    SHORT_LENGTH = "short-length", Effect.CARRIED_OUT, "Content-Length is smaller than what is sent"
    CLOSE = "close", Effect.CARRIED_OUT, "a whole answer, then the connection closes without notice"
    OTHER_IDENTIFIER = (
        "other-identifier",
        Effect.CARRIED_OUT,
        "it is created under an identifier of the server's choice",
    )
    LATE_COMMIT = (
        "late-commit",
        Effect.CARRIED_OUT,
        "reset at once, carried out =SECONDS later (default 2)",
        2.0,
    )
    SLOW = (
        "slow",
        Effect.ADDITIONAL,
        "=SECONDS (default 1) of delay, carried out halfway through",
        1.0,
    )
    REVOKE_KEY = "revoke-key", Effect.ADDITIONAL, "this request's key gets 403 from now on", None, None
    DEPRECATED = "deprecated", Effect.ADDITIONAL, "Deprecation, Sunset and Link headers"
    LAG = (
        "404-lag",
        Effect.ADDITIONAL,
        "reads answer 404 for =SECONDS (default 2) after the create",
        2.0,
        "GET",
    )
    OTHER_NAME = "other-name", Effect.ADDITIONAL, "reads show another name", None, "GET"


def _kinds(effect: Effect) -> str:
    return "\n".join(f"  {kind:16}  {kind.meaning}" for kind in Kind if kind.effect is effect)


_READS = ", ".join(kind for kind in Kind if kind.method == "GET")
_ANY = ", ".join(kind for kind in Kind if kind.method is None)

FAULT_HELP = f"""\
A fault is written [METHOD [PATH]] KIND[=VALUE][WHEN].

METHOD  POST, GET, PUT, PATCH, DELETE or ANY; if missing, POST
        (GET for {_READS}; ANY for {_ANY}).
PATH    the beginning of the path, for example /api/v1/models.
WHEN    which calls of METHOD and PATH, counted from 1, after the rate limit:
        nothing  every one             :0.05  each, by chance (seeded)
        @20      only the 20th         @3,7   the 3rd and the 7th
        @3-8     the 3rd to the 8th    @3-    from the 3rd on
        /20      every 20th

""" + "\n".join(f"{effect}\n{_kinds(effect)}" for effect in Effect)
FAULT_HELP += """

Examples: reset-after/20   slow=2.5:0.1   503=30@40-45   "GET 500:0.2"
"""
