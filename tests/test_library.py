"""The library as a program uses it, with a real server: arguments, files of rows, what was created before, messages."""

from __future__ import annotations

import ast
import re
import ssl
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

import batcher
from batcher.commands.without_flags import WORDS, without_flags
from batcher.sandbox import SandboxSettings

from .support.faulty import FaultyServer, named, on, sandbox_thread
from .support.runs import MODEL, contents, row

PACKAGE = Path(batcher.__file__).parent
SPECS = [row("a"), row("b")]


async def outcomes_of(base_url: str, specs: Any, **arguments: Any) -> list[batcher.Outcome]:
    """Everything that comes out of a block."""
    arguments = {"rate": None, "journal": None} | arguments
    async with batcher.Client(base_url, "key") as client, batcher.create(specs, client, **arguments) as outcomes:
        return [outcome async for outcome in outcomes]


# arguments --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"base_url": 5}, "base_url must be text, not int"),
        ({"api_key": None}, "api_key must be text, not NoneType"),
        ({"timeout_seconds": "60"}, "timeout_seconds must be a number, not str"),
        ({"ssl": True}, "ssl must be a SSLContext or None, not bool"),
        ({"headers": ["a"]}, "headers must be a Mapping or None, not list"),
        ({"headers": {"a": 1}}, r"headers\['a'\] must be text, not int"),
        ({"proxy": 3128}, "proxy must be text or None, not int"),
    ],
)
def test_a_wrong_argument_of_a_client_is_named(arguments: dict[str, Any], message: str) -> None:
    """At once, not when it first connects."""
    with pytest.raises(TypeError, match=f"^{message}$"):
        batcher.Client(**{"base_url": "https://acme.omniapp.co", "api_key": "a-key", **arguments})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"specs": "dashboards.csv"}, "specs must be an iterable of specs, such as a list, not str"),
        ({"specs": SPECS[0]}, "specs must be an iterable of specs, such as a list, not dict"),
        ({"specs": 5}, "specs must be an iterable of specs, such as a list, not int"),
        ({"client": "https://acme.omniapp.co"}, "client must be a batcher.Client, not str"),
        ({"rate": 60}, "rate must be text or a batcher.Rate or None, not int"),
        ({"concurrency": "8"}, "concurrency must be a whole number, not str"),
        ({"concurrency": True}, "concurrency must be a whole number, not bool"),
        ({"max_attempts": 2.5}, "max_attempts must be a whole number, not float"),
        ({"shared_pace": "no"}, "shared_pace must be True or False, not str"),
        ({"journal": 5}, "journal must be text or a Path or None, not int"),
        ({"settings": {}}, "settings must be a batcher.Sending or None, not dict"),
        ({"tell_before": 1}, "tell_before must be True or False, not int"),
        ({"on_warning": "print"}, "on_warning must be something to call or None, not str"),
    ],
)
async def test_a_wrong_argument_of_create_is_named(arguments: dict[str, Any], message: str) -> None:
    """Before a file is made or anything is sent."""
    async with batcher.Client("http://127.0.0.1:9", "key") as client:
        given: dict[str, Any] = {"specs": SPECS, "client": client, "journal": None} | arguments
        with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
            async with batcher.create(**given):
                raise AssertionError("it was opened")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"path": 5}, "path must be text or a Path, not int"),
        ({"client": None}, "client must be a batcher.Client, not NoneType"),
        ({"results": []}, "results must be text or a Path or None, not list"),
        ({"reading": "csv"}, "reading must be a batcher.Reading or None, not str"),
        ({"skip_invalid": "no"}, "skip_invalid must be True or False, not str"),
        ({"preflight": None}, "preflight must be True or False, not NoneType"),
        ({"rate": 1.5}, "rate must be text or a batcher.Rate or None, not float"),
        ({"on_progress": []}, "on_progress must be something to call or None, not list"),
    ],
)
async def test_a_wrong_argument_of_run_file_is_named(arguments: dict[str, Any], message: str, tmp_path: Path) -> None:
    """Before the file is read."""
    async with batcher.Client("http://127.0.0.1:9", "key") as client:
        given: dict[str, Any] = {"path": tmp_path / "d.csv", "client": client} | arguments
        with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
            await batcher.run_file(**given)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"concurrency": 0}, "concurrency must be at least 1, not 0"),  # it waited forever for a place
        ({"max_attempts": 0}, "max_attempts must be at least 1, not 0"),
        ({"give_up_after_seconds": float("nan")}, "give_up_after_seconds must be at least 0, not nan"),
        ({"limit": -1}, "limit must be at least 0, not -1"),
    ],
)
def test_a_number_that_cannot_be_is_named(settings: dict[str, Any], message: str) -> None:
    """As in `Sending`, so in `create` and `run_file`."""
    with pytest.raises(ValueError, match=f"^{message}$"):
        batcher.Sending(**settings)


# specs ------------------------------------------------------------------------------------------------------------


