"""Folders, labels, and a document's place and labels, over a real socket (API.md 11 and 12)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import pytest

from .client import DOCUMENTS, FOLDERS, LABELS, MODEL, Client, sandbox


async def paths(client: Client, **query: str) -> list[str]:
    """The paths of the folders that a list shows, in its order."""
    status, page = await client.call("GET", FOLDERS, params=query)
    assert status == 200, page
    return [record["path"] for record in page["records"]]


async def test_a_folder_answers_its_path_of_slugs() -> None:
    """The path is made of the names; the list's record has a URL, too, and counts and labels when asked."""
    async with sandbox() as client:
        sales = await client.folder("Sales & Ops")
        assert set(sales) == {"id", "name", "path", "scope", "ownerId"}
        assert (sales["path"], sales["scope"]) == ("/sales-ops", "organization")
        emea = await client.folder("Émea", sales["id"])
        assert emea["path"] == "/sales-ops/emea"
        assert (await client.folder("東京"))["path"] == "/folder"
        await client.create_v2("in-it", folderId=sales["id"])
        query = {"path": "sales-ops", "include": "_count,labels"}
        (record,) = (await client.call("GET", FOLDERS, params=query))[1]["records"]
        assert record == sales | {
            "url": f"{client.sandbox.base_url}/f/{sales['id']}",
            "_count": {"documents": 1, "folders": 1, "favorites": 0},
            "labels": [],
        }


async def test_the_same_name_again_makes_a_second_folder() -> None:
    """No conflict: a path with a suffix, -1 and so on."""
    async with sandbox() as client:
        made = [(await client.folder(name))["path"] for name in ("Sales", "Sales", "sales!")]
        assert made == ["/sales", "/sales-1", "/sales-2"]


async def test_folders_are_listed_by_path() -> None:
    """Exact, `*` for the children, `**` for everything below; case and a leading slash do not matter."""
    async with sandbox() as client:
        a = await client.folder("A")
        b = await client.folder("B", a["id"])
        await client.folder("C", b["id"])
        await client.folder("AB")
        assert await paths(client) == ["/a", "/ab", "/a/b", "/a/b/c"]
        assert await paths(client, path="a") == ["/a"]
        assert await paths(client, path="/A/b/") == ["/a/b"]
        assert await paths(client, path="a/*") == ["/a/b"]
        assert await paths(client, path="a/**") == ["/a/b", "/a/b/c"]
        assert await paths(client, path="*") == ["/a", "/ab"]
        assert await paths(client, path="a/b/c/*") == []
        assert await paths(client, sortField="path", sortDirection="desc") == ["/ab", "/a/b/c", "/a/b", "/a"]
        for unknown in ("b", "a/c", "b/*", "a/c/**"):
            assert await client.call("GET", FOLDERS, params={"path": unknown}) == (
                404,
                {"detail": f"Folder with path {unknown} does not exist", "status": 404},
            )


async def test_folders_go_page_by_page() -> None:
    """Cursors lead through all of them once."""
    async with sandbox() as client:
        for n in range(25):
            await client.folder(f"F{n % 3}")
        met: list[str] = []
        query = {"pageSize": "10"}
        while True:
            _, page = await client.call("GET", FOLDERS, params=query)
            met += [record["path"] for record in page["records"]]
            assert page["pageInfo"]["totalRecords"] == 25
            if not page["pageInfo"]["hasNextPage"]:
                break
            query["cursor"] = page["pageInfo"]["nextCursor"]
        assert len(met) == len(set(met)) == 25


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("pageSize=101", "Page size cannot exceed 100"),
        ("pageSize=0", "pageSize: "),
        ("scope=x", "scope: "),
        ("ownerId=x", "ownerId: "),
        ("name=x", "Unrecognized key(s) in object: 'name'"),
        ("cursor=x", "cursor: "),
        ("include=x", "include: "),
    ],
)
async def test_the_list_of_folders_refuses_what_it_does_not_know(query: str, message: str) -> None:
    """A bad parameter is 400 and named."""
    async with sandbox() as client:
        status, answer = await client.call("GET", f"{FOLDERS}?{query}")
        assert (status, answer["detail"].startswith(f"Bad Request: {message}")) == (400, True)


