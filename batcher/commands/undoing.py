"""What an undo found and did."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import StopReason
from ..files.owned import OwnedDocument


@dataclass(slots=True)
class Undoing:
    """What an undo found and did. `owned` (newest first) = deleted + gone + kept + left.

    `gone`: not there any more, and not by a DELETE of ours.
    """

    base_url: str
    is_dry: bool = True
    owned: tuple[OwnedDocument, ...] = ()
    adopted: int = 0
    undone_before: int = 0
    uncertain: int = 0
    deleted: int = 0
    gone: int = 0
    kept: int = 0
    limit: int | None = None
    requests: int = 0
    elapsed_seconds: float = 0.0
    stopped: str | None = None
    stop_reason: StopReason | None = None
    foreign_writer: bool = False
    interrupted: bool = False
    deadline_reached: bool = False

    @property
    def chosen(self) -> tuple[OwnedDocument, ...]:
        """The documents that this undo is about."""
        return self.owned if self.limit is None else self.owned[: self.limit]

    @property
    def left(self) -> int:
        """Documents that a further undo will delete."""
        return len(self.owned) - self.deleted - self.gone - self.kept

    @property
    def stopped_reason(self) -> StopReason | None:
        """What ended it before everything was deleted."""
        is_limited = not self.is_dry and len(self.chosen) < len(self.owned)
        return (self.stop_reason or (StopReason.LIMIT if is_limited else None)) if self.left else None

    @property
    def exit_code(self) -> int:
        """Contract 10: of several the first of 130, 4, 3, 6, 1, 0. A dry run leaves everything, and that is right."""
        is_cut = self.deadline_reached or len(self.chosen) < len(self.owned)
        ladder = (
            (self.is_dry, 0),
            (self.interrupted, 130),
            (self.foreign_writer, 4),
            (self.stopped is not None, 3),
            (is_cut and self.left > 0, 6),
            (self.kept > 0, 1),
        )
        return next((code for applies, code in ladder if applies), 0)
