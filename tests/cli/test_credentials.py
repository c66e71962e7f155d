"""Keys: where they may come from, and that they show up nowhere, whatever a server repeats (contract 11)."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from batcher.cli.settings.key_sources import found_keys, secrets_of
from batcher.cli.settings.variables import unknown_variables
from batcher.errors import UsageError

from ..support.command import start

KEY = "omni_osk_0123456789abcdefWXYZ"
MODEL = "3f0d2b10-0000-4000-8000-000000000001"


class Repeats(BaseHTTPRequestHandler):
    """Answers each create with the headers it came with, in one way after the other."""

    protocol_version = "HTTP/1.1"
    documents: ClassVar[dict[str, bytes]]

    def do_POST(self) -> None:
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        said = f"it came with {self.headers['Authorization']}"
        match sent["name"]:
            case "made":
                made = {"workbook": {"id": "2", "identifier": sent["identifier"]}, "dashboard": {"dashboardId": "1"}}
                self._answer(201, made | {"debug": said, "headers": str(self.headers)})
            case "refused":
                self._answer(400, {"detail": f"name: refused, {said}", "status": 400})
            case "moved":
                self._answer(302, {}, self.headers["Authorization"])
            case _:
                self._answer(500, {"detail": said})

    def do_GET(self) -> None:
        self._answer(500 if "/documents/" in self.path else 200, {"detail": str(self.headers)})

    def log_message(self, *_: object) -> None:
        """Not here."""

    def _answer(self, status: int, answer: dict[str, object], location: str = "") -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def repeating() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Repeats) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            serving.join()


def test_a_server_that_repeats_the_headers(tmp_path: Path) -> None:
    """The key was in seven places: both streams, the summary, and each of the files."""
    names = ("made", "refused", "broken", "moved")
    (tmp_path / "d.jsonl").write_text("".join(json.dumps({"name": name, "modelId": MODEL}) + "\n" for name in names))
    (tmp_path / "key").write_text(f"{KEY}\n")
    (tmp_path / "key").chmod(0o600)
    with repeating() as url:
        done = start(
            tmp_path,
            *("run", "d.jsonl", "--base-url", url, "--rate", "none", "--max-attempts", "1", "--no-preflight"),
            *("-v", "--json", "--summary", "s.json", "--concurrency", "1", "--give-up-after", "100ms"),
            OMNI_API_KEY_FILE="key",
        )
    assert json.loads((tmp_path / "s.json").read_text())["created"] == 1, done.stderr
    assert "Bearer (key)" in done.stderr
    assert "Bearer (key)" in (tmp_path / "d.failures.jsonl").read_text()
    assert "Bearer (key)" in (tmp_path / "d.results.jsonl").read_text()
    assert KEY not in done.stderr + done.stdout
    holding = [path.name for path in tmp_path.iterdir() if path.is_file() and KEY.encode() in path.read_bytes()]
    assert holding == ["key"]


def test_a_known_key_in_a_cell_is_not_shown(tmp_path: Path) -> None:
    """Values of cells are shown where they are wrong."""
    (tmp_path / "d.csv").write_text(f"name,modelId\nRevenue,{KEY}\n")
    done = start(tmp_path, "check", "d.csv", "--json", OMNI_API_KEY=KEY)
    assert done.returncode == 2
    assert "modelId" in done.stderr
    assert KEY not in done.stderr + done.stdout


@pytest.mark.parametrize("name", ["d.csv", "d.jsonl"])
@pytest.mark.parametrize("key", [KEY, "omni_pat_of_somebody_else", "0123-a-known-one"])
def test_an_api_key_as_the_key_of_a_row(name: str, key: str, tmp_path: Path) -> None:
    """It's no name for a row: it would stand in every file. Refused for the whole input, without being shown."""
    text = json.dumps({"name": "Revenue", "modelId": MODEL, "key": key})
    (tmp_path / name).write_text(text if name == "d.jsonl" else f"name,modelId,key\nRevenue,{MODEL},{key}\n")
    given = ("run", name, "--sandbox", "--skip-invalid")
    done = start(tmp_path, *given, OMNI_API_KEYS=f"{KEY}, 0123-a-known-one")
    assert done.returncode == 2
    assert f"{name}:{1 if name == 'd.jsonl' else 2}: key: this looks like an API key" in done.stderr
    assert key not in done.stderr + done.stdout
    assert [path.name for path in tmp_path.glob("d.*") if path.name != name] == []


