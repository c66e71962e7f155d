"""Never twice, never lost, in real processes: killed, interrupted, locked out; the server's own state file is the judge.

The sieges here are short; `python -m tests.crash --kills 300` lays long ones.
"""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from functools import partial
from pathlib import Path

import anyio.lowlevel
import pytest

from batcher.cli.loop import Interrupts, run_until
from batcher.send.drain import Drain
from tests.cli.test_progress import Dial
from tests.crash.command import begin, besiege, end, run, write_rows
from tests.crash.modes import Mode
from tests.crash.truth import judge
from tests.support.faulty import documents_in, server_thread
from tests.support.processes import bounded
from tests.support.runs import Job, row


def rows(directory: Path, count: int) -> set[str]:
    """An input of so many rows; their names."""
    names = {f"row {number}" for number in range(count)}
    write_rows(directory, [row(name) for name in sorted(names)])
    return names


def until(path: Path, size: int, process: subprocess.Popen[str]) -> None:
    """Wait until the file has this size."""
    while (not path.exists() or path.stat().st_size < size) and process.poll() is None:
        time.sleep(0.005)


@pytest.mark.parametrize(
    ("mode", "versions"), [*((mode, ("v1",)) for mode in Mode), (Mode.FILLED, ("v2",)), (Mode.OWN, ("v1", "v2"))]
)
def test_killed_at_random_instants(tmp_path: Path, mode: Mode, versions: tuple[str, ...]) -> None:
    """Restarted by the same command until it finishes: every row has its one outcome, as the server knows it too.

    Under version 2 of the API, too, and if each life chooses its version.
    """
    flags = [word for version in versions for word in ("--api", version)]
    numbers = besiege(tmp_path, mode, 24, 9, "--seed", "7", *flags)
    assert sum(numbers["blows"].values()) >= 5
    assert (numbers["verdict"]["duplicates"], numbers["verdict"]["losses"]) == (0, 0)
    assert sum(numbers["verdict"]["faults"].values()) > 0


