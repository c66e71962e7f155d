"""A clock that runs faster than the world's, for tests that wait for real sockets and must outlast real limits."""

from __future__ import annotations

import asyncio
import selectors
import time
from types import ModuleType

import pytest

SPEED = 5.0  # seconds of the loop's clock in each second of the world's


class _Selector(selectors.DefaultSelector):
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for files; `timeout` is in seconds of the loop's clock."""
        return super().select(timeout / SPEED if timeout is not None and timeout > 0 else timeout)


class FastLoop(asyncio.SelectorEventLoop):
    """asyncio's loop on files and a fast clock: six seconds of its timers pass in little more than one."""

    def __init__(self) -> None:
        super().__init__(_Selector())

    def time(self) -> float:
        """Seconds, `SPEED` in each of the world's."""
        return super().time() * SPEED


def hurry(monkeypatch: pytest.MonkeyPatch, *modules: ModuleType) -> None:
    """Let the modules' `perf_counter` run as fast."""
    for module in modules:
        monkeypatch.setattr(module, "perf_counter", lambda: time.perf_counter() * SPEED)
