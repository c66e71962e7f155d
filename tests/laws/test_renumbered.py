"""Rows that were numbered anew have each other's keys (contract 5): no row is made twice, and none is left out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batcher.errors import UsageError
from batcher.runtime import Runtime

from ..support.faulty import FaultyServer
from ..support.runs import Job, Witness, row

Rows = list[dict[str, Any]]


def numbered(*names: str) -> Rows:
    """Rows whose key is their number."""
    return [row(name, key=str(number)) for number, name in enumerate(names, 1)]


def names(server: FaultyServer) -> list[str]:
    """Of all documents."""
    return sorted(document.name for document in server.documents.values())


async def test_a_row_on_top(tmp_path: Path) -> None:
    """Regression: the last row's document was made a second time, the first row's never; all others "changed"."""
    job, witness = Job(tmp_path), Witness()
    job.rows(*numbered("A", "B", "C"))
    async with FaultyServer() as server:
        await job.run(server.base_url)
        job.rows(*numbered("N", "A", "B", "C"))
        with pytest.raises(UsageError, match="1 new row holds what was created under another key"):
            await job.run(server.base_url, witness=witness)
        assert 'this row\'s key is "4"' in witness.problems[0].message
        assert (await job.run(server.base_url, rekey=True)).counts == {"created_now": 1, "created_before": 3}
        assert (await job.run(server.base_url)).counts == {"created_before": 4}
        job.rows(*numbered("M", "N", "A", "B", "C"))
        assert (await job.run(server.base_url, rekey=True)).counts == {"created_now": 1, "created_before": 4}
        job.rows(*numbered("B", "C", "L", "M", "N", "A"))
        assert (await job.run(server.base_url, rekey=True)).counts == {"created_now": 1, "created_before": 5}
        ran = await job.run(server.base_url)
    assert (ran.counts, ran.warnings) == ({"created_before": 6}, "")
    assert names(server) == ["A", "B", "C", "L", "M", "N"]


async def test_a_row_on_top_after_another_was_taken_out(tmp_path: Path) -> None:
    """Regression: no key is new, so a run that never made the row on top ended with exit code 0. It's refused."""
    job, witness = Job(tmp_path), Witness()
    job.rows(*numbered("A", "B", "C"))
    async with FaultyServer() as server:
        await job.run(server.base_url)
        job.rows(*numbered("N", "A", "B"))
        for skip in (False, True):
            with pytest.raises(
                UsageError, match=r"1 row has the key of another row's document\..* --rekey.* --create-again"
            ):
                await job.run(server.base_url, skip_invalid=skip, witness=witness)
        assert {problem.line for problem in witness.problems} == {1}
        assert (await job.run(server.base_url, rekey=True)).counts == {"created_now": 1, "created_before": 2}
        assert (await job.run(server.base_url)).warnings == ""
        job.rows(row("N", key="1", description="x"), row("A", key="2", description="x"), row("B", key="3"))
        assert "--rekey" not in (await job.run(server.base_url)).warnings
    assert names(server) == ["A", "B", "C", "N"]


async def test_a_row_on_top_gets_a_new_document(tmp_path: Path) -> None:
    """--create-again makes just what was named; the other rows keep their keys, and a warning says what they hold."""
    job = Job(tmp_path)
    job.rows(*numbered("A", "B", "C"))
    async with FaultyServer() as server:
        await job.run(server.base_url)
        job.rows(*numbered("N", "A", "B"))
        with pytest.raises(UsageError, match="1 row has the key"):
            await job.run(server.base_url, create_again=True, rows=frozenset(["2"]))
        assert (await job.run(server.base_url, create_again=True)).counts == {"created_now": 1, "created_before": 2}
        ran = await job.run(server.base_url)
        assert ran.counts == {"created_before": 3}
        assert "2 changed rows hold what was created under another key" in ran.warnings
        assert (await job.run(server.base_url, rekey=True)).counts == {"created_before": 3}
        assert "key" not in (await job.run(server.base_url)).warnings
    assert names(server) == ["A", "B", "C", "N"]


