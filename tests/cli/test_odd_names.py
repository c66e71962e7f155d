"""An input whose name is not UTF-8 (from an old archive, in Latin-1), and what cannot be written of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import anyio.to_thread
import pytest

from batcher.cli.settings.types import file_named
from batcher.files.disk import Disk
from batcher.files.failures_view import Form
from batcher.files.history import read_journal
from batcher.files.journal_lines import Intent
from batcher.files.ledger import open_ledger
from batcher.files.past import read_past

from ..support.faulty import FaultyServer
from ..support.runs import Job, row

ROOT = Path(__file__).parents[2]
AT = datetime(2026, 11, 26, tzinfo=UTC)


async def test_a_name_in_latin_1(tmp_path: Path) -> None:
    """Regression: a bare traceback and exit 1 ("finished, some rows failed"), after `check` found all fine."""
    name = os.fsdecode(b"caf\xe9.jsonl")
    (tmp_path / name).write_text(json.dumps(row("a")) + "\n")
    env = os.environ | {"PYTHONPATH": str(ROOT), "OMNI_API_KEY": "k1", "BATCHER_STATE_DIR": str(tmp_path / "st")}
    async with FaultyServer() as server:
        command = [
            sys.executable,
            "-m",
            "batcher",
            "run",
            name,
            "--base-url",
            server.base_url,
            "--rate",
            "none",
            "--json",
        ]
        done = await anyio.to_thread.run_sync(
            lambda: subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, check=False)
        )
        made = len(server.commits)
    assert (done.returncode, made) == (0, 1), done.stderr[-300:]


async def test_an_intent_that_cannot_be_written_takes_no_other_one_back(tmp_path: Path) -> None:
    """Whatever `intend` raises, the attempt before stays unclear: `clear` would take back that one."""
    job = Job(tmp_path)
    past = read_past(Disk(), job.files, "", "")
    async with open_ledger(
        Disk(),
        job.files,
        past,
        run="r",
        now=lambda: AT,
        form=Form(),
        base_url="",
        namespace="",
        fsync_ms=10,
        on_trouble=lambda trouble: pytest.fail(str(trouble)),
    ) as ledger:
        first = Intent("k", "a-1", True, 1, AT, "r", "d.jsonl", 1, "ab", b"{}")
        await ledger.intend(first)
        with pytest.raises(TypeError):
            await ledger.intend(first._replace(source="caf\udce9.jsonl"))
        assert len(ledger.unclear("k")) == 1
    said = read_journal(Disk(), job.files.journal, lambda _: False)
    assert len(said.histories["k"].unclear) == 1


def test_a_tilde_that_is_nobodys_home() -> None:
    """Regression: an internal error. Such a name is a name like any other."""
    assert file_named("~nobody-of-that-name/r.jsonl") == Path("~nobody-of-that-name/r.jsonl")
    assert file_named("~/r.jsonl") == Path.home() / "r.jsonl"
