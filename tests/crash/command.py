"""`python -m batcher` as a user starts it, in a directory of its own, perhaps with a limit on the size of files."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tests.support.command import start
from tests.support.processes import bounded

from .modes import Mode

ROOT = Path(__file__).resolve().parents[2]
KEY = "a-key-for-tests"
CALM = ("--rate", "none", "--no-preflight", "--no-shared-pace", "--timeout", "2")


def environment(directory: Path) -> dict[str, str]:
    """Nothing of the machine's owner, and a key."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return kept | {
        "OMNI_API_KEY": KEY,
        "HOME": str(directory),
        "BATCHER_STATE_DIR": str(directory),
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",  # a limit on file sizes, or a kill, must not leave half a module behind
    }


def begin(
    directory: Path, base_url: str, *flags: str, source: str = "d.jsonl", limit_bytes: int | None = None
) -> subprocess.Popen[str]:
    """Start `batcher run`. `limit_bytes`: no file may grow beyond it (RLIMIT_FSIZE)."""
    return subprocess.Popen(
        [sys.executable, "-m", "batcher", "run", source, "--base-url", base_url, *CALM, "--json", *flags],
        cwd=directory,
        env=environment(directory),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=partial(_get_ready, limit_bytes),  # noqa: PLW1509 - no threads here, and `ulimit` would need a shell
    )


def end(process: subprocess.Popen[str]) -> tuple[int, dict[str, Any], str]:
    """Exit code, final object and standard error."""
    with bounded(process):
        output, errors = process.communicate(timeout=60)
    assert output, f"exit code {process.returncode}: {errors}"
    assert "Traceback" not in errors, errors
    return process.returncode, json.loads(output), errors


def run(
    directory: Path, base_url: str, *flags: str, source: str = "d.jsonl", limit_bytes: int | None = None
) -> tuple[int, dict[str, Any], str]:
    """One whole run: in this process, except with a limit."""
    if limit_bytes is not None:
        return end(begin(directory, base_url, *flags, source=source, limit_bytes=limit_bytes))
    asked = ("run", source, "--base-url", base_url, *CALM, "--json", *flags)
    done = start(directory, *asked, OMNI_API_KEY=KEY)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout), done.stderr


def besiege(directory: Path, mode: Mode, rows: int, kills: int, *flags: str) -> dict[str, Any]:
    """One siege in a process of its own, from which lives can be forked (that of the tests has threads); its numbers."""
    asked = ("--mode", mode, "--rows", str(rows), "--kills", str(kills), "--directory", str(directory), *flags)
    command = [sys.executable, "-m", "tests.crash", *asked]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    numbers: dict[str, Any] = json.loads(done.stdout)
    return numbers


def write_rows(directory: Path, rows: Sequence[dict[str, Any]]) -> None:
    """The input."""
    (directory / "d.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def _get_ready(limit_bytes: int | None) -> None:
    """In the new process: ctrl-C works even where the tests run in the background; the limit holds."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if limit_bytes is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))
