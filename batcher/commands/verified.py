"""What a verify found."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import StopReason


@dataclass(slots=True)
class Verified:
    """What was verified. `rows` = invalid + undone + not_created + created.

    `created` = same + different + missing + unreadable + left. `changed`: created rows that were edited since.
    """

    base_url: str = ""
    rows: int = 0
    invalid: int = 0
    undone: int = 0
    not_created: int = 0
    created: int = 0
    changed: int = 0
    same: int = 0
    different: int = 0
    missing: int = 0
    unreadable: int = 0
    requests: int = 0
    elapsed_seconds: float = 0.0
    stopped: str | None = None
    stopped_reason: StopReason | None = None
    interrupted: bool = False
    sample: int | None = None

    @property
    def chosen(self) -> int:
        """Documents that were to be looked at: all, or the sample."""
        return self.created if self.sample is None else self.sample

    @property
    def left(self) -> int:
        """Documents that were not looked at."""
        return self.created - self.same - self.different - self.missing - self.unreadable

    @property
    def without(self) -> int:
        """Rows that have no document."""
        return self.invalid + self.undone + self.not_created

    @property
    def exit_code(self) -> int:
        """Contract 10: of several the first of 130, 3, 1, 0.

        0 only if every row has its document, and each of these, or of the sample, matches.
        """
        is_whole = self.same == self.chosen and not self.without and not self.changed
        ladder = ((self.interrupted, 130), (self.stopped is not None, 3), (not is_whole, 1))
        return next((code for applies, code in ladder if applies), 0)
