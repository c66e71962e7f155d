"""Secrets cut out of what servers answer and of what we say: whoever repeats a request's headers must not spread its key."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile
from urllib.parse import quote

ANYWHERE = 16  # characters from which on a secret is cut out wherever it stands
AS_TOKEN = 8  # from here on as a whole word; what is shorter is found in ordinary words, too
HIDDEN = "(key)"
_WORD = r"[A-Za-z0-9_\-]"


@dataclass(frozen=True, slots=True, repr=False)
class Mask:
    """Cuts known secrets out of texts and bytes; nearly free where there is none. Its repr shows none either."""

    needles: tuple[str, ...] = ()
    encoded: tuple[bytes, ...] = ()

    @staticmethod
    def of(secrets: Iterable[str]) -> Mask:
        """The mask of these secrets; what is too short to be told from ordinary words is left out."""
        forms = {form for secret in secrets if len(secret) >= AS_TOKEN for form in _forms(secret)}
        needles = tuple(sorted(forms, key=lambda form: (-len(form), form)))  # one may hold another
        return Mask(needles, tuple(needle.encode() for needle in needles))

    def and_of(self, secrets: Iterable[str]) -> Mask:
        """This mask, for these secrets, too."""
        return Mask.of((*self.needles, *secrets))

    def text(self, text: str) -> str:
        """The text without the secrets, also where a message broke off in the middle of one."""
        for needle in self.needles:
            if needle in text:
                text = _pattern(needle).sub(HIDDEN, text)
        for needle in self.needles:
            if len(needle) >= ANYWHERE:
                text = _without_start(needle, text)
        return text

    def body(self, body: bytes) -> bytes:
        """The bytes without the secrets."""
        for encoded in self.encoded:  # a microsecond for each answer
            if encoded in body:
                return self._cut(body)
        return body

    def _cut(self, body: bytes) -> bytes:
        for needle in self.needles:
            body = re.sub(_pattern(needle).pattern.encode(), HIDDEN.encode(), body)
        return body

    def headers(self, headers: Mapping[str, str], raw: Iterable[tuple[bytes, bytes]]) -> Mapping[str, str]:
        """The headers without the secrets, names in lower case if there were any. `raw` is the same as it came."""
        values = b"\n".join([value for _, value in raw])
        if self.body(values) is values:
            return headers
        return {name.lower(): self.text(value) for name, value in headers.items()}


def _forms(secret: str) -> Iterator[str]:
    """As it is, as JSON may write it, and as a URL does."""
    yield secret
    yield secret.replace("/", "\\/")
    yield quote(secret, safe="")


def _without_start(needle: str, text: str) -> str:
    """The text without what there is of the needle from its start on, if that is half of it or more."""
    start = needle[: max(ANYWHERE, len(needle) // 2)]
    at = text.find(start)
    while at >= 0:
        pairs = zip(needle, text[at : at + len(needle)], strict=False)
        end = at + sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        text = text[:at] + HIDDEN + text[end:]
        at = text.find(start, at + len(HIDDEN))
    return text


def _pattern(needle: str) -> re.Pattern[str]:
    exact = re.escape(needle)
    return re.compile(exact if len(needle) >= ANYWHERE else f"(?<!{_WORD}){exact}(?!{_WORD})")
