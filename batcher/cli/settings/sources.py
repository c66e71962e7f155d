"""Where settings come from: flags > environment > `--config FILE` > a file found > the Omni CLI's profile > defaults.

Keys come from the environment or from a profile, never from flags or files. A profile's key goes to its endpoint only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ...config import Endpoint, Reading, Sending
from ...errors import UsageError
from ...keys import ApiKey, api_keys
from ...transport import base_url
from . import config_files, profiles
from .table import BY_NAME, SETTINGS, Setting, default_of, shown

KEY_VARIABLES = ("OMNI_API_KEYS", "OMNI_API_KEY", "OMNI_API_TOKEN")
NO_BASE_URL = (
    "no base URL: give --base-url https://acme.omniapp.co or --instance acme, set OMNI_BASE_URL, "
    "or rehearse without an account with --sandbox"
)
NO_KEY = "no API key: set OMNI_API_KEY, or OMNI_API_KEYS with several separated by commas, or use --profile NAME"


@dataclass(frozen=True, slots=True)
class Found:
    """A setting's value and where it came from. `given` is False for a default."""

    value: Any
    origin: str
    given: bool = True


@dataclass(frozen=True, slots=True)
class Keys:
    """The API keys and where they came from; without any, `trouble` says why and what to do."""

    keys: tuple[ApiKey, ...]
    origin: str
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """One line of `batcher config`: keys masked."""

    name: str
    value: str
    origin: str


@dataclass(frozen=True, slots=True)
class _Layer:
    values: Mapping[str, object]
    origin: Mapping[str, str]
    trusted: bool  # whether it may name any host

    def found(self, name: str) -> Found | None:
        return Found(self.values[name], self.origin[name]) if name in self.values else None


