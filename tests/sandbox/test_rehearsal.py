"""What a rehearsal leaves can be looked at: its links open while `batcher sandbox` serves its state."""

from __future__ import annotations

import json
import re
import shlex
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

from batcher.sandbox import Sandbox, SandboxSettings

from .client import MODEL

BATCHER = [sys.executable, "-m", "batcher"]


async def test_a_state_is_served_where_its_links_lead(tmp_path: Path) -> None:
    """On its last port if that is free, else on another, which is its last one then; a port asked for goes first."""
    settings = SandboxSettings(state=tmp_path / "state.sqlite")
    async with Sandbox(settings) as server:
        first = server.base_url
    async with Sandbox(settings) as server:
        assert server.base_url == first
    with socket.create_server(("127.0.0.1", int(first.rpartition(":")[2]))):
        async with Sandbox(settings) as server:
            second = server.base_url
            assert second != first
    async with Sandbox(settings) as server:
        assert server.base_url == second
    async with Sandbox(SandboxSettings(state=settings.state, port=int(first.rpartition(":")[2]))) as server:
        assert server.base_url == first


def test_the_links_of_a_canary_open(tmp_path: Path) -> None:
    """The screen names the command that serves them; pasted, it opens each link."""
    rows = [{"name": f"<b>{n}</b>", "modelId": MODEL} for n in range(3)]
    (tmp_path / "d o.jsonl").write_text("\n".join(map(json.dumps, rows)))
    run = subprocess.run(
        [*BATCHER, "run", "d o.jsonl", "--sandbox", "--limit", "2"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 6, run.stderr
    shown = run.stderr.partition("Look at them while this runs:\n")[2].splitlines()
    command, links = shlex.split(shown[0]), [line.strip() for line in shown[1:3]]
    assert command == ["batcher", "sandbox", "--state", "d o.sandbox.sqlite"]
    with subprocess.Popen([*BATCHER, *command[1:]], cwd=tmp_path, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            assert links[0].startswith(server.stdout.readline().strip() + "/dashboards/")
            for n, link in enumerate(links):
                with urllib.request.urlopen(link) as answer:  # noqa: S310 - our own server
                    assert re.search(f"<h1>&lt;b&gt;{n}&lt;/b&gt;</h1>", answer.read().decode())
        finally:
            server.terminate()
            assert server.wait(timeout=20) == 0
