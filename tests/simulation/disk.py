"""A disk in memory that knows what was fsynced, and keeps only that (and by chance a little more) over a power cut.

`SimulatedDisk` is the platters: it outlives processes. `boot()` gives the `Storage` of one process; after `crash()`
every call on it or on its open files raises `ProcessDied`. An fsync takes virtual time.

What may happen to a file in a power cut: the part that was never synced is kept, cut at any byte, or gone, for each
file on its own. A killed process (`power=False`) loses nothing that was written, as the kernel still holds it.
`replace` is atomic. Every operation calls `before_step(name)`, where a world may crash the process.
"""

from __future__ import annotations

import errno
import io
import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import anyio

from .clock import ProcessDied


@dataclass(slots=True)
class Inode:
    """One file's bytes. The first `synced` of them survive anything; `entry_synced`: so does its name."""

    data: bytearray = field(default_factory=bytearray)
    synced: int = 0
    entry_synced: bool = True
    before_cut: bytes | None = None  # what was synced before a cut that is not synced yet: it may come back


@dataclass(slots=True)
class DiskFaults:
    """What goes wrong: `room_bytes` until the disk is full, `syncs` until one fails. None: never."""

    room_bytes: int | None = None
    syncs: int | None = None


class SimulatedDisk:
    """The platters. `latency_seconds` draws how long one fsync takes."""

    def __init__(self, chance: random.Random, latency_seconds: Callable[[], float] = lambda: 0.0) -> None:
        self.chance = chance
        self.latency_seconds = latency_seconds
        self.names: dict[Path, Inode] = {}
        self.locked: dict[Path, bytes] = {}
        self.faults = DiskFaults()
        self.faults_met: list[str] = []
        self.generation = 0
        self.before_step: Callable[[str], None] = lambda _name: None

    def boot(self) -> ProcessDisk:
        """The disk as a new process sees it."""
        self.generation += 1
        return ProcessDisk(self, self.generation)

    def crash(self, *, power: bool) -> None:
        """End the process that runs now; in a power cut, forget what was not synced."""
        self.generation += 1
        self.locked.clear()
        if power:
            for path, inode in list(self.names.items()):
                self._forget(path, inode)

    def _forget(self, path: Path, inode: Inode) -> None:
        if not inode.entry_synced and not inode.synced and self.chance.random() < 0.5:
            del self.names[path]
            return
        if inode.before_cut is not None and self.chance.random() < 0.5:
            inode.data, inode.synced = bytearray(inode.before_cut), len(inode.before_cut)
        inode.before_cut = None
        unsynced = len(inode.data) - inode.synced
        fate = self.chance.random()
        if unsynced and fate < 0.67:
            kept = 0 if fate < 0.33 else self.chance.randint(0, unsynced)
            del inode.data[inode.synced + kept :]
        inode.synced = len(inode.data)
        inode.entry_synced = True

    def content(self, path: Path) -> bytes:
        """The file's bytes as a reader sees them now; empty if there is none."""
        inode = self.names.get(path)
        return bytes(inode.data) if inode else b""

    def durable(self, path: Path) -> bytes:
        """What a power cut at this instant would leave for certain."""
        inode = self.names.get(path)
        return bytes(inode.data[: inode.synced]) if inode else b""

    def put(self, path: Path, data: bytes) -> None:
        """Somebody else writes the whole file, durably."""
        self.names[path] = Inode(bytearray(data), len(data))

    def take(self, size: int) -> int:
        """How many of `size` bytes still find room."""
        room = self.faults.room_bytes
        if room is None:
            return size
        taken = min(room, size)
        self.faults.room_bytes = room - taken
        return taken

    def give_back(self, size: int) -> None:
        """What was cut off makes room: on a full disk a short line may find it where a long one did not."""
        if self.faults.room_bytes is not None:
            self.faults.room_bytes += size


