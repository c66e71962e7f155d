"""An Airflow DAG that runs batcher every night and branches on its exit code. Put it into the DAGs folder.

The worker needs `batcher` on its PATH, OMNI_API_KEY and OMNI_BASE_URL in its environment, and DIRECTORY on a disk that
is the same every night: the three files of the run lie there.
"""

from __future__ import annotations

import logging
import os
import subprocess
from datetime import UTC, datetime, timedelta

try:
    from airflow.sdk import dag, task
except ImportError:  # before Airflow 3
    from airflow.decorators import dag, task

log = logging.getLogger(__name__)
DIRECTORY = os.environ.get("DASHBOARDS_DIRECTORY", "/srv/batcher")
COMMAND = ["batcher", "run", "dashboards.csv", "--skip-invalid", "--deadline", "4h"]
COMMAND += ["--log-format", "json", "--summary", "nightly.json"]

# What each exit code leads to; any other (2 usage or input, 70 internal error) is an alarm.
NEXT = {
    0: "publish",
    1: "report_failures",  # finished, some rows failed
    3: "run_again",  # stopped early: key refused, server gone, disk full
    4: "leave_it",  # another run holds the files
    5: "run_again",  # uncertain rows: the next run settles them first
    6: "leave_it",  # deadline reached: the next night goes on
    130: "run_again",  # the worker was asked to stop
}


def next_task(exit_code: int) -> str:
    """The task that follows a run which ended like this."""
    return NEXT.get(exit_code, "raise_alarm")


def run_batcher() -> int:
    """Run it once; its lines go to the task's log."""
    return subprocess.run(COMMAND, cwd=DIRECTORY, check=False).returncode  # noqa: S603 - the command is this file's own


@dag(
    schedule="30 2 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=10),
)
def batcher_nightly() -> None:
    """Run, then one of: publish, report, run again, leave it, alarm."""

    @task
    def create_documents() -> int:
        return run_batcher()

    @task.branch
    def choose(exit_code: int) -> str:
        return next_task(exit_code)

    @task
    def publish() -> None:
        log.info("every document is created")

    @task
    def report_failures() -> None:
        raise RuntimeError(f"some rows failed: fix {DIRECTORY}/dashboards.failures.jsonl and run it")

    @task
    def run_again() -> None:
        code = run_batcher()
        if next_task(code) not in ("publish", "leave_it"):
            raise RuntimeError(f"batcher ended with exit code {code} again, see {DIRECTORY}/nightly.json")

    @task
    def leave_it() -> None:
        log.info("the next run goes on")

    @task
    def raise_alarm() -> None:
        raise RuntimeError(f"batcher cannot run, see the log of create_documents and {DIRECTORY}/nightly.json")

    choose(create_documents()) >> [publish(), report_failures(), run_again(), leave_it(), raise_alarm()]


batcher_nightly()
