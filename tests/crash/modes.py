"""The three ways of naming documents, and the rows of each."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path

MODEL = "5f1c2b3a-6d4e-4f70-8a91-b2c3d4e5f607"


class Mode(StrEnum):
    """Who chooses the identifiers: batcher, the user, or the server."""

    FILLED = "filled"
    OWN = "own"
    UNNAMED = "unnamed"


def name_of(number: int) -> str:
    """The name of a row; no two rows share one."""
    return f"Revenue {number:05d}"


def identifier_of(number: int) -> str:
    """The user's own identifier of a row."""
    return f"own-{number:05d}"


def is_taken(mode: Mode, number: int) -> bool:
    """Whether a stranger's document has this row's identifier already."""
    return mode is Mode.OWN and number % 20 == 7


def write_input(path: Path, mode: Mode, rows: int) -> None:
    """So many rows as JSON Lines."""
    with path.open("w", encoding="utf-8") as file:
        for number in range(rows):
            row = {"modelId": MODEL, "name": name_of(number), "description": f"row {number}"}
            if mode is Mode.OWN:
                row["identifier"] = identifier_of(number)
            file.write(json.dumps(row) + "\n")
