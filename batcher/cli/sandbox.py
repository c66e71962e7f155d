"""`batcher sandbox`: the embedded Omni-like server in the foreground, until Ctrl-C."""

from __future__ import annotations

import signal
from functools import partial
from pathlib import Path

import anyio

from ..errors import UsageError
from ..sandbox import FAULT_HELP, Fault, SandboxSettings, serve
from .allowed import check_threads
from .end import Invocation
from .loop import loop_options
from .screen.console import print_text
from .settings.given import Given


def sandbox(invocation: Invocation, given: Given) -> int:
    """Serve; the first line on standard output is the base URL. Ctrl-C or SIGTERM ends it with exit code 0."""
    if given.flag("faults"):
        print_text(FAULT_HELP)
        return 0
    settings = _settings(given)
    check_threads()
    anyio.run(partial(_serve, invocation, settings), backend_options=loop_options())
    return 0


async def _serve(invocation: Invocation, settings: SandboxSettings) -> None:
    def announce(base_url: str) -> None:
        print_text(base_url)
        keys = "any key" if settings.keys is None else "the keys of --key-file"
        kept = f"kept in {settings.state}" if settings.state else "gone when it stops; --state keeps them"
        invocation.console.note(f"Open {base_url} in a browser to look inside. It accepts {keys}.")
        invocation.console.note(f"Documents are {kept}. Ctrl-C stops it.")

    async with anyio.create_task_group() as tasks:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            tasks.start_soon(serve, settings, announce)
            async for _ in signals:
                tasks.cancel_scope.cancel()
                return


def _settings(given: Given) -> SandboxSettings:
    """The sandbox's settings. Raises UsageError naming the option."""
    try:
        faults = tuple(map(Fault.parse, given.get("fault")))
    except ValueError as error:
        raise UsageError(f"--fault: {error}") from error
    return SandboxSettings(
        port=given.get("port"),
        rate=given.get("rate"),
        blocked_count=given.flag("blocked_count"),
        keys=_keys(given.path("key_file")),
        state=given.path("state"),
        log=given.path("log"),
        faults=faults,
        seed=given.get("seed"),
        latency_seconds=given.get("latency") or 0.0,
        no_v1=given.get("v1") is False,
        no_v2=int(no_v2) if (no_v2 := given.get("no_v2")) else None,
        unknown_models=frozenset(model.lower() for model in given.get("unknown_model")),
    )


def _keys(path: Path | None) -> frozenset[str] | None:
    """The keys that are accepted, one per line of a file: keys are never typed on a command line."""
    if path is None:
        return None
    try:
        return frozenset(line.strip() for line in path.read_text("utf-8").splitlines() if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--key-file {path}: can't be read: {error}") from error
