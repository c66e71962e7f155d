"""Create Omni documents in batches: never twice, never lost, at the rate that is allowed.

`CONTRACT.md` beside this file decides what a user can observe: "(contract 7)" in a docstring is its section 7.
`omni/API.md` holds the facts about the API.

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
                    case batcher.Uncertain():
                        print("run it again")

`specs` is any iterable or async iterable of `Spec`s (from `read_specs`) or of mappings with the fields that an input
file has (samples/README.md). Each outcome is on disk before the program sees it. Leaving the block drains as the
first Ctrl-C does: nothing more is sent, and requests in flight are waited for. `journal=None` keeps nothing: "never
twice" then holds within the process only. The rate is shared with all other batcher runs of this user that use the
key, as on the command line; `shared_pace=False` counts for itself.

`run`, `status`, `check`, `verify` and `undo` are the commands without a terminal. They take the frozen settings of
`config` and raise what `errors` lists. `public.py` lists all names; they are loaded when the first one is used, so
that importing the package costs next to nothing.
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
