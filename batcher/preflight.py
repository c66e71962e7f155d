"""A look before the first create: is the key good, do the models exist, is v1 create still offered (contract 3)."""

from __future__ import annotations

from .config import RunSettings
from .reporter import Reporter
from .survey import Survey
from .wire import Wire


async def preflight(wire: Wire, settings: RunSettings, found: Survey, reporter: Reporter) -> None:
    """Nothing yet."""
