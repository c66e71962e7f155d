"""Do 429s depend on our pace? One key's room by itself, answer by answer."""

from __future__ import annotations

import random

from batcher.pace.room import Room


def answers(room: Room, count: int, strays: float, chance: random.Random, too_fast_above: float = 2.0) -> list[float]:
    """So many answers, of which `strays` are 429s at any pace, and a sixth above some share; the share at each."""
    shares = []
    for _ in range(count):
        if chance.random() < (1 / 6 if room.share > too_fast_above else strays):
            room.blocked(named_a_time=False)
        else:
            room.passed()
        shares.append(room.share)
    return shares


def mean(shares: list[float]) -> float:
    return sum(shares) / len(shares)


def test_strays_dont_hold_the_pace_down() -> None:
    """One answer in 100 is a 429 whatever we do: the full pace nearly all the time (failed before: a twentieth of it)."""
    for seed in range(10):
        assert mean(answers(Room(500), 20_000, 0.01, random.Random(seed))) > 0.95


def test_frequent_strays_are_learned() -> None:
    """Three in 100 come in clusters that look like somebody else, until lower paces have shown that they aren't."""
    for seed in range(10):
        assert mean(answers(Room(500), 20_000, 0.03, random.Random(seed))) > 0.9


def test_somebody_else_is_found_and_left_room() -> None:
    """429s above half the rate: the pace stays near it, and is raised into them more and more rarely."""
    for seed in range(10):
        room, chance = Room(500), random.Random(seed)
        answers(room, 2_000, 0.0, chance, too_fast_above=0.5)
        shares = answers(room, 20_000, 0.0, chance, too_fast_above=0.5)
        assert 0.4 < mean(shares) < 0.5
        assert sum(share > 0.5 for share in shares) < 0.05 * len(shares)


def test_strays_are_told_from_somebody_else_at_once() -> None:
    """Both: the strays neither hide the other client nor hold the pace far below the room it leaves."""
    for seed in range(10):
        room, chance = Room(500), random.Random(seed)
        answers(room, 2_000, 0.01, chance, too_fast_above=0.5)
        assert 0.33 < mean(answers(room, 20_000, 0.01, chance, too_fast_above=0.5)) < 0.52


def test_when_the_other_one_goes_the_pace_comes_back() -> None:
    """Within a few hundred requests, however carefully it was raised before."""
    room, chance = Room(60), random.Random(1)
    answers(room, 5_000, 0.0, chance, too_fast_above=0.5)
    assert room.share < 0.6
    assert answers(room, 2_000, 0.0, chance)[-1] == 1.0
