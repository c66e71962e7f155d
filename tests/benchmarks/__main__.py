"""`python -m tests.benchmarks [--rounds 13] [--only sending,memory] [--quick] [--against PATH]`: measure, print one table.

Server and client have a core each where there are two; the machine's speed swings, so only ratios within a round count.
"""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .against import ratios
from .measure import THIS, Checkout
from .server import CLIENT_CORE, pin, serving
from .table import Line, text
from .targets import TARGETS, Bench


def main() -> None:
    """Measure what was asked for."""
    options = _options()
    chosen = options.only.split(",") if options.only else list(TARGETS)
    pin(0, CLIENT_CORE)
    lines: list[Line] = []
    with _home(options.home) as home, serving(home) as server:
        print(f"server: {server.name}; Python {platform.python_version()}; {platform.machine()}", file=sys.stderr)
        bench = Bench(
            server, home, options.rounds, 100_000 if options.quick else 1_000_000, 0.5 if options.quick else 3
        )
        for name in chosen:
            print(f"measuring: {name}", file=sys.stderr, flush=True)
            lines += TARGETS[name](bench) if options.against is None else ratios(name, bench, options.against, THIS)
            print(text(lines), file=sys.stderr, flush=True)
    print(text(lines))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=13, help="rounds, each of reference and batcher (13)")
    parser.add_argument("--only", help=f"some of {', '.join(TARGETS)}, separated by commas")
    parser.add_argument("--quick", action="store_true", help="100,000 rows where a million are due, half a minute idle")
    parser.add_argument("--home", type=Path, help="keep the input files in this directory (a temporary one)")
    parser.add_argument(
        "--against",
        type=Path,
        metavar="PATH",
        help="another checkout with a .venv: measure both in turn, show the ratios this ÷ that of each line",
    )
    options = parser.parse_args()
    if options.against is not None:
        options.against = _checkout(parser, options.against.resolve())
    unknown = set((options.only or "").split(",")) - {"", *TARGETS}
    if unknown:
        parser.error(f"--only {','.join(sorted(unknown))}: choose of {', '.join(TARGETS)}")
    return options


def _checkout(parser: argparse.ArgumentParser, root: Path) -> Checkout:
    python = root / ".venv" / "bin" / "python"
    if not python.exists():
        parser.error(f"--against {root}: no .venv; make it: python3 -m venv .venv && .venv/bin/pip install -e .")
    return Checkout(root, str(python))


@contextmanager
def _home(path: Path | None) -> Iterator[Path]:
    if path is not None:
        path.mkdir(parents=True, exist_ok=True)
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="batcher-benchmarks-") as made:
        yield Path(made)


if __name__ == "__main__":
    main()
