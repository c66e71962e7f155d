"""The sandbox's description of itself and its answers, checked against each other by schemathesis.

It makes requests out of the description, right ones and wrong ones, one after another and in chains, and holds each answer
against what is described: statuses, schemas, media types, headers; that wrong requests are refused, right ones taken, keys
asked for, and deleted documents gone. The seed is fixed: the same requests in every run.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from batcher.sandbox import SandboxSettings
from batcher.sandbox.calls import Call
from batcher.sandbox.pages import Pages
from batcher.sandbox.routes import Api
from batcher.sandbox.store import Store
from tests.support.faulty import sandbox_thread

CONFIG = Path(__file__).with_name("schemathesis.toml")
LONGEST_SECONDS = 240  # it takes twenty on an idle machine


def seed(state: Path) -> None:
    """Make the label that the configuration names."""
    with Store(state) as store:
        made = Api(SandboxSettings(), store).answer(
            Call("POST", "/api/v1/labels", authorization="Bearer k", body=b'{"name": "red"}')
        )
        assert made.status == 201


def test_what_is_described_is_what_is_answered(tmp_path: Path) -> None:
    """Two thousand requests, none of them answered otherwise than described."""
    seed(tmp_path / "state.sqlite")
    settings = SandboxSettings(keys=frozenset({"good-key"}), state=tmp_path / "state.sqlite")
    with sandbox_thread(settings) as base_url:
        program = Path(sys.executable).with_name("schemathesis")
        command: list[str | Path] = [program, "--config-file", CONFIG, "run", f"{base_url}/openapi.json"]
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env=os.environ | {"NO_COLOR": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LONGEST_SECONDS,
            check=False,
        )
    assert done.returncode == 0, done.stdout
    assert "Tested: 19" in done.stdout
    show_pages(settings)


def show_pages(settings: SandboxSettings) -> None:
    """Whatever was created can be looked at."""
    with Store(settings.state) as store:
        pages, api = Pages(store), Api(settings, store)
        living = [document for document in store.documents() if document.deleted_at is None]
        assert {document.api for document in living} == {"v1", "v2"}
        for path in ["/", "/f/personal", *(f"/dashboards/{document.identifier}" for document in living)]:
            page = pages.answer(Call("GET", path))
            assert page is not None
            assert page.status == 200, path
        for document in living:
            read = api.answer(Call("GET", f"/api/v1/documents/{document.identifier}", authorization="Bearer good-key"))
            assert read.status == 200, document
