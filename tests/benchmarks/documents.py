"""The input and the answer that every benchmark uses: made the same way each time, from the row's number alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import orjson

SPECS = 20_000  # rows of the standard file
MODELS = tuple(str(UUID(int=0x6F1D_0000_0000_4000_8000_0000_0000_0000 + number)) for number in range(7))
TABLES = ("order_items", "sessions", "invoices", "shipments", "tickets")
REGIONS = ("EMEA", "APAC", "Americas", "Nordics", "Iberia", "DACH")


def spec(number: int) -> dict[str, object]:
    """A dashboard of about 700 bytes with one queryPresentation and no identifier."""
    table, region = TABLES[number % 5], REGIONS[number % 6]
    return {
        "modelId": MODELS[number % 7],
        "name": f"{region} revenue by month, cost centre {number:07}",
        "description": f"Migrated from report {number * 7919 % 10_000_019:08}; owner: finance-{number % 83}",
        "queryPresentations": [
            {
                "name": f"Revenue {region}",
                "topicName": table,
                "prefersChart": True,
                "chartType": "lineColor",
                "visConfig": {"visType": "basic", "fields": [f"{table}.created_at[month]", f"{table}.total"]},
                "query": {
                    "table": table,
                    "join_paths_from_topic_name": table,
                    "fields": [f"{table}.created_at[month]", f"{table}.total", f"{table}.region"],
                    "sorts": [{"column_name": f"{table}.created_at[month]", "sort_descending": False}],
                    "filters": {f"{table}.region": {"type": "string", "kind": "EQUALS", "values": [region]}},
                    "limit": 100 + number % 900,
                },
            }
        ],
    }


def write_jsonl(path: Path, count: int) -> Path:
    """`count` specs, streamed; a file that is there already is kept."""
    return _write(path, (orjson.dumps(spec(number), option=orjson.OPT_APPEND_NEWLINE) for number in range(count)))


def write_csv(path: Path, count: int) -> Path:
    """`count` simple rows: no queryPresentations, as a spreadsheet of names would be."""
    return _write(path, _csv_lines(count))


def _csv_lines(count: int) -> Iterator[bytes]:
    yield b"modelId,name,description\n"
    for number in range(count):
        yield (
            f"{MODELS[number % 7]},{REGIONS[number % 6]} revenue {number:07},"
            f'"Migrated from report {number:08}, owner: finance-{number % 83}"\n'
        ).encode()


def _write(path: Path, lines: Iterator[bytes]) -> Path:
    if not path.exists():
        beside = path.with_suffix(".new")
        with beside.open("wb") as stream:
            stream.writelines(lines)
        beside.replace(path)
    return path


def answer() -> bytes:
    """A create's answer, about 1.8 KB, the same for every document.

    A fixed answer cannot repeat the identifier that was sent, and batcher stops at a wrong one (contract 5). So its
    workbook names none; then the one that was sent counts.
    """
    at = "2026-05-04T10:11:12.131Z"
    ids = [str(UUID(int=0x9C0E_1A2B_3C4D_4E5F_8A9B_0C1D_2E3F_0000 + number)) for number in range(20)]
    yes = ("canAnalyze", "canDownload", "canDrill", "canSchedule", "canUpload", "canViewWorkbook")
    dashboard = {
        "id": ids[0],
        "dashboardId": ids[1],
        "createdAt": at,
        "updatedAt": at,
        "metadata": {
            "layouts": {"lg": [{"i": str(tile), "x": 0, "y": 8 * tile, "w": 12, "h": 8} for tile in range(6)]},
            "textTiles": [],
            "hiddenTiles": [],
            "tileSettings": {str(tile): {"title": "Revenue", "showTitle": True} for tile in range(1, 4)},
            "tileFilterMap": {},
            "tileControlMap": {},
        },
        "metadataVersion": 2,
        "refreshInterval": None,
        "facetFilters": True,
        "organizationId": ids[2],
        "workbookId": ids[3],
        "creatorId": ids[4],
        "updaterId": ids[4],
        "queryPresentationCollectionId": ids[5],
    }
    workbook = {
        "id": ids[3],
        "documentId": ids[6],
        "createdAt": at,
        "updatedAt": at,
        "deletedAt": None,
        "publishedAt": at,
        "isDraft": False,
        "name": "EMEA revenue by month, cost centre 0000000",
        "lastItemIndex": 1,
        "ephemeral": False,
        "organizationRole": "VIEWER",
        "organizationAccessBoost": False,
        "publicRole": None,
        "publicAccessBoost": False,
        **dict.fromkeys(yes, True),
        "canUseTimezoneOverride": True,
        "organizationId": ids[2],
        "ownerId": ids[4],
        "updaterId": ids[4],
        "folderId": ids[7],
        "originDocumentId": None,
    }
    return orjson.dumps({"dashboard": dashboard, "workbook": workbook})