def test_interrupted_at_random_instants(tmp_path: Path) -> None:
    """Ctrl-C and SIGTERM, once and twice, at random instants: the same holds."""
    numbers = besiege(tmp_path, Mode.FILLED, 24, 6, "--seed", "7", "--signals")
    assert numbers["exits"]["130"] >= 3
    assert set(numbers["exits"]) <= {"0", "1", "3", "130"}
    assert (numbers["verdict"]["duplicates"], numbers["verdict"]["losses"]) == (0, 0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_waits_for_what_is_in_flight(tmp_path: Path, number: signal.Signals) -> None:
    """Every request that had left has its outcome; nothing is uncertain, nothing is left open in the journal."""
    names = rows(tmp_path, 30)
    with server_thread(tmp_path / "server.sqlite", "--latency", "0.2") as server:
        with bounded(begin(tmp_path, server.base_url, "--concurrency", "4")) as process:
            until(tmp_path / "d.results.jsonl", 1, process)
            process.send_signal(number)
            code, found, errors = end(process)
        assert (code, found["interrupted"], found["uncertain"]) == (130, True, 0), errors
        assert 0 < found["created"] == 30 - found["toDo"] == len(server.commits)
        code, found, errors = run(tmp_path, server.base_url)
        assert (code, found["created"], found["reconciled"]) == (0, 30, 0), errors
    verdict = judge(Job(tmp_path).files, tmp_path / "server.sqlite", names, set(), start=1)
    assert not verdict.problems


def test_the_second_signal_stops_at_once(tmp_path: Path) -> None:
    """What is in flight is cut off: uncertain, and found again by the next run although its answer never came."""
    names = rows(tmp_path, 12)
    with server_thread(tmp_path / "server.sqlite", "--fault", "hang-after@5-8") as server:
        with bounded(begin(tmp_path, server.base_url, "--concurrency", "4", "--timeout", "60")) as process:
            while len(documents_in(server.state)) < 8 and process.poll() is None:
                time.sleep(0.02)
            begun = time.monotonic()
            process.send_signal(signal.SIGINT)
            time.sleep(0.2)
            process.send_signal(signal.SIGINT)
            code, found, errors = end(process)
        assert time.monotonic() - begun < 10
        assert (code, found["uncertain"], found["toDo"]) == (130, 4, 4), errors
        code, found, errors = run(tmp_path, server.base_url)
        assert (code, found["created"], found["reconciled"]) == (0, 12, 4), errors
    verdict = judge(Job(tmp_path).files, tmp_path / "server.sqlite", names, set(), start=1)
    assert not verdict.problems


def test_a_signal_while_the_files_are_closed_changes_nothing() -> None:
    """Regression: it ended the event loop between two steps, and the run in an internal error. A third is obeyed."""
    interrupts = Interrupts(Drain(), print)

    async def close(signals: int) -> int:
        with interrupts.draining(Dial()):
            await anyio.lowlevel.checkpoint()
        for _ in range(signals):
            signal.raise_signal(signal.SIGINT)
        return 7

    assert run_until(partial(close, 2), interrupts, None) == 7
    assert not interrupts.drain.is_on
    with pytest.raises(KeyboardInterrupt):
        run_until(partial(close, 1), interrupts, None)


def test_a_second_run_is_told_who_holds_the_files(tmp_path: Path) -> None:
    """Exit 4 at once, naming the process; once the holder is killed, its lock holds nobody back."""
    names = rows(tmp_path, 5)
    with server_thread(tmp_path / "server.sqlite", "--latency", "1") as server:
        with bounded(begin(tmp_path, server.base_url, "--concurrency", "1")) as holder:
            until(tmp_path / "d.journal.jsonl", 1, holder)
            code, found, errors = run(tmp_path, server.base_url)
            assert code == 4, errors
            assert f"process {holder.pid} on " in found["error"]
            assert "nothing was sent" in found["error"]
            holder.kill()
            holder.communicate()
        code, found, errors = run(tmp_path, server.base_url)
        assert (code, found["created"]) == (0, 5), errors
    verdict = judge(Job(tmp_path).files, tmp_path / "server.sqlite", names, set(), start=1)
    assert not verdict.problems
    assert not list(tmp_path.glob(".d.journal.jsonl.lock"))


def test_settled_by_hand_after_kills(tmp_path: Path) -> None:
    """Without identifiers: a person names the documents that are there, and asks for the others to be sent again."""
    numbers = besiege(tmp_path, Mode.UNNAMED, 24, 10, "--seed", "3")
    files, state = Job(tmp_path).files, tmp_path / "server.sqlite"
    made = {document.name: document.identifier for document in documents_in(state)}
    lines = [json.loads(line) for line in files.failures.read_bytes().splitlines()]
    assert len(lines) == numbers["verdict"]["uncertain"] > 0
    for line in lines:
        if line["spec"]["name"] in made:
            line["identifier"] = made[line["spec"]["name"]]
    files.failures.write_text("".join(json.dumps(line) + "\n" for line in lines))
    _, _, port = json.loads(files.journal.read_bytes().splitlines()[0])["baseUrl"].rpartition(":")
    there = sum(line["spec"]["name"] in made for line in lines)
    again = partial(run, tmp_path, source="d.failures.jsonl")
    with server_thread(state, port=int(port)) as server:
        code, found, errors = again(server.base_url, "--no-fill-identifiers", "--adopt-existing")
        assert (code, found["adopted"]) == (5 if there < len(lines) else 0, there), errors
        code, found, errors = again(server.base_url, "--no-fill-identifiers", "--resend-uncertain")
        assert (code, found["createdNow"]) == (0, len(lines) - there), errors
    names = [document.name for document in documents_in(state)]
    assert sorted(names) == sorted(set(names))
    assert len(names) == 24


def test_the_judge_is_not_blind(tmp_path: Path) -> None:
    """A duplicate, a lost line and a POST without an intent, made by hand, are all named."""
    names = rows(tmp_path, 4)
    files, state = Job(tmp_path).files, tmp_path / "server.sqlite"
    with server_thread(state) as server:
        assert run(tmp_path, server.base_url)[0] == 0
    assert not judge(files, state, names, set(), start=1).problems
    results, journal = files.results.read_bytes(), files.journal.read_bytes()
    files.results.write_bytes(b"".join(results.splitlines(keepends=True)[1:]))
    assert judge(files, state, names, set(), start=1).losses == 2  # the row, and its document
    files.results.write_bytes(results)
    intents = [line for line in journal.splitlines(keepends=True) if b'"intent"' in line]
    files.journal.write_bytes(journal.replace(intents[0], b""))
    assert any("POSTs" in problem for problem in judge(files, state, names, set(), start=1).problems)
    files.journal.write_bytes(journal)
    with closing(sqlite3.connect(state)) as db, db:
        db.execute(
            "INSERT INTO documents (identifier, name, model_id, body, dashboard_id, workbook_id, owner, created_at)"
            " SELECT identifier || '-2', name, model_id, body, dashboard_id, workbook_id, owner, created_at"
            " FROM documents LIMIT 1"
        )
    assert judge(files, state, names, set(), start=1).duplicates == 1
