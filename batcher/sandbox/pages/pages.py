"""Which page a path is, and the two lists: all folders, and one."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree as ET

import orjson

from ..answers.ids import iso
from ..calls import Call, Response
from ..store import Document, Folder, Listing, Store
from . import dashboard
from .frame import chips, element, link, response

PERSONAL = "personal"
_FIRST, _MANY = 20, 200  # documents of each folder on the first page; on a folder's own


@dataclass(frozen=True, slots=True)
class Pages:
    """Answers the requests of browsers. Needs no key: what listens is loopback."""

    store: Store

    def answer(self, call: Call) -> Response | None:
        """The page; None if the path belongs to the API."""
        if call.method != "GET":
            return None
        match call.path.split("/")[1:]:
            case [""]:
                return self._home()
            case ["dashboards" | "w", identifier]:
                return self._document(identifier)
            case ["f", folder_id]:
                return self._folder(folder_id, call.query.get("after", ""))
            case _:
                return None

    def _home(self) -> Response:
        store = self.store
        folders, labels = store.folders.all(), store.labels.all()
        total = store.page(Listing(), 1).total
        counts = (_count(total, "document"), _count(len(folders), "folder"), _count(len(labels), "label"))
        head = element("div", element("h1", "Documents"), element("p", ", ".join(counts), class_="lead"), class_="head")
        if labels:
            head.append(chips([f"{label.name} ({uses})" for label, uses in labels], "labels"))
        if not total and not folders:
            empty = (
                "Nothing here yet. Create something: batcher run dashboards.csv --base-url with this page's address."
            )
            return response(200, "Documents", head, element("p", empty, class_="empty"))
        unfiled = Listing(no_folder=True)
        sections = [self._section(PERSONAL, ["Personal folder"], unfiled)] if store.page(unfiled, 1).total else []
        named = {folder.id: folder for folder in folders}
        sections += [
            self._section(folder.id, _names(folder, named), Listing(folder_id=folder.id)) for folder in folders
        ]
        return response(200, "Documents", head, *sections)

    def _section(self, folder_id: str, names: list[str], listing: Listing) -> ET.Element:
        page = self.store.page(listing, _FIRST)
        heading = element("h2", link(f"/f/{folder_id}", " / ".join(names)), element("small", str(page.total)))
        section = element("section", heading, class_="folder")
        if page.documents:
            section.append(self._list(page.documents))
        if page.more:
            more = f"all {page.total} documents"
            section.append(element("p", link(f"/f/{folder_id}", more), class_="more"))
        return section

    def _folder(self, folder_id: str, after: str) -> Response:
        folder = self.store.folders.find(folder_id)
        if folder is None and folder_id != PERSONAL:
            return _nothing("folder")
        name = folder.name if folder else "Personal folder"
        start = int(after) if after.isascii() and after.isdecimal() and len(after) < 19 else None
        page = self.store.page(Listing(folder_id=folder and folder.id, no_folder=folder is None, after=start), _MANY)
        above = self._above(folder)[:-1] if folder else []
        steps = [link("/", "Documents"), *(link(f"/f/{one.id}", one.name) for one in above)]
        trail = element("nav", *(element("span", step) for step in steps), class_="trail", aria_label="Folders")
        lead = element("p", _count(page.total, "document"), class_="lead")
        parts = [element("div", trail, element("h1", name), lead, class_="head")]
        parts.append(element("section", self._list(page.documents), class_="folder"))
        if page.more:
            parts.append(
                element("p", link(f"/f/{folder_id}?after={page.documents[-1].number}", "older"), class_="more")
            )
        return response(200, name, *parts)

    def _list(self, documents: tuple[Document, ...]) -> ET.Element:
        return element("ul", *map(self._line, documents), class_="documents")

    def _line(self, document: Document) -> ET.Element:
        facts = f"{document.identifier} · {iso(document.created_at)[:16].replace('T', ' ')} · API {document.api}"
        line = element("li", link(f"/dashboards/{document.identifier}", document.name), element("small", facts))
        description = orjson.loads(document.body).get("description")
        if description:
            line.append(element("p", description))
        if labels := self.store.labels.of(document.number):
            line.append(chips([label.name for label in labels], "labels"))
        return line

    def _document(self, identifier: str) -> Response:
        document = self.store.find(identifier)
        if document is None:
            return _nothing("document")
        folder = self.store.folders.find(document.folder_id) if document.folder_id else None
        return dashboard.page_of(document, self._above(folder), self.store.labels.of(document.number))

    def _above(self, folder: Folder | None) -> list[Folder]:
        """The folders from the top down to this one."""
        chain: list[Folder] = []
        while folder is not None:
            chain.insert(0, folder)
            folder = self.store.folders.find(folder.parent) if folder.parent else None
        return chain


def _names(folder: Folder, named: dict[str, Folder]) -> list[str]:
    above = _names(named[folder.parent], named) if folder.parent else []
    return [*above, folder.name]


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _nothing(noun: str) -> Response:
    head = element("div", element("h1", f"No such {noun}"), class_="head")
    text = f"This sandbox has no {noun} here: it was deleted, or never created. "
    return response(404, f"No such {noun}", head, element("p", text, link("/", "All documents")))
