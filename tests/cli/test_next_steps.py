"""Each command that a screen suggests is run as it is printed, in the state in which it is printed; it does what it says.

A case leaves a directory and a server in some state by one command. What its screen suggests is pasted into a shell's
words and run; then the server is asked how many documents there are now.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from batcher.sandbox import Fault, SandboxSettings

from ..support.command import environment, start
from ..support.faulty import sandbox_thread
from ..support.processes import bounded
from ..support.rows import MODEL

STEP = re.compile(r"^(Next|Or): ([^\n]*(?:\n  [^\n]+)*?):\n  (batcher [^\n]+)$", re.MULTILINE)
ROWS = 8


@dataclass
class Place:
    """A directory with `d.csv`, and a server."""

    directory: Path
    url: str
    key: str = "good"

    def command(self, *words: str) -> CompletedProcess[str]:
        """Run a command there."""
        return start(self.directory, *words, OMNI_API_KEY=self.key)

    def suggested(self, *words: str) -> list[tuple[str, list[str]]]:
        """What the command's screen suggests: in words, and the words of the command line."""
        done = self.command(*words)
        steps = STEP.findall(done.stderr)
        assert "Traceback" not in done.stderr
        return [(" ".join(what.split()), shlex.split(line)[1:]) for _, what, line in steps]

    @property
    def created(self) -> int:
        """Rows of the results file."""
        path = self.directory / "d.results.jsonl"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def rehearsed(self) -> int:
        """Rows that the rehearsal created."""
        path = self.directory / "d.sandbox.results.jsonl"
        return len(path.read_text().splitlines()) if path.exists() else 0


@contextmanager
def placed(directory: Path, *faults: str, rows: int = ROWS, **settings: object) -> Iterator[Place]:
    """A place whose server makes these faults."""
    lines = "".join(f"Board {number},{MODEL}\n" for number in range(rows))
    (directory / "d.csv").write_text(f"name,modelId\n{lines}")
    known = SandboxSettings(faults=tuple(map(Fault.parse, faults)), keys=frozenset({"good"}), **settings)  # type: ignore[arg-type]
    with sandbox_thread(known) as url:
        yield Place(directory, url)


@pytest.mark.parametrize("gone", ["v1", "v2"])
def test_after_a_version_of_the_api_has_gone_it_is_the_other(tmp_path: Path, gone: str) -> None:
    """The rest is created by that one."""
    with placed(tmp_path, no_v1=gone == "v1", no_v2=410 if gone == "v2" else None) as place:
        flags = ("--base-url", place.url, "--rate", "none")
        [(_, line)] = place.suggested("run", "d.csv", *flags, "--api", gone)
        assert line == ["run", "d.csv", *flags, "--api", "v2" if gone == "v1" else "v1"]
        assert place.command(*line).returncode == 0
        assert place.created == ROWS


def test_an_option_that_was_typed_twice_is_suggested_twice(tmp_path: Path) -> None:
    """It was suggested once, with a Python list for its value, which made a label of that name."""
    with placed(tmp_path) as place:
        labels = ("--label", "one", "--label", "two words", "--create-labels")
        flags = ("--base-url", place.url, "--rate", "none", *labels)
        [(_, line)] = place.suggested("run", "d.csv", *flags, "--limit", "3")
        assert line == ["run", "d.csv", *flags]
        assert place.command(*line).returncode == 0
        assert place.created == ROWS


def test_after_a_check_without_a_target_it_rehearses(tmp_path: Path) -> None:
    """Nothing is sent to anybody."""
    with placed(tmp_path) as place:
        [(what, line)] = place.suggested("check", "d.csv", "--rate", "none")
        assert "rehearse" in what
        assert line == ["run", "d.csv", "--rate", "none", "--sandbox"]
        assert place.command(*line).returncode == 0
        assert (place.rehearsed(), place.created) == (ROWS, 0)


def test_after_a_check_with_a_target_it_creates_there(tmp_path: Path) -> None:
    """Under the check's own options; a large first run begins with five."""
    with placed(tmp_path, rows=120) as place:
        asked = place.suggested("check", "d.csv", "--online", "--base-url", place.url, "--rate", "none")
        [(what, line)] = place.suggested("check", "d.csv", "--base-url", place.url, "--rate", "none")
        assert [(what, line)] == asked
        assert what == "create the first five"
        assert line[-2:] == ["--limit", "5"]
        assert place.command(*line).returncode == 6
        assert place.created == 5
        [(what, line)] = place.suggested("check", "d.csv", "--rate", "none")  # where the journal's runs sent
        assert what == "create the other 115 rows"
        assert place.command(*line).returncode == 0
        assert place.created == 120


