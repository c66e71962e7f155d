"""People edit their files between runs of the real command: the server is asked what came of it, by content (contract 5).

Hypothesis draws the edits (the desk is the simulation's); the person takes the way out that a refusal names. Each row has one
document. `PEOPLE_EXAMPLES=500 python -m pytest tests/laws/test_people.py` tries more of them.
"""

from __future__ import annotations

import csv
import io
import json
import os
import random
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batcher.sandbox import SandboxSettings

from ..simulation.desk import EDITS, Content, Desk, DeskRow, content_seen, marker_of, shorn
from ..simulation.schedule import MODELS
from ..support.command import start
from ..support.faulty import documents_in, on, sandbox_thread

EXAMPLES = int(os.environ.get("PEOPLE_EXAMPLES", "10"))
MOST_ANSWERS = 4
OK = (0, 1)
DEEDS = ("fix failures", "fix failures in a spreadsheet program", "save failures in a spreadsheet program", "fix both")
FILES = ("old results", "old failures", "lose results", "run results", "run failures")

REFUSED = on("400", lambda call: call.method == "POST" and b"refuse:" in call.body)


@dataclass
class Person:
    """Somebody with a directory, and what they know."""

    directory: Path
    base_url: str
    desk: Desk
    chance: random.Random
    failures: str
    feeds: bool = False
    strangers: list[str | None] = field(default_factory=list)  # their identifiers
    copies: list[dict[str, bytes]] = field(default_factory=list)
    right: dict[str, bytes] = field(default_factory=dict)  # what a refusal says is to be put back

    def batcher(self, *arguments: str) -> CompletedProcess[str]:
        """The command, as typed."""
        return start(self.directory, *arguments, "--base-url", self.base_url, OMNI_API_KEY="key-1")

    def run(self, *flags: str) -> CompletedProcess[str]:
        """One run of the inputs as they are now, or of the failures file."""
        inputs = self.write_inputs()
        if self.feeds and self.lines():
            inputs = [self.failures]
        files = ("--results", "boards.results.jsonl", "--failures", self.failures)
        return self.batcher("run", *inputs, *files, "--rate", "none", "--no-preflight", "--no-shared-pace", *flags)

    def write_inputs(self) -> list[str]:
        """The desk's files, and no others of its."""
        texts = self.desk.texts()
        for path in self.directory.iterdir():
            if re.fullmatch(r"(boards|panels)1?\.(jsonl|csv)", path.name) and path.name not in texts:
                path.unlink()
        for name, text in texts.items():
            (self.directory / name).write_bytes(text)
        return list(texts)

    def attend(self) -> None:
        """A run, and again after each refusal with the way out that it names."""
        flags, done = list[str](), self.run()
        for _ in range(MOST_ANSWERS):
            if done.returncode in OK:
                break
            assert done.returncode == 2, done.stderr
            flags += self.answer(done.stderr)
            done = self.run(*flags)
        assert done.returncode in OK, f"ways out that don't work: {flags}, then: {done.stderr}"
        if not self.feeds:
            self.desk.settled({marker_of(content[2]): content for content in self.made()})
        self.feeds = False
        self.right.clear()
        self.copies.append({path.name: path.read_bytes() for path in self.directory.iterdir() if path.is_file()})

    def answer(self, refused: str) -> list[str]:
        """Take the way out."""
        if "--rekey" in refused:
            return ["--rekey"]
        assert re.search("[Pp]ut (the key|that file|the results file) back", refused), refused
        for name, text in self.right.items():
            (self.directory / name).write_bytes(text)
        return []

    # what the person does ------------------------------------------------------------------------------------------

    def do(self, what: str) -> None:
        """An edit of the input, or something with the three files."""
        results = self.directory / "boards.results.jsonl"
        match what:
            case "old results" | "old failures" if self.copies:
                name = results.name if what == "old results" else self.failures
                if (old := self.chance.choice(self.copies).get(name)) is not None:
                    (self.directory / name).write_bytes(old)
            case "lose results" if results.exists():
                self.right[results.name] = results.read_bytes()
                results.unlink()
            case "run results" if results.exists() and results.stat().st_size:
                before = len(documents_in(self.directory / "state.sqlite"))
                assert self.batcher("run", results.name, "--rate", "none", "--no-preflight").returncode == 2
                assert len(documents_in(self.directory / "state.sqlite")) == before
            case "run failures":
                self.feeds = True
            case _ if what in DEEDS:
                self._edit_failures(what)
            case _:
                self.desk.edit(what, self.chance)

    def lines(self) -> list[dict[str, str]]:
        """The rows of the failures file, with `key` and `description` as they stand there."""
        path = self.directory / self.failures
        text = path.read_text("utf-8-sig") if path.exists() else ""
        if self.failures.endswith(".csv"):
            delimiter = max(",;\t", key=text.partition("\n")[0].count)
            return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))
        return [json.loads(line) for line in text.splitlines()]

    def _edit_failures(self, what: str) -> None:
        lines = self.lines()
        is_table = self.failures.endswith(".csv")
        rows = {row.number: row for row in self.desk.rows}
        for line in lines:
            spec = line if is_table else line["spec"]
            assert isinstance(spec, dict)
            said = next(name for name in spec if name.lower() == "description")  # a table keeps the input's own columns
            row = rows.get(marker_of(spec[said]))
            if "fix" in what and row is not None and row.touched != "key" and "refuse:" in spec[said]:
                self.desk.touch(row, "content")
                spec[said] = f"row:{row.number} v1.f{len(self.copies)}"
                if what == "fix both":
                    row.version, row.refuse = f"1.f{len(self.copies)}", None
        if not lines:
            return
        self.right[self.failures] = self._text(lines, is_table=is_table)
        if "spreadsheet" in what:
            for line in lines:
                name = "batcher_key" if is_table else "key"
                line[name] = shorn(line[name]) or ""
        (self.directory / self.failures).write_bytes(self._text(lines, is_table=is_table))
        self.feeds = True

    def _text(self, lines: list[dict[str, str]], *, is_table: bool) -> bytes:
        if not is_table:
            return "".join(json.dumps(line) + "\n" for line in lines).encode()
        out = io.StringIO(newline="")
        writer = csv.DictWriter(out, list(lines[0]), delimiter=self.chance.choice(",;"), lineterminator="\r\n")
        writer.writeheader()
        writer.writerows(lines)
        return out.getvalue().encode("utf-8-sig")

    # what the server says ------------------------------------------------------------------------------------------

    def made(self) -> list[Content]:
        """What people see of each living document."""
        documents = documents_in(self.directory / "state.sqlite")
        return [content_seen(json.loads(one.body)) for one in documents if one.deleted_at is None]

    def judge(self) -> None:
        """One document for each row, but for a second one where a row without a key was renamed."""
        made = [content for content in self.made() if marker_of(content[2]) >= 0]
        assert [content for content, count in Counter(made).items() if count > 1] == []
        for number, count in Counter(marker_of(content[2]) for content in made).items():
            assert count <= 1 + self.desk.renames[number], (number, made)

    def meet_strangers(self) -> None:
        """What a spreadsheet program makes of our identifiers is somebody else's: 00010 is 10."""
        self.strangers = [shorn(row.identifier) for row in self.desk.rows[::2]]
        lines = (
            {"modelId": MODELS[0], "name": "Theirs", "description": "theirs", "identifier": one, "key": one}
            for one in self.strangers
        )
        (self.directory / "theirs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        done = self.batcher("run", "theirs.jsonl", "--rate", "none", "--no-preflight", "--no-shared-pace")
        assert done.returncode == 0, done.stderr

    def undo(self) -> None:
        """Of the results as a spreadsheet program saved them; then, if that is refused, as they were."""
        results = self.directory / "boards.results.jsonl"
        right = results.read_bytes() if results.exists() else b""
        if not right:
            return
        saved = [json.loads(line) for line in right.splitlines()]
        for line in saved:
            line["key"], line["identifier"] = shorn(line["key"]), shorn(line["identifier"])
        self.right = {results.name: right}
        results.write_text("".join(json.dumps(line) + "\n" for line in saved))
        undo = ("undo", results.name, "--yes", "--rate", "none", "--no-shared-pace")
        done = self.batcher(*undo)
        if done.returncode == 2:
            self.answer(done.stderr)
            done = self.batcher(*undo)
        assert done.returncode == 0, done.stderr

    def judge_the_end(self) -> None:
        """Each row that the server takes has its document."""
        numbers = {marker_of(content[2]) for content in self.made()}
        taken = [row for row in self.desk.rows if row.refuse is None and row.identifier not in self.strangers]
        assert [row for row in taken if row.number not in numbers] == []


def desk(chance: random.Random, *, has_keys: bool, has_identifiers: bool) -> Desk:
    """Some rows, a third of which are refused."""
    return Desk(
        [
            DeskRow(
                number,
                chance.choice(MODELS),
                f"Café {number}",
                key=f"{number + 1:04}" if has_keys else None,
                identifier=f"{number + 10:05}" if has_identifiers else None,
                refuse=400 if chance.random() < 0.3 else None,
            )
            for number in range(chance.choice((2, 3, 5)))
        ]
    )


@settings(max_examples=EXAMPLES)
@given(
    chance=st.randoms(use_true_random=False),
    edits=st.lists(st.lists(st.sampled_from((*EDITS, *DEEDS, *FILES)), min_size=1, max_size=2), min_size=2, max_size=5),
    failures=st.sampled_from(("boards.failures.jsonl", "boards.failures.csv")),
    has_keys=st.booleans(),
    has_identifiers=st.booleans(),
)
def test_whatever_people_edit_each_row_is_one_document(
    tmp_path_factory: pytest.TempPathFactory,
    chance: random.Random,
    edits: list[list[str]],
    failures: str,
    has_keys: bool,
    has_identifiers: bool,
) -> None:
    """Edit, run, edit, run; and in the end an undo that leaves nothing of ours, and of others everything."""
    directory = tmp_path_factory.mktemp("people")
    state = directory / "state.sqlite"
    with sandbox_thread(SandboxSettings(state=state, faults=(REFUSED,))) as base_url:
        rows = desk(chance, has_keys=has_keys, has_identifiers=has_identifiers)
        person = Person(directory, base_url, rows, chance, failures)
        if has_identifiers:
            person.meet_strangers()
        person.attend()
        for wanted in edits:
            person.desk.runs += 1
            for what in wanted:
                person.do(what)
            person.attend()
            person.judge()
        person.feeds = False
        person.attend()
        person.judge()
        person.judge_the_end()
        person.undo()
        assert [content for content in person.made() if marker_of(content[2]) >= 0] == []
        assert len(person.made()) == len(person.strangers)
