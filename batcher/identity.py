"""A row's key, which makes it the same row across runs, and the identifier that makes its create safe to send again.

Both are fixed forever: `tests/test_identity.py` holds golden values. A changed key would create every document again.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import orjson

SLUG_LENGTH = 30
KEY_LENGTH = 200
HASH_DIGITS = 15  # of a spec hash that are kept in memory for each created row: 60 bits
BODY_DIGITS = 9  # of these stand for the body where there are folder or labels
NAMED = "name:"  # how the key of a row without a key or an identifier begins
RAW = "raw:"  # how the key of a row begins whose own was refused, or that is too broken for any other
_HASH_BYTES = 10  # 80 bits are exactly 16 characters of base32
_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = tuple(
    first + second for first in _BASE32 for second in _BASE32
)  # 10 bits each: base64.b32encode takes 4 times as long
_FILLED = re.compile(r"[a-z0-9-]{1,30}-[a-z2-7]{16}")
_SLUG = str.maketrans({code: " " for code in range(128) if chr(code) not in "abcdefghijklmnopqrstuvwxyz0123456789"})


def name_key(model_id: str, name: str) -> str:
    """The key of a row without a key or an identifier: `name:` and 32 hex digits."""
    text = f"{model_id.lower()}\n{name}"
    return NAMED + blake2b(text.encode() if text.isascii() else _encoded(text), digest_size=16).hexdigest()


def raw_key(text: str) -> str:
    """The key of a row that is too broken to have a model and a name: `raw:` and 32 hex digits of its text."""
    return f"{RAW}{blake2b(_encoded(text), digest_size=16).hexdigest()}"


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")  # a program that uses the library may pass half a character


def slug(name: str) -> str:
    """The name in a-z, 0-9 and `-`, at most 30 characters; `doc` if none of its characters can be written so."""
    plain = name.lower()
    if not name.isascii():
        plain = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    return "-".join(plain.translate(_SLUG).split())[:SLUG_LENGTH].strip("-") or "doc"


def fill_identifier(name: str, key: str, namespace: str, undone: int, content: str | None) -> str:
    """The identifier of a spec that came without one: a slug of its name and 16 base32 characters.

    These are a hash of namespace, key, how often this key was undone, and the spec's `content_hash`. So a row gets the same
    one wherever it's sent from, another one after `batcher undo` (Trash may hold on to the first), and no other document's:
    two inputs that number their rows alike never meet. `content` is None in journals of versions that left it out.
    """
    facts = [namespace, key, undone] if content is None else [namespace, key, undone, content]
    hashed = blake2b(orjson.dumps(facts), digest_size=_HASH_BYTES).digest()
    number = int.from_bytes(hashed, "big")
    return f"{slug(name)}-{''.join([_PAIRS[number >> shift & 1023] for shift in range(70, -1, -10)])}"


def looks_filled(identifier: str) -> bool:
    """Has this identifier the form of those that `fill_identifier` gives?"""
    return _FILLED.fullmatch(identifier) is not None


def spec_hash(spec_body: bytes) -> str:
    """32 hex digits that stand for a body whatever the order of its keys, at every level."""
    return hash_of(orjson.loads(spec_body))


def content_hash(body: Mapping[str, Any]) -> str:
    """32 hex digits that stand for what people see of a document: its body without identifier, and its name as it looks.

    Composed or decomposed letters, and one blank or several, make no other name (contract 5). Filled identifiers are made
    of it, too, rather than of the `spec_hash`: if an editor only composes letters and the files are lost, the row meets
    its own document, not nobody's. So it is fixed forever, as they are.
    """
    seen = dict(body)
    seen.pop("identifier", None)
    seen["name"] = as_seen(str(body.get("name", "")))
    return hash_of(seen)


def as_seen(name: str) -> str:
    """A name as people see it."""
    return " ".join(unicodedata.normalize("NFKC", name).split())


def placed_hash(body_hash: str, folder: str | None, labels: Sequence[str]) -> str:
    """The `spec_hash` of a spec: its body's, in which the digits behind the first `BODY_DIGITS` stand for folder and labels.

    So a row without these keeps the hash of its body, and one that only goes elsewhere can be told from one with other
    content. Case, the order of labels and a slash at either end of a path make no difference. Fixed forever.
    """
    if folder is None and not labels:
        return body_hash
    facts = [None if folder is None else folder.strip("/").casefold(), sorted(label.casefold() for label in labels)]
    return body_hash[:BODY_DIGITS] + blake2b(orjson.dumps(facts), digest_size=16).hexdigest()[BODY_DIGITS:]


def fingerprint(spec_hash: str) -> int:
    """What is kept in memory of a spec hash; 0 for none."""
    try:
        return max(0, int(spec_hash[:HASH_DIGITS] or "0", 16))
    except ValueError:
        return 0


def hash_of(body: dict[str, Any]) -> str:
    """The `spec_hash` of a body that came from JSON, before it is written."""
    return blake2b(orjson.dumps(body, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()
