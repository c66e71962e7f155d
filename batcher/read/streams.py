"""Raw streams over one another: a part of a file, decompressed, recoded, guarded against endless lines.

Each gives out piece by piece what another has; `io.BufferedReader` makes an ordinary stream of it.
"""

from __future__ import annotations

import codecs
import io
import os

from ..errors import UsageError

CHUNK_BYTES = 1 << 17


class _Raw(io.RawIOBase):
    """A raw stream that gives out what `more` returns, piece by piece; b"" from it is the end."""

    def __init__(self) -> None:
        self._rest = memoryview(b"")

    def more(self) -> bytes:
        """The next piece; b"" at the end."""
        raise NotImplementedError

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # what BufferedReader passes
        if not self._rest:
            self._rest = memoryview(self.more())
        taken = min(len(buffer), len(self._rest))
        buffer[:taken] = self._rest[:taken]
        self._rest = self._rest[taken:]
        return taken


class Region(_Raw):
    """A file from its start up to `size` bytes (None: to its end), whatever else moves the file's position."""

    def __init__(self, descriptor: int, size: int | None) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._size = size
        self._at = 0

    def more(self) -> bytes:
        wanted = CHUNK_BYTES if self._size is None else min(CHUNK_BYTES, self._size - self._at)
        data = os.pread(self._descriptor, wanted, self._at) if wanted > 0 else b""
        self._at += len(data)
        return data


class Passed(_Raw):
    """Another reader's bytes in larger pieces."""

    def __init__(self, stream: io.BufferedIOBase) -> None:
        super().__init__()
        self._stream = stream

    def more(self) -> bytes:
        return self._stream.read(CHUNK_BYTES)


class Zstd(_Raw):
    """Decompressed zstd frames. A frame that is cut off is an EOFError, not an early end."""

    def __init__(self, stream: io.BufferedIOBase) -> None:
        import zstandard  # noqa: PLC0415 - only who needs it pays for it

        super().__init__()
        self._zstd = zstandard
        self._stream = stream
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._input = b""

    def more(self) -> bytes:
        while True:
            if not self._input:
                self._input = self._stream.read(CHUNK_BYTES >> 7)  # small: one piece may unfold to very much
            if not self._input:
                if not self._frame.eof:
                    raise EOFError("the last frame is not complete")
                return b""
            if self._frame.eof:
                self._frame = self._zstd.ZstdDecompressor().decompressobj()
            try:
                data = self._frame.decompress(self._input)
            except self._zstd.ZstdError as error:
                raise EOFError(str(error)) from None
            self._input = self._frame.unused_data if self._frame.eof else b""
            if data:
                return data


class LineGuard(_Raw):
    """Text that is refused when a line of it has more than `most` bytes, before it fills the memory."""

    def __init__(self, stream: io.BufferedIOBase, name: str, most: int) -> None:
        super().__init__()
        self._stream = stream
        self._name = name
        self._most = most
        self._length = 0  # of the line that is not ended yet

    def more(self) -> bytes:
        data = self._stream.read(CHUNK_BYTES)
        end = max(data.rfind(b"\n"), data.rfind(b"\r"))
        self._length = len(data) - 1 - end if end >= 0 else self._length + len(data)
        if self._length > self._most:
            raise UsageError(f"{self._name}: has a line of more than {self._most} bytes; is it really CSV?")
        return data


class Recoded(_Raw):
    """UTF-16 text with a byte order mark, as UTF-8."""

    def __init__(self, stream: io.BufferedIOBase) -> None:
        super().__init__()
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-16")()

    def more(self) -> bytes:
        while True:
            data = self._stream.read(CHUNK_BYTES)
            text = self._decoder.decode(data, final=not data)
            if text or not data:
                return text.encode()
