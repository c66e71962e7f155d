"""A row's key, which makes it the same row across runs, and the identifier that makes its create safe to send again.

Both are fixed for ever: `tests/test_identity.py` holds golden values. A changed key would create every document again.
"""

from __future__ import annotations

import re
import unicodedata
from hashlib import blake2b
from typing import Any

import orjson

SLUG_LENGTH = 30
KEY_LENGTH = 200
NAMED = "name:"  # how the key of a row that has none of its own begins
_HASH_BYTES = 10  # 80 bits are exactly 16 characters of base32
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]  # base32 by 10 bits: five times quicker
_LOW = (1 << 40) - 1
_FILLED = re.compile(r"[a-z0-9-]{1,30}-[a-z2-7]{16}")
_SLUG = str.maketrans({code: " " for code in range(128) if chr(code) not in "abcdefghijklmnopqrstuvwxyz0123456789"})


def name_key(model_id: str, name: str) -> str:
    """The key of a row that has neither a key nor an identifier of its own: `name:` and 32 hex digits."""
    text = f"{model_id.lower()}\n{name}"
    return NAMED + blake2b(text.encode() if text.isascii() else _encoded(text), digest_size=16).hexdigest()


def raw_key(text: str) -> str:
    """The key of a row that is too broken to have a model and a name: `raw:` and 32 hex digits of its text."""
    return f"raw:{blake2b(_encoded(text), digest_size=16).hexdigest()}"


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")  # a program that uses the library may pass half a character


def slug(name: str) -> str:
    """The name in a-z, 0-9 and `-`, at most 30 characters, `doc` if nothing of it can be said so."""
    plain = name.lower()
    if not name.isascii():
        plain = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    return "-".join(plain.translate(_SLUG).split())[:SLUG_LENGTH].strip("-") or "doc"


def fill_identifier(name: str, key: str, namespace: str, undone: int) -> str:
    """The identifier of a spec that came without one: a slug of its name and 16 base32 characters.

    These are a hash of namespace, key and how often this key was undone, so a row gets the same one in each run, and
    another one after `batcher undo` (Trash may hold on to the first).
    """
    facts = orjson.dumps([namespace, key, undone])
    number = int.from_bytes(blake2b(facts, digest_size=_HASH_BYTES).digest(), "big")
    high, low = number >> 40, number & _LOW  # of more than 60 bits each step would cost twice as much
    first = f"{_PAIRS[high >> 30]}{_PAIRS[high >> 20 & 1023]}{_PAIRS[high >> 10 & 1023]}{_PAIRS[high & 1023]}"
    second = f"{_PAIRS[low >> 30]}{_PAIRS[low >> 20 & 1023]}{_PAIRS[low >> 10 & 1023]}{_PAIRS[low & 1023]}"
    return f"{slug(name)}-{first}{second}"


def looks_filled(identifier: str) -> bool:
    """Has this identifier the form of those that `fill_identifier` gives?"""
    return _FILLED.fullmatch(identifier) is not None


def spec_hash(spec_body: bytes) -> str:
    """32 hex digits that stand for a body whatever the order of its keys, at every level."""
    return hash_of(orjson.loads(spec_body))


def hash_of(body: dict[str, Any]) -> str:
    """The `spec_hash` of a body that came from JSON, before it is written."""
    return blake2b(orjson.dumps(body, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()
