"""From a path or standard input to UTF-8 bytes: sizes fixed at the start, compression and encodings undone.

What can't be asked for its header before it is read, like a pipe, is first copied to an unlinked temporary file.
Whatever is wrong with a whole file becomes a `UsageError` that names it.
"""

from __future__ import annotations

import codecs
import gzip
import io
import os
import re
import stat
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from ..errors import UsageError
from .streams import CHUNK_BYTES, Passed, Recoded, Region, Zstd
from .temporary import keeping, temporary_file

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_SKIPPABLE = re.compile(
    rb"[\x50-\x5f]\x2a\x4d\x18"
)  # a zstd frame that holds something else, with which some tools begin
STDIN = "-"


class State(NamedTuple):
    """What tells that a file has changed."""

    size: int
    mtime_ns: int


def state_of(facts: os.stat_result) -> State:
    """The state of a file of which these are the facts."""
    return State(facts.st_size, facts.st_mtime_ns)


@dataclass(frozen=True, slots=True)
class Source:
    """One input. `name` is as the user gave it; with `size` only the first so many bytes of the file are read.

    `spool` holds what came from a pipe. `state` is a file's when the input was opened.
    """

    name: str
    path: Path
    size: int | None = None
    spool: BinaryIO | None = field(default=None, repr=False, compare=False)
    state: State | None = field(default=None, compare=False)


@contextmanager
def open_inputs(
    inputs: Sequence[str | Path], stdin: BinaryIO | None = None, copies: Path | None = None
) -> Iterator[tuple[Source, ...]]:
    """The inputs, each as far as it reaches now. `-` is `stdin`. Pipes are copied into the directory `copies`.

    Without one, that is the place for temporary files. Raises UsageError for what is missing, is a directory, or is given twice.
    """
    with ExitStack() as stack:
        sources: list[Source] = []
        seen: dict[tuple[int, int], str] = {}
        for given in inputs:
            source, identity = _source(str(given), stdin, copies, stack)
            if identity in seen:
                raise UsageError(f"{source.name}: is the same file as {seen[identity]}; give it once")
            seen[identity] = source.name
            sources.append(source)
        yield tuple(sources)


def _source(name: str, stdin: BinaryIO | None, copies: Path | None, stack: ExitStack) -> tuple[Source, tuple[int, int]]:
    with naming(name):
        if name == STDIN:
            if stdin is None:
                raise UsageError("-: there is no standard input here; give a file")
            return _spooled("stdin", stdin, copies, stack), (-1, -1)
        facts = Path(name).stat()
        if stat.S_ISDIR(facts.st_mode):
            raise UsageError(f"{name}: is a directory; give the files in it")
        if stat.S_ISREG(facts.st_mode):
            # a name that is not UTF-8 is shown, and written into the files, with its odd bytes escaped
            shown = os.fsencode(name).decode("utf-8", "backslashreplace")
            return Source(shown, Path(name), facts.st_size, state=state_of(facts)), (facts.st_dev, facts.st_ino)
        with Path(name).open("rb") as pipe:
            return _spooled(name, pipe, copies, stack), (facts.st_dev, facts.st_ino)


def _spooled(name: str, stream: BinaryIO, copies: Path | None, stack: ExitStack) -> Source:
    what = f"{name}: the pipe can't be copied"
    spool = stack.enter_context(temporary_file(copies, what))
    while chunk := stream.read(CHUNK_BYTES):
        with keeping(copies, what):
            spool.write(chunk)
            spool.flush()
    return Source(name, Path(name), spool.tell(), spool)


@contextmanager
def naming(name: str) -> Iterator[None]:
    """Turn what goes wrong while a file is read into a UsageError that names it and says what to do."""
    try:
        yield
    except FileNotFoundError:
        raise UsageError(f"{name}: there is no such file") from None
    except (EOFError, zlib.error) as error:
        raise UsageError(f"{name}: the compressed data is damaged or cut off ({error}); make the file again") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{name}: is not valid {error.encoding.upper()} text; {SAVE_AS_UTF8}") from None
    except OSError as error:
        raise UsageError(f"{name}: cannot be read: {error.strerror or error}") from None


SAVE_AS_UTF8 = "save it as UTF-8 (in a spreadsheet program: “CSV UTF-8”)"


@contextmanager
def open_bytes(source: Source) -> Iterator[io.BufferedReader[Any]]:
    """The input's bytes, decompressed (recognised by its first bytes)."""
    with ExitStack() as stack:
        if source.spool is None:
            file: BinaryIO = stack.enter_context(source.path.open("rb", buffering=0))
        else:
            file = source.spool
        region = io.BufferedReader(Region(file.fileno(), source.size), CHUNK_BYTES)
        stack.enter_context(region)
        start = region.peek(4)[:4]
        if start.startswith(_GZIP):
            inflated = stack.enter_context(gzip.GzipFile(fileobj=region))
            yield stack.enter_context(io.BufferedReader(Passed(inflated), CHUNK_BYTES))
        elif start == _ZSTD or _SKIPPABLE.match(start):
            yield stack.enter_context(io.BufferedReader(Zstd(region), CHUNK_BYTES))
        elif source.path.suffix.lower() in (".gz", ".zst") and start:
            raise UsageError(f"{source.name}: is not compressed, though its name says so; rename it")
        else:
            yield region


@contextmanager
def open_utf8(source: Source) -> Iterator[io.BufferedReader[Any]]:
    """The input's text as UTF-8 bytes without a byte order mark; UTF-16 is recognised by its own."""
    with open_bytes(source) as stream:
        start = stream.peek(4)[:4]
        if start.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
            raise UsageError(f"{source.name}: is UTF-32; {SAVE_AS_UTF8}")
        if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            with io.BufferedReader(Recoded(stream), CHUNK_BYTES) as recoded:
                yield recoded
            return
        if b"\0" in start[:2]:
            raise UsageError(f"{source.name}: is binary, or UTF-16 without a byte order mark; {SAVE_AS_UTF8}")
        if start.startswith(codecs.BOM_UTF8):
            stream.read(len(codecs.BOM_UTF8))
        yield stream
