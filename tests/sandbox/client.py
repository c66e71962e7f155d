"""A plain HTTP client of one sandbox, for the tests of what it answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson

from batcher.sandbox import Fault, RequestRecord, Sandbox, SandboxSettings

MODEL = "5f1c2b3a-6d4e-4f70-8a91-b2c3d4e5f607"
DOCUMENTS = "/api/v1/documents"
DOCUMENTS_V2 = "/api/v2/documents"
FOLDERS = "/api/v1/folders"
LABELS = "/api/v1/labels"
TILE = {"name": "Revenue", "query": {"table": "order_items", "fields": ["order_items.total"]}}
QUERY_V2: dict[str, Any] = {
    "calculations": [],
    "column_totals": {},
    "fields": ["order_items.total"],
    "fill_fields": [],
    "filters": {},
    "pivots": [],
    "row_totals": {},
    "sorts": [],
    "table": "order_items",
    "userEditedSQL": "",
}
TILE_V2: dict[str, Any] = {"type": "query", "name": "Revenue", "query": QUERY_V2, "automaticVis": True}


def tiles(*tiles: Any, order: list[str] | None = None) -> dict[str, Any]:
    """The queryPresentations of a v2 create, with keys from "1" on."""
    data = {str(n): tile for n, tile in enumerate(tiles, 1)}
    return {"data": data, "order": list(data) if order is None else order}


class Client:
    """A plain client of one sandbox."""

    def __init__(self, session: aiohttp.ClientSession, sandbox: Sandbox, records: list[RequestRecord]) -> None:
        self.session = session
        self.sandbox = sandbox
        self.records = records

    async def call(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        """Status and body, parsed if it is JSON."""
        async with self.session.request(method, path, allow_redirects=False, **options) as answer:
            body = await answer.read()
            self.headers = answer.headers
            return answer.status, orjson.loads(body) if answer.content_type == "application/json" and body else body

    async def create(
        self, identifier: str | None = None, *, timeout_seconds: float = 5.0, **fields: Any
    ) -> tuple[int, Any]:
        """POST one document."""
        body = {"modelId": MODEL, "name": "Sales", "queryPresentations": [TILE], **fields}
        body |= {"identifier": identifier} if identifier else {}
        return await self.call("POST", DOCUMENTS, json=body, timeout=aiohttp.ClientTimeout(total=timeout_seconds))

    async def create_v2(self, identifier: str | None = None, **fields: Any) -> tuple[int, Any]:
        """POST one document by v2."""
        body = {"modelId": MODEL, "name": "Sales", "queryPresentations": tiles(TILE_V2), **fields}
        return await self.call("POST", DOCUMENTS_V2, json=body | ({"identifier": identifier} if identifier else {}))

    async def folder(self, name: str, parent: str | None = None, **fields: Any) -> dict[str, Any]:
        """POST one folder, and its answer."""
        body = {"name": name, **fields} | ({"parentFolderId": parent} if parent else {})
        status, answer = await self.call("POST", FOLDERS, json=body)
        assert status == 201, answer
        return dict(answer)

    async def label(self, name: str) -> None:
        """POST one label."""
        assert (await self.call("POST", LABELS, json={"name": name}))[0] == 201

    async def read_v2(self, identifier: str) -> tuple[int, Any]:
        """GET one document by v2."""
        return await self.call("GET", f"{DOCUMENTS_V2}/{identifier}")

    async def record(self, identifier: str) -> dict[str, Any]:
        """The document's line in the list."""
        _, page = await self.call("GET", f"{DOCUMENTS}?include=labels&pageSize=100")
        return next(dict(record) for record in page["records"] if record["identifier"] == identifier)

    async def read(self, identifier: str) -> tuple[int, Any]:
        """GET one document."""
        return await self.call("GET", f"{DOCUMENTS}/{identifier}")


@asynccontextmanager
async def sandbox(*faults: str, key: str | None = "Bearer k", **settings: Any) -> AsyncIterator[Client]:
    """A sandbox and a client of it."""
    parsed = tuple(Fault.parse(fault) for fault in faults)
    headers = {"Authorization": key} if key is not None else {}
    records: list[RequestRecord] = []
    async with (
        Sandbox(SandboxSettings(faults=parsed, **settings), observe=records.append) as server,
        aiohttp.ClientSession(server.base_url, headers=headers, timeout=aiohttp.ClientTimeout(total=5)) as session,
    ):
        yield Client(session, server, records)