async def test_restricted_folders_are_apart() -> None:
    """A list shows one scope; a child has its parent's."""
    async with sandbox() as client:
        mine = await client.folder("Mine", scope="restricted")
        assert (await client.folder("Child", mine["id"]))["scope"] == "restricted"
        assert await paths(client) == []
        assert await paths(client, scope="restricted") == ["/mine/child", "/mine"]
        assert (await client.call("GET", f"{FOLDERS}?path=mine"))[0] == 404


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({}, 400, "Bad Request: name: Required"),
        ({"name": ""}, 400, "Bad Request: name: String must contain at least 1 character(s)"),
        ({"name": "x", "parentFolderId": "x"}, 400, "Bad Request: parentFolderId: Invalid uuid"),
        ({"name": "x", "parentFolderId": MODEL}, 404, f"Parent folder with id {MODEL} does not exist"),
        ({"name": "x", "userId": MODEL}, 403, "User-scoped API keys cannot act on behalf of other users"),
        ({"name": "x", "scope": "public"}, 400, "Bad Request: scope: Invalid enum value."),
        ({"name": "x", "path": "x"}, 400, "Bad Request: path: Unrecognized key"),
    ],
)
async def test_folders_that_are_refused(body: dict[str, Any], status: int, message: str) -> None:
    """Each in the documented words, and nothing is made."""
    async with sandbox() as client:
        answered, answer = await client.call("POST", FOLDERS, json=body)
        assert (answered, answer["detail"].startswith(message)) == (status, True), answer
        assert await paths(client) == []


async def test_nesting_ends_at_seven_levels() -> None:
    """And a child's scope must be its parent's."""
    async with sandbox() as client:
        parent = None
        for level in range(7):
            parent = (await client.folder(f"L{level}", parent))["id"]
        status, answer = await client.call("POST", FOLDERS, json={"name": "L7", "parentFolderId": parent})
        assert (status, answer["detail"]) == (400, "Bad Request: Maximum folder nesting depth reached")
        top = (await client.folder("Top"))["id"]
        status, answer = await client.call(
            "POST", FOLDERS, json={"name": "x", "parentFolderId": top, "scope": "restricted"}
        )
        assert (status, answer["detail"]) == (400, "Bad Request: Child folder scope must match parent folder scope")


async def test_labels_are_created_once() -> None:
    """201 the label, then 409 whatever the case; the list and one of them tell how often it is used."""
    async with sandbox() as client:
        label = {
            "name": "Batch",
            "color": "#ff0000",
            "description": None,
            "homepage": False,
            "verified": False,
            "usage_count": 0,
        }
        assert await client.call("POST", LABELS, json={"name": "Batch", "color": "#ff0000"}) == (201, label)
        assert await client.call("POST", LABELS, json={"name": "bATCH"}) == (
            409,
            {"detail": 'Label "bATCH" already exists', "status": 409},
        )
        await client.create("aa")
        await client.call("PUT", f"{DOCUMENTS}/aa/labels/batch")
        used = label | {"usage_count": 1}
        assert await client.call("GET", LABELS) == (200, {"labels": [used]})
        assert await client.call("GET", f"{LABELS}/BATCH") == (200, used)
        await client.call("DELETE", f"{DOCUMENTS}/aa")
        assert await client.call("GET", f"{LABELS}/Batch") == (200, label)
        assert (await client.call("GET", f"{LABELS}/other"))[0] == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "x"}, 400),
        ({"name": "x" * 26}, 400),
        ({"name": "xx", "color": "x" * 10}, 400),
        ({"name": "xx", "description": "x" * 501}, 400),
        ({"name": "xx", "verified": True}, 403),
        ({"name": "xx", "homepage": True}, 403),
        ({"name": "xx", "colour": "x"}, 400),
        ({"name": "x" * 25, "color": None, "description": "x" * 500, "homepage": False}, 201),
    ],
)
async def test_lengths_and_rights_of_labels(body: dict[str, Any], status: int) -> None:
    """2 to 25 characters; verified and home page labels are an admin's."""
    async with sandbox() as client:
        assert (await client.call("POST", LABELS, json=body))[0] == status


async def test_v2_files_at_once() -> None:
    """The folder goes with the create; the list's record shows it, its path without a leading slash."""
    async with sandbox() as client:
        sales = await client.folder("Sales")
        emea = await client.folder("EMEA", sales["id"])
        assert (await client.create_v2("filed", folderId=emea["id"].upper()))[0] == 201
        await client.create_v2("mine")
        record = await client.record("filed")
        assert record["folder"] == {
            "id": emea["id"],
            "name": "EMEA",
            "path": "sales/emea",
            "scope": "organization",
        }
        assert (record["scope"], record["labels"]) == ("organization", [])
        mine = await client.record("mine")
        assert (mine["folder"], mine["scope"]) == (None, "restricted")
        _, page = await client.call("GET", f"{DOCUMENTS}?folderId={emea['id'].upper()}")
        assert [found["identifier"] for found in page["records"]] == ["filed"]
        assert "labels" not in page["records"][0]
        assert page["pageInfo"]["totalRecords"] == 1


