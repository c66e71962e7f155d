"""Create Omni documents in batches: never twice, never lost, at the rate that is allowed.

A program that makes its specs itself uses `create`:

    import asyncio
    import batcher

    async def main(specs: list[dict], api_key: str) -> None:
        async with (
            batcher.Client("https://acme.omniapp.co", api_key) as client,
            batcher.create(specs, client, rate="60/min", concurrency=8, journal="x.journal.jsonl") as outcomes,
        ):
            async for outcome in outcomes:
                match outcome:
                    case batcher.Created(url=url):
                        print(url)
                    case batcher.Failed(reason=reason, hint=hint):
                        print(reason, hint)
                    case batcher.Uncertain() | batcher.Unfinished():
                        print("run it again")

`specs` is any iterable or async iterable of mappings with the fields that an input file has (samples/README.md), or of
`Spec`s (from `read_specs`). None and NaN are absent, a `uuid.UUID` is its text. Each outcome is on disk before the
program sees it. Leaving the block drains as the first Ctrl-C does: nothing more is sent, and requests in flight are
waited for. `journal=None` keeps nothing: "never twice" then holds within the process only, and takes filled-in
identifiers. With `tell_before=True` what was created earlier comes, too: `Created(how="before")`. A row whose folder or
labels fail is `Created` and then `Unfinished`; a later block with the same journal does the missing steps alone.

A program that has a file of rows uses `run_file`, which does what `batcher run` does, with the same three files:

    import batcher

    def nightly(api_key: str) -> int:
        client = batcher.Client("https://acme.omniapp.co", api_key)
        summary = batcher.run_file_blocking("dashboards.csv", client, on_progress=print, skip_invalid=True)
        print(summary.created, summary.failed, summary.stopped_reason)
        return batcher.exit_code(summary)

With an event loop (in a notebook, say) it's `summary = await batcher.run_file("dashboards.csv", client)`, inside the
`async with` block of the client.

`Client` takes an `ssl` context, further `headers` and a `proxy` for an instance behind a gateway. Without them the
system's authorities, `SSL_CERT_FILE` and `https_proxy` count. The rate is shared with all other batcher runs of this user
that use the key, as on the command line; `shared_pace=False` counts for itself. What the command line sets by options is
in `Sending`, `Reading` and the arguments, whose names the messages use. Wrong types raise TypeError, numbers that can't
be ValueError, all else a `BatcherError` with the `exit_code` and `stop_reason` that the command line would have.

`run`, `status`, `check`, `verify` and `undo` are the commands without a terminal: they take frozen settings
(`RunSettings`, `UndoSettings`) and an `Observer`. `CONTRACT.md` beside this file decides what a user can observe:
"(contract 7)" in a docstring is its section 7. `omni/API.md` holds the facts about the API. The names are loaded when the
first one is used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from .version import __version__ as __version__

TYPE_CHECKING = False
if TYPE_CHECKING:  # without the import of typing, which takes longer than all else here
    from typing import Any

    from .public import *  # noqa: F403 - that list is the only one


def __getattr__(name: str) -> Any:
    """Load the public names on the first use of one."""
    from importlib import import_module  # noqa: PLC0415 - only for programs

    public = vars(import_module(".public", __name__)) if name == "__all__" or not name.startswith("_") else {}
    if name == "__all__":
        return ["__version__", *(public_name for public_name in public if not public_name.startswith("_"))]
    if name not in public:
        raise AttributeError(f"module 'batcher' has no attribute {name!r}")
    globals()[name] = public[name]
    return public[name]


def __dir__() -> list[str]:
    return sorted(__getattr__("__all__"))
