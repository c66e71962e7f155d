"""Variables of the environment that begin with BATCHER_ and mean nothing: most likely a slip of the pen."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator

from .options import FOR_ONE_RUN, SETTINGS

_PREFIX = "BATCHER_"
_OTHERS = {name: f"{_PREFIX}{name}" for name in ("STATE_DIR", "PACE_STORE_FILE")}
# what Kubernetes tells each pod about a service that somebody called `batcher`
_OF_KUBERNETES = re.compile(r"BATCHER_(SERVICE_(HOST|PORT)|PORT($|_))")


def unknown_variables(names: Iterable[str]) -> Iterator[str]:
    """What to say about each that isn't known. Values are not looked at: one may be a key."""
    known = {option.variable.removeprefix(_PREFIX): option.variable for option in SETTINGS.values()} | _OTHERS
    by_setting = {option.setting.upper().replace("-", "_"): option.variable for option in SETTINGS.values()} | known
    for name in sorted(names):
        short = name.removeprefix(_PREFIX)
        if short == name or short in known or _OF_KUBERNETES.match(name):
            continue
        if (option := short.lower().replace("_", "-")) in FOR_ONE_RUN:
            yield f"{name} has no effect: --{option} is meant for one run; give it on the command line"
            continue
        near = difflib.get_close_matches(short, by_setting, n=1, cutoff=0.6)
        hint = f"; did you mean {by_setting[near[0]]}?" if near else "; `batcher config` lists what can be set"
        yield f"{name} has no effect: batcher knows no such variable{hint}"
