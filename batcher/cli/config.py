"""`batcher config`: each setting, its value, where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .end import Invocation
from .given import prepare, speak


def config(invocation: Invocation, options: Mapping[str, Any]) -> int:
    """Print the table, or with `--json` an object of settings. Keys are masked in both."""
    _, sources = prepare(invocation, "config", options)
    lines = list(sources.listing())
    speak(invocation, sources)
    if invocation.json:
        settings = {line.name: {"value": line.value, "source": line.origin} for line in lines}
        invocation.final({"settings": settings})
        return invocation.code
    names, values = max(len(line.name) for line in lines), max(len(line.value) for line in lines)
    invocation.print(
        "\n".join(f"{line.name:<{names}}  {line.value:<{min(values, 40)}}  {line.origin}" for line in lines)
    )
    return invocation.code
