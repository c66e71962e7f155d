"""Fixtures that every test may use."""

from __future__ import annotations

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """Asyncio only: aiolimiter and aiohttp need it."""
    return "asyncio"
