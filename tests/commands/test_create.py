"""What comes out of a `create` block: exceptions as they were raised, and files that are in order (contract 12)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

import batcher

from ..support.faulty import FaultyServer, named, on
from ..support.runs import Job, row
from .test_undo import undone


class MineError(Exception):
    """The program's own."""


async def test_an_exception_of_the_block_comes_out_as_it_is(tmp_path: Path) -> None:
    """Not in a group of groups, and after everything is in order: the failures file is written."""
    journal = tmp_path / "x.journal.jsonl"
    async with FaultyServer(on("400", named("a"))) as server, batcher.Client(server.base_url, "key") as client:
        with pytest.raises(MineError):  # noqa: PT012 - the block is what is tested
            async with batcher.create([row("a")], client, rate=None, journal=journal) as outcomes:
                async for _ in outcomes:
                    raise MineError
    assert (tmp_path / "x.failures.jsonl").read_bytes().count(b"\n") == 1
    assert journal.read_bytes().splitlines()[-1].startswith(b'{"type":"rewriting"')


async def test_a_journal_in_a_missing_directory_is_an_error_of_ours(tmp_path: Path) -> None:
    """Regression: a bare FileNotFoundError that named a lock file."""
    journal = tmp_path / "missing" / "x.journal.jsonl"
    async with FaultyServer() as server, batcher.Client(server.base_url, "key") as client:
        with pytest.raises(batcher.UsageError, match=r"missing: .*No such file.* Make that directory"):
            async with batcher.create([row("a")], client, rate=None, journal=journal):
                raise AssertionError("it was opened")
        assert not server.posts


@pytest.mark.parametrize("other", [None, MineError])
async def test_files_that_cannot_be_put_in_order_are_told_of(tmp_path: Path, other: type[Exception] | None) -> None:
    """Regression: the failures file could not be rewritten, and the block ended as if all were well."""
    warnings: list[str] = []
    failures = tmp_path / "x.failures.jsonl"
    async with FaultyServer(on("400", named("a"))) as server, batcher.Client(server.base_url, "key") as client:
        with pytest.raises(other or batcher.DiskTrouble) as caught:  # noqa: PT012 - the block is what is tested
            async with batcher.create(
                [row("a")], client, rate=None, journal=tmp_path / "x.journal.jsonl", on_warning=warnings.append
            ) as outcomes:
                async for _ in outcomes:
                    failures.unlink()
                    failures.mkdir()
                    if other is not None:
                        raise other
    assert str(failures) in (str(caught.value) if other is None else "".join(warnings))


@pytest.mark.parametrize("key", ["", " \n", "omni\r\nX-Evil: 1", "omni key", "Bearer omni", "'omni'", "omnï", "omni\0"])
def test_a_key_that_cannot_be_one_is_refused_at_once(key: str) -> None:
    """Regression: a newline in it went into the header, where aiohttp stumbled over it after an intent was written."""
    for keys in ((key,), ("good", key)):
        with pytest.raises(batcher.UsageError, match="api_key") as caught:
            batcher.Client("https://acme.omniapp.co", *keys)
        assert "omni" not in str(caught.value).lower().replace("an omni user", "")


def test_a_keys_white_space_is_cut_off_and_a_key_counts_once() -> None:
    """As on the command line: a file's newline is no part of it, and twice the same key has one pace."""
    client = batcher.Client("https://acme.omniapp.co", "one\n", "two", "one")
    assert [(key.secret, key.number) for key in client.keys] == [("one", 1), ("two", 2)]


async def test_the_second_create_on_one_journal_is_locked_out(tmp_path: Path) -> None:
    """Locked, even inside of the first one's block."""
    journal = tmp_path / "x.journal.jsonl"
    async with FaultyServer() as server, batcher.Client(server.base_url, "key") as client:
        with pytest.raises(batcher.Locked):
            async with (
                batcher.create([row("a")], client, rate=None, journal=journal),
                batcher.create([row("b")], client, rate=None, journal=journal),
            ):
                pass


