"""The API as one thing: authenticates a call, finds its handler, and lets it answer."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Mapping

import orjson

from ..answers.errors import auth_error, gone
from ..calls import Call, Response
from ..openapi import description, paths
from ..settings import SandboxSettings
from ..store import Store
from .account import Account
from .backend import NO_OVERRIDE, Backend, Handler, Override, Request
from .documents import Documents
from .documents_v2 import DocumentsV2
from .folders import Folders
from .labels import Labels
from .placing import Placing

_BEARER = re.compile(r"[Bb]earer ([\x21-\x7e]+)")
_CREATE_V2 = "/api/documents-v2/create-document"
_READ_V2 = "/api/documents-v2/get-document"
_UPDATE_V2 = "/api/documents-v2/update-document"


class Api:
    """Answers calls from the store. `clock` gives seconds since 1970."""

    def __init__(
        self, settings: SandboxSettings, store: Store, *, base_url: str = "", clock: Callable[[], float] = time.time
    ) -> None:
        self._settings = settings
        self._backend = Backend(settings, store, base_url, clock, random.Random(settings.seed))
        self._v2 = DocumentsV2(self._backend)
        self._handlers = self._all_handlers()
        self._description = description(no_v1=settings.no_v1, no_v2=settings.no_v2 is not None)
        self._revoked: set[str] = set()

    def answer(self, call: Call, override: Override = NO_OVERRIDE) -> Response:
        """Authenticate and carry the call out."""
        if call.path == paths.OPENAPI:
            return Response(200, orjson.dumps(self._description))
        return self._authenticate(call.authorization) or self._carry_out(call, override)

    def _carry_out(self, call: Call, override: Override) -> Response:
        template, names = paths.resolve(call.path)
        methods = self._handlers.get(template)
        if methods is None:
            return self.fail(404, "Not Found")
        handler = methods.get(call.method)
        if handler is None:
            refused = self.fail(405, f"Method {call.method} not allowed")
            return Response(refused.status, refused.body, headers=(("Allow", ", ".join(methods)),))
        return handler(Request(call, names, override))

    def revoke(self, authorization: str | None) -> None:
        """Refuse this Authorization value from now on."""
        self._revoked.add(authorization or "")

    def fail(self, status: int, message: str, identifier: str | None = None) -> Response:
        """One of the application's errors, in the shape that the settings ask for."""
        return self._backend.fail(status, message, identifier)

    def absent(self, call: Call) -> Response:
        """The 404 in the API's own words for what this call asks for."""
        template, names = paths.resolve(call.path)
        if template == paths.DOCUMENT_V2:
            return self._v2.no_document(Request(call, names))
        if template == paths.FOLDERS and "path" in call.query:
            return Folders(self._backend).no_folder(call.query["path"])
        return self._backend.no_document(names["identifier"]) if "identifier" in names else self.fail(404, "Not Found")

    def unreadable(self, call: Call) -> Response:
        """The answer to the read of a document that exists and that this version of the API does not show."""
        return self._v2.unreadable() if paths.resolve(call.path)[0] == paths.DOCUMENT_V2 else self._analysis()

    def _analysis(self) -> Response:
        return self.fail(400, "Analysis documents are not supported")

    def _authenticate(self, authorization: str | None) -> Response | None:
        if authorization is None:
            return auth_error(401, "Missing bearer token")
        bearer = _BEARER.fullmatch(authorization)
        if bearer is None:
            return auth_error(400, 'Malformed Authorization header, expected "Bearer <token>"')
        keys = self._settings.keys
        if authorization in self._revoked or (keys is not None and bearer[1] not in keys):
            return auth_error(403, "Invalid bearer token")
        return None

    def _all_handlers(self) -> Mapping[str, Mapping[str, Handler]]:
        """Path and method to handler; what the settings call gone answers as gone."""
        documents, folders, labels = Documents(self._backend), Folders(self._backend), Labels(self._backend)
        placing, account, settings = Placing(self._backend), Account(self._backend), self._settings
        return {
            paths.DOCUMENTS: {
                "POST": _gone(_CREATE_V2) if settings.no_v1 else documents.create,
                "GET": documents.list,
            },
            paths.DOCUMENT: {
                "GET": _gone(_READ_V2) if settings.no_v1 else documents.read,
                "DELETE": documents.delete,
                "PUT": _gone(_UPDATE_V2),
                "PATCH": _gone(_UPDATE_V2),
            },
            paths.MOVE: {"PUT": placing.move},
            paths.DOCUMENT_LABELS: {"PATCH": placing.change_labels},
            paths.DOCUMENT_LABEL: {"PUT": placing.put_label, "DELETE": placing.delete_label},
            paths.FOLDERS: {"GET": folders.list, "POST": folders.create},
            paths.LABELS: {"GET": labels.list, "POST": labels.create},
            paths.LABEL: {"GET": labels.read},
            paths.WHOAMI: {"GET": account.whoami},
            paths.MODELS: {"GET": account.models},
            **self._v2_handlers(),
        }

    def _v2_handlers(self) -> Mapping[str, Mapping[str, Handler]]:
        match self._settings.no_v2:
            case None:
                return {paths.DOCUMENTS_V2: {"POST": self._v2.create}, paths.DOCUMENT_V2: {"GET": self._v2.read}}
            case 404:
                return {}
            case 405:
                return {paths.DOCUMENTS_V2: {}, paths.DOCUMENT_V2: {}}
            case _:
                return {paths.DOCUMENTS_V2: {"POST": _gone("")}, paths.DOCUMENT_V2: {"GET": _gone("")}}


def _gone(successor: str) -> Handler:
    return lambda _request: gone(successor)
