"""One input under siege: run, strike, run the same command again, until the blows are spent; then let it finish and judge."""

from __future__ import annotations

import json
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from batcher.config import Files
from tests.support.faulty import ServerProcess, server_process

from .blow import Aim, Blow
from .command import environment
from .life import Death, live
from .modes import MODEL, Mode, identifier_of, is_taken, name_of, write_input
from .truth import STRANGER, Verdict, judge
from .weather import faults

LATENCY_SECONDS = "0.08"  # long enough that kills find requests in flight, and an input lasts for many of them
LIVES_TO_FINISH = 30  # refused rows (400 at random) are sent again by each
SENT_BY = ("--rate", "none", "--no-preflight", "--no-shared-pace", "--timeout", "2", "--concurrency", "4", "--json")
ENDS = {0, 1, 3, 5, 130, -9, -2, -15}  # 3: the first answer of a life was unreadable; never 2, 4 or 70


@dataclass(slots=True)
class Numbers:
    """What a siege counts."""

    mode: Mode
    lives: int = 0
    blows: Counter[str] = field(default_factory=Counter)
    exits: Counter[int] = field(default_factory=Counter)
    halfway_files: int = 0  # new failures files that a kill left behind: it fell into a compaction
    verdict: Verdict = field(default_factory=Verdict)

    @property
    def struck(self) -> int:
        """How many lives were ended, or asked to end, by a signal."""
        return self.blows.total()


@dataclass(frozen=True, slots=True)
class Siege:
    """`signals`: with ctrl-C and SIGTERM instead of kills. `versions` of the API: each life chooses one of them."""

    directory: Path
    mode: Mode
    rows: int
    blows: int
    seed: int
    signals: bool = False
    versions: tuple[str, ...] = ("v1",)

    @property
    def files(self) -> Files:
        """Beside the input."""
        names = (self.directory / f"d.{kind}.jsonl" for kind in ("results", "failures", "journal"))
        results, failures, journal = names
        return Files(results=results, failures=failures, journal=journal)

    @property
    def state(self) -> Path:
        """The server's truth."""
        return self.directory / "server.sqlite"

    def run(self) -> Numbers:
        """Lay the siege. Raises AssertionError where a law is broken."""
        random = Random(f"{self.mode}/{self.seed}")
        numbers = Numbers(self.mode)
        write_input(self.directory / "d.jsonl", self.mode, self.rows)
        flags = [word for fault in faults(self.mode) for word in ("--fault", fault)]
        taken = self._strangers()
        with server_process(self.state, "--seed", str(self.seed), "--latency", LATENCY_SECONDS, *flags) as server:
            try:
                self._strike(server, random, numbers)
                last = self._finish(server, numbers)
            except AssertionError as broken:
                broken.add_note(str(numbers))
                raise
        names = {name_of(number) for number in range(self.rows)}
        unnamed = self.mode is Mode.UNNAMED
        numbers.verdict = judge(self.files, self.state, names, taken, may_be_uncertain=unnamed, start=2)
        assert not _halfway(self.directory), "a new failures file was left behind"
        _check_summary(last, self.rows, numbers.verdict)
        assert not numbers.verdict.problems, "\n".join(numbers.verdict.problems)
        return numbers

    def _strike(self, server: ServerProcess, random: Random, numbers: Numbers) -> None:
        while numbers.struck < self.blows:
            left = self.rows - _count_lines(self.files.results)
            aim = Aim(self.files.journal, self.files.results, left / (self.blows - numbers.struck))
            blow = aim.draw_signal(random) if self.signals else aim.draw(random)
            death = self._live(server, numbers, blow)
            if death.was_struck:
                numbers.blows[blow.name] += 1
            elif death.code == 0 or numbers.lives > 3 * self.blows + 20:
                break

    def _finish(self, server: ServerProcess, numbers: Numbers) -> Death:
        """Let it come to its end; a row that was refused by chance is sent again by the next run."""
        goal = {Mode.FILLED: 0, Mode.OWN: 1, Mode.UNNAMED: 5}[self.mode]
        for _ in range(LIVES_TO_FINISH):
            death = self._live(server, numbers, None)
            failed = _count_failed(self.files.failures)
            if death.code in (goal, 0) and failed == sum(is_taken(self.mode, number) for number in range(self.rows)):
                return death
        raise AssertionError(f"not finished after {LIVES_TO_FINISH} runs: {(self.directory / 'stderr').read_text()}")

    def _live(self, server: ServerProcess, numbers: Numbers, blow: Blow | None) -> Death:
        """One run; whatever became of it, no whole line of results or journal is gone afterwards."""
        before = {path: _whole_lines(path) for path in (self.files.results, self.files.journal)}
        halfway = _halfway(self.directory)
        death = live(
            ["run", "d.jsonl", "--base-url", server.base_url, *SENT_BY, *self._more(numbers.lives)],
            self.directory,
            environment(self.directory),
            blow,
            fresh=blow is not None and blow.fresh,
        )
        numbers.lives += 1
        numbers.exits[death.code] += 1
        numbers.halfway_files += bool(_halfway(self.directory) - halfway)
        assert death.code in ENDS, f"exit code {death.code} ({blow and blow.name}): {death.errors}"
        for path, text in before.items():
            assert not text or path.read_bytes().startswith(text), f"{path.name} lost whole lines"
        return death

    def _more(self, life: int) -> list[str]:
        version = Random(f"{self.seed}/{life}").choice(self.versions)
        return ["--api", version, *(["--no-fill-identifiers"] if self.mode is Mode.UNNAMED else [])]

    def _strangers(self) -> set[str]:
        """Documents of somebody else under identifiers of ours; the names of our rows that must fail for it."""
        taken = [number for number in range(self.rows) if is_taken(self.mode, number)]
        with server_process(self.state) as server:  # another start of the server, so that its requests are told apart
            for number in taken:
                create(server.base_url, f"{STRANGER} {number}", identifier_of(number))
        return {name_of(number) for number in taken}


def create(base_url: str, name: str, identifier: str) -> None:
    """Make one document as somebody else."""
    body = json.dumps({"modelId": MODEL, "name": name, "identifier": identifier}).encode()
    headers = {"Authorization": "Bearer stranger", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{base_url}/api/v1/documents", body, headers)  # noqa: S310 - our own loopback
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - our own loopback
        assert answer.status == 201


def _halfway(directory: Path) -> set[tuple[Path, int]]:
    """New failures files that are not in place yet, each with its time."""
    return {(path, path.stat().st_mtime_ns) for path in directory.glob(".*.new")}


def _check_summary(last: Death, rows: int, verdict: Verdict) -> None:
    """The last run's own words agree with what was found."""
    told = json.loads(last.output)
    assert told["exitCode"] == last.code
    assert told["rows"] == rows == told["created"] + told["failed"] + told["uncertain"] + told["notAttempted"], told
    assert (told["failed"], told["uncertain"]) == (verdict.failed, verdict.uncertain), told


def _whole_lines(path: Path) -> bytes:
    text = path.read_bytes() if path.exists() else b""
    return text[: text.rfind(b"\n") + 1]


def _count_lines(path: Path) -> int:
    return _whole_lines(path).count(b"\n")


def _count_failed(path: Path) -> int:
    return sum(json.loads(line)["outcome"] == "failed" for line in path.read_bytes().splitlines())
