"""The server may announce, in headers, the end of the version of the API that is in use: that is told once a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..models import ApiVersion
from ..transport.headers import announced_end


class AnnouncedEnd:
    """Shared by all requests of a run."""

    def __init__(self, version: ApiVersion, warn: Callable[[str], None]) -> None:
        self._version = version
        self._warn = warn
        self._is_told = False

    def meet(self, path: str, headers: Mapping[str, str]) -> None:
        """An answer has such headers. What is said of another endpoint, or of the other version, is no news."""
        if self._is_told or f"/{self._version}/documents" not in path:
            return
        self._is_told = True
        remedy = "use --api v2" if self._version is ApiVersion.V1 else "look for a newer batcher"
        self._warn(
            f"the server announces the end of {self._version} create ({announced_end(headers)}); {remedy} in time"
        )
