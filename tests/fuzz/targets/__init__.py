"""Everything that is fuzzed, by name."""

from __future__ import annotations

from ..target import Target
from .answers import hold_answer
from .files import hold_journal, hold_past, hold_results
from .headers import hold_base_url, hold_retry_after
from .rows import WORDS, hold_compressed, hold_csv, hold_json, hold_jsonl
from .wire import hold_wire
from .workbooks import hold_workbook

_LINE_WORDS = tuple(
    f'"{word}"'.encode()
    for word in (
        *(
            "journal",
            "run",
            "intent",
            "clear",
            "settled",
            "failed",
            "uncertain",
            "mended",
            "undoing",
            "undone",
            "undo_kept",
        ),
        *(
            "created",
            "no_row",
            "same_row",
            "rewriting",
            "key",
            "type",
            "identifier",
            "filled",
            "attempt",
            "at",
            "specHash",
        ),
        *("body", "lines", "of", "size", "digest", "version", "identifiers", "spec", "reason", "how", "response"),
    )
)
_ANSWER_WORDS = (
    *(b"detail", b"message", b"error", b"status", b"dashboard", b"workbook", b"identifier", b"dashboardId", b"records"),
    *(
        b"pageInfo",
        b"hasNextPage",
        b"nextCursor",
        b"name",
        b'Document with identifier "sales-abcdefghijklmnop" not found',
    ),
    *(b"Bad Request: modelId: ", b"Invalid bearer token", b"analysis", b"200", b"201", b"400", b"403", b"404", b"410"),
    *(b"422", b"429", b"500", b"503", b"521", b'"status":404', b"retry-after: 5", b"token", b"branch"),
)
_DATES = (
    b"Sun, 06 Nov 1994 08:49:37 GMT",
    b"+2359",
    b"-9999",
    b"Nov",
    b"9999",
    b"0000",
    b"1e9",
    b"60",
    b"GMT",
    b"inf",
    b"120",
)
_URLS = (
    *(b"https://", b"http://", b"acme.omniapp.co", b"/api/v1", b":443", b":0", b"[::1]", b"%25", b"@", b"localhost"),
    *(b"127.0.0.1", b"xn--", b"..", b"#", b"?", b"[v1.a]", b"\\", "\uff41\u3002\u00df\u212a".encode()),
)
_WIRE = (
    *(
        b"HTTP/1.1 201 Created\r\n",
        b"Content-Length: ",
        b"Transfer-Encoding: chunked\r\n",
        b"Content-Encoding: gzip\r\n",
    ),
    *(
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"Connection: close\r\n",
        b"Keep-Alive: timeout=",
        b"Retry-After: ",
        b"\r\n\r\n",
    ),
)

TARGETS = (
    Target("csv", hold_csv, WORDS, is_slow=True),
    Target("jsonl", hold_jsonl, WORDS, is_slow=True),
    Target("json", hold_json, WORDS, is_slow=True),
    Target("compressed", hold_compressed, WORDS, is_slow=True),
    Target("journal", hold_journal, _LINE_WORDS),
    Target("results", hold_results, _LINE_WORDS),
    Target("past", hold_past, _LINE_WORDS),
    Target("answers", hold_answer, _ANSWER_WORDS),
    Target("wire", hold_wire, (*_ANSWER_WORDS, *_WIRE), is_slow=True),
    Target("retry-after", hold_retry_after, _DATES, most=200),
    Target("base-url", hold_base_url, _URLS, most=200),
    Target("workbook", hold_workbook, is_slow=True, most=20_000),
)
BY_NAME = {target.name: target for target in TARGETS}
