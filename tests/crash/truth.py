"""The laws, judged from the server's own state file and the three files of the run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from batcher.config import Files
from batcher.sandbox.store import Document
from tests.support.faulty import LoggedRequest, documents_in, requests_in

STRANGER = "Stranger"  # how the names of documents begin that are not ours


@dataclass(slots=True)
class Verdict:
    """What was found. `problems` are sentences; without any the laws hold."""

    documents: int = 0
    reconciled: int = 0
    failed: int = 0
    uncertain: int = 0
    duplicates: int = 0
    losses: int = 0
    requests: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


def judge(
    files: Files, state: Path, names: set[str], failing: set[str], *, start: int, may_be_uncertain: bool = False
) -> Verdict:
    """Hold the files of a run that has come to its end against the server. `failing` rows must have failed.

    `start` is the server's start (counted from 1) during which the run took place.
    """
    verdict = Verdict()
    say = verdict.problems.append
    ours = [document for document in documents_in(state) if not document.name.startswith(STRANGER)]
    results, failures, journal = (list(lines(path)) for path in (files.results, files.failures, files.journal))
    _judge_documents(verdict, ours, results, failures)
    verdict.documents = len(ours)
    verdict.reconciled = sum(line["how"] == "reconciled" for line in results)
    verdict.failed = sum(line["outcome"] == "failed" for line in failures)
    verdict.uncertain = sum(line["outcome"] == "uncertain" for line in failures)
    told = Counter([line["name"] for line in results] + [line["spec"]["name"] for line in failures])
    verdict.losses += len(names - set(told))
    if told != Counter(names):
        odd = [name for name in names | set(told) if told[name] != 1]
        say(f"rows without exactly one outcome: {odd[:5]} ({len(odd)})")
    if (failed := {line["spec"]["name"] for line in failures if line["outcome"] == "failed"}) != failing:
        say(f"failed: {sorted(failed ^ failing)[:5]} are not as they should be")
    if verdict.uncertain and not may_be_uncertain:
        say(f"{verdict.uncertain} rows are uncertain")
    _judge_journal(verdict, journal, requests_in(state, start))
    return verdict


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """Every line of a JSONL file; a line that cannot be read is an error of the test."""
    for line in path.read_bytes().splitlines():
        yield json.loads(line)


def _judge_documents(
    verdict: Verdict, ours: list[Document], results: list[dict[str, Any]], failures: list[dict[str, Any]]
) -> None:
    """Each document stands in results once, or belongs to one uncertain row; each results line has its document."""
    say = verdict.problems.append
    for name, count in Counter(document.name for document in ours).items():
        if count > 1:
            verdict.duplicates += count - 1
            say(f"{name!r} was created {count} times")
    written = Counter((line["name"], line["identifier"]) for line in results)
    made = Counter((document.name, document.identifier) for document in ours)
    for one, count in (written - made).items():
        say(f"results have {one} {count} times more than the server")
    uncertain = {line["spec"]["name"] for line in failures if line["outcome"] == "uncertain"}
    for name, identifier in made - written:
        if name not in uncertain:
            verdict.losses += 1
            say(f"the document {identifier} of {name!r} is in no file")


def _judge_journal(verdict: Verdict, journal: list[dict[str, Any]], requests: list[LoggedRequest]) -> None:
    """Every POST has its intent, and no row without an identifier went out again while an attempt was unclear."""
    say = verdict.problems.append
    verdict.requests = len(requests)
    verdict.faults = Counter(request.fault.split("=")[0].split(":")[0] for request in requests if request.fault)
    posts = [request for request in requests if request.method == "POST"]
    intents = Counter(line["identifier"] for line in journal if line["type"] == "intent")
    posted = Counter(post.identifier for post in posts if post.identifier in intents)
    for identifier, count in posted.items():
        if count > intents[identifier]:
            say(f"{identifier}: {count} POSTs, {intents[identifier]} intents")
    if len(posts) > intents.total():
        say(f"{len(posts)} POSTs, {intents.total()} intents")
    unclear: set[str] = set()
    for line in journal:
        match line["type"]:
            case "intent" if line["identifier"] is None:
                if line["key"] in unclear and not line.get("resend"):
                    say(f"{line['key']} was sent again without an identifier while an attempt was unclear")
                unclear.add(line["key"])
            case "clear" | "settled" | "failed":
                unclear.discard(line["key"])
            case _:
                pass
