"""Rows without a key that share model and name: their content decides which created row each one is (contract 5)."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batcher.commands.verify import verify

from ..support.faulty import FaultyServer
from ..support.runs import Job, Witness, row


def rows(*contents: str) -> list[dict[str, object]]:
    """Rows of one name."""
    return [row("x", description=content) for content in contents]


async def test_the_first_was_taken_out(tmp_path: Path) -> None:
    """Regression: the two that are left were called changed, each by the other's document; `verify` said so, too."""
    job, witness = Job(tmp_path), Witness()
    job.rows(*rows("A", "B", "C"))
    async with FaultyServer() as server:
        await job.run(server.base_url)
        job.rows(*rows("B", "C"))
        ran = await job.run(server.base_url)
        assert (ran.counts, ran.warnings) == ({"created_before": 2}, "")
        verified = await verify(job.settings(server.base_url), observer=witness, runtime=job.runtime)
        assert (verified.created, verified.same, verified.changed) == (2, 2, 0)
        job.rows(*rows("D", "B", "C"))  # A may have become D
        assert "1 row was already created, but changed since" in (await job.run(server.base_url)).warnings
    assert len(server.documents) == 3


async def test_one_more_in_front(tmp_path: Path) -> None:
    """It is made, and no other."""
    job = Job(tmp_path)
    job.rows(*rows("A", "B"))
    async with FaultyServer() as server:
        await job.run(server.base_url)
        job.rows(*rows("N", "A", "B"))
        for counts in ({"created_now": 1, "created_before": 2}, {"created_before": 3}):
            ran = await job.run(server.base_url)
            assert (ran.counts, ran.warnings) == (counts, "")
    assert len(server.documents) == 3


async def test_one_more_in_front_of_a_single_one(tmp_path: Path) -> None:
    """Regression: the run stopped and asked; after --rekey, one more in front made another row's document twice."""
    job = Job(tmp_path)
    async with FaultyServer() as server:
        for number, contents in enumerate(("A", "NA", "NMA", "NLMA")):
            job.rows(*rows(*contents))
            ran = await job.run(server.base_url, rekey=number > 2)
            assert (ran.counts.get("created_now"), ran.warnings) == (1, "")
    assert len(server.documents) == 4


async def test_their_keys_were_taken_away(tmp_path: Path) -> None:
    """Regression: what --rekey had said of such rows went by their order, so a row in front made documents twice."""
    job = Job(tmp_path)
    job.rows(*({**one, "key": f"k{number}"} for number, one in enumerate(rows(*"AB"))))
    async with FaultyServer() as server:
        await job.run(server.base_url)
        for contents in ("CDAB", "ECDAB", "BDCEA", "AFECDB"):
            job.rows(*rows(*contents))
            await job.run(server.base_url, rekey=True)
            ran = await job.run(server.base_url)
            assert (ran.counts, ran.warnings) == ({"created_before": len(contents)}, "")
    assert len(server.documents) == 6


async def test_a_refused_one_alone(tmp_path: Path) -> None:
    """Attack 3b: two inputs share a name and one results file; the second's row was refused and then run alone."""
    job, other = Job(tmp_path), tmp_path / "apac.jsonl"
    job.rows(*rows("APAC"))
    job.input.rename(other)
    job.rows(*rows("EMEA"))
    async with FaultyServer("400@2") as server:
        await job.run(server.base_url, inputs=[job.input, other], concurrency=1)
        ran = await job.run(server.base_url, inputs=[other])
        assert (ran.counts, ran.warnings) == ({"created_now": 1}, "")
    assert len(server.documents) == 2


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from("ABCD"), min_size=2, max_size=5), st.randoms(use_true_random=False))
async def test_any_order_creates_nothing(
    tmp_path_factory: pytest.TempPathFactory, contents: list[str], chance: Random
) -> None:
    """Reordered, some left out: nothing is sent, nothing is called changed. One more: one document more."""
    job = Job(tmp_path_factory.mktemp("s"))
    async with FaultyServer() as server:
        job.rows(*rows(*contents))
        await job.run(server.base_url)
        left = chance.sample(contents, chance.randint(1, len(contents)))
        job.rows(*rows(*left))
        ran = await job.run(server.base_url)
        assert ran.counts == {"created_before": len(left)}
        assert "changed" not in ran.warnings
        job.rows(*rows(*chance.sample([*contents, "N"], len(contents) + 1)))
        ran = await job.run(server.base_url)
        assert ran.counts == {"created_now": 1, "created_before": len(contents)}
        assert "changed" not in ran.warnings
    assert len(server.documents) == len(contents) + 1