@dataclass(slots=True)
class Sources:
    """All sources, read once. `flags` holds only what was given: texts, or False for a `--no-…` flag.

    `notes` are for the user, as when a profile's token will expire. Raises UsageError for a value that is not allowed.
    """

    flags: Mapping[str, object]
    environ: Mapping[str, str] = field(repr=False)  # holds keys
    directory: Path
    sandbox: bool = False
    config: Path | None = None
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    notes: list[str] = field(default_factory=list)
    _layers: tuple[_Layer, ...] = field(init=False, repr=False, default=())
    _profile: profiles.Profile | None = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        files = [config_files.named_file(self.config)] if self.config else []
        found = config_files.found_file(self.directory)
        files += [found] if found and not any(found.path.samefile(other.path) for other in files) else []
        self._layers = (
            _parsed({BY_NAME[name]: value for name, value in self.flags.items()}, by_flag=True),
            _parsed({s: self.environ[s.variable] for s in SETTINGS if s.lasting and self.environ.get(s.variable)}),
            *(_Layer(f.values, dict.fromkeys(f.values, f.origin), f.named) for f in files),
        )
        if not self.sandbox:
            self._profile = profiles.load(self.get("profile").value, self.environ, self.now)

    def get(self, name: str) -> Found:
        """The value that holds for a setting; its parsed default if nobody gave it."""
        for layer in self._layers:
            if found := layer.found(name):
                return found
        return Found(default_of(BY_NAME[name]), "default", given=False)

    def reading(self) -> Reading:
        """How inputs are to be read."""
        return Reading(**self._section("reading"))

    def sending(self) -> Sending:
        """How specs are to be sent. The time to connect is a part of the timeout."""
        sending = self._section("sending")
        timeout = sending.get("timeout_seconds", Sending().timeout_seconds)
        connect = min(Sending().connect_timeout_seconds, timeout)
        alone = {"shared_pace": False} if self.sandbox else {}  # each sandbox counts for itself
        return Sending(**{**sending, **alone}, connect_timeout_seconds=connect)

    def endpoint(self, *, needed: bool = True) -> Endpoint:
        """Where to send and as whom. Keys may be missing: a run with nothing to do needs none. Raises UsageError."""
        url = self.base_url()
        if url is None and needed:
            raise UsageError(NO_BASE_URL)
        found = self.keys()
        return Endpoint(
            base_url=url.value if url else "",
            keys=found.keys,
            sandbox=self.sandbox,
            no_key_hint=found.trouble or NO_KEY,
        )

    def base_url(self) -> Found | None:
        """The normalised base URL, None if nobody gave one. Raises UsageError."""
        if self.sandbox:
            return Found("sandbox", "--sandbox")
        chosen = next(filter(None, map(_named_url, self._layers)), None)
        profile, by_flag = self._profile, "profile" in self.flags
        if profile is None or (chosen and not by_flag):
            return chosen
        if by_flag and (flagged := _named_url(self._layers[0])) and flagged.value != profile.base_url:
            raise UsageError(
                f"{flagged.origin} says {flagged.value}, but profile {profile.name} belongs to {profile.base_url}, "
                "and its key goes nowhere else; leave one of the two out"
            )
        return Found(profile.base_url, profile.origin)

    def keys(self) -> Keys:
        """The API keys: of the named profile, else the environment, else the default profile for its own endpoint."""
        if self.sandbox:
            return Keys((ApiKey("sandbox"),), "--sandbox")
        if self._profile and "profile" in self.flags:
            return self._of_profile(self._profile)
        for variable in KEY_VARIABLES:
            if keys := _api_keys(self.environ.get(variable, ""), variable):
                return Keys(keys, variable)
        url = self.base_url()
        if self._profile and url and url.value == self._profile.base_url:
            return self._of_profile(self._profile)
        return Keys((), "-", NO_KEY)

    def listing(self) -> Iterator[Shown]:
        """Every setting with its value and its source, for `batcher config`."""
        url = self.base_url()
        yield Shown("base-url", url.value if url else "-", url.origin if url else "not set")
        keys = self.keys()
        yield Shown(
            "api-keys",
            ", ".join(masked(key.secret) for key in keys.keys) or "-",
            keys.origin if keys.keys else "not set",
        )
        for setting in SETTINGS:
            if setting.lasting and setting.name not in ("base-url", "instance"):
                found = self.get(setting.name)
                yield Shown(setting.name, shown(setting, found.value), found.origin)

    def _section(self, section: str) -> dict[str, Any]:
        given = ((s.target.partition("."), self.get(s.name)) for s in SETTINGS)
        return {field: found.value for (head, _, field), found in given if head == section and found.given}

    def _of_profile(self, profile: profiles.Profile) -> Keys:
        if profile.secret is None:
            return Keys((), profile.origin, profile.trouble)
        if profile.expires is not None:
            soon = profile.expires - self.now < timedelta(days=3650)
            until = f"expires at {profile.expires:%Y-%m-%d %H:%M} UTC" if soon else "will expire"
            note = f"profile {profile.name} signs in with OAuth and {until}; for long runs set OMNI_API_KEY"
            self.notes.extend([note] if note not in self.notes else [])
        return Keys(_api_keys(profile.secret, profile.origin), profile.origin)


def masked(secret: str) -> str:
    """A key's last four characters at most; none of a short one."""
    return f"…{secret[-4:]}" if len(secret) >= 20 else "…"


def _parsed(given: Mapping[Setting, object], *, by_flag: bool = False) -> _Layer:
    values: dict[str, object] = {}
    origins: dict[str, str] = {}
    for setting, value in given.items():
        origins[setting.name] = setting.flag if by_flag else setting.variable
        try:
            values[setting.name] = setting.parse(value)
        except ValueError as error:
            raise UsageError(f"{origins[setting.name]}: {error}") from error
    return _Layer(values, origins, trusted=True)


def _named_url(layer: _Layer) -> Found | None:
    """The base URL that one layer names, as a URL or as an instance."""
    url, instance = layer.found("base-url"), layer.found("instance")
    if url and instance:
        raise UsageError(f"{url.origin} and {instance.origin} both name the instance; keep one of them")
    if instance:
        return Found(base_url.of_instance(instance.value, instance.origin), instance.origin)
    if url is None:
        return None
    normal = base_url.normalise(url.value, url.origin)
    if not layer.trusted and not base_url.is_known(normal):
        raise UsageError(
            f"{url.origin} names {normal}, no host of Omni's; a file that was merely found may not send keys there. "
            "If it is yours, name it with --base-url, OMNI_BASE_URL or --config"
        )
    return Found(normal, url.origin)


def _api_keys(text: str, origin: str) -> tuple[ApiKey, ...]:
    """The keys in a variable or a profile; several only in the variable for several."""
    parts = text.split(",") if origin == "OMNI_API_KEYS" else [text]
    return api_keys(filter(str.strip, parts), origin)
