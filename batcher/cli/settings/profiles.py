"""Profiles of the Omni CLI: an endpoint and its key, as that tool keeps them. Only read, never written."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from ...errors import UsageError
from ...transport import base_url

_USE_KEY = "put an API key in OMNI_API_KEY instead"


@dataclass(frozen=True, slots=True)
class Profile:
    """One profile. Without a usable key `secret` is None and `trouble` says why. `expires` is an OAuth token's end."""

    name: str
    path: Path
    base_url: str
    secret: str | None = field(repr=False)
    trouble: str = ""
    expires: datetime | None = None

    @property
    def origin(self) -> str:
        """For messages and `batcher config`."""
        return f"Omni CLI profile {self.name} ({self.path})"


def config_path(environ: Mapping[str, str]) -> Path:
    """Where the Omni CLI keeps its profiles. Raises RuntimeError, as pathlib does, where there is no home directory."""
    if exact := environ.get("OMNI_CONFIG_PATH"):
        return Path(exact).expanduser()
    if directory := environ.get("OMNI_CONFIG_DIR"):
        return Path(directory).expanduser() / "config.json"
    if directory := environ.get("XDG_CONFIG_HOME"):
        return Path(directory).expanduser() / "omni-cli" / "config.json"
    return Path("~/.config/omni-cli/config.json").expanduser()


def load(name: str | None, environ: Mapping[str, str], now: datetime) -> Profile | None:
    """The named profile, else the default one, else None. A broken file is an error only for those who name a profile.

    Raises UsageError.
    """
    try:
        return _named(name, config_path(environ), now)
    except RuntimeError as error:
        if name is None:
            return None
        raise UsageError(
            f"--profile {name}: there is no home directory to look for the Omni CLI's profiles in; set OMNI_CONFIG_PATH "
            f"to their file, or {_USE_KEY}"
        ) from error
    except UsageError:
        if name is None:
            return None
        raise


def _named(name: str | None, path: Path, now: datetime) -> Profile:
    """The named profile, else the default one. Raises UsageError."""
    try:
        document = json.loads(path.read_bytes())
        profiles = {str(key): dict(value) for key, value in dict(document["profiles"]).items()}
        wanted = str(document.get("defaultProfile")) if name is None else name
    except FileNotFoundError as error:
        raise UsageError(f"--profile {name}: the Omni CLI's file {path} does not exist; {_USE_KEY}") from error
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(f"--profile {name}: {path} can't be read as the Omni CLI's profiles; {_USE_KEY}") from error
    if wanted not in profiles:
        near = difflib.get_close_matches(wanted, profiles, n=1) or sorted(profiles)
        raise UsageError(f"--profile {name}: {path} has no such profile; it has {', '.join(near) or 'none'}")
    return _profile(wanted, profiles[wanted], path, now)


def _profile(name: str, entry: dict[str, object], path: Path, now: datetime) -> Profile:
    endpoint = _text(entry.get("apiEndpoint"))
    if endpoint is None:
        raise UsageError(f"--profile {name}: {path} has no apiEndpoint for it; name the instance with --base-url")
    url = base_url.normalise(endpoint, f"profile {name} in {path}")
    if entry.get("authMethod") == "oauth":
        return _oauth(name, entry, path, url, now)
    secret = _text(entry.get("apiKey"))
    trouble = "" if secret else f"profile {name} in {path} has no API key; {_USE_KEY}"
    return Profile(name, path, url, secret, trouble)


def _oauth(name: str, entry: dict[str, object], path: Path, url: str, now: datetime) -> Profile:
    token, expires = _text(entry.get("accessToken")), _moment(entry.get("tokenExpiresAt"))
    if token is None:
        return Profile(
            name, path, url, None, f"profile {name} in {path} signs in with OAuth and has no token; {_USE_KEY}"
        )
    if expires is not None and expires <= now:
        ended = f"the sign-in (OAuth) of profile {name} in {path} expired at {expires:%Y-%m-%d %H:%M} UTC"
        return Profile(name, path, url, None, f"{ended}; sign in again with the Omni CLI, or {_USE_KEY}")
    return Profile(name, path, url, token, "", expires or datetime.max.replace(tzinfo=UTC))


def _text(value: object) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _moment(value: object) -> datetime | None:
    """A time stamp as ISO text, or as seconds or milliseconds since 1970; None if it is neither."""
    try:
        match value:
            case str() if not value.strip().isdigit():
                moment = datetime.fromisoformat(value.strip())
                return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            case str() | int() | float():
                number = float(value)
                return datetime.fromtimestamp(number / 1000 if number > 1e11 else number, UTC)
            case _:
                return None
    except (ValueError, OverflowError, OSError):
        return None
