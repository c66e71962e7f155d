"""Where runs that use one key agree on their starts: what the gate asks, whoever answers.

    share = store.share(key, rate)            # this run joins the others
    await share.take()                        # a permit to start one request, or the seconds until asking again

`LocalPaceStore` answers for one user on one machine. A store on the network fits behind the same three protocols.
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

    async def take(self) -> Permit | float:
        """A permit, or the seconds after which to ask again. Asking joins the queue of runs."""

    def close(self) -> None:
        """Let go of what is open. What was started stays known to the others."""


class PaceStore(Protocol):
    """A place where runs that use the same key meet."""

    def share(self, key: ApiKey, rate: Rate) -> PaceShare:
        """Join the runs that use this key. Opens nothing yet."""
