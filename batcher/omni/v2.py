"""Version 2 of the Omni documents API (API.md 8 and 10). What has no form of its own there is version 1's."""

from __future__ import annotations

from datetime import datetime

import orjson

from ..models import ApiVersion
from ..transport.reply import Reply
from . import judge
from .api import Request
from .v1 import DOCUMENTS, V1
from .v2_body import body_of
from .verdicts import Verdict


class V2(V1):
    """`Api` for version 2."""

    version = ApiVersion.V2

    def create(self, body: bytes, folder_id: str | None = None) -> Request:
        """See `Api`."""
        return Request("POST", DOCUMENTS[self.version], orjson.dumps(body_of(orjson.loads(body), folder_id)))

    @staticmethod
    def judge_create(
        reply: Reply, *, is_proven: bool, has_created: bool, now: datetime, version: ApiVersion = ApiVersion.V2
    ) -> Verdict:
        """See `Api`."""
        return judge.judge_create(reply, is_proven=is_proven, has_created=has_created, now=now, version=version)


def api_of(version: ApiVersion, base_url: str) -> V1:
    """That version's `Api`."""
    return (V2 if version is ApiVersion.V2 else V1)(base_url)
