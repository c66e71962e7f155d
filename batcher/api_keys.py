"""Texts → API keys. What cannot be one is refused at once: in a header it would become something else."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, field

from .errors import UsageError

_QUOTES = "'\""


def api_keys(texts: Iterable[str], origin: str) -> tuple[ApiKey, ...]:
    """Each key once: a key named twice would be given twice the rate that it has.

    White space around one is cut off. Raises UsageError, which names `origin` (where they come from) and never a key.
    """
    secrets = dict.fromkeys(text.strip() for text in texts)
    for secret in secrets:
        if not secret:
            raise UsageError(f"{origin} is empty; set it to an API key")
        if not all("!" <= character <= "~" for character in secret) or secret[0] in _QUOTES or secret[-1] in _QUOTES:
            raise UsageError(
                f"{origin} contains a space, quote, or other character that no key has; set only the key, without Bearer"
            )
    return tuple(ApiKey(secret, number) for number, secret in enumerate(secrets, 1))


def looks_like_api_key(text: str, known: Container[str] = ()) -> bool:
    """Whether it can't be meant as a row's key: those stand in files and messages. `known`: the API keys in use.

    A known one of fewer than 8 characters is a rehearsal's, and may be a row's key by chance.
    """
    return text.startswith("omni_") or (len(text) >= 8 and text in known)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One API key. Its text shows up nowhere: not in repr, not in a message, not in a file."""

    secret: str = field(repr=False)
    number: int = 1
