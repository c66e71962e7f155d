"""What a program may set of its connection: whom it trusts, further headers, and the way through a proxy (contract 12)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ssl import SSLContext

from yarl import URL

from ..arguments import expect
from ..errors import UsageError
from .base_url import is_local

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"[!-~](?:[ !-~]*[!-~])?")  # no line break, which would begin another header
_OURS = frozenset({"authorization", "content-length", "content-type", "connection", "host", "transfer-encoding"})


@dataclass(frozen=True, slots=True)
class OwnConnection:
    """None and no headers: as the system and the environment say."""

    ssl: SSLContext | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    proxy: URL | None = field(default=None, repr=False)


AS_EVERYWHERE = OwnConnection()


def more_headers(headers: Mapping[str, str] | None) -> Mapping[str, str]:
    """The headers, if they can be sent. Raises UsageError, TypeError; neither shows a value."""
    expect("headers", headers, Mapping, None)
    for name, value in (headers or {}).items():
        expect("a name in headers", name, str)
        expect(f"headers[{name!r}]", value, str)
        if not _NAME.fullmatch(name) or name.lower() in _OURS:
            raise UsageError(f"headers: {name!r} isn't a header that can be added; leave it out")
        if not _VALUE.fullmatch(value):
            raise UsageError(f"headers[{name!r}] is empty, or has a character that no header may hold")
    return dict(headers or {})


def proxy_for(base_url: str, proxy: str | None) -> URL | None:
    """The proxy's URL, if it can serve this base URL. Raises UsageError, TypeError; neither shows a password."""
    expect("proxy", proxy, str, None)
    if proxy is None:
        return None
    if (url := http_proxy(proxy)) is None:
        raise UsageError("proxy isn't an HTTP proxy; write it as in http://proxy.example:3128")
    if is_local(base_url):
        raise UsageError(
            f"proxy: {base_url} is on this machine, which can't be reached through a proxy; leave the proxy out"
        )
    return url


def http_proxy(named: str) -> URL | None:
    """An HTTP proxy as people name it, with or without scheme; None if it can't be one."""
    try:
        url = URL(named if "://" in named else f"http://{named}")
    except ValueError:
        return None
    return url if url.scheme == "http" and url.host and url.port else None
