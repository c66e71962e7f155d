"""Issue 2's demonstration: many rows against a standalone sandbox, interrupted with ctrl-C, and started again."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.support.faulty import documents_in
from tests.support.processes import bounded

from .command import CALM, ROOT, environment
from .modes import Mode, write_input


@dataclass(frozen=True, slots=True)
class Shown:
    """What it came to. `names` and `lines` count different names at the server and different keys in results."""

    first_code: int
    first_created: int
    second_code: int
    documents: int
    names: int
    lines: int


def demonstrate(directory: Path, *, rows: int, rate: str) -> Shown:
    """`batcher sandbox`, `batcher run --concurrency 16`, ctrl-C when a third is done, and the same command again."""
    write_input(directory / "d.jsonl", Mode.FILLED, rows)
    state, results = directory / "sandbox.sqlite", directory / "d.results.jsonl"
    batcher = [sys.executable, "-m", "batcher"]
    serve = [*batcher, "sandbox", "--rate", rate, "--state", str(state)]
    env = environment(directory)
    sandbox = subprocess.Popen(serve, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    with bounded(sandbox):
        assert sandbox.stdout is not None
        base_url = sandbox.stdout.readline().split()[-1]
        command = [*batcher, "run", "d.jsonl", "--base-url", base_url, *CALM, "--rate", rate, "--concurrency", "16"]
        first = subprocess.Popen(command, cwd=directory, env=env, stderr=subprocess.DEVNULL, text=True)
        with bounded(first) as process:
            while count_lines(results) < rows // 3 and process.poll() is None:
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            process.wait()
        created = count_lines(results)
        second = subprocess.run(command, cwd=directory, env=env, stderr=subprocess.DEVNULL, check=False)
    documents = documents_in(state)
    keys = {line.split(b'"')[3] for line in results.read_bytes().splitlines()}
    assert len(keys) == count_lines(results)
    names = {document.name for document in documents}
    return Shown(process.returncode, created, second.returncode, len(documents), len(names), len(keys))


def count_lines(path: Path) -> int:
    """Lines of a file; none if it is missing."""
    return path.read_bytes().count(b"\n") if path.exists() else 0
