"""`batcher models`: what the instance lists, whole, sorted, on standard output; or nothing, and a sentence."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest

from batcher.api_keys import ApiKey
from batcher.cli.models import _for_terminal
from batcher.commands.list_models import ModelsSettings, list_all
from batcher.config import Endpoint, Sending
from batcher.errors import Stopped, StopReason
from batcher.omni.listed_models import ListedModel
from batcher.report.observers import Observer
from batcher.runtime import Runtime
from batcher.sandbox import Fault, SandboxSettings
from batcher.sandbox.fault_kinds import Kind
from batcher.send.drain import Drain

from ..support.command import environment, start
from ..support.faulty import sandbox_thread
from ..support.processes import bounded

ONE, TWO = str(UUID(int=1 << 120)), str(UUID(int=2 << 120))
RECORDS = [
    {"id": "m-4", "name": None, "connectionId": ONE},
    {"id": "m-3", "name": "Sales", "connectionId": TWO},
    {"id": "m-2", "name": "sales", "connectionId": ONE},
    {"id": "m-1", "name": "Finance " + "of everything " * 9, "connectionId": ONE},
    {"id": "m-5", "name": "no\nconnection"},
    {"name": "no id"},
]


def answering(body: bytes, status: int = 200) -> SandboxSettings:
    """A server that answers so when it's asked for models."""
    return SandboxSettings(faults=(Fault(Kind.STATUS, status=status, method="GET", path="/api/v1/models", body=body),))


def page(*records: object, cursor: str | None = None) -> bytes:
    """A page of the list."""
    info = {"hasNextPage": cursor is not None, "nextCursor": cursor}
    return json.dumps({"records": records, "pageInfo": info}).encode()


def listed(directory: Path, url: str, *more: str) -> subprocess.CompletedProcess[str]:
    """The command, as a script calls it."""
    return start(directory, "models", "--base-url", url, "--rate", "none", *more, OMNI_API_KEY="k")


def test_every_page_is_read(tmp_path: Path) -> None:
    """Of 230 models that documents were made on each is listed once, in three requests."""
    ids = [str(UUID(int=number << 90)) for number in range(1, 231)]
    (tmp_path / "d.csv").write_text("name,modelId\n" + "".join(f"n{i},{i}\n" for i in ids))
    with sandbox_thread(SandboxSettings()) as url:
        ran = start(tmp_path, "run", "d.csv", "--base-url", url, "--rate", "none", OMNI_API_KEY="k")
        assert ran.returncode == 0, ran.stderr
        shown = listed(tmp_path, url)
        found = json.loads(listed(tmp_path, url, "--json").stdout)
    assert sorted(line.split("  ")[0] for line in shown.stdout.splitlines()) == ids
    assert (shown.returncode, shown.stderr) == (0, f"{url}: 230 models\n")
    assert sorted(model["id"] for model in found["models"]) == ids
    assert sorted(path.name for path in tmp_path.glob("*.sqlite")) == []


def test_names_that_are_missing_or_repeated(tmp_path: Path) -> None:
    """By connection, then name, without case; nothing is cut on a pipe, and each model stays on its line."""
    with sandbox_thread(answering(page(*RECORDS))) as url:
        lines = listed(tmp_path, url).stdout.splitlines()
        models = json.loads(listed(tmp_path, url, "--json").stdout)["models"]
    assert [line.split()[0] for line in lines] == ["m-5", "m-1", "m-2", "m-4", "m-3"]
    assert ("of everything " * 9).strip() in lines[1]
    assert [line.split()[-1] for line in lines] == ["-", ONE, ONE, ONE, TWO]
    assert (models[3], models[0]["connectionId"]) == ({"id": "m-4", "name": None, "connectionId": ONE}, None)


def test_a_terminal_gets_lines_that_fit() -> None:
    """With a head; a connection's id is as long as it takes to tell them apart."""
    ids = [str(UUID(int=number << 60)) for number in (1, 2)]
    near = [f"abcdef012-{number}" for number in (1, 2)]
    lines = list(_for_terminal([ListedModel(i, "long name " * 9, c) for i, c in zip(ids, near, strict=True)], 80))
    assert lines[0].split() == ["id", "name", "connection"]
    assert [line.split()[-1] for line in lines[1:]] == near
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (200, b"[]", "models can't be listed"),
        (200, b'{"models": []}', "the instance's models can't be listed (the answer isn't a list)"),
        (200, page(cursor="again"), "the instance's models can't be listed (its pages never end)"),
        (403, b'{"detail": "Permission denied", "status": 403}', "can't be listed (403: Permission denied)"),
        (403, b"<html>blocked</html>", "can't be listed (403: "),
    ],
)
def test_what_is_no_list(tmp_path: Path, status: int, body: bytes, message: str) -> None:
    """Exit 3 with a sentence, and nothing on standard output that could be taken for a list."""
    with sandbox_thread(answering(body, status)) as url:
        shown = listed(tmp_path, url, "--max-attempts", "1")
    assert (shown.returncode, shown.stdout) == (3, "")
    assert message in shown.stderr


def test_a_refused_key(tmp_path: Path) -> None:
    """As in a run: exit 3, and what to set."""
    with sandbox_thread(SandboxSettings(keys=frozenset({"another"}))) as url:
        shown = listed(tmp_path, url)
    assert (shown.returncode, shown.stdout) == (3, "")
    assert "OMNI_API_KEY" in shown.stderr


async def test_nobody_is_there() -> None:
    """Given up on as in a run."""
    with sandbox_thread(SandboxSettings()) as url:
        pass
    settings = ModelsSettings(
        Endpoint(base_url=url, keys=(ApiKey("k"),)), Sending(give_up_after_seconds=0.5, rate=None)
    )
    with pytest.raises(Stopped) as stopped:
        await list_all(settings, observer=Observer(), drain=Drain(), runtime=Runtime())
    assert stopped.value.stop_reason is StopReason.UNREACHABLE


def test_no_key_and_a_rehearsal(tmp_path: Path) -> None:
    """Without a key nothing is asked; the embedded server needs none, and leaves no file."""
    bare = start(tmp_path, "models", "--instance", "acme")
    assert (bare.returncode, bare.stdout) == (2, "")
    rehearsed = start(tmp_path, "models", "--sandbox", "--json")
    assert len(json.loads(rehearsed.stdout)["models"]) == 1
    assert not list(tmp_path.glob("*.sqlite"))


def test_interrupted(tmp_path: Path) -> None:
    """Exit 130 and no part of a list, once the request in flight is over."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        process = subprocess.Popen(
            [sys.executable, "-m", "batcher", "models", "--base-url", url],
            cwd=tmp_path,
            env=environment(tmp_path, OMNI_API_KEY="k"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with bounded(process):
            with server.accept()[0] as connection:
                assert connection.recv(1 << 16).startswith(b"GET /api/v1/models?modelKind=SHARED&pageSize=100 ")
                process.send_signal(signal.SIGINT)
                assert process.stderr is not None
                assert process.stderr.readline().startswith("Stopping: waiting for 1 request to finish.")
            out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "")
    assert err == "batcher: interrupted before the list was complete\n"
