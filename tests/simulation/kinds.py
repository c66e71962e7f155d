"""The two kinds of lives: of rows, with every fault and crash; and of people, who edit their files between the runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .life import live_in
from .people import PeoplesWorld, draw_people, live_people
from .schedule import draw
from .world import World


@dataclass(frozen=True, slots=True)
class Kind:
    """`begin` makes the world of a seed, `live` lives a life in it with a program. `live` raises Broken."""

    begin: Callable[..., World]
    live: Callable[[Any, Any], None]


KINDS = {
    "rows": Kind(lambda seed, **more: World(draw(seed), **more), live_in),
    "people": Kind(lambda seed, **more: PeoplesWorld(draw_people(seed), **more), live_people),
}