async def test_a_row_on_top_where_each_content_has_two_documents(tmp_path: Path) -> None:
    """Regression: after --create-again another document had each content, so the row on top seemed to be an edited one."""
    job = Job(tmp_path)
    job.rows(*numbered("A", "B"))
    async with FaultyServer() as server:
        await job.run(server.base_url)
        job.rows(row("A"), row("B"))
        assert (await job.run(server.base_url, create_again=True)).counts == {"created_now": 2}
        job.rows(*numbered("N", "A", "B"))
        with pytest.raises(UsageError, match="1 row has the key of another row's document"):
            await job.run(server.base_url)
        assert (await job.run(server.base_url, rekey=True)).counts == {"created_now": 1, "created_before": 2}
        assert (await job.run(server.base_url)).counts == {"created_before": 3}
    assert names(server) == ["A", "A", "B", "B", "N"]


async def test_a_row_on_top_and_another_edited(tmp_path: Path) -> None:
    """The edited row is still its document's, which has changed; the new one is made."""
    job = Job(tmp_path)
    job.rows(*numbered("A", "B", "C"))
    async with FaultyServer() as server:
        await job.run(server.base_url)
        job.rows(row("N", key="1"), row("A", key="2", description="edited"), row("B", key="3"), row("C", key="4"))
        ran = await job.run(server.base_url, rekey=True)
    assert ran.counts == {"created_now": 1, "created_before": 3}
    assert "1 row was already created, but changed since" in ran.warnings
    assert names(server) == ["A", "B", "C", "N"]


@settings(max_examples=40, deadline=None)
@given(
    st.permutations(["A", "B", "C", "M"]),
    st.permutations(["1", "2", "3", "4", "5"]),
    st.permutations(["A", "B", "C", "M", "N"]),
    st.permutations(["1", "2", "3", "4", "5", "6"]),
)
async def test_any_numbering_makes_each_row_once(
    tmp_path_factory: pytest.TempPathFactory, first: list[str], keys: list[str], then: list[str], then_keys: list[str]
) -> None:
    """Whatever the order, the numbers and the answers before: at the end each name is one document."""
    job = Job(tmp_path_factory.mktemp("n"))
    async with FaultyServer() as server:
        job.rows(*numbered("A", "B", "C"))
        await job.run(server.base_url)
        for wanted, own in ((first, keys), (then, then_keys)):
            job.rows(*(row(name, key=key) for name, key in zip(wanted, own, strict=False)))
            await job.run(server.base_url, rekey=True)
            ran = await job.run(server.base_url)
            assert (ran.counts, ran.warnings) == ({"created_before": len(wanted)}, "")
            assert names(server) == sorted(wanted)


@pytest.mark.parametrize("fault", ["500@2", "500-after@2"])
async def test_two_rows_changed_places_while_one_was_uncertain(tmp_path: Path, fault: str) -> None:
    """Regression: nothing had been made of B, so A was sent a second time under B's identifier, and B never."""
    job, witness = Job(tmp_path), Witness()
    job.rows(*numbered("A", "B"))
    async with FaultyServer(fault, "GET 500@1") as server:
        assert (await job.run(server.base_url, concurrency=1, max_attempts=1)).counts["uncertain"] == 1
        made = len(server.documents)
        job.rows(*numbered("B", "A"))
        with pytest.raises(UsageError, match="1 new row holds what was created under another key"):
            await job.run(server.base_url)
        held = await job.run(server.base_url, skip_invalid=True, witness=witness)
        assert (held.code, held.counts) == (5, {"created_before": 1, "uncertain": 1})
        assert 'the same content was created under the key "1"' in witness.problems[0].message
        assert len(server.documents) == made
        assert (await job.run(server.base_url, rekey=True)).code == 0
        ran = await job.run(server.base_url)
    assert (ran.counts, ran.warnings, names(server)) == ({"created_before": 2}, "", ["A", "B"])


