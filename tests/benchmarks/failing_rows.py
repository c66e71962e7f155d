"""`python -m tests.benchmarks.failing_rows [ROWS ...]`: memory and time of nights that find nothing but invalid rows.

Each command runs twice over the same input, in a process of its own, against the embedded server. A row that fails every
night costs what the journal's reader keeps of it: its key and where its line is.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.support.rows import MODEL

COMMANDS = (("run", "--skip-invalid"), ("run", "--skip-invalid"), ("status",))
_PEAK_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True, slots=True)
class Night:
    """What one command took: CPU seconds and, at its peak, bytes of memory."""

    command: str
    code: int
    cpu_seconds: float
    peak_bytes: int


def nights(home: Path, rows: int) -> list[Night]:
    """Write so many invalid rows (and one that is valid) and run the commands over them, in this directory."""
    with (home / "in.jsonl").open("w") as stream:
        stream.write(f'{{"modelId":"{MODEL}","name":"good"}}\n')
        stream.writelines(
            f'{{"modelId":"ecommerce","name":"Row {n}","description":"{"x" * 600}"}}\n' for n in range(rows)
        )
    return [_night(home, *command) for command in COMMANDS]


def _night(home: Path, *command: str) -> Night:
    arguments = [sys.executable, "-m", "batcher", command[0], "in.jsonl", *command[1:], "--sandbox", "-q"]
    environment = os.environ | {"BATCHER_STATE_DIR": str(home / "state")}
    with subprocess.Popen(arguments, cwd=home, env=environment, stdout=-3, stderr=-3) as child:
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    return Night(command[0], child.returncode, used.ru_utime + used.ru_stime, used.ru_maxrss * _PEAK_UNIT)


def main() -> None:
    """Measure and print a table."""
    sizes = [int(size) for size in sys.argv[1:]] or [1_000, 100_000]
    print(f"{'invalid rows':>12}  {'command':10}{'exit':>5}{'CPU s':>8}{'peak MB':>9}")
    for size in sizes:
        with tempfile.TemporaryDirectory() as home:
            for night in nights(Path(home), size):
                figures = f"{night.code:>5}{night.cpu_seconds:>8.1f}{night.peak_bytes / (1 << 20):>9.0f}"
                print(f"{size:>12,}  {night.command:10}{figures}", flush=True)


if __name__ == "__main__":
    main()
