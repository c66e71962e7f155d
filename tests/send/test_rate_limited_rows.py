"""Is a 429 about the row? Only if it keeps coming while others pass."""

from __future__ import annotations

import pytest

from batcher.send.rate_limited_rows import TOO_OFTEN, LimitedRows


@pytest.mark.parametrize(
    ("story", "owns", "is_hopeless"),
    [
        ("a", [False], False),
        ("aaaaaa", [False] * 6, False),  # nobody passes: it's the rate
        ("aBa", [False, True], False),  # another row passed in between
        ("abab", [False] * 4, False),
        ("aBaBaBaBa", [False, True, True, True, True], True),
        ("aBaBaBaB", [False, True, True, True], False),
        ("aBaBaBaBAa", [False, True, True, True, False], False),  # it passed itself: from the start
        ("BaaaaBa", [False, False, False, False, True], False),
    ],
)
def test_stories(story: str, owns: list[bool], is_hopeless: bool) -> None:
    """A small letter is a 429 of that row, a capital another answer to it."""
    rows = LimitedRows()
    answers = []
    for letter in story:
        if letter.islower():
            answers.append(rows.add(letter))
        else:
            rows.passes(letter.lower())
    assert answers == owns
    assert rows.is_hopeless("a") is is_hopeless
    assert rows.passed == sum(letter.isupper() for letter in story)
    assert TOO_OFTEN == 5
