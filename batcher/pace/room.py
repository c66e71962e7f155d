"""How much of the rate there's room for, learned from one question: do 429s depend on our pace, or do they come anyway?

    429s come clearly more often than strays do ── lower the pace ─┬─ they stop: somebody else is there. Raise it slowly,
                                                                   │  and slower each time they begin again
                                                                   └─ they go on, one by one: strays. Raise it twice as
                                                                      fast at each, and expect as many from now on

Pure, and without a clock: it counts answers. Strays come by the request, so what is known of them after a hundred
requests is known at every rate, and a second of 500/min says more than one of 60/min.
"""

from __future__ import annotations

import math

# A search over 300 settings chose these; `python -m tests.pace` shows what they achieve, and what a change would cost.
_LOWER_TO = 0.7
_LOWEST = 0.05
_SAFE = 0.8  # at this part of the pace at which 429s came too often, those that still come don't depend on the pace

# Suspicion is Page's cumulative sum: the logarithm of how much better the answers so far fit "429s come as often as at
# too fast a pace" than "as often as strays", begun anew whenever strays explain them better.
_LIMIT = 4.5
_TOO_OFTEN = 0.08  # of the answers; more where strays alone come near to it
_TIMES_STRAYS = 3.0
_MOST_STRAYS = 0.04  # of the answers; whatever comes more often is no stray, and is worth a lower pace
_EXPECTED = (1.0, 70.0)  # strays, and the answers among them, before we know better
_REMEMBERED = 200.0  # answers
# A server that says how long to wait speaks of a limit; a firewall's stray hardly ever does. So the second such 429
# lowers the pace, if it comes before so many windows of requests have passed. Its pauses are long, so it's risked less.
_SOON_WINDOWS = 5

# What one passed request adds to the share: so much, but no more than this part of the rate while a window passes …
_STEP = 0.002
_STEP_OF_WINDOW = 0.5
_SLOWEST, _FASTEST = 0.1, 8.0  # … times this
_PATIENCE = 250  # after so many passed requests, or a window of them, it doubles: nobody seems to be there any more


class Room:
    """The `share` of the rate to use, 0 to 1, as answers come in: `blocked` for a 429, `passed` for any other.

    `limit` is how many requests the rate allows in a period.
    """

    def __init__(self, limit: int) -> None:
        self.share = 1.0
        self._limit = limit
        self._first_step = self._step = min(_STEP, _STEP_OF_WINDOW / limit)
        self._ceiling = 1.0  # the share at which 429s came too often
        self._suspicion = 0.0
        self._strays, self._answers = _EXPECTED  # those that didn't depend on the pace
        self._since_named = _SOON_WINDOWS * limit
        self._rising = self._calm = 0  # passed since it was last lowered: at a lower rate, at the full one

    def blocked(self, *, named_a_time: bool) -> bool:
        """A 429 came, or several at once. Whether the share was lowered for it."""
        if named_a_time:
            lower = self.share < 1.0 or self._since_named < _SOON_WINDOWS * self._limit
            self._since_named = 0
        else:
            lower = self._is_suspicious()
        if lower:
            self._lower(4 if named_a_time else 2)
        return lower

    def _is_suspicious(self) -> bool:
        """Whether 429s, with one more, come too often to be strays."""
        expected, too_often = self._frequencies()
        if self._is_safe:
            if self._suspicion == 0.0:
                self._step = min(2 * self._step, _FASTEST * self._first_step)
            self._learn(1)
        self._suspicion += math.log(too_often / expected)
        return self._suspicion > _LIMIT

    def passed(self) -> None:
        """Another answer came."""
        self._since_named += 1
        expected, too_often = self._frequencies()
        self._suspicion = max(0.0, self._suspicion - (too_often - expected))
        if self._is_safe:
            self._learn(0)
        if self.share < 1.0:
            self._rising += 1
            step = self._step * 2.0 ** (self._rising // max(_PATIENCE, self._limit))
            self.share = min(1.0, self.share + min(step, _FASTEST * self._first_step))
        elif self._calm < self._limit:
            self._calm += 1
            if self._calm == self._limit:
                self._step, self._ceiling = self._first_step, 1.0

    def _lower(self, caution: int) -> None:
        """Lower the share, and where 429s were met again, raise it `caution` times slower than before."""
        self._step = min(self._step, self._first_step)
        if self.share < 1.0 and not self._is_safe:
            self._step = max(self._step / caution, _SLOWEST * self._first_step)
        self._ceiling, self.share = self.share, max(_LOWEST, self.share * _LOWER_TO)
        self._suspicion = _LIMIT / 2  # it may not have been enough
        self._rising = self._calm = 0

    @property
    def _is_safe(self) -> bool:
        return self.share <= _SAFE * self._ceiling

    def _frequencies(self) -> tuple[float, float]:
        """How often strays come, and how often 429s come at too fast a pace: parts of all answers."""
        expected = min(self._strays / self._answers, _MOST_STRAYS)
        return expected, max(_TOO_OFTEN, _TIMES_STRAYS * expected)

    def _learn(self, strays: int) -> None:
        """One more answer, a stray or not, at a pace that isn't to blame."""
        self._strays += strays
        self._answers += 1
        if self._answers > _REMEMBERED:
            self._strays, self._answers = self._strays / 2, self._answers / 2
