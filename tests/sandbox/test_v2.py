"""Documents by v2 over a real socket: what is created, how it reads, and where the versions meet (API.md 7 to 10)."""

from __future__ import annotations

import pytest

from batcher.sandbox import ErrorShape

from .client import DOCUMENTS, DOCUMENTS_V2, MODEL, QUERY_V2, TILE, TILE_V2, sandbox, tiles

FILTER = {"type": "string", "kind": "EQUALS", "values": ["complete"], "fieldName": "order_items.status"}


async def test_a_create_answers_three_fields() -> None:
    """Identifier, name and description, all there; without an identifier the server makes one."""
    async with sandbox() as client:
        answer = {"identifier": "sales", "name": "Sales", "description": None}
        assert await client.create_v2("sales") == (201, answer)
        status, answer = await client.create_v2(description="d", summary="run 7")
        assert (status, answer["description"], len(answer["identifier"])) == (201, "d", 8)


async def test_a_read_shows_every_key_of_the_published_state() -> None:
    """No identifier, folder or labels in it; each tile with all its keys; an automatic layout."""
    async with sandbox() as client:
        await client.create_v2("sales", queryPresentations=tiles(TILE_V2, {**TILE_V2, "automaticVis": False}))
        status, read = await client.read_v2("sales")
        assert status == 200
        assert set(read) == {
            *("name", "description", "modelId", "workbookModelId", "queryPresentations"),
            *("controls", "settings", "containers"),
        }
        assert (read["name"], read["modelId"]) == ("Sales", MODEL)
        tile = read["queryPresentations"]["data"]["2"]
        assert set(tile) == {
            *("aiConfig", "automaticVis", "description", "filterOrder", "isSql", "name", "prefersChart"),
            *("query", "resultConfig", "subTitle", "topicName", "type", "visConfig", "sourceQueryPresentationKey"),
        }
        assert tile["query"] == QUERY_V2 | {"modelId": read["workbookModelId"]}
        placed = [stack["metadata"]["attachedQueryKey"] for stack in read["containers"][0]["container"]["children"]]
        assert placed == ["1", "2"]
        assert (await client.call("GET", f"{DOCUMENTS_V2}/sales?pretty=1"))[0] == 200


async def test_the_first_tile_is_merged_into_the_seed() -> None:
    """It keeps automaticVis true; null at "1" drops the seed; without a "1" the seed stays."""
    plain = {**TILE_V2, "automaticVis": False}
    async with sandbox() as client:
        await client.create_v2("merged", queryPresentations=tiles(plain, plain))
        await client.create_v2("dropped", queryPresentations=tiles(None, plain, order=["2"]))
        await client.create_v2("kept", queryPresentations={"data": {"2": plain}, "order": ["2"]})
        shown = {}
        for identifier in ("merged", "dropped", "kept"):
            data = (await client.read_v2(identifier))[1]["queryPresentations"]["data"]
            shown[identifier] = {key: (tile["type"], tile["automaticVis"]) for key, tile in data.items()}
    assert shown == {
        "merged": {"1": ("query", True), "2": ("query", False)},
        "dropped": {"2": ("query", False)},
        "kept": {"1": ("blank", True), "2": ("query", False)},
    }


async def test_what_was_sent_is_read_in_the_shape_it_was_sent_in() -> None:
    """Controls, settings (unknown ones stripped) and containers; a workbook without a dashboard has none of them."""
    layout = [{"instanceKey": "filter-bar", "containerType": "stack", "children": [{"type": "filter", "id": "f"}]}]
    controls = {"data": {"f": {"config": FILTER}, "g": None}, "order": ["f"]}
    async with sandbox() as client:
        await client.create_v2("a1", controls=controls, containers=layout, settings={"facetFilters": True, "new": 1})
        read = (await client.read_v2("a1"))[1]
        assert read["controls"] == {"data": {"f": {"config": FILTER}}, "order": ["f"]}
        assert read["containers"] == layout
        assert read["settings"] == {
            "crossfilterEnabled": False,
            "facetFilters": True,
            "refreshInterval": None,
            "runQueriesOn": None,
            "customText": None,
        }
        await client.create_v2("a2", containers=None)
        assert {"controls", "settings", "containers"} & set((await client.read_v2("a2"))[1]) == set()


