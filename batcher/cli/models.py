"""`batcher models`: the instance's models, to find the `modelId` of a row. `--json` gives one object."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from itertools import count as counting

from ..commands.list_models import ModelsSettings, list_all
from ..errors import StopReason
from ..omni.listed_models import ListedModel
from ..report.json_fields import fields_of
from .end import Invocation
from .loop import carry_out
from .screen.console import count, one_line
from .screen.observer import ConsoleObserver
from .settings.given import Given

_NONE = "-"
_HEAD = ListedModel("id", "name", "connection")
_SHORTEST = 8  # characters of a connection's id on a terminal: two whole UUIDs and a name don't fit in its 80 columns
_INTERRUPTED = 130
_NARROWEST = 12  # characters of a name that are shown at least


def models(invocation: Invocation, given: Given) -> int:
    """Print the table, or with `--json` the object. Raises BatcherError."""
    settings = ModelsSettings(given.target.endpoint(), given.sending())
    invocation.use(given)
    listed = carry_out(list_all, settings, invocation, ConsoleObserver(invocation.console, verb="listed"))
    if listed is None:
        invocation.code = _INTERRUPTED
        invocation.failed("interrupted before the list was complete", StopReason.INTERRUPTED)
        return invocation.code
    if listed and not invocation.json:
        is_terminal = sys.stdout.isatty()
        lines = _for_terminal(listed, invocation.console.page.width) if is_terminal else _table(listed)
        invocation.print("\n".join(lines))
    what = count(len(listed), "model") if listed else "no models, or the API key can't see them"
    invocation.console.note(f"{settings.endpoint.base_url}: {what}")
    invocation.final(
        {"baseUrl": settings.endpoint.base_url, "models": [fields_of(m, "id name connection_id") for m in listed]}
    )
    return invocation.code


def _for_terminal(listed: Sequence[ListedModel], width: int) -> Iterator[str]:
    """With a head, connections as short as tells them apart, and names cut to what fits."""
    connections = {model.connection_id for model in listed if model.connection_id}
    size = next(n for n in counting(_SHORTEST) if len({each[:n] for each in connections}) == len(connections))
    short = [model._replace(connection_id=model.connection_id and model.connection_id[:size]) for model in listed]
    taken = max(len(model.id) for model in short) + max(len("connection"), size) + 4
    return _table([_HEAD, *short], max(_NARROWEST, width - taken))


def _table(listed: Sequence[ListedModel], room: int | None = None) -> Iterator[str]:
    """Id, name and connection in columns; names longer than `room` are cut, and none without it."""
    names = [_short(one_line(model.name or _NONE), room) for model in listed]
    widths = max(len(model.id) for model in listed), max(map(len, names))
    for model, name in zip(listed, names, strict=True):
        yield f"{one_line(model.id):<{widths[0]}}  {name:<{widths[1]}}  {one_line(model.connection_id or _NONE)}"


def _short(name: str, room: int | None) -> str:
    return name if room is None or len(name) <= room else f"{name[: room - 1]}…"