async def test_a_move_by_path() -> None:
    """200, again 200; null takes it out again; the scope is that of the folder."""
    async with sandbox() as client:
        sales = await client.folder("Sales")
        await client.create("aa")
        move = f"{DOCUMENTS}/aa/move"
        for path in ("sales", "/Sales"):
            assert await client.call("PUT", move, json={"folderPath": path}) == (200, {"success": True})
            assert (await client.record("aa"))["folder"]["id"] == sales["id"]
        assert (await client.record("aa"))["scope"] == "organization"
        assert (await client.call("PUT", move, json={"folderPath": None, "scope": "restricted"}))[0] == 200
        assert (await client.record("aa"))["folder"] is None


@pytest.mark.parametrize(
    ("identifier", "body", "status", "message"),
    [
        ("aa", {"folderPath": "other"}, 404, "Folder with path other does not exist"),
        ("bb", {"folderPath": "sales"}, 404, 'Document with identifier "bb" not found'),
        (
            "aa",
            {"folderPath": "sales", "scope": "restricted"},
            400,
            'Bad Request: Scope "restricted" and folder scope "organization" do not match',
        ),
        ("aa", {}, 400, "Bad Request: folderPath: Required"),
        ("aa", {"folderId": MODEL, "folderPath": None}, 400, "Bad Request: folderId: Unrecognized key"),
    ],
)
async def test_moves_that_are_refused(identifier: str, body: dict[str, Any], status: int, message: str) -> None:
    """Each in the documented words; the document stays where it is."""
    async with sandbox() as client:
        await client.folder("Sales")
        await client.create("aa")
        answered, answer = await client.call("PUT", f"{DOCUMENTS}/{identifier}/move", json=body)
        assert (answered, answer["detail"]) == (status, message)
        assert (await client.record("aa"))["folder"] is None


async def test_a_move_is_a_put() -> None:
    """POST is 405."""
    async with sandbox() as client:
        await client.create("aa")
        assert (await client.call("POST", f"{DOCUMENTS}/aa/move", json={"folderPath": None}))[0] == 405
        assert client.headers["Allow"] == "PUT"


async def test_labels_of_a_document_change_together_or_not_at_all() -> None:
    """200 with the resulting list; again the same; one unknown name and nothing is changed."""
    async with sandbox() as client:
        await client.create("aa")
        for name in ("Red", "Green", "Blue"):
            await client.label(name)
        labels = f"{DOCUMENTS}/aa/labels"
        for _ in range(2):
            assert await client.call("PATCH", labels, json={"add": ["red", "GREEN"]}) == (
                200,
                {"labels": ["Green", "Red"]},
            )
        assert (await client.call("PATCH", labels, json={"add": ["Blue"], "remove": ["red"]}))[1] == {
            "labels": ["Blue", "Green"]
        }
        for body in ({"add": ["Red", "Violet"]}, {"add": ["Red"], "remove": ["Violet"]}, {"remove": ["Red"]}):
            status, answer = await client.call("PATCH", labels, json=body)
            assert (status, answer["detail"].startswith("Label ")) == (404, True)
        assert (await client.record("aa"))["labels"] == ["Blue", "Green"]
        assert await client.call("PATCH", f"{DOCUMENTS}/bb/labels", json={"add": ["Red"]}) == (
            404,
            {"detail": 'Document with identifier "bb" not found', "status": 404},
        )


@pytest.mark.parametrize(
    "body",
    [{}, {"add": []}, {"add": [], "remove": []}, {"add": "Red"}, {"add": ["Red"], "remove": ["red"]}, {"set": ["Red"]}],
)
async def test_changes_of_labels_that_make_no_sense(body: dict[str, Any]) -> None:
    """At least one name, none in both lists, nothing else."""
    async with sandbox() as client:
        await client.create("aa")
        await client.label("Red")
        assert (await client.call("PATCH", f"{DOCUMENTS}/aa/labels", json=body))[0] == 400


