"""The same trouble again and again, whatever names it holds."""

from __future__ import annotations

from batcher.send.streak import Streak


def test_the_same_text_apart_from_what_is_the_rows_own() -> None:
    """Identifiers and keys in a message don't make it another trouble."""
    streak = Streak(3)
    assert not streak.add("doc-1 is bad", "doc-1", None)
    assert not streak.add("doc-2 is bad", "doc-2", "")
    assert streak.add("doc-3 is bad", "doc-3")
    assert (streak.text, streak.times) == ("… is bad", 3)


def test_another_text_or_a_good_end_begins_anew() -> None:
    """Only what comes in a row counts."""
    streak = Streak(2)
    assert not streak.add("x")
    assert not streak.add("y")
    streak.end()
    assert not streak.add("y")
    assert streak.add("y")


def test_no_limit() -> None:
    """0 lets any number pass."""
    streak = Streak(0)
    assert not any(streak.add("x") for _ in range(100))