class ProcessDisk:
    """The disk of one process: implements `batcher.storage.Storage`."""

    def __init__(self, disk: SimulatedDisk, generation: int) -> None:
        self.disk = disk
        self._generation = generation

    def step(self, name: str) -> None:
        """Raise ProcessDied if the process is dead, or dies here."""
        self.alive()
        self.disk.before_step(name)
        self.alive()

    def alive(self) -> None:
        """Raise ProcessDied if the process is dead."""
        if self._generation != self.disk.generation:
            raise ProcessDied

    def size(self, path: Path) -> int | None:
        """As `Storage`."""
        self.step("size")
        inode = self.disk.names.get(path)
        return len(inode.data) if inode else None

    @contextmanager
    def read(self, path: Path, buffer_bytes: int = 0) -> Iterator[BinaryIO]:  # noqa: ARG002 - it all lies in memory
        """As `Storage`: the bytes as they stand when it is opened."""
        self.step("read")
        yield io.BytesIO(self._inode(path).data)

    @contextmanager
    def append(self, path: Path) -> Iterator[SimulatedFile]:
        """As `Storage`."""
        self.step("append")
        inode = self.disk.names.get(path)
        if inode is None:
            if self.disk.faults.room_bytes == 0:
                self._room_for(1)
            inode = self.disk.names[path] = Inode(entry_synced=False)
            self.step("made")
            inode.entry_synced = True
        yield SimulatedFile(self, inode)

    def truncate(self, path: Path, size: int) -> None:
        """As `Storage`."""
        self.step("truncate")
        inode = self._inode(path)
        del inode.data[size:]
        inode.synced = len(inode.data)
        self.step("truncated")

    def replace(self, path: Path, chunks: Iterable[bytes]) -> None:
        """As `Storage`: the new file takes the name only when it is whole and synced."""
        self.step("replace")
        data = bytearray()
        for chunk in chunks:
            self._room_for(len(chunk))
            data += chunk
            self.step("replacing")
        self.disk.names[path] = Inode(data, len(data))
        self.step("replaced")

    def copy(self, path: Path, to: Path) -> None:
        """As `Storage`."""
        self.step("copy")
        if to in self.disk.names:
            raise FileExistsError(errno.EEXIST, "File exists", str(to))
        data = self._inode(path).data
        self._room_for(len(data))
        self.disk.names[to] = Inode(bytearray(data), len(data))
        self.step("copied")

    @contextmanager
    def spool(self, beside: Path) -> Iterator[BinaryIO]:  # noqa: ARG002 - it dies with its process
        """As `Storage`."""
        self.step("spool")
        yield io.BytesIO()

    @contextmanager
    def lock(self, path: Path, holder: bytes) -> Iterator[None]:
        """As `Storage`; a crash lets go of it."""
        self.step("lock")
        if path in self.disk.locked:
            raise BlockingIOError(self.disk.locked[path].decode())
        self.disk.locked[path] = holder
        try:
            yield
        finally:
            if self._generation == self.disk.generation:
                del self.disk.locked[path]

    def _inode(self, path: Path) -> Inode:
        inode = self.disk.names.get(path)
        if inode is None:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(path))
        return inode

    def _room_for(self, size: int) -> None:
        if self.disk.take(size) < size:
            self.disk.faults_met.append("disk full")
            raise OSError(errno.ENOSPC, "No space left on device")


class SimulatedFile:
    """An open file: implements `batcher.storage.AppendFile`. It stays with its inode when the name moves on."""

    def __init__(self, process: ProcessDisk, inode: Inode) -> None:
        self._process = process
        self._inode = inode

    def write(self, data: bytes) -> None:
        """As `AppendFile`; on a full disk a part of `data` may be written."""
        self._process.step("write")
        taken = self._process.disk.take(len(data))
        if taken < len(data):
            self._inode.data += data[:taken]
            self._process.disk.faults_met.append("disk full")
            raise OSError(errno.ENOSPC, "No space left on device")
        half = self._process.disk.chance.randint(0, len(data))
        self._inode.data += data[:half]
        self._process.step("writing")
        self._inode.data += data[half:]
        self._process.step("written")

    async def sync(self) -> None:
        """As `AppendFile`: what was written before the call survives; of what came later, perhaps a part."""
        self._process.step("sync")
        disk = self._process.disk
        covered = len(self._inode.data)
        await anyio.sleep(disk.latency_seconds())
        self._process.alive()
        if disk.faults.syncs is not None:
            disk.faults.syncs -= 1
            if disk.faults.syncs < 0:
                disk.faults_met.append("fsync error")
                raise OSError(errno.EIO, "Input/output error")
        later = len(self._inode.data) - covered
        if later > 0 and disk.chance.random() < 0.3:
            covered += disk.chance.randint(0, later)
        self._inode.synced = max(self._inode.synced, min(covered, len(self._inode.data)))
        self._inode.before_cut = None
        self._process.step("synced")

    def truncate(self, size: int) -> None:
        """As `AppendFile`; not synced: until the next sync a power cut may bring the old bytes back."""
        self._process.step("cut")
        inode = self._inode
        if size < inode.synced:
            inode.before_cut = inode.before_cut or bytes(inode.data[: inode.synced])
            inode.synced = size
        self._process.disk.give_back(len(inode.data) - size)
        del inode.data[size:]
        self._process.step("was cut")

    def size(self) -> int:
        """As `AppendFile`."""
        self._process.alive()
        return len(self._inode.data)
