"""The table of fields of each version, and what holds for all of them: how columns and cells are read."""

from __future__ import annotations

from ..models import ApiVersion
from .fields import OURS, V1, Kind, kind_of
from .fields_v2 import V2

TABLES = {ApiVersion.V1: V1, ApiVersion.V2: V2}
ALL_FIELDS = tuple(dict.fromkeys((*V1.names, *V2.names)))
ONLY_V2 = tuple(name for name in V2.names if name not in V1.names)
KINDS = OURS | {name: kind_of(entry.shape) for table in (V2, V1) for name, entry in table.document.fields.items()}
JSON_FIELDS = tuple(name for name in (*ALL_FIELDS, *OURS) if KINDS[name] is not Kind.TEXT)
