"""Secrets are cut out where they are whole, and nothing else is."""

from __future__ import annotations

import pytest

from batcher.masking import Mask

LONG = "omni_osk_0123456789abcdef"
SHORT = "pa55word"


@pytest.mark.parametrize(
    ("said", "left"),
    [
        (f"Bearer {LONG}", "Bearer (key)"),
        (f"x{LONG}x{LONG}", "x(key)x(key)"),  # from 16 characters on wherever it stands
        (f"{SHORT}: wrong, '{SHORT}'", "(key): wrong, '(key)'"),
        (f"my{SHORT} {SHORT}s {SHORT}-2 x_{SHORT}", f"my{SHORT} {SHORT}s {SHORT}-2 x_{SHORT}"),  # other words
        ("k and nothing", "k and nothing"),  # one of a single letter is no secret
    ],
)
def test_what_is_cut_out(said: str, left: str) -> None:
    mask = Mask.of([LONG, SHORT, "k", "sandbox"])
    assert mask.text(said) == left
    assert mask.body(said.encode()) == left.encode()


def test_one_that_a_message_cuts_off() -> None:
    """Values are shown up to some length; half a key is too much of it. The beginning that all keys share is none."""
    mask = Mask.of([LONG])
    assert mask.text(f'"{LONG[:20]}… and {LONG[:-1]}') == '"(key)… and (key)'
    assert mask.text("omni_osk_…") == "omni_osk_…"


def test_one_that_holds_another() -> None:
    """The longer one goes first, so that no part of it stays."""
    mask = Mask.of([LONG, f"{LONG}/more"])
    assert mask.text(f"{LONG}/more {LONG}") == "(key) (key)"


def test_as_json_and_urls_write_it() -> None:
    secret = "p/a+s=s word0123456789"
    said = '{"a": "p\\/a+s=s word0123456789", "b": "http://x:p%2Fa%2Bs%3Ds%20word0123456789@proxy"}'
    assert Mask.of([secret]).text(said) == '{"a": "(key)", "b": "http://x:(key)@proxy"}'


def test_headers() -> None:
    headers = {"Location": f"/login?token={LONG}", "Date": "today"}
    raw = tuple((name.encode(), value.encode()) for name, value in headers.items())
    assert Mask.of([LONG]).headers(headers, raw) == {"location": "/login?token=(key)", "date": "today"}
    assert Mask.of(["another secret of some length"]).headers(headers, raw) is headers


def test_it_shows_nothing_itself() -> None:
    assert LONG not in repr(Mask.of([LONG]))