async def test_what_tables_of_programs_hold(tmp_path: Path) -> None:
    """NaN is an empty cell; a UUID is its text; the same row as text is the same row."""
    journal = tmp_path / "x.journal.jsonl"
    table = [{"modelId": UUID(MODEL), "name": "a", "description": float("nan"), "identifier": None}]
    async with FaultyServer() as server:
        [made] = await outcomes_of(server.base_url, table, journal=journal)
        assert isinstance(made, batcher.Created)
        assert await outcomes_of(server.base_url, [row("a")], journal=journal) == []
        [missing] = await outcomes_of(server.base_url, [{"modelId": MODEL, "name": float("nan")}], journal=journal)
        assert isinstance(missing, batcher.Failed)
        assert (missing.reason, len(server.commits)) == (batcher.Reason.INVALID, 1)


async def test_what_was_created_before_is_told_on_request(tmp_path: Path) -> None:
    """As it was created, in the place of today's spec; nothing is asked, and counts are as without it."""
    journal = tmp_path / "x.journal.jsonl"
    async with FaultyServer() as server:
        first = {outcome.key: outcome for outcome in await outcomes_of(server.base_url, SPECS, journal=journal)}
        posts = len(server.seen)
        async with batcher.Client(server.base_url, "key") as client:
            block = batcher.create([*SPECS, row("c")], client, rate=None, journal=journal, tell_before=True)
            async with block as outcomes:
                told = {outcome.key: outcome async for outcome in outcomes}
        assert (outcomes.skipped, outcomes.tally.created, len(server.seen)) == (2, 1, posts + 1)
    before = [outcome for outcome in told.values() if isinstance(outcome, batcher.Created) and outcome.how == "before"]
    assert len(before) == 2
    assert {outcome.key: outcome.url for outcome in before} == {
        key: outcome.url for key, outcome in first.items() if isinstance(outcome, batcher.Created)
    }


# files of rows ----------------------------------------------------------------------------------------------------


def sheet(directory: Path, *names: str) -> Path:
    """An input with these rows."""
    path = directory / "d.csv"
    path.write_text("".join(["modelId,name\n", *(f"{MODEL},{name}\n" for name in names)]))
    return path


async def test_a_file_of_rows(tmp_path: Path) -> None:
    """What `batcher run` does, with its files; progress ends with everything done; the second time there is nothing to do."""
    path = sheet(tmp_path, "a", "b", "bad", "c")
    told: list[batcher.Progress] = []
    async with FaultyServer(on("422", named("bad"))) as server, batcher.Client(server.base_url, "key") as client:
        summary = await batcher.run_file(path, client, rate=None, on_progress=told.append)
        assert (summary.created, summary.failed, batcher.exit_code(summary)) == (3, 1, 1)
        assert told[0] == batcher.Progress(total=4, before=0)
        assert told[-1] == batcher.Progress(total=4, before=0, created=3, failed=1)
        assert [progress.left for progress in told] == [4, 3, 2, 1, 0]
        assert set(contents(tmp_path)) == {"d.csv", "d.results.jsonl", "d.failures.jsonl", "d.journal.jsonl"}
        await batcher.run_file(path, client, rate=None, on_progress=told.append)
        assert told[-1] == batcher.Progress(total=1, before=3, failed=1)
    assert len(server.commits) == 3


def test_a_file_of_rows_without_an_event_loop(tmp_path: Path) -> None:
    """The client is opened for it; the docstring of the package shows it."""
    path = sheet(tmp_path, "a", "b")
    with sandbox_thread(SandboxSettings()) as base_url:
        summary = batcher.run_file_blocking(path, batcher.Client(base_url, "key"), rate=None)
    assert (summary.created, batcher.exit_code(summary)) == (2, 0)


async def test_the_blocking_form_in_an_event_loop_says_what_to_write(tmp_path: Path) -> None:
    """In a notebook there is a loop already."""
    client = batcher.Client("http://127.0.0.1:9", "key")
    with pytest.raises(RuntimeError, match=r"await batcher\.run_file"):
        batcher.run_file_blocking(sheet(tmp_path, "a"), client)


async def test_invalid_rows_of_a_file(tmp_path: Path) -> None:
    """Nothing is sent, each problem is told; with skip_invalid the rest is created."""
    path = sheet(tmp_path, "a", "")
    problems: list[batcher.Problem] = []
    async with FaultyServer() as server, batcher.Client(server.base_url, "key") as client:
        with pytest.raises(batcher.InvalidInput, match="skip_invalid=True") as caught:
            await batcher.run_file(path, client, rate=None, on_problem=problems.append)
        assert "--" not in str(caught.value)
        assert [(problem.line, problem.field) for problem in problems] == [(3, "name")]
        assert server.seen == []
        summary = await batcher.run_file(path, client, rate=None, skip_invalid=True)
    assert (summary.created_now, summary.invalid) == (1, 1)


class MineError(Exception):
    """The program's own."""