async def test_an_exception_of_the_specs_comes_out_when_the_block_is_left(tmp_path: Path) -> None:
    """What was sent before it has its outcome."""

    async def specs() -> AsyncIterator[dict[str, Any]]:
        yield row("a")
        raise MineError

    async with FaultyServer() as server, batcher.Client(server.base_url, "key") as client:
        made: list[batcher.Outcome] = []
        with pytest.raises(MineError):
            async with batcher.create(specs(), client, rate=None, journal=tmp_path / "x.journal.jsonl") as outcomes:
                made.extend([outcome async for outcome in outcomes])
        commits = len(server.commits)
    results = (tmp_path / "x.results.jsonl").read_bytes()
    assert len(made) <= commits <= 1
    assert results.count(b"\n") == len(made)


@pytest.mark.parametrize("shared_pace", [True, False])
async def test_all_who_use_a_key_share_its_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, shared_pace: bool
) -> None:
    """Two blocks at once keep to the rate together, as two runs do (failed before: each sent at the full rate)."""
    state = tmp_path / "state"
    monkeypatch.setenv("BATCHER_STATE_DIR", str(state))

    async def send(client: batcher.Client, *names: str) -> None:
        specs = [row(name) for name in names]
        async with batcher.create(specs, client, rate="2/s", shared_pace=shared_pace, journal=None) as outcomes:
            assert len([outcome async for outcome in outcomes]) == len(names)

    async with FaultyServer() as server, batcher.Client(server.base_url, "key") as client:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send, client, "a", "b")
            tasks.start_soon(send, client, "c", "d")
        arrivals = server.arrivals()
    assert len(arrivals) == 4
    if shared_pace:
        assert arrivals[2] - arrivals[0] > 0.99  # each by itself would have had its second one after half of that
    assert len(list(state.glob("*.sqlite"))) == shared_pace


async def test_an_invalid_spec_does_not_make_its_unclear_attempt_forgotten(tmp_path: Path) -> None:
    """It may exist, without an identifier; then its spec is broken, and fixed: it stays uncertain, and is not sent.

    Failed before: the invalid spec was 'failed', which says that none of its attempts is unclear. And the fixed one had
    no outcome at all: the program could not know that it waits for a person.
    """
    settings = batcher.Sending(rate=None, fill_identifiers=False)
    good, bad = row("a", key="k"), {"key": "k", "name": "a"}
    async with FaultyServer("reset-after@1") as server, batcher.Client(server.base_url, "key") as client:
        for spec, reasons in ((good, ["connection"]), (bad, ["invalid"]), (good, ["invalid"])):
            journal = tmp_path / "x.journal.jsonl"
            async with batcher.create([spec], client, journal=journal, settings=settings) as outcomes:
                met = [outcome async for outcome in outcomes]
            assert [one.reason for one in met if isinstance(one, batcher.Uncertain)] == reasons
            assert len(met) == len(reasons)
        assert len(server.commits) == 1


async def test_two_specs_with_one_key_are_one_document(tmp_path: Path) -> None:
    """As of two rows, the second is invalid; whichever comes first, and whether the server could tell them apart or not.

    Failed before: the second was sent too, and without identifiers that made a second document.
    """
    path, reading = tmp_path / "d.jsonl", batcher.Reading()
    path.write_text("".join(f"{json.dumps(one)}\n" for one in (row("a"), row("a", description="twin"))))
    first, twin = batcher.read_specs([path], reading)
    settings = batcher.Sending(rate=None, fill_identifiers=False, concurrency=1)
    async with FaultyServer() as server, batcher.Client(server.base_url, "key") as client:
        async with batcher.create(
            [first, first, twin], client, journal=tmp_path / "x.jsonl", settings=settings
        ) as outcomes:
            met = [outcome async for outcome in outcomes]
        assert len(server.commits) == 2
    assert [one.key for one in met if isinstance(one, batcher.Created)] == [first.key, twin.key]
    assert [one.reason for one in met if isinstance(one, batcher.Failed)] == ["invalid"]


@pytest.mark.parametrize("recreates", [False, True])
async def test_what_undo_deleted_is_made_again_if_that_is_asked_for(tmp_path: Path, recreates: bool) -> None:
    """`recreate_undone` means in a program what it means on the command line (failed before: it was not heeded)."""
    job = Job(tmp_path)
    async with FaultyServer() as server, batcher.Client(server.base_url, "key") as client:
        for recreate in (False, recreates):
            settings = batcher.Sending(rate=None, recreate_undone=recreate)
            async with batcher.create([row("a")], client, journal=job.files.journal, settings=settings) as outcomes:
                met = [type(outcome) async for outcome in outcomes]
            assert (met, outcomes.skipped) == (([batcher.Created], 0) if met else ([], 1))
            if not recreate and met:
                assert (await undone(job, server.base_url)).deleted == 1
        assert len(server.commits) == 1 + recreates


