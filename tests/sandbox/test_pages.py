"""The sandbox's own pages: what they show, and that nothing in them is more than text."""

from __future__ import annotations

from collections import Counter
from html.parser import HTMLParser

import pytest

from batcher.pace.rate import Rate
from batcher.sandbox.pages.frame import element

from .client import DOCUMENTS, MODEL, TILE, TILE_V2, Client, sandbox, tiles
from .hostile import STRINGS, place

STATUS = {
    "fieldName": "order_items.status",
    "label": "Status",
    "type": "string",
    "kind": "EQUALS",
    "values": ["complete"],
}


class Read(HTMLParser):
    """A page as its tags, its links and its text."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.links: list[str] = []
        self.pieces: list[str] = []
        self.attributes: set[str] = set()
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Count it."""
        self.tags[tag] += 1
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if (tag, name) == ("a", "href")]

    def handle_data(self, data: str) -> None:
        """Keep it."""
        self.pieces.append(data)

    @property
    def text(self) -> str:
        """Everything that can be read."""
        return " ".join(" ".join(self.pieces).split())


async def page(client: Client, path: str, status: int = 200) -> Read:
    """One page, which must have its policy and no script."""
    answered, body = await client.call("GET", path, headers={"Authorization": ""})
    assert answered == status
    assert client.headers["Content-Type"] == "text/html; charset=utf-8"
    assert client.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert "script" not in client.headers["Content-Security-Policy"]
    read = Read(body)
    assert not {"script", "img", "iframe", "form", "object", "base"} & set(read.tags)
    assert read.attributes <= {
        *("class", "href", "lang", "charset", "name", "content", "rel", "viewbox", "d", "aria-hidden", "aria-label"),
        *("x", "y", "text-anchor", "font-size", "font-weight"),
    }
    return read


async def test_the_first_page_lists_documents_by_folder() -> None:
    """Folders by path, the personal one first; an empty sandbox says what to do; it needs no key."""
    async with sandbox(key=None) as client:
        assert "Nothing here yet" in (await page(client, "/")).text
    async with sandbox() as client:
        sales = await client.folder("Sales")
        emea = await client.folder("EMEA", sales["id"])
        await client.label("Red")
        await client.create("mine", name="My board", description="What it is for")
        await client.create_v2("filed", name="Filed board", folderId=emea["id"])
        await client.call("PATCH", f"{DOCUMENTS}/filed/labels", json={"add": ["Red"]})
        home = await page(client, "/")
        for text in (
            "2 documents, 2 folders, 1 label",
            "Red (1)",
            "My board",
            "What it is for",
            "Sales / EMEA",
            "API v2",
        ):
            assert text in home.text
        assert home.links == [
            "/",
            "/f/personal",
            "/dashboards/mine",
            f"/f/{sales['id']}",
            f"/f/{emea['id']}",
            "/dashboards/filed",
        ]


async def test_a_folders_own_page_goes_on() -> None:
    """The first page shows twenty of a folder, its own page two hundred, older ones follow."""
    async with sandbox() as client:
        sales = await client.folder("Sales")
        emea = await client.folder("EMEA", sales["id"])
        for n in range(205):
            await client.create_v2(f"d-{n}", folderId=emea["id"])
        home = await page(client, "/")
        assert "all 205 documents" in home.text
        assert sum(link.startswith("/dashboards/") for link in home.links) == 20
        folder = await page(client, f"/f/{emea['id']}")
        assert folder.links[1:3] == ["/", f"/f/{sales['id']}"]
        assert sum(link.startswith("/dashboards/") for link in folder.links) == 200
        last = await page(client, folder.links[-1])
        assert [link for link in last.links if link.startswith("/dashboards/")] == [
            f"/dashboards/d-{n}" for n in (4, 3, 2, 1, 0)
        ]
        assert (await page(client, f"/f/{MODEL}", 404)).text.endswith("All documents")


