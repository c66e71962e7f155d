"""The instance and the API keys. Keys come from the environment, files that it names, or a profile; never from flags.

A profile's key goes to its own endpoint only. A host that isn't Omni's must have been named by flag, environment or
`--config`, not by a file that was merely found: otherwise a cloned repository could collect keys.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ...api_keys import ApiKey, api_keys
from ...config import Endpoint
from ...errors import UsageError
from ...transport import base_url
from . import profiles
from .key_sources import found_keys
from .options import Rank

if TYPE_CHECKING:
    from .given import Given

NO_BASE_URL = (
    "no base URL: use --base-url https://acme.omniapp.co or --instance acme, set OMNI_BASE_URL, "
    "or rehearse without an account with --sandbox"
)
NO_KEY = (
    "no API key: set OMNI_API_KEY, or OMNI_API_KEYS with several separated by commas, or OMNI_API_KEY_FILE, "
    "or use --profile NAME"
)


@dataclass(frozen=True, slots=True)
class Target:
    """Where to send and as whom. Without keys, `no_key_hint` says why and what to do; `notes` are for the user."""

    base_url: str = ""
    base_url_origin: str = "not set"
    keys: tuple[ApiKey, ...] = ()
    keys_origin: str = "not set"
    no_key_hint: str = NO_KEY
    notes: tuple[str, ...] = ()
    sandbox: bool = False

    @property
    def secrets(self) -> frozenset[str]:
        """What must be shown nowhere. A sandbox's key is none, but a word that its files are named by."""
        return frozenset() if self.sandbox else frozenset(key.secret for key in self.keys)

    def endpoint(self, *, is_needed: bool = True) -> Endpoint:
        """For a run. Keys may be missing: a run with nothing to do needs none. Raises UsageError without a base URL."""
        if is_needed and not self.base_url:
            raise UsageError(NO_BASE_URL)
        return Endpoint(base_url=self.base_url, keys=self.keys, sandbox=self.sandbox, no_key_hint=self.no_key_hint)


def target_of(given: Given, now: datetime | None = None) -> Target:
    """The target that flags, environment, files and profiles name. Raises UsageError."""
    if given.flag("sandbox"):
        return Target("sandbox", "--sandbox", (ApiKey("sandbox"),), "--sandbox", sandbox=True)
    now = now or datetime.now(UTC)
    is_by_flag = given.rank("profile") is Rank.FLAG
    profile = profiles.load(given.get("profile"), os.environ, now)
    url, origin = _named_url(given)
    if profile is not None and is_by_flag:
        if origin in ("--base-url", "--instance") and url != profile.base_url:
            raise UsageError(
                f"{origin} says {url}, but profile {profile.name} belongs to {profile.base_url}, "
                "and its key is never sent anywhere else; drop one of the two"
            )
        return _with_profile(profile, now)
    found = found_keys(os.environ)
    if found is not None:
        if profile is not None and not url:
            url, origin = profile.base_url, profile.origin
        return Target(url, origin, found.keys, found.origin, notes=found.notes)
    if profile is not None and url in ("", profile.base_url):
        return replace(_with_profile(profile, now), base_url_origin=origin if url else profile.origin)
    return Target(url, origin)


def real_base_url(given: Given) -> str:
    """Where a run without --sandbox would send; empty if nothing names that, or not well enough."""
    try:
        url, _ = _named_url(given)
        if not url and (profile := profiles.load(given.get("profile"), os.environ, datetime.now(UTC))) is not None:
            url = profile.base_url
    except UsageError:
        return ""
    return url


def _named_url(given: Given) -> tuple[str, str]:
    """The base URL that is named as a URL or as an instance, by whichever outranks the other, and its origin."""
    rank = min(given.rank("base_url"), given.rank("instance"))
    if rank is Rank.DEFAULT:
        return "", "not set"
    if given.rank("base_url") == given.rank("instance"):
        both = f"{given.origin('base_url')} and {given.origin('instance')}"
        raise UsageError(f"{both} both name the instance; keep one of them")
    if given.rank("instance") == rank:
        origin = given.origin("instance")
        return base_url.of_instance(given.get("instance"), origin), origin
    origin = given.origin("base_url")
    normal = base_url.normalise(given.get("base_url"), origin)
    if rank is Rank.FOUND_FILE and not base_url.is_known(normal):
        raise UsageError(
            f"{origin} names {normal}, which isn't one of Omni's hosts; a file that was merely found can't send keys "
            "there. If it's yours, name it with --base-url, OMNI_BASE_URL or --config"
        )
    return normal, origin


def _with_profile(profile: profiles.Profile, now: datetime) -> Target:
    """A profile's endpoint with its key."""
    if profile.secret is None:
        return Target(profile.base_url, profile.origin, no_key_hint=profile.trouble)
    notes: tuple[str, ...] = ()
    if profile.expires is not None:
        soon = profile.expires - now < timedelta(days=3650)
        until = f"expires at {profile.expires:%Y-%m-%d %H:%M} UTC" if soon else "will expire"
        notes = (f"profile {profile.name} signs in with OAuth and {until}; for long runs set OMNI_API_KEY",)
    keys = api_keys([profile.secret], profile.origin)
    return Target(profile.base_url, profile.origin, keys, profile.origin, notes=notes)