ODD_SPECS = [
    None,
    5,
    "abc",
    [("modelId", "x")],
    row("odd") | {5: 6},
    row("odd") | {b"x": 6},
    row("odd") | {frozenset({1}): 6},
    row("odd", metadata={"x": {1, 2}}, metadataVersion="1"),
    row("odd", metadata=b"x", metadataVersion="1"),
    row("odd", metadata={(1, 2): 3}, metadataVersion="1"),
    row("odd", key={1}),
    row("odd", modelId={1}),
    row("odd", description="\ud800"),
    {},
]


@pytest.mark.parametrize("odd", ODD_SPECS, ids=lambda odd: repr(odd)[-40:])
async def test_a_spec_that_can_be_none_is_one_failed(tmp_path: Path, odd: Any) -> None:
    """All others are created; a second block tells it again under the same key. (Failed before: TypeError for the batch.)"""
    journal, keys = tmp_path / "x.journal.jsonl", list[str]()
    met = list[batcher.Outcome]()
    async with FaultyServer() as server, batcher.Client(server.base_url, "key") as client:
        for _ in range(2):
            specs = [row("a"), odd, row("b")]
            async with batcher.create(specs, client, rate=None, journal=journal) as outcomes:
                met = [outcome async for outcome in outcomes]
            keys += [one.key for one in met if isinstance(one, batcher.Failed) and one.reason == "invalid"]
        assert sorted(server.created_by_name) == ["a", "b"]
    assert len(keys) == 2
    assert keys[0] == keys[1]
    assert (tmp_path / "x.failures.jsonl").read_bytes().count(b"\n") == 1


async def test_an_odd_spec_that_is_fixed_keeps_its_key(tmp_path: Path) -> None:
    """So its failure is over once it is created."""
    journal, met = tmp_path / "x.journal.jsonl", list[batcher.Outcome]()
    async with FaultyServer() as server, batcher.Client(server.base_url, "key") as client:
        for spec in (row("a", key="k", metadata={1}, metadataVersion="1"), row("a", key="k")):
            async with batcher.create([spec], client, rate=None, journal=journal) as outcomes:
                met = [outcome async for outcome in outcomes]
    assert [one.key for one in met if isinstance(one, batcher.Created)] == ["k"]
    assert (tmp_path / "x.failures.jsonl").read_bytes() == b""


async def test_a_warning_that_raises_ends_the_block(tmp_path: Path) -> None:
    """It comes out as it is. (Failed before: an ExceptionGroup out of the middle of a request.)"""

    def warn(_message: str) -> None:
        raise MineError

    async with FaultyServer() as server, batcher.Client(server.base_url, "key") as client:
        specs = [row(f"n{number}") for number in range(9)]
        async with batcher.create(specs[:1], client, rate=None, journal=None) as outcomes:
            assert len([outcome async for outcome in outcomes]) == 1
        journal, made = tmp_path / "x.journal.jsonl", list[batcher.Outcome]()
        with pytest.raises(MineError):  # the first one is adopted, which is a warning
            async with batcher.create(
                specs, client, rate=None, concurrency=1, journal=journal, on_warning=warn
            ) as outcomes:
                made.extend([outcome async for outcome in outcomes])
        assert len(server.commits) < 9
        async with batcher.create(specs, client, rate=None, journal=journal) as outcomes:
            made.extend([outcome async for outcome in outcomes])
        assert sorted(server.created_by_name) == sorted(spec["name"] for spec in specs)
        assert all(len(found) == 1 for found in server.created_by_name.values())
    assert len(made) == 9


async def test_without_journal_and_without_identifiers_nothing_is_sent() -> None:
    """Nothing would keep a second block from making everything again. (Failed before: it did.)"""
    settings = batcher.Sending(rate=None, fill_identifiers=False)
    async with FaultyServer() as server, batcher.Client(server.base_url, "key") as client:
        with pytest.raises(batcher.UsageError, match="Name a journal"):
            async with batcher.create([row("a")], client, journal=None, settings=settings):
                raise AssertionError("it was opened")
        for _ in range(2):
            async with batcher.create([row("a")], client, rate=None, journal=None) as outcomes:
                assert len([outcome async for outcome in outcomes]) == 1
        assert len(server.commits) == 1
