"""What the pace makes of servers that answer 429: simulated hours, ten seeds each, as a table.

python -m tests.pace                          # 25 minutes of one core
python -m tests.pace --only strays --seeds 3  # only the lines whose name holds this text
"""

from __future__ import annotations

import argparse
import statistics
from concurrent.futures import ProcessPoolExecutor

from batcher.pace.rate import Rate

from .firewall import Measured, Other, Scenario, measure

RATES = (Rate(60, 60.0), Rate(500, 60.0), Rate(30, 10.0))
SECONDS = 3600.0
COMES_AND_GOES = [(600.0 * n, 600.0 * n + 300.0) for n in range(6)]

SCENARIOS = (
    Scenario("alone"),
    *(Scenario(f"strays, {share:.1%}", share) for share in (0.001, 0.005, 0.01, 0.03, 0.05)),
    *(Scenario(f"another at {share:.0%}", other=Other(share)) for share in (0.25, 0.5, 0.75)),
    *(
        Scenario(f"another at {share:.0%}, 5 minutes of every 10", other=Other(share, COMES_AND_GOES))
        for share in (0.25, 0.5, 0.75)
    ),
    *(Scenario(f"another at 50%, strays {share:.1%}", share, Other(0.5)) for share in (0.001, 0.01, 0.03)),
    *(Scenario(f"another at 50%, Retry-After {text}", other=Other(0.5), retry_after=text) for text in ("10", "60")),
    Scenario("half of the rate allowed", limit=0.5),
    Scenario("the same, blocked ones not counted", limit=0.5, counts_blocked=False),
    *(Scenario(f"noticed {lag:.0f} s late", lag_seconds=lag) for lag in (5.0, 20.0, 60.0)),
    *(
        Scenario(f"noticed {lag:.0f} s late, another at 50%", lag_seconds=lag, other=Other(0.5))
        for lag in (5.0, 20.0, 60.0)
    ),
    Scenario("all blocked for 3 s each minute", bursts=(60.0, 3.0)),
    Scenario("all blocked for 20 s in 10 minutes", bursts=(600.0, 20.0)),
    Scenario("all blocked for 2 of 10 minutes", bursts=(600.0, 120.0)),
    Scenario("strays, 1%, Retry-After 0", 0.01, retry_after="0"),
    Scenario("strays, 1%, Retry-After gone by", 0.01, retry_after="Wed, 01 Jul 2020 12:00:00 GMT"),
    Scenario("strays, 1%, Retry-After garbage", 0.01, retry_after="soon"),
    Scenario("strays, 1%, Retry-After 10", 0.01, retry_after="10"),
)


def cell(runs: list[Measured]) -> str:
    """Use: the mean and the worst of the seeds; blocked: the worst."""
    used = [run.everybodys for run in runs]
    return f"{statistics.mean(used):.1%} ({min(used):.1%}), {max(run.blocked for run in runs):.2%}"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="only the lines whose name holds this text")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    print(f"| of the rate: mean (worst), blocked | {' | '.join(map(str, RATES))} |\n|---|---|---|---|", flush=True)
    with ProcessPoolExecutor(args.jobs) as pool:
        for scenario in SCENARIOS:
            if args.only not in scenario.name:
                continue
            runs = [
                [pool.submit(measure, scenario, rate, SECONDS, seed) for seed in range(args.seeds)] for rate in RATES
            ]
            cells = [cell([run.result() for run in row]) for row in runs]
            print(f"| {scenario.name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
