"""Forty strings that want to be more than text, and a document that holds one of them wherever a text can stand."""

from __future__ import annotations

from typing import Any

from .client import DOCUMENTS, FOLDERS, LABELS, MODEL, QUERY_V2, Client

STRINGS = [
    "<script>console.log('ran')</script>",
    "</title><script>console.log(1)</script>",
    "</style><script>console.log(1)</script>",
    "</pre></details><h1>broken out</h1>",
    "<img src=x onerror=console.log(1)>",
    '"><img src=x onerror="console.log(1)">',
    "' onmouseover='console.log(1)",
    "<svg onload=console.log(1)>",
    "<svg><script>console.log(1)</script></svg>",
    "<iframe src=javascript:console.log(1)></iframe>",
    "<a href='javascript:console.log(1)'>click</a>",
    "<math><mtext></mtext><style><img src onerror=console.log(1)></style></math>",
    "<body onload=console.log(1)>",
    "<link rel=stylesheet href=//example.org/x.css>",
    "<meta http-equiv=refresh content='0;url=//example.org'>",
    "<base href=//example.org/>",
    "<form action=//example.org><input name=q></form>",
    "<object data=//example.org/x></object>",
    "<!-- a comment that never ends",
    "--><script>console.log(1)</script>",
    "]]><script>console.log(1)</script>",
    "<![CDATA[ text ]]>",
    "<?php echo 1 ?>",
    "&lt;script&gt; stays as written",
    "&amp;amp; &quot; &#39; &nbsp; &copy",
    "{{ 7 * 7 }} ${7*7} <%= 7*7 %>",
    "javascript:console.log(1)",
    "\\u003cscript\\u003econsole.log(1)",
    "%3Cscript%3Econsole.log(1)%3C/script%3E",
    "<plaintext><xmp><noscript><template>",
    "x" * 254,
    "a\tb\nc\r\nd",
    "nul \x00 bell \x07 escape \x1b[31m csi \x9b",
    "right to left \u202e gnp.tod \u2066 isolate",
    "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627 mixed",
    "e\u0301" + "\u0301" * 60 + " stacked",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 family",
    "\ufeff\u200b\u00ad invisible",
    '=HYPERLINK("http://example.org")',
    "\ufffe\U0010ffff not characters",
]


async def place(client: Client, number: int, text: str) -> str:
    """Create a document that holds the text everywhere, in a folder and with a label of it; its identifier."""
    folder = await client.call("POST", FOLDERS, json={"name": text})
    label = text[:22].ljust(2) + f"{number:03}"
    assert (await client.call("POST", LABELS, json={"name": label, "description": text}))[0] == 201
    identifier = f"hostile-{number}"
    status, answer = await client.create_v2(identifier, **_body(text, folder[1]["id"]))
    assert status == 201, answer
    assert (await client.call("PATCH", f"{DOCUMENTS}/{identifier}/labels", json={"add": [label]}))[0] == 200
    return identifier


def _body(text: str, folder_id: str) -> dict[str, Any]:
    query = QUERY_V2 | {
        "table": text,
        "fields": [text, text],
        "sorts": [{"column_name": text, "sort_descending": True}],
        "filters": {text: {"type": "string", "kind": text, "values": [text]}},
        "userEditedSQL": text,
        text: {text: [text]},
    }
    tile = {
        "type": "query",
        "name": text[:144],
        "subTitle": text[:250],
        "description": text,
        "topicName": text,
        "query": query,
        "visConfig": {"chartType": "bar", "visConfig": {"visType": "basic", "config": {}}},
    }
    placed = {"instanceKey": text, "style": "tile", "children": [{"type": "query", "id": "1"}]}
    said = {"instanceKey": "said", "style": "tile", "children": [{"type": "inline-text", "content": text}]}
    pages = [
        {"containerType": "page", "name": text, "container": {"children": [placed]}},
        {"containerType": "page", "name": text, "container": {"children": [said]}},
    ]
    bar = {"instanceKey": "filter-bar", "containerType": "stack", "children": [{"type": "filter", "id": text}]}
    control = {"config": {"type": "string", "label": text, "kind": text, "values": [text]}}
    return {
        "modelId": MODEL,
        "name": text,
        "description": text,
        "folderId": folder_id,
        "queryPresentations": {"data": {"1": tile, "2": tile}, "order": ["1", "2"]},
        "controls": {"data": {text: control, f"{text}2": control}, "order": [text]},
        "containers": [bar, *pages],
    }
