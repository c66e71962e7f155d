"""The least server that answers POST with a fixed 201: `python -m tests.benchmarks.trivial_server PORT`.

Used where nginx is not installed, and by the operation count in `tests/benchmarks/test_hot_path.py`.
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

from .documents import answer

MISSING = b'{"detail":"Document with identifier \\"x\\" not found","status":404}'


def http(status: bytes, body: bytes) -> bytes:
    """A whole HTTP/1.1 answer."""
    head = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
    return head + body


class Fixed(asyncio.Protocol):
    """Every POST is answered with the same 201, everything else with the same 404. Bodies need a Content-Length."""

    created = http(b"201 Created", answer())
    missing = http(b"404 Not Found", MISSING)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._back = cast("asyncio.Transport", transport)
        self._held = b""

    def data_received(self, data: bytes) -> None:
        """Answer each whole request."""
        held = self._held + data if self._held else data
        while (end := held.find(b"\r\n\r\n")) >= 0:
            head = held[:end].lower()
            at = head.find(b"\r\ncontent-length:")
            length = int(head[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(held) < end + 4 + length:
                break
            self._back.write(self.created if head.startswith(b"post") else self.missing)
            held = held[end + 4 + length :]
        self._held = held


async def serve(port: int) -> None:
    """Serve until the process is ended."""
    server = await asyncio.get_running_loop().create_server(Fixed, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    uvloop.run(serve(int(sys.argv[1])))
