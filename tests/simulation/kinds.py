"""The kinds of lives: of rows, with every fault and crash, under v1, both versions, or with folders; and of people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .life import live_in
from .people import PeoplesWorld, draw_people, live_people
from .placed import PlacedWorld, live_placed
from .schedule import draw, draw_versions
from .world import World


@dataclass(frozen=True, slots=True)
class Kind:
    """`begin` makes the world of a seed, `live` lives a life in it with a program. `live` raises Broken."""

    begin: Callable[..., World]
    live: Callable[[Any, Any], None]


class VersionsWorld(World):
    """A world of both versions of the API."""

    option = " --versions"


KINDS = {
    "rows": Kind(lambda seed, **more: World(draw(seed), **more), live_in),
    "versions": Kind(lambda seed, **more: VersionsWorld(draw_versions(seed), **more), live_in),
    "placed": Kind(PlacedWorld, live_placed),
    "people": Kind(lambda seed, **more: PeoplesWorld(draw_people(seed), **more), live_people),
}
