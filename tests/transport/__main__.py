"""`python -m tests.transport`: each hostile answer meets one request with a timeout of 3 s; what came of it, memory and time.

Each has a process of its own, in which the server is, too: memory is what that process grew by, at its peak.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable

from batcher.transport.reply import Answer, Lost, NotSent, Reply

from .hostile import BROKEN, FLOODS, HEAD, MEGABYTE, drips, in_pieces, meet, peak_bytes

TIMEOUT_SECONDS = 3.0


def _header(size: int) -> bytes:
    return HEAD + b"X: " + b"x" * size + b"\r\nContent-Length: 2\r\n\r\n{}"


CASES: dict[str, Callable[[], AsyncIterator[bytes]]] = {
    **FLOODS,
    "drips": drips,
    "silence": lambda: in_pieces(stay=60),
    "a header of 64,000 bytes": lambda: in_pieces(_header(64_000)),
    "a header of 200,000 bytes": lambda: in_pieces(_header(200_000), stay=60),
    "JSON of 1,000,000 levels": lambda: in_pieces(
        HEAD + b"Content-Length: 2000000\r\n\r\n" + b"[" * 1_000_000 + b"]" * 1_000_000
    ),
    **{f"broken: {name}": lambda whole=whole: in_pieces(whole, stay=60) for name, whole in BROKEN.items()},  # type: ignore[misc]
}


def main() -> None:
    """Print the table, or (as its own child) one case's line."""
    if len(sys.argv) > 1:
        print(measure(sys.argv[1]))
        return
    print(f"{'answer':28}{'seconds':>8}{'MB':>6}  what batcher makes of it")
    for name in CASES:
        child = subprocess.run(
            [sys.executable, "-m", "tests.transport", name], capture_output=True, text=True, check=False
        )
        print(f"{name:28}{child.stdout.strip() or child.stderr.strip()[-200:]}", flush=True)


def measure(name: str) -> str:
    """One case."""
    pieces = CASES[name]()  # a bomb is made before memory is looked at
    before = peak_bytes()
    reply, seconds = asyncio.run(meet(pieces, seconds=TIMEOUT_SECONDS))
    return f"{seconds:8.2f}{(peak_bytes() - before) / MEGABYTE:6.0f}  {told(reply)}"


def told(reply: Reply) -> str:
    """The reply in a line."""
    match reply:
        case Answer():
            return f"an answer, {reply.status}, {len(reply.body)} bytes"
        case Lost() | NotSent():
            return f"{reply.cause}: {reply.message}"[:110]


if __name__ == "__main__":
    main()