async def test_a_document_of_v1_is_shown() -> None:
    """Name, description, folder, labels, filters in their order, tiles with their queries."""
    query = TILE["query"] | {  # type: ignore[operator]
        "sorts": [{"column_name": "order_items.total", "sort_descending": True}],
        "filters": {"order_items.status": STATUS},
        "limit": 500,
    }
    async with sandbox() as client:
        await client.folder("Sales")
        await client.label("Red")
        await client.create(
            "board",
            name="Board",
            description="What it is for",
            queryPresentations=[TILE | {"query": query, "chartType": "lineColor", "topicName": "orders"}],
            filterConfig={"a": {"fieldName": "users.region"}, "b": STATUS},
            filterOrder=["b", "a"],
        )
        await client.call("PUT", f"{DOCUMENTS}/board/move", json={"folderPath": "sales"})
        await client.call("PATCH", f"{DOCUMENTS}/board/labels", json={"add": ["red"]})
        for path in ("/dashboards/board", "/w/board"):
            text = (await page(client, path)).text
            for shown in ("Sales Board What it is for Red", "Status EQUALS complete users.region", "lineColor"):
                assert shown in text
            assert (
                "Table order_items Topic orders Fields order_items.total Filters order_items.status EQUALS complete "
                "Sorted by order_items.total ↓ Limit 500"
            ) in text
            assert f"Identifier board Model {MODEL}" in text


async def test_a_document_of_v2_is_shown_as_its_containers_say() -> None:
    """Pages and texts; what no container shows is told; a tile without any vis is missing; a workbook shows its tabs."""
    bar = {"instanceKey": "filter-bar", "containerType": "stack", "children": [{"type": "filter", "id": "f"}]}
    stacks = [
        {"instanceKey": "t", "style": "tile", "gridPosition": {"x": 0, "y": 0, "w": 24, "h": 9}, "children": inner}
        for inner in ([{"type": "query", "id": "2", "as": "chart"}], [{"type": "inline-text", "content": "## Words"}])
    ]
    stacks[1]["instanceKey"] = "words"
    pages = [{"containerType": "page", "name": "Page A", "container": {"children": stacks}}, {"containerType": "page"}]
    shown = tiles({**TILE_V2, "name": "Hidden"}, {**TILE_V2, "name": "Shown", "automaticVis": False})
    controls = {"data": {"f": {"config": STATUS}, "g": {"config": {**STATUS, "label": "Region"}}}}
    async with sandbox() as client:
        await client.create_v2("board", queryPresentations=shown, controls=controls, containers=[bar, *pages])
        text = (await page(client, "/dashboards/board")).text
        for said in (
            "Status EQUALS complete",
            "These filters apply, but no container shows them: Region.",
            "These tiles are stored, but no container shows them: Hidden.",
            "Page A Shown Item missing",
            "## Words",
        ):
            assert said in text
        await client.create_v2("book", queryPresentations=shown, containers=None)
        assert "a workbook without a dashboard" in (await page(client, "/dashboards/book")).text
        await client.create_v2("app", app={"html": "<p>hello</p>"})
        assert "<p>hello</p>" in (await page(client, "/dashboards/app")).text
        await client.create("empty", queryPresentations=[])
        assert "It has no tiles." in (await page(client, "/dashboards/empty")).text


async def test_what_is_not_there() -> None:
    """A page, too, that leads back."""
    async with sandbox() as client:
        assert "No such document" in (await page(client, "/dashboards/nobody", 404)).text
        await client.create("gone")
        await client.call("DELETE", f"{DOCUMENTS}/gone")
        await page(client, "/dashboards/gone", 404)
        assert (await client.call("POST", "/"))[0] == 404


async def test_pages_cost_no_rate_and_meet_no_faults() -> None:
    """They are for the person who looks; the log has them all the same."""
    async with sandbox("ANY 500", rate=Rate(1, 60.0)) as client:
        for _ in range(3):
            await page(client, "/")
        assert (await client.create())[0] == 500
        assert [(record.method, record.path, record.status) for record in client.records] == [
            *[("GET", "/", 200)] * 3,
            ("POST", DOCUMENTS, 500),
        ]


async def test_hostile_strings_stay_text() -> None:
    """Wherever they stand, the page has the same elements as with a harmless one."""
    async with sandbox() as client:
        plain = (await page(client, f"/dashboards/{await place(client, 999, 'harmless words')}")).tags
        for number, text in enumerate(STRINGS):
            read = await page(client, f"/dashboards/{await place(client, number, text)}")
            assert read.tags == plain, text
        home = await page(client, "/")
        assert home.tags["a"] == 1 + 2 * (len(STRINGS) + 1)


@pytest.mark.parametrize("text", ["", "<b>", "a&b", '"'])
def test_elements_are_made_of_text_and_elements_in_their_order(text: str) -> None:
    """Texts before, between and after elements."""
    made = element("p", text, element("b", "x"), text, "!", element("i"), text, class_=text)
    assert "".join(made.itertext()) == f"{text}x{text}!{text}"
    assert made.get("class") == text