def test_an_api_key_in_a_file_of_rows(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text(f"name,modelId\nRevenue,{MODEL}\n")
    (tmp_path / "rows.txt").write_text(f"{KEY}\n")
    done = start(tmp_path, "run", "d.csv", "--sandbox", "--rekey", "--rows", "rows.txt")
    assert done.returncode == 2
    assert "rows.txt:1: this looks like an API key" in done.stderr
    assert KEY not in done.stderr


def written(path: Path, text: str, mode: int = 0o600) -> str:
    path.write_text(text)
    path.chmod(mode)
    return str(path)


@pytest.mark.parametrize("text", [KEY, f"{KEY}\n", f"{KEY}\r\n"])
def test_a_file_with_the_key(text: str, tmp_path: Path) -> None:
    """Docker, Kubernetes and people's editors: with a line end or without."""
    found = found_keys({"OMNI_API_KEY_FILE": written(tmp_path / "key", text)})
    assert found is not None
    assert [key.secret for key in found.keys] == [KEY]
    assert found.notes == ()
    assert "OMNI_API_KEY_FILE" in found.origin


def test_a_file_with_several(tmp_path: Path) -> None:
    found = found_keys({"OMNI_API_KEYS_FILE": written(tmp_path / "keys", "first,second\nthird\n")})
    assert found is not None
    assert [key.secret for key in found.keys] == ["first", "second", "third"]


def test_a_file_that_everybody_may_read(tmp_path: Path) -> None:
    found = found_keys({"OMNI_API_KEY_FILE": written(tmp_path / "key", KEY, 0o644)})
    assert found is not None
    (note,) = found.notes
    assert "chmod o-r" in note
    assert KEY not in note


def test_systemd_gives_it_without_a_word(tmp_path: Path) -> None:
    """`LoadCredential=omni_api_key:…`. A variable outranks it, since somebody has set that."""
    written(tmp_path / "omni_api_key", KEY)
    found = found_keys({"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert found is not None
    assert [key.secret for key in found.keys] == [KEY]
    outranked = found_keys({"CREDENTIALS_DIRECTORY": str(tmp_path), "OMNI_API_TOKEN": "another"})
    assert outranked is not None
    assert outranked.origin == "OMNI_API_TOKEN"
    assert found_keys({"CREDENTIALS_DIRECTORY": str(tmp_path / "other")}) is None


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"OMNI_API_KEY": KEY, "OMNI_API_KEY_FILE": "key"}, "both set"),
        ({"OMNI_API_KEYS": KEY, "OMNI_API_KEYS_FILE": "key"}, "both set"),
        ({"OMNI_API_KEY_FILE": "missing"}, "missing: can't be read: No such file"),
        ({"OMNI_API_KEY_FILE": "empty"}, "is empty"),
        ({"OMNI_API_KEYS_FILE": "empty"}, "is empty"),
        ({"OMNI_API_KEY_FILE": "two"}, "character that no key has"),
        ({"OMNI_API_KEY_FILE": "bytes"}, "isn't text"),
    ],
)
def test_files_that_hold_no_key(
    variables: dict[str, str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused with the variable's name, and no key shown."""
    monkeypatch.chdir(tmp_path)
    Path("empty").write_text("\n")
    Path("two").write_text(f"{KEY}\nsecond\n")
    Path("bytes").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(UsageError, match=said) as refused:
        found_keys(variables)
    assert "OMNI_API_KEY" in str(refused.value)
    assert KEY not in str(refused.value)


def test_the_password_of_a_proxy_is_a_secret() -> None:
    secrets = set(secrets_of({"HTTPS_PROXY": "http://me:p%40ssw0rd@proxy.example:3128"}))
    assert secrets == {"p%40ssw0rd", "p@ssw0rd", "bWU6cEBzc3cwcmQ="}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("BATCHER_CONCURENCY", "did you mean BATCHER_CONCURRENCY?"),
        ("BATCHER_BASE_URL", "did you mean OMNI_BASE_URL?"),
        ("BATCHER_STATEDIR", "did you mean BATCHER_STATE_DIR?"),
        ("BATCHER_LIMIT", "--limit is meant for one run"),
        ("BATCHER_XYZ", "`batcher config` lists"),
    ],
)
def test_variables_that_mean_nothing(name: str, said: str) -> None:
    (note,) = unknown_variables([name, "BATCHER_RATE", "BATCHER_STATE_DIR", "HOME", "_BATCHER_COMPLETE"])
    assert note.startswith(f"{name} has no effect: ")
    assert said in note


def test_a_service_of_kubernetes_that_is_called_batcher() -> None:
    """Each pod is told of it."""
    names = ["BATCHER_SERVICE_HOST", "BATCHER_SERVICE_PORT_HTTP", "BATCHER_PORT", "BATCHER_PORT_80_TCP_ADDR"]
    assert list(unknown_variables(names)) == []


def test_a_variable_that_means_nothing_is_warned_about(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text(f"name,modelId\nRevenue,{MODEL}\n")
    done = start(tmp_path, "check", "d.csv", BATCHER_RATES="1/s")
    assert done.returncode == 0
    assert done.stderr.startswith("warning: BATCHER_RATES has no effect")
