"""Errors in the shapes that Omni's bodies are met in."""

from __future__ import annotations

from enum import StrEnum
from http import HTTPStatus
from http.client import responses

import orjson

from ..calls import Response


class ErrorShape(StrEnum):
    """The shapes that Omni's error bodies are met in; the application's own errors can be asked for in each."""

    DETAIL = "detail"  # {"detail": "Bad Request: modelId: Required", "status": 400}
    NESTED = "nested"  # {"error": {"code": 400, "message": "..."}}
    PLAIN = "plain"  # {"error": "...", "success": false}
    CODED = "coded"  # {"error": "bad_request", "message": "..."}


def error_body(shape: ErrorShape, status: int, message: str) -> bytes:
    """The application's error in one of the shapes that are met. A 400 says so itself, as Omni's does."""
    if status == HTTPStatus.BAD_REQUEST and shape is ErrorShape.DETAIL:
        message = f"Bad Request: {message}"
    match shape:
        case ErrorShape.DETAIL:
            return orjson.dumps({"detail": message, "status": status})
        case ErrorShape.NESTED:
            return orjson.dumps({"error": {"code": status, "message": message}})
        case ErrorShape.PLAIN:
            return orjson.dumps({"success": False, "error": message})
        case ErrorShape.CODED:
            code = responses.get(status, "error").lower().replace(" ", "_")
            return orjson.dumps({"error": code, "message": message})


def auth_error(status: int, message: str) -> Response:
    """An answer of the authentication in front of the application: always the nested shape."""
    return Response(status, orjson.dumps({"error": {"code": status, "message": message}}))


def gone(successor: str) -> Response:
    """The answer of an endpoint that was removed (API.md 7); `successor` is empty if nothing follows it."""
    links = (("Link", f'<{successor}>; rel="successor-version"'),) if successor else ()
    headers = (*links, ("Sunset", "2026-07-31"), ("Deprecation", "true"))
    return Response(410, b'{"detail":"This endpoint has been removed"}', headers=headers)


def fault_error(status: int, shape: ErrorShape) -> Response:
    """An error asked for by a fault: a gateway's page, the firewall's word, the door's, or the application's."""
    phrase = responses.get(status, f"Status {status}")
    match status:
        case 401:
            return auth_error(status, "Invalid bearer token")
        case 429:
            body = orjson.dumps({"error": "Too Many Requests"})
            return Response(status, body, headers=(("X-Omni-Waf-Action", "block"),))
        case 502 | 504:
            page = f"<html><head><title>{status} {phrase}</title></head><body><h1>{status} {phrase}</h1></body></html>"
            return Response(status, page.encode(), "text/html")
        case _:
            return Response(status, error_body(shape, status, phrase))