async def test_one_label_of_a_document() -> None:
    """PUT 204 twice; DELETE 204 and then 404; a name with a slash or a blank is one name."""
    async with sandbox() as client:
        await client.create("aa")
        await client.label("Q1/Q2 plan")
        path = f"{DOCUMENTS}/aa/labels/q1%2Fq2%20plan"
        for method, status in (("PUT", 204), ("PUT", 204), ("DELETE", 204), ("DELETE", 404)):
            assert (await client.call(method, path))[0] == status
        assert (await client.call("PUT", f"{DOCUMENTS}/aa/labels/none"))[0] == 404
        assert (await client.call("PUT", f"{DOCUMENTS}/bb/labels/q1%2Fq2%20plan"))[0] == 404
        assert (await client.record("aa"))["labels"] == []


async def test_documents_are_listed_by_label() -> None:
    """Ignoring case; several must all be there."""
    async with sandbox() as client:
        for name in ("Red", "Blue"):
            await client.label(name)
        for identifier, names in (("aa", ["Red"]), ("bb", ["Red", "Blue"]), ("cc", ["Blue"])):
            await client.create(identifier)
            await client.call("PATCH", f"{DOCUMENTS}/{identifier}/labels", json={"add": names})
        for labels, found in (("red", ["bb", "aa"]), ("Red,blue", ["bb"]), ("none", [])):
            _, page = await client.call("GET", DOCUMENTS, params={"labels": labels})
            assert [record["identifier"] for record in page["records"]] == found


async def test_acting_for_others_is_refused() -> None:
    """A personal key may name itself, nobody else."""
    async with sandbox() as client:
        me = (await client.call("GET", "/api/v1/whoami"))[1]["user"]["membershipId"]
        await client.create("aa")
        await client.label("Red")
        labels = f"{DOCUMENTS}/aa/labels"
        for user, status in ((me, 200), (MODEL, 403)):
            assert (await client.call("PATCH", f"{labels}?userId={user}", json={"add": ["Red"]}))[0] == status
            assert (await client.call("GET", f"{FOLDERS}?userId={user}"))[0] == status


async def test_places_are_kept_in_the_state(tmp_path: Path) -> None:
    """Folders, labels and where documents lie are there for the next sandbox."""
    state = tmp_path / "state.sqlite"
    async with sandbox(state=state) as client:
        folder = await client.folder("Sales")
        await client.label("Red")
        await client.create_v2("aa", folderId=folder["id"])
        await client.call("PATCH", f"{DOCUMENTS}/aa/labels", json={"add": ["Red"]})
        before = await client.record("aa")
    async with sandbox(state=state) as client:
        assert (await client.record("aa")) | {"url": ""} == before | {"url": ""}
        assert (await client.read_v2("aa"))[0] == 200
        assert (await client.folder("Sales"))["path"] == "/sales-1"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", FOLDERS, {"name": "Sales"}),
        ("POST", LABELS, {"name": "Red"}),
        ("PUT", f"{DOCUMENTS}/aa/move", {"folderPath": "there"}),
        ("PATCH", f"{DOCUMENTS}/aa/labels", {"add": ["there"]}),
        ("PUT", f"{DOCUMENTS}/aa/labels/there", None),
    ],
)
async def test_faults_on_places(method: str, path: str, body: object) -> None:
    """Carried out, but no answer or a 500; 429 and 503 before; then it goes on as if nothing had been."""

    async def state(client: Client) -> tuple[Any, ...]:
        labels, folders = await client.call("GET", LABELS), await client.call("GET", FOLDERS)
        return labels[1], [record["path"] for record in folders[1]["records"]], await client.record("aa")

    faults = [
        f"{method} {path} {kind}" for kind in ("429=1@1", "503@2", "reset-before@3", "reset-after@4", "500-after@5")
    ]
    async with sandbox(*faults) as client:
        client.session._retry_connection = False  # aiohttp sends a PUT again by itself
        await client.create("aa")
        store = client.sandbox.store
        await client.folder("There") if path != FOLDERS else None
        if path != LABELS:
            await client.label("there")
        before = await state(client)
        options = {} if body is None else {"json": body}
        assert (await client.call(method, path, **options))[0] == 429
        assert (await client.call(method, path, **options))[0] == 503
        with pytest.raises(aiohttp.ClientConnectionError):
            await client.call(method, path, **options)
        assert await state(client) == before
        with pytest.raises(aiohttp.ClientConnectionError):
            await client.call(method, path, **options)
        assert await state(client) != before
        assert (await client.call(method, path, **options))[0] == 500
        assert (await client.call(method, path, **options))[0] in {200, 201, 204, 409}
        assert len(store.folders.all()) == (3 if path == FOLDERS else 1)