async def test_refusals() -> None:
    """Unknown keys, a taken identifier and string filters, each with its status; nothing is created."""
    text = tiles({**TILE_V2, "query": {**QUERY_V2, "filters": {"a.b": "last 6 months"}}})
    async with sandbox() as client:
        await client.create_v2("sales")
        assert await client.create_v2(branchId=MODEL) == (
            400,
            {"detail": 'Bad Request: Unrecognized key: "branchId"', "status": 400},
        )
        status, answer = await client.create_v2("sales")
        assert (status, answer["detail"]) == (400, 'Bad Request: identifier: "sales" is already in use')
        status, answer = await client.create_v2(queryPresentations=text)
        assert (status, answer["detail"]) == (500, "Cannot use 'in' operator to search for 'query_id' in last 6 months")
        assert (await client.call("POST", DOCUMENTS_V2, data=b"{}"))[0] == 415
        assert (await client.call("GET", DOCUMENTS_V2))[0] == 405
        assert len(list(client.sandbox.store.documents())) == 1


async def test_one_identifier_for_both_versions() -> None:
    """What one version made is taken for the other, Trash included."""
    async with sandbox() as client:
        await client.create("one")
        await client.create_v2("two")
        assert (await client.create_v2("one"))[0] == 400
        assert (await client.create("two"))[0] == 400
        await client.call("DELETE", f"{DOCUMENTS}/two")
        assert await client.read_v2("two") == (404, {"detail": "Document not found", "status": 404})
        assert (await client.create_v2("two"))[0] == 400


async def test_what_is_not_found() -> None:
    """The base model and the folder of a create, and a document, each in its words."""
    async with sandbox(unknown_models=frozenset({MODEL})) as client:
        other = MODEL.replace("5", "6")
        assert (await client.create_v2())[1] == {"detail": f'Model with id "{MODEL}" not found', "status": 404}
        status, answer = await client.create_v2(modelId=other, folderId=MODEL)
        assert (status, answer["detail"]) == (404, f"Folder with id {MODEL} does not exist")
        assert await client.read_v2("nobody") == (404, {"detail": "Document not found", "status": 404})


async def test_a_document_of_v1_has_the_classic_layout() -> None:
    """v2 answers 422: it exists. An app, too."""
    async with sandbox() as client:
        await client.create("sales")
        status, answer = await client.read_v2("sales")
        assert status == 422
        assert answer["detail"].startswith(
            "This document uses the classic dashboard layout, which the documents API does not support."
        )
        await client.create_v2("app", app={"html": "<p>"})
        assert (await client.read_v2("app"))[0] == 422


async def test_an_instance_whose_v1_makes_the_advanced_layout() -> None:
    """v2 reads what v1 made, tile by tile."""
    drawn = TILE | {"chartType": "bar", "visConfig": {"visType": "basic", "config": {"x": 1}}}
    async with sandbox(advanced_layout=True) as client:
        await client.create("sales", queryPresentations=[drawn, TILE], filterConfig={"f": FILTER}, facetFilters=True)
        status, read = await client.read_v2("sales")
        assert (status, read["modelId"], read["settings"]["facetFilters"]) == (200, MODEL, True)
        assert read["controls"] == {"data": {"f": {"config": FILTER}}, "order": ["f"]}
        first, second = read["queryPresentations"]["data"].values()
        assert first["visConfig"]["chartType"] == "bar"
        assert first["visConfig"]["visConfig"] == {"visType": "basic", "config": {"x": 1}}
        assert (first["automaticVis"], second["automaticVis"], second["visConfig"]) == (False, True, None)
        assert first["query"] == QUERY_V2 | {"modelId": read["workbookModelId"]}