def test_after_a_check_without_a_key_it_asks_for_one(tmp_path: Path) -> None:
    """The command alone would be refused."""
    with placed(tmp_path) as place:
        place.key = ""
        [(what, line)] = place.suggested("check", "d.csv", "--base-url", place.url, "--rate", "none")
        assert what == "set OMNI_API_KEY, then create them"
        place.key = "good"
        assert place.command(*line).returncode == 0


def test_after_a_rehearsal_five_are_created_for_real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the rehearsal's rate; on the instance that the environment names, or the one that somebody fills in."""
    monkeypatch.delenv("OMNI_BASE_URL", raising=False)
    with placed(tmp_path) as place:
        [(what, line)] = place.suggested("run", "d.csv", "--sandbox", "--rate", "50/s")
        assert what == "create five for real, on your instance (NAME.omniapp.co)"
        assert line == ["run", "d.csv", "--instance", "NAME", "--limit", "5"]
        again = [word if word != "--instance" else "--base-url" for word in line]
        again[again.index("NAME")] = place.url
        assert place.command(*again, "--rate", "none").returncode == 6
        assert place.created == 5
        (tmp_path / "batcher.toml").write_text(f'base-url = "{place.url}"\nrate = "none"\n')
        (tmp_path / "d.csv").write_text(f"name,modelId\nNew,{MODEL}\n")
        [(what, line)] = place.suggested("run", "d.csv", "--sandbox")
        assert (what, line) == (f"create five for real, on {place.url}", ["run", "d.csv", "--limit", "5"])
        assert place.command(*line).returncode == 0
        assert place.created == 6


def test_after_a_canary_the_rest(tmp_path: Path) -> None:
    """All that is left, and no row twice; then they are compared."""
    with placed(tmp_path) as place:
        [(what, line)] = place.suggested("run", "d.csv", "--base-url", place.url, "--rate", "none", "--limit", "3")
        assert what == "continue with the 5 rows left"
        [(what, line)] = place.suggested(*line)
        assert what == "compare the documents with what was sent"
        assert (place.command(*line, "--rate", "none").returncode, place.created) == (0, ROWS)


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_after_failures_the_input_is_fixed(tmp_path: Path, form: str) -> None:
    """A spreadsheet itself; of JSON Lines the failures file. The same rows are sent again, and only they."""
    with placed(tmp_path, "400@2", "400@5") as place:
        if form == "jsonl":
            lines = [f'{{"name":"Board {number}","modelId":"{MODEL}"}}\n' for number in range(ROWS)]
            (tmp_path / "d.jsonl").write_text("".join(lines))
        [(what, line)] = place.suggested("run", f"d.{form}", "--base-url", place.url, "--rate", "none")
        assert what == f"fix the failed rows in {'d.csv' if form == 'csv' else 'd.failures.jsonl'}, then"
        if form == "csv":
            [(of_status, again)] = place.suggested("status", "d.csv", "--base-url", place.url, "--rate", "none")
            assert (of_status, again) == ("fix the 2 failed rows, then", line)
        assert place.created == ROWS - 2
        assert (place.command(*line).returncode, place.created) == (0, ROWS)


def test_what_is_uncertain_is_settled(tmp_path: Path) -> None:
    """By the same command: the document is found, and none is made."""
    with placed(tmp_path, "reset-after@2", "GET 500@1") as place:
        at = ["--base-url", place.url, "--rate", "none", "--max-attempts", "1", "--no-preflight"]
        [(what, line)] = place.suggested("run", "d.csv", *at)
        assert what == "settle the uncertain rows, which the next run does first"
        assert place.command(*line).returncode == 0
        results = [json.loads(text) for text in (tmp_path / "d.results.jsonl").read_text().splitlines()]
        assert sorted(result["how"] for result in results) == ["created"] * (ROWS - 1) + ["reconciled"]


@pytest.mark.parametrize("deadline", [True, False], ids=["deadline", "interrupted"])
def test_what_was_cut_off_goes_on(tmp_path: Path, deadline: bool) -> None:
    """With the same command; a canary with as many as are missing of it."""
    with placed(tmp_path, rows=30) as place:
        at = ["--base-url", place.url, "--rate", "10/s"]
        cut = ["--deadline", "1s"] if deadline else ["--deadline", "1s", "--limit", "20"]
        _, line = place.suggested("run", "d.csv", *at, *cut)[0]
        made = place.created
        assert 0 < made < 20
        rest = [word for word in line if word not in ("--deadline", "1s")]
        rest[rest.index("10/s")] = "none"
        assert place.command(*rest).returncode == (0 if deadline else 6)
        assert place.created == (30 if deadline else 20)  # twenty were asked for, not twenty more


