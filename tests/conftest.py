"""Fixtures that every test may use."""

from __future__ import annotations

import signal

import pytest
from hypothesis import settings

# What is ignored stays ignored in the processes that tests start: SIGHUP under nohup, SIGINT in the background of a
# shell. They would then wait forever for an end that a test sends them.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGTERM, signal.SIG_DFL)

# How long an example takes says more about the machine than about us.
settings.register_profile("batcher", deadline=None)
settings.load_profile("batcher")


@pytest.fixture
def anyio_backend() -> str:
    """Asyncio only: aiohttp needs it."""
    return "asyncio"
