"""The frame of every page: elements that cannot be broken out of, one style sheet, and a policy that runs nothing.

Pages are trees of elements and written out as one, so that every text and every attribute is escaped in one place.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from xml.etree import ElementTree as ET

from ..calls import Response

_NEVER = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")  # controls, which a page may not hold
_ICON = (
    "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>"
    "<path fill='%23b7791f' d='M2 9h3v5H2zM7 5h3v9H7zM12 2h2v12h-2z'/></svg>"
)


def element(tag: str, *children: ET.Element | str, **attributes: str) -> ET.Element:
    """One element. `class_` is its class; strings among the children are text."""
    made = ET.Element(tag, {name.rstrip("_").replace("_", "-"): _clean(value) for name, value in attributes.items()})
    last: ET.Element | None = None
    for child in children:
        if isinstance(child, ET.Element):
            made.append(child)
            last = child
        elif last is None:
            made.text = (made.text or "") + _clean(child)
        else:
            last.tail = (last.tail or "") + _clean(child)
    return made


def link(to: str, text: str, **attributes: str) -> ET.Element:
    """A link within the sandbox."""
    return element("a", text, href=to, **attributes)


def chips(texts: Iterable[str], kind: str = "") -> ET.Element:
    """Short texts in a row."""
    return element("ul", *(element("li", text) for text in texts), class_=f"chips {kind}".strip())


def response(status: int, title: str, *main: ET.Element | str) -> Response:
    """The whole page."""
    style = ET.Element("style")
    style.text = _style()  # the only text that is written as it is
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", f"{title} · batcher sandbox"),
        element("link", rel="icon", href=_ICON),
        style,
    )
    page = element("html", head, element("body", _bar(), element("main", *main)), lang="en")
    body = b"<!doctype html>" + ET.tostring(page, encoding="utf-8", method="html")
    return Response(status, body, "text/html; charset=utf-8", _headers())


def _bar() -> ET.Element:
    note = element("span", "a rehearsal on this machine: no real data, no charts", class_="note")
    return element("header", link("/", "batcher sandbox"), note, class_="bar")


@cache
def _style() -> str:
    return files(__package__).joinpath("style.css").read_text("utf-8")


@cache
def _headers() -> tuple[tuple[str, str], ...]:
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return (
        ("Content-Security-Policy", policy),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Cache-Control", "no-store"),
    )


def _clean(text: str) -> str:
    return _NEVER.sub("\ufffd", text)
