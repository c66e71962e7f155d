"""Base URLs as people paste them, turned into scheme and host; and which hosts may be trusted from where."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from ..errors import UsageError

KNOWN_HOSTS = (".omniapp.co", ".exploreomni.dev")
_PATHS = ("", "/api", "/api/v1")
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_][a-z0-9_-]{0,62})*")
_INSTANCE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def normalise(text: str, origin: str) -> str:
    """`https://acme.omniapp.co` of `acme.omniapp.co/api/v1/`. `origin` is for messages. Raises UsageError."""
    pasted = text.strip()
    parts = _split(pasted, origin)
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise UsageError(f"{origin}: a base URL doesn't hold a user name or a key; put the key in OMNI_API_KEY")
    host = _host(parts, origin, pasted)
    scheme = parts.scheme or ("http" if is_loopback(host) else "https")
    if scheme not in ("http", "https"):
        raise UsageError(f"{origin}: {pasted!r} isn't a web address; write it as in https://acme.omniapp.co")
    if scheme == "http" and not is_loopback(host):
        raise UsageError(f"{origin}: {pasted!r} isn't encrypted and would expose the key; write https://{host}")
    if parts.path.rstrip("/").lower() not in _PATHS or parts.query or parts.fragment:
        raise UsageError(f"{origin}: {pasted!r} has more after the host; write only {scheme}://{host}")
    try:
        port = parts.port
    except ValueError as error:
        raise UsageError(f"{origin}: the port in {pasted!r} is not a number up to 65535") from error
    shown = f"[{host}]" if ":" in host else host
    default = {"https": 443, "http": 80}[scheme]
    return f"{scheme}://{shown}" if port in (None, default) else f"{scheme}://{shown}:{port}"


def of_instance(name: str, origin: str) -> str:
    """`https://acme.omniapp.co` of `acme`. Raises UsageError."""
    plain = name.strip().lower()
    if not _INSTANCE.fullmatch(plain):
        raise UsageError(
            f"{origin}: {name!r} isn't an instance name; write acme for https://acme.omniapp.co, or use --base-url"
        )
    return f"https://{plain}.omniapp.co"


def is_known(base_url: str) -> bool:
    """Whether the host is one of the vendor's, or this machine."""
    host = urlsplit(base_url).hostname or ""
    return host.endswith(KNOWN_HOSTS) or is_loopback(host)


def is_local(base_url: str) -> bool:
    """Whether the server is on this machine."""
    return is_loopback(urlsplit(base_url).hostname or "")


def is_loopback(host: str) -> bool:
    """Whether requests to the host stay on this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _split(pasted: str, origin: str) -> SplitResult:
    has_scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", pasted)
    try:
        return urlsplit(pasted if has_scheme else f"//{pasted}")
    except ValueError as error:
        raise UsageError(f"{origin}: {pasted!r} isn't a web address; write it as in https://acme.omniapp.co") from error


def _address(host: str, origin: str, pasted: str) -> str:
    """The IPv6 address, if it is one, without a zone."""
    try:
        address = ipaddress.IPv6Address(host)
    except ValueError:
        address = None
    if address is None or address.scope_id is not None:
        raise UsageError(
            f"{origin}: {pasted!r} has no IPv6 address in its brackets; write it as in https://[2001:db8::1]"
        )
    return host


def _host(parts: SplitResult, origin: str, pasted: str) -> str:
    host = (parts.hostname or "").rstrip(".")
    if "[" in parts.netloc:  # urlsplit takes anything in brackets that has a zone, or a version to come
        return _address(host, origin, pasted)
    try:
        ascii_host = host.encode("idna").decode() if not host.isascii() else host
    except UnicodeError:
        ascii_host = ""
    if not _HOST.fullmatch(ascii_host):
        raise UsageError(f"{origin}: {pasted!r} has no host; write it as in https://acme.omniapp.co")
    return ascii_host
