"""`batcher sandbox`: the embedded Omni-like server in the foreground, until ctrl-C."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import anyio

from ..errors import UsageError
from ..sandbox import FAULT_HELP, Fault, SandboxSettings, serve
from .end import Invocation
from .loop import loop_options
from .screen.console import print_text
from .settings.table import rate, seconds, whole


def sandbox(invocation: Invocation, options: Mapping[str, Any]) -> int:
    """Serve; the first line on standard output is the base URL. Ctrl-C or SIGTERM ends it with exit code 0."""
    invocation.command = "sandbox"
    invocation.console.quiet = bool(options["quiet"])
    invocation.verbose = bool(options["verbose"])
    if options["faults"]:
        print_text(FAULT_HELP)
        return 0
    settings = _settings(options)
    anyio.run(partial(_serve, invocation, settings), backend_options=loop_options())
    return 0


async def _serve(invocation: Invocation, settings: SandboxSettings) -> None:
    def announce(base_url: str) -> None:
        print_text(base_url)
        kept = f"kept in {settings.state}" if settings.state else "kept in memory only"
        invocation.console.note(f"sandbox: {base_url} takes any key; what it creates is {kept}; ctrl-C ends it")

    async with anyio.create_task_group() as tasks:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            tasks.start_soon(serve, settings, announce)
            async for _ in signals:
                tasks.cancel_scope.cancel()
                return


def _settings(options: Mapping[str, Any]) -> SandboxSettings:
    """The sandbox's settings. Raises UsageError naming the option."""
    return SandboxSettings(
        port=_parsed("--port", whole(0, 65535), options["port"], 0),
        rate=_parsed("--rate", rate, options["rate"], None),
        blocked_count=options["blocked_count"],
        keys=_keys(options["key_file"]),
        state=Path(options["state"]).expanduser() if options["state"] else None,
        log=Path(options["log"]).expanduser() if options["log"] else None,
        faults=tuple(_parsed("--fault", Fault.parse, text, None) for text in options["fault"]),
        seed=_parsed("--seed", whole(0, 1 << 53), options["seed"], 0),
        latency_seconds=_parsed("--latency", seconds, options["latency"], 0.0),
        unknown_models=frozenset(model.lower() for model in options["unknown_model"]),
    )


def _parsed(option: str, parse: Any, text: str | None, default: Any) -> Any:
    if text is None:
        return default
    try:
        return parse(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from error


def _keys(name: str | None) -> frozenset[str] | None:
    """The keys that are accepted, one on a line of a file: keys are never typed on a command line."""
    if name is None:
        return None
    try:
        return frozenset(
            line.strip() for line in Path(name).expanduser().read_text("utf-8").splitlines() if line.strip()
        )
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--key-file {name}: cannot be read: {error}") from error