async def test_v1_shows_what_v2_made() -> None:
    """Tiles in order, controls as filters, the query with the workbook's model."""
    vis = {"chartType": "bar", "fields": ["a"], "version": 0, "visConfig": {"visType": "basic", "config": {"x": 1}}}
    sent = tiles(None, {**TILE_V2, "name": "B", "visConfig": vis}, {**TILE_V2, "name": "A"}, order=["3", "2"])
    async with sandbox() as client:
        await client.create_v2(
            "sales",
            queryPresentations=sent,
            controls={"data": {"f": {"config": FILTER}}, "order": ["f"]},
            settings={"facetFilters": True},
        )
        status, read = await client.read("sales")
        assert (status, read["facetFilters"], read["filterConfig"]) == (200, True, {"f": FILTER})
        assert [tile["name"] for tile in read["queryPresentations"]] == ["A", "B"]
        second = read["queryPresentations"][1]
        assert second["chartType"] == "bar"
        assert second["visConfig"] == {"visType": "basic", "config": {"x": 1}, "fields": ["a"]}


async def test_error_shapes_and_faults_hold_for_v2_too() -> None:
    """Other shapes, another identifier, a lag, another name, a document that is not shown, a 404 in v2's words."""
    async with sandbox(error_shape=ErrorShape.CODED) as client:
        assert await client.read_v2("x") == (404, {"error": "not_found", "message": "Document not found"})
    faults = ("other-identifier@1", "404-lag=0.3@1", "other-name@2", "analysis@3", "GET 404@4", "500-after@3")
    async with sandbox(*faults) as client:
        chosen = (await client.create_v2("aa"))[1]["identifier"]
        assert chosen != "aa"
        await client.create_v2("bb")
        assert (await client.read_v2("bb"))[0] == 404
        assert (await client.read_v2(chosen))[1]["name"] == "Sales (renamed)"
        assert (await client.read_v2(chosen))[0] == 422
        assert await client.read_v2(chosen) == (404, {"detail": "Document not found", "status": 404})
        assert (await client.create_v2("cc"))[0] == 500
        assert (await client.read_v2("cc"))[0] == 200


async def test_without_v1_its_create_and_read_are_gone() -> None:
    """410 with the headers that say what follows; list, delete and labels stay. Updates by v1 are always gone."""
    gone = (410, {"detail": "This endpoint has been removed"})
    async with sandbox(no_v1=True) as client:
        assert await client.create("sales") == gone
        assert client.headers["Link"] == '</api/documents-v2/create-document>; rel="successor-version"'
        assert client.headers["Sunset"] == "2026-07-31"
        assert client.headers["Deprecation"] == "true"
        assert await client.read("sales") == gone
        await client.create_v2("sales")
        assert (await client.call("GET", DOCUMENTS))[1]["records"][0]["identifier"] == "sales"
        described = (await client.call("GET", "/openapi.json"))[1]["paths"]
        assert set(described[DOCUMENTS]) == {"get"}
        assert (await client.call("DELETE", f"{DOCUMENTS}/sales"))[0] == 200
    async with sandbox() as client:
        await client.create("sales")
        assert await client.call("PATCH", f"{DOCUMENTS}/sales", json={"name": "x"}) == gone
        assert await client.call("PUT", f"{DOCUMENTS}/sales", json={"name": "x"}) == gone


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, {"detail": "Not Found", "status": 404}),
        (405, {"detail": "Method POST not allowed", "status": 405}),
        (410, {"detail": "This endpoint has been removed"}),
    ],
)
async def test_without_v2(status: int, body: dict[str, object]) -> None:
    """An instance that does not have it, in each way that may be met; v1 is as ever."""
    async with sandbox(no_v2=status) as client:
        assert await client.create_v2("sales") == (status, body)
        assert (await client.read_v2("sales"))[0] == status
        assert (await client.create("sales", queryPresentations=[TILE]))[0] == 201
        assert DOCUMENTS_V2 not in (await client.call("GET", "/openapi.json"))[1]["paths"]
