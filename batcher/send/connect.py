"""What a run holds open, opened in one place: sandbox, transport, gate, the requester over them, and the ledger."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from ..config import Endpoint, Files, Sending
from ..files.failures_view import Form
from ..files.ledger import Ledger, open_ledger
from ..files.past import Past
from ..omni.v2 import api_of
from ..pace.gate import Gate
from ..runtime import Runtime
from ..transport.http import open_transport
from .drain import Drain
from .requester import Requester

if TYPE_CHECKING:
    from ..sandbox import Sandbox


@contextlib.asynccontextmanager
async def open_run(
    endpoint: Endpoint,
    sending: Sending,
    past: Past,
    form: Form,
    files: Files,
    drain: Drain,
    runtime: Runtime,
    warn: Callable[[str], None],
    *,
    appends_failures: bool = True,
) -> AsyncIterator[tuple[Requester, Ledger]]:
    """The way to the server and the files that it all is written to, for the block. `past` is what the files hold."""
    async with (
        open_requester(endpoint, sending, files, drain, runtime, warn) as requester,
        open_ledger(
            runtime.storage,
            files,
            past,
            run=runtime.run_id,
            now=runtime.now,
            form=form,
            base_url="sandbox" if endpoint.sandbox else endpoint.base_url,
            namespace=sending.namespace,
            directory=runtime.directory,
            fsync_ms=sending.fsync_ms,
            on_trouble=lambda trouble: drain.stop(str(trouble), trouble.stop_reason),
            appends_failures=appends_failures,
        ) as ledger,
    ):
        yield requester, ledger


@contextlib.asynccontextmanager
async def open_requester(
    endpoint: Endpoint,
    sending: Sending,
    files: Files | None,
    drain: Drain,
    runtime: Runtime,
    warn: Callable[[str], None],
    *,
    keeps: bool = True,
) -> AsyncIterator[Requester]:
    """The requester of the endpoint for the block. With `keeps` a sandbox begins its state beside the results.

    Without it, it uses that state only if it is there, so that a look leaves no new file. Without files there is none.
    """
    async with contextlib.AsyncExitStack() as stack:
        base_url, transport = endpoint.base_url, runtime.transport
        if endpoint.sandbox and transport is None:
            base_url = (await stack.enter_async_context(_sandbox(sending, files, keeps=keeps))).base_url
        if transport is None:
            transport = await stack.enter_async_context(
                open_transport(
                    base_url,
                    keys=endpoint.keys,
                    timeout_seconds=sending.timeout_seconds,
                    connect_timeout_seconds=sending.connect_timeout_seconds,
                )
            )
        gate = await stack.enter_async_context(Gate(endpoint.keys, sending.rate, shared=runtime.shared_pace))
        yield Requester(
            api_of(sending.api, base_url),
            transport,
            gate,
            drain,
            give_up_after_seconds=sending.give_up_after_seconds,
            warn=warn,
            now=runtime.now,
        )


def _sandbox(sending: Sending, files: Files | None, *, keeps: bool) -> Sandbox:
    """The embedded server."""
    from ..sandbox import Sandbox, SandboxSettings  # noqa: PLC0415 - only a rehearsal pays for the server

    state = None if files is None else files.sandbox_state
    is_kept = state is not None and (keeps or state.exists())
    return Sandbox(SandboxSettings(rate=sending.rate, state=state if is_kept else None))
