"""The server's trouble: when it is down, all workers pause and one request at a time probes (contract 9).

A refused connection, an unknown name or a cut TLS handshake says at once that the server is not there; 502, 503, 504
and timeouts do when several rows in a row met them. While it lasts no attempt is counted against a row.
"""

from __future__ import annotations

from collections.abc import Callable

import anyio

from ..errors import StopReason

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
ROWS_IN_A_ROW = 3  # this many different rows with the same kind of trouble are no longer the rows' own


class Outage:
    """Shared by all workers of a run. `give_up` is called with a message when no good answer came for long enough.

    `is_on`: the server counts as not there now. `troubled`: the rows that met trouble since the last good answer.
    """

    def __init__(self, give_up_after_seconds: float, give_up: Callable[[str, StopReason], None]) -> None:
        self._give_up_after = give_up_after_seconds
        self._give_up = give_up
        self.troubled: dict[str, None] = {}
        self.is_on = False
        self._since = 0.0
        self._pause = FIRST_PAUSE_SECONDS
        self._is_probing = False
        self._changed = anyio.Event()
        self._what = ""

    @property
    def note(self) -> str:
        """For the progress line."""
        if not self.is_on:
            return ""
        return f"the server is in trouble ({self._what}); trying again every {self._pause:.0f} s"

    async def enter(self) -> bool:
        """Wait until a request may go. True if it goes as the probe: then `leave` must be called after it."""
        while self.is_on:
            if self._is_probing:
                await self._changed.wait()
                continue
            self._is_probing = True
            left = self._since + self._give_up_after - anyio.current_time()
            if left <= 0:  # the last probe's answer was neither good nor the kind of trouble that an outage is
                self._end()
            try:
                await anyio.sleep(min(self._pause, max(0.0, left)))
            except BaseException:
                self.leave()
                raise
            return True
        return False

    def leave(self) -> None:
        """The probe is over, whatever came of it."""
        self._is_probing = False
        self._wake()

    def good(self) -> None:
        """An answer came from the application itself."""
        if self.troubled:
            self.troubled.clear()
        if self.is_on:
            self.is_on = False
            self._pause = FIRST_PAUSE_SECONDS
            self._wake()

    def bad(self, row: str, what: str, *, is_certain: bool, is_probe: bool = False) -> None:
        """Trouble met by this row. `is_certain`: the server was not reached at all."""
        self.troubled[row] = None
        now = anyio.current_time()
        if not self.is_on:
            if is_certain or len(self.troubled) >= ROWS_IN_A_ROW:
                self.is_on, self._since, self._what = True, now, what
            return
        self._what = what
        if is_probe:  # what was in flight when it began does not make it longer
            self._pause = min(LONGEST_PAUSE_SECONDS, self._pause * 2)
        if now - self._since >= self._give_up_after:
            self._end()

    def _end(self) -> None:
        self._give_up(
            f"no usable answer from the server for {self._give_up_after:.0f} s ({self._what}). "
            "Run the same command again when it's back; --give-up-after sets how long to wait.",
            StopReason.UNREACHABLE,
        )

    def _wake(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()
