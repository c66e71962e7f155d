"""What goes wrong at the server, in the sandbox's own grammar."""

from __future__ import annotations

from .modes import Mode

AFTER = (  # the document is made, and the answer does not say so
    "reset-after:0.06",
    "hang-after:0.01",
    "truncate:0.03",
    "500-after:0.03",
    "close:0.03",
    "empty:0.02",
)
BEFORE = ("reset-before:0.03", "500:0.02", "429=0:0.02", "400:0.03")
LATE = ("late-commit=0.4:0.03",)
READS = ("GET 500:0.05", "404-lag=0.3:0.1", "GET reset-before:0.03")


def faults(mode: Mode) -> list[str]:
    """The faults of one siege."""
    if (
        mode is Mode.UNNAMED
    ):  # there every unclear attempt stays uncertain: a little less, so that most rows are created
        return ["reset-after:0.03", "truncate:0.02", "late-commit=0.4:0.02", "reset-before:0.02", "400:0.03"]
    return [*AFTER, *LATE, *BEFORE, *READS]
