"""Where runs that use one key agree on their starts: what the gate asks, whoever answers.

    share = store.share(key, rate)            # this run joins the others
    await share.take()                        # a permit to start one request, or the seconds until asking again

`LocalPaceStore` answers for one user on one machine, `RedisPaceStore` for all hosts that reach the same store.
"""

from __future__ import annotations

from typing import Protocol

from ..api_keys import ApiKey
from .rate import Rate


class Permit(Protocol):
    """Permission to start one request, counted by every run that shares the key. Neither method waits."""

    def start(self) -> bool:
        """The request starts now. False if it mustn't, because too much time has passed."""

    def give_back(self) -> None:
        """No request will start."""


class PaceShare(Protocol):
    """One run among those that use a key."""

    note: str
    """Why this run waits for the store, for the progress line; empty if it doesn't."""

    async def take(self) -> Permit | float:
        """A permit, or the seconds after which to ask again. Asking joins the queue of runs.

        Raises Stopped if the store can't be reached for too long.
        """

    async def pause(self, seconds: float) -> None:
        """The server wants a pause: the others start nothing for so long, if they can be told. Raises as `take`."""

    async def aclose(self) -> None:
        """Let go of what is open. What was started stays known to the others."""


class PaceStore(Protocol):
    """A place where runs that use the same key meet."""

    def share(self, key: ApiKey, rate: Rate) -> PaceShare:
        """Join the runs that use this key. Opens nothing yet."""
