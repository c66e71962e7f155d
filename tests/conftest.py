"""Fixtures that every test may use."""

from __future__ import annotations

import signal

import pytest

# under nohup SIGHUP is ignored, and so it would be in the processes that tests start and hang up on
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture
def anyio_backend() -> str:
    """Asyncio only: aiolimiter and aiohttp need it."""
    return "asyncio"
