"""The whole description: what surrounds the paths."""

from __future__ import annotations

from functools import cache
from typing import Any

from ..rules import places, v1, v2
from . import answers
from .operations import paths_of


@cache
def description(*, no_v1: bool = False, no_v2: bool = False) -> dict[str, Any]:
    """The OpenAPI 3.1 description, with or without the endpoints that a version brings. Not to be changed."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Omni documents API (batcher's sandbox)",
            "version": "1",
            "description": "A local stand-in for the parts of Omni's API that batcher uses.",
        },
        "security": [{"bearer": []}],
        "paths": paths_of(no_v1=no_v1, no_v2=no_v2),
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "schemas": {**v1.SCHEMAS, **v2.SCHEMAS, **places.SCHEMAS, **answers.SCHEMAS},
        },
    }
