"""Where API keys come from, other than profiles: variables, files that variables name, systemd's credentials.

A key in the environment is seen by every child process and by `docker inspect`; a file that holds nothing else is what
Docker, Kubernetes and systemd give their services.
"""

from __future__ import annotations

import os
import stat
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ...api_keys import ApiKey, api_keys
from ...errors import UsageError

_SEVERAL = "OMNI_API_KEYS"
_VARIABLES = (_SEVERAL, "OMNI_API_KEY", "OMNI_API_TOKEN")  # the first that is set counts
_WITH_FILE = (_SEVERAL, "OMNI_API_KEY")
PACE_STORE = "BATCHER_PACE_STORE"  # its URL may hold a password
_PROXIES = ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")
_MOST_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class KeySource:
    """The keys, where they were found, and what the user should know about that."""

    keys: tuple[ApiKey, ...]
    origin: str
    notes: tuple[str, ...] = ()


def found_keys(environ: Mapping[str, str]) -> KeySource | None:
    """The keys that the environment gives or names, if any. Raises UsageError, which never shows a key."""
    for variable in _WITH_FILE:
        if environ.get(variable, "").strip() and environ.get(f"{variable}_FILE"):
            raise UsageError(f"{variable} and {variable}_FILE are both set; keep one of the two")
    for variable in _VARIABLES:
        if any(part.strip() for part in environ.get(variable, "").split(",")):
            return KeySource(api_keys(_parts(environ[variable], variable), variable), variable)
        if variable in _WITH_FILE and (name := environ.get(f"{variable}_FILE")):
            return _from_file(Path(name), f"{variable}_FILE {name}", variable)
    directory = environ.get("CREDENTIALS_DIRECTORY")  # systemd: LoadCredential=omni_api_key:/etc/…
    if directory and (path := Path(directory) / "omni_api_key").exists():
        return _from_file(path, "$CREDENTIALS_DIRECTORY/omni_api_key", "OMNI_API_KEY")
    return None


def _parts(text: str, variable: str) -> list[str]:
    """Several are separated by commas, in a file by line ends, too."""
    if variable != _SEVERAL:
        return [text]
    return [part for part in text.replace("\n", ",").split(",") if part.strip()]


def _from_file(path: Path, origin: str, variable: str) -> KeySource:
    text, facts = _text_of(path, origin)
    keys = api_keys(_parts(text, variable) or [""], origin)
    is_open = stat.S_ISREG(facts.st_mode) and facts.st_mode & stat.S_IROTH
    note = f"{origin}: every user of this machine can read this key; remove that access (chmod o-r), or change the key"
    return KeySource(keys, origin, (note,) if is_open else ())


def _text_of(path: Path, origin: str) -> tuple[str, os.stat_result]:
    """What a file holds, without one newline at its end, and the file's facts. Raises UsageError."""
    try:
        with path.open("rb") as file:
            facts = os.fstat(file.fileno())
            text = file.read(_MOST_BYTES).decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"{origin}: can't be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise UsageError(f"{origin}: isn't text; it must hold the secret and nothing else") from None
    return text.removesuffix("\n").removesuffix("\r"), facts


def keys_in(environ: Mapping[str, str]) -> Iterator[str]:
    """The keys of all variables, those too that don't count."""
    for variable in _VARIABLES:
        yield from (part.strip() for part in environ.get(variable, "").split(",") if part.strip())


def secrets_of(environ: Mapping[str, str]) -> Iterator[str]:
    """What must show up nowhere: these keys, and proxies' passwords, plain and as a proxy gets them."""
    yield from keys_in(environ)
    for variable in (*_PROXIES, PACE_STORE):
        yield from passwords_in(environ.get(variable, ""))


def passwords_in(url: str) -> Iterator[str]:
    """The password that a URL holds, in each form in which it may show up."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return
    if parts.password:
        user, password = unquote(parts.username or ""), unquote(parts.password)
        yield from (parts.password, password, b64encode(f"{user}:{password}".encode()).decode())


def without_password(url: str) -> str:
    """A URL as it may be shown."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://…@{rest.rpartition('@')[2]}" if "@" in rest else url


def named_in_file(environ: Mapping[str, str], variable: str) -> str | None:
    """The value in the file that `variable`_FILE names, if it's set. Raises UsageError."""
    name = environ.get(f"{variable}_FILE")
    if not name:
        return None
    if environ.get(variable):
        raise UsageError(f"{variable} and {variable}_FILE are both set; keep one of the two")
    return _text_of(Path(name), f"{variable}_FILE {name}")[0]