async def test_a_callback_that_raises_ends_the_run_gracefully(tmp_path: Path) -> None:
    """What is in flight gets its outcome, then its exception comes out; the next run does the rest, once."""
    path = sheet(tmp_path, *(f"r{n}" for n in range(30)))
    told: list[batcher.Progress] = []

    def tell(progress: batcher.Progress) -> None:
        told.append(progress)
        if progress.created == 5:
            raise MineError

    async with FaultyServer(latency_seconds=0.01) as server, batcher.Client(server.base_url, "key") as client:
        with pytest.raises(MineError):
            await batcher.run_file(path, client, rate=None, on_progress=tell)
        assert 5 <= len(server.commits) < 30
        summary = await batcher.run_file(path, client, rate=None)
        assert (summary.created, len(server.commits)) == (30, 30)


# the connection ---------------------------------------------------------------------------------------------------


async def test_the_value_of_a_further_header_shows_nowhere(tmp_path: Path) -> None:
    """A gateway's token is a secret, too: what echoes it is masked. (test_http_proxy.py sees the headers arrive.)"""
    token = "gateway-token-of-the-tests"
    body = b'{"detail": "name: refused, you sent %b", "status": 422}' % token.encode()
    journal = tmp_path / "x.journal.jsonl"
    async with (
        FaultyServer(on("422", body=body)) as server,
        batcher.Client(server.base_url, "key", headers={"CF-Access-Client-Secret": token}) as client,
    ):
        assert token not in repr(vars(client))
        async with batcher.create([row("a")], client, rate=None, journal=journal) as outcomes:
            [outcome] = [outcome async for outcome in outcomes]
    assert isinstance(outcome, batcher.Failed)
    assert "you sent (key)" in outcome.message
    assert all(token.encode() not in content for content in contents(tmp_path).values())


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"Authorization": "Bearer mine"}, "'Authorization' isn't a header that can be added"),
        ({"x y": "1"}, "'x y' isn't a header that can be added"),
        ({"x": "secret\r\nHost: evil"}, r"headers\['x'\] is empty, or has a character that no header may hold"),
        ({"x": ""}, "is empty"),
    ],
)
def test_a_header_that_cannot_be_sent_is_refused_without_its_value(headers: dict[str, str], message: str) -> None:
    """A line break would begin another header."""
    with pytest.raises(batcher.UsageError, match=message) as caught:
        batcher.Client("https://acme.omniapp.co", "a-key", headers=headers)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("base_url", "proxy", "message"),
    [
        ("https://acme.omniapp.co", "socks5://user:password@proxy:1080", "proxy isn't an HTTP proxy"),
        ("https://acme.omniapp.co", "http://", "proxy isn't an HTTP proxy"),
        ("http://127.0.0.1:9", "http://proxy:3128", "can't be reached through a proxy"),
    ],
)
def test_a_proxy_that_cannot_serve_is_refused(base_url: str, proxy: str, message: str) -> None:
    """Without its password in the message."""
    with pytest.raises(batcher.UsageError, match=message) as caught:
        batcher.Client(base_url, "a-key", proxy=proxy)
    assert "password" not in str(caught.value)


def test_an_own_context_is_taken() -> None:
    """tests/transport/test_http_proxy.py connects with one, through a proxy."""
    batcher.Client("https://acme.omniapp.co", "a-key", ssl=ssl.create_default_context())


# messages ---------------------------------------------------------------------------------------------------------

FLAG = re.compile(r"--[a-z][a-z-]+")
OF_THE_LIBRARY = ("commands", "send", "plan", "files", "validate", "read", "omni", "pace", "transport")


def texts() -> list[str]:
    """Every text in the library's code that is no docstring and no command for a shell."""
    files = [*PACKAGE.glob("[a-z]*.py"), *(file for name in OF_THE_LIBRARY for file in (PACKAGE / name).rglob("*.py"))]
    found = []
    for file in files:
        tree = ast.parse(file.read_text())
        docs = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        found += [
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs
        ]
    return [text for text in found if FLAG.search(text) and text not in WORDS]


def test_no_message_of_the_library_speaks_of_a_flag() -> None:
    """Each flag in a message has its word for programs; whole commands (`batcher undo …`) are told as they are typed."""
    shell = ("batcher status INPUT", "add --sandbox", "--sandbox", "--force", "--base-url", "give --base-url ")
    left = [text for text in texts() if FLAG.search(without_flags(text)) and not text.startswith(shell)]
    assert [text for text in left if "batcher status INPUT" not in text and "--sheet-out" not in text] == []
    assert len(texts()) > 30


async def test_what_comes_out_of_a_block_has_no_flags(tmp_path: Path) -> None:
    """Hints, what stopped it, and errors."""
    (tmp_path / "x.journal.jsonl").write_text("not a journal\n")
    async with FaultyServer("422") as server:
        with pytest.raises(batcher.UsageError) as usage:
            await outcomes_of(server.base_url, SPECS, journal=tmp_path / "x.journal.jsonl")
        settings = batcher.Sending(rate=None, stop_after=2, shared_pace=False, concurrency=1)
        with pytest.raises(batcher.Stopped, match="stop_after changes the limit") as stopped:
            await outcomes_of(server.base_url, [row(f"n{n}") for n in range(9)], settings=settings)
    assert stopped.value.stop_reason is batcher.StopReason.SAME_FAILURE
    assert not FLAG.search(f"{usage.value} {stopped.value}")
