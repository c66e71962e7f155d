"""Rows that something before the server refused: a firewall, a proxy (contract 9).

If it refuses one row after the other, the run stops and they stay to do. If it refuses a single row while others pass, it
objects to that row's content: it is tried again last, and at some point it has failed.
"""

from __future__ import annotations

from collections.abc import Callable

from ..errors import StopReason
from ..omni.verdicts import Blocked, Refused
from ..reasons import FIREWALL, Reason

ROWS_IN_A_ROW = 3  # this many different rows, with no pass between: it is no longer about the rows
TIMES_EACH = 3
MOST_ROWS = 1000  # that wait for another try; they are kept in memory

_STOP = (
    "something in front of the server (a firewall or proxy) is blocking requests: HTTP {status}, and the answer isn't Omni's "
    "({message}). Have it let batcher's API requests through, then run the same command again; no row has failed because of it."
)


class Firewall:
    """Shared by all workers of a run. `stop` is called with a message once it refuses everything."""

    def __init__(self, stop: Callable[[str, StopReason], None]) -> None:
        self._stop = stop
        self._times: dict[str, int] = {}  # by row
        self._in_a_row: set[str] = set()  # rows that met it for the first time, since a row last passed
        self._has_passed = False

    def passes(self, row: str) -> None:
        """The application itself answered this row's create."""
        self._has_passed = True
        if self._times:
            self._in_a_row.clear()
            self._times.pop(row, None)

    def meets(self, row: str, blocked: Blocked) -> Refused | None:
        """It refused this row's create. The row's failure if there is no point in another try; else None."""
        times = self._times[row] = self._times.get(row, 0) + 1
        if times == 1:
            self._in_a_row.add(row)
        is_last = times >= TIMES_EACH or len(self._times) > MOST_ROWS
        if len(self._in_a_row) >= ROWS_IN_A_ROW or (is_last and not self._has_passed):
            self._stop(_STOP.format(status=blocked.status, message=blocked.message), StopReason.FIREWALL)
            return None
        return Refused(Reason.FORBIDDEN, blocked.status, blocked.message, hint=FIREWALL) if is_last else None