def test_a_refused_key_and_an_unreachable_server(tmp_path: Path) -> None:
    """Once the cause is gone, the same command creates them all."""
    with placed(tmp_path) as place:
        place.key = "stale"
        [(what, line)] = place.suggested("run", "d.csv", "--base-url", place.url, "--rate", "none", "--no-preflight")
        assert what == f"continue with the {ROWS} rows left"
        place.key = "good"
        assert (place.command(*line).returncode, place.created) == (0, ROWS)
    (tmp_path / "e.csv").write_text(f"name,modelId\nNew,{MODEL}\n")
    gone = ["--base-url", "http://127.0.0.1:9", "--rate", "none", "--give-up-after", "1s"]
    [(what, line)] = Place(tmp_path, "").suggested("run", "e.csv", *gone)
    assert (what, line) == ("continue with the 1 row left", ["run", "e.csv", *gone])


def test_what_verify_misses_is_created(tmp_path: Path) -> None:
    """Rows without a document; nothing is suggested for one that differs."""
    with placed(tmp_path) as place:
        at = ["--base-url", place.url]
        place.command("run", "d.csv", *at, "--rate", "none", "--limit", "6")
        [(what, line)] = place.suggested("verify", "d.csv", *at, "--rate", "none")
        assert what == "create documents for the 2 rows that have none"
        assert (place.command(*line, "--rate", "none").returncode, place.created) == (0, ROWS)
        assert place.suggested("verify", "d.csv", *at, "--rate", "none") == []


def test_a_killed_undo_is_run_again_as_status_says(tmp_path: Path) -> None:
    """First as a dry run, which names --yes; then all are gone."""
    with placed(tmp_path, "DELETE hang-before@3") as place:
        at = ["d.results.jsonl", "--base-url", place.url, "--rate", "none"]
        place.command("run", "d.csv", *at[1:])
        undo = subprocess.Popen(
            [sys.executable, "-m", "batcher", "undo", *at, "--yes", "--concurrency", "1"],
            cwd=tmp_path,
            env=environment(tmp_path, OMNI_API_KEY="good"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        with bounded(undo):
            limit = time.monotonic() + 30
            while (tmp_path / "d.journal.jsonl").read_text().count('"undoing"') < 3:
                assert time.monotonic() < limit
                time.sleep(0.02)
        said = place.command("status", "d.csv", *at[1:]).stderr
        [again] = re.findall(r"an undo was cut off: run it again: `batcher ([^`]+)`", said)
        [(what, line)] = place.suggested(*shlex.split(again))
        assert what == "move them to Trash"
        # the kill may have come before the third DELETE did: then that one hangs now
        assert place.command(*line, "--rate", "none", "--timeout", "1").returncode == 0
        left = place.command("undo", "d.results.jsonl").stdout
        assert left == "d.results.jsonl: nothing to delete (8 deleted before)\n"


def test_undo_deletes_what_it_has_listed_and_no_more(tmp_path: Path) -> None:
    """After the dry run with --yes; a limited one suggests no further deletion."""
    with placed(tmp_path) as place:
        place.command("run", "d.csv", "--base-url", place.url, "--rate", "none")
        [(what, line)] = place.suggested("undo", "d.results.jsonl", "--rate", "none", "--limit", "3")
        assert what == "move them to Trash"
        assert place.suggested(*line) == []
        [(what, line)] = place.suggested("undo", "d.results.jsonl", "--rate", "none")
        done = place.command(*line)
        assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "  not touched: 3 deleted before")


def test_an_undo_that_was_cut_off_goes_on_with_what_was_asked(tmp_path: Path) -> None:
    """Three were to go, the first did: two more go, not three."""
    with placed(tmp_path) as place:
        place.command("run", "d.csv", "--base-url", place.url, "--rate", "none")
        at = ["--base-url", place.url, "--rate", "1/s", "--deadline", "1500ms", "--limit", "5"]
        [(what, line)] = place.suggested("undo", "d.results.jsonl", *at, "--yes")
        gone = int(re.findall(r"delete the (\d) documents? left", what)[0])
        assert line[line.index("--limit") + 1] == str(gone) != "5"
        rest = [word for word in line if word not in ("--deadline", "1500ms")]
        rest[rest.index("1/s")] = "none"
        assert place.command(*rest).returncode == 6
        left = place.command("undo", "d.results.jsonl")
        assert "3 documents at" in left.stdout
