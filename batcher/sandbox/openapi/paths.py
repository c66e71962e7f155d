"""The paths that are served, as `openapi.json` writes them, and how a call's path finds its own."""

from __future__ import annotations

import re
from collections.abc import Mapping

OPENAPI = "/openapi.json"
DOCUMENTS = "/api/v1/documents"
DOCUMENT = "/api/v1/documents/{identifier}"
MOVE = "/api/v1/documents/{identifier}/move"
DOCUMENT_LABELS = "/api/v1/documents/{identifier}/labels"
DOCUMENT_LABEL = "/api/v1/documents/{identifier}/labels/{label}"
DOCUMENTS_V2 = "/api/v2/documents"
DOCUMENT_V2 = "/api/v2/documents/{identifier}"
FOLDERS = "/api/v1/folders"
LABELS = "/api/v1/labels"
LABEL = "/api/v1/labels/{label}"
WHOAMI = "/api/v1/whoami"
MODELS = "/api/v1/models"

_FIXED = {DOCUMENTS, DOCUMENTS_V2, FOLDERS, LABELS, WHOAMI, MODELS}
_NAMED = (DOCUMENT, DOCUMENT_V2, MOVE, DOCUMENT_LABELS, DOCUMENT_LABEL, LABEL)
_NO_NAMES: Mapping[str, str] = {}


def _pattern(template: str) -> re.Pattern[str]:
    with_label = template.replace("{label}", "(?P<label>.+)")  # a label's name may hold a slash
    return re.compile(with_label.replace("{identifier}", "(?P<identifier>[^/]+)"))


_PATTERNS = tuple((template, _pattern(template)) for template in _NAMED)


def resolve(path: str) -> tuple[str, Mapping[str, str]]:
    """The template of a decoded path, and the names in it; an empty template if nothing is served there."""
    if path in _FIXED:
        return path, _NO_NAMES
    for template, pattern in _PATTERNS:
        if (match := pattern.fullmatch(path)) is not None:
            return template, match.groupdict()
    return "", _NO_NAMES