async def test_some_of_the_rows(tmp_path: Path) -> None:
    """The refusal writes their keys on request; each answer is for the rows that stand in such a file."""
    job, listed = Job(tmp_path), tmp_path / "rows.txt"
    job.rows(row("a"), row("b"), row("c"))
    async with FaultyServer() as server:
        await job.run(server.base_url)
        job.rows(row("a", key="k1"), row("b", key="#2"), row("c", key="k3"), row("d", key="k4"))
        with pytest.raises(UsageError, match="3 new rows hold"):
            await job.run(server.base_url, rows_to=listed)
        keys = [line for line in listed.read_text().splitlines() if not line.startswith("# ")]
        assert keys == ["k1", '"#2"', "k3"]
        with pytest.raises(UsageError, match="1 new row holds"):
            await job.run(server.base_url, rekey=True, rows=frozenset(["k1", "#2"]))
        with pytest.raises(UsageError, match="1 new row holds"):
            await job.run(server.base_url, create_again=True, rows=frozenset(["k4"]))
        assert len(server.documents) == 3
        again = await job.run(server.base_url, create_again=True, rows=frozenset(["k3"]))
        assert again.counts == {"created_now": 2, "created_before": 2}
    assert names(server) == ["a", "b", "c", "c", "d"]


async def test_with_skip_invalid_the_rest_is_sent(tmp_path: Path) -> None:
    """Night after night the same row fails with the same line; with --rekey it is over."""
    job = Job(tmp_path)
    job.rows(row("a"), row("b"))
    async with FaultyServer() as server:
        await job.run(server.base_url)
        job.rows(row("a"), row("b", key="k"), row("c"))
        for _ in range(2):
            ran = await job.run(server.base_url, skip_invalid=True)
            assert ["this row's key is" in str(problem) for problem in ran.witness.problems] == [True]
            assert (ran.code, ran.counts["failed"], len(job.failures)) == (1, 1, 1)
            assert job.failures[0]["reason"] == "same_content"
            assert "--rekey" in job.failures[0]["hint"]
        with pytest.raises(UsageError, match="1 new row holds"):
            await job.run(server.base_url, inputs=[job.files.failures])
        assert (await job.run(server.base_url, rekey=True)).counts == {"created_before": 3}
    assert (len(server.documents), job.failures) == (3, [])


async def test_fixed_rows_are_merged_even_with_create_again(tmp_path: Path) -> None:
    """Regression: the row that was fixed in both places became a second document, too."""
    job = Job(tmp_path)
    job.rows(row("a"), {"modelId": row("a")["modelId"], "description": "no name yet"})
    async with FaultyServer() as server:
        await job.run(server.base_url, skip_invalid=True)
        job.edit_failures(lambda line: line["spec"].update(name="b"))
        await job.run(server.base_url, inputs=[job.files.failures])
        job.rows(row("a", key="again"), row("b", description="no name yet"))
        assert (await job.run(server.base_url, create_again=True)).counts == {"created_now": 1, "created_before": 1}
    assert names(server) == ["a", "a", "b"]


@pytest.mark.parametrize("is_other_there", [True, False])
async def test_a_run_from_another_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_other_there: bool
) -> None:
    """Regression: an input's name was looked for where the second run began, so a file there hid the changed key."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    job = Job(tmp_path)
    async with FaultyServer() as server:
        monkeypatch.chdir(first)
        (first / "d.jsonl").write_text(json.dumps(row("a")) + "\n")
        await replace(job, runtime=Runtime()).run(server.base_url, inputs=[Path("d.jsonl")])
        if is_other_there:
            (second / "d.jsonl").write_text(json.dumps(row("other")) + "\n")
        monkeypatch.chdir(second)
        (first / "d.jsonl").write_text(json.dumps(row("a", key="k")) + "\n")
        with pytest.raises(UsageError, match="1 new row holds"):
            await replace(job, runtime=Runtime()).run(server.base_url, inputs=[first / "d.jsonl"])


async def test_what_has_no_row_any_more_is_named_once(tmp_path: Path) -> None:
    """Then it's counted; and a row that fails night after night is no reason to name it again."""
    job = Job(tmp_path)
    job.rows(row("a"), row("Board 3"))
    async with FaultyServer("400@3", "400@4", "400@5") as server:
        await job.run(server.base_url)
        job.rows(row("a"), row("Board three"))
        assert "1 created document has no row anymore: Board 3 (http" in (await job.run(server.base_url)).warnings
        warnings = (await job.run(server.base_url)).warnings
    assert "Board 3" not in warnings
    assert "no row anymore (named in an earlier run)" in warnings
