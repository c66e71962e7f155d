"""Counts that add up, the exit code, and the summary in both of its forms."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

import batcher.cli.app
from batcher.cli.screen.command_lines import CommandLine
from batcher.cli.screen.failures_text import failures_text
from batcher.cli.screen.next_steps import Step, after_run
from batcher.cli.screen.page import PLAIN
from batcher.cli.screen.summary_text import summary_text
from batcher.cli.settings.given import Given
from batcher.config import Files
from batcher.models import Failed, Uncertain
from batcher.reasons import Reason
from batcher.report.failure_groups import FailureGroup, FailureGroups
from batcher.report.summary import Summary, exit_code, summary_object


def summary(**fields: Any) -> Summary:
    """A summary of a run; the rows are those of the counts unless given."""
    counted = ("created_now", "created_before", "reconciled", "adopted", "failed", "uncertain", "to_do", "undone")
    known: dict[str, Any] = {
        "run": "r1",
        "started": "2026-07-01T09:30:00.000Z",
        "finished": "2026-07-01T09:31:00.000Z",
        "elapsed_seconds": 60.0,
        "inputs": ("d.csv",),
        "base_url": "https://acme.omniapp.co",
        "rows": sum(fields.get(name, 0) for name in counted),
    }
    return Summary(**(known | fields))


def typed(argv: list[str]) -> CommandLine:
    """The command line as click takes it."""
    return Given(batcher.cli.app.batcher.commands[argv[0]].make_context(argv[0], argv[1:])).command_line


def told(argv: list[str], found: Summary) -> list[str]:
    """The next steps after this command line, each on one line."""
    steps = after_run(typed(argv), found)
    return [f"{step.what}." if step.command is None else f"{step.what}: {step.command}" for step in steps]


def grouped(*failures: Failed | Uncertain) -> tuple[FailureGroup, ...]:
    """As the summary has them."""
    groups = FailureGroups()
    for failure in failures:
        groups.add(failure)
    return groups.grouped()


def failed(line: int = 17, message: str = "Bad Request: modelId: Required") -> Failed:
    """A failure of one line."""
    return Failed(
        key="id:a",
        source="d.csv",
        line=line,
        reason=Reason.REJECTED,
        status=400,
        message=message,
        hint="fix the row",
        attempts=1,
        identifier="a-b",
        at="2026-07-01T09:30:00.000Z",
        run="r1",
        spec={},
    )


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"created_now": 3}, 0),
        ({"created_before": 3}, 0),
        ({"undone": 2}, 0),
        ({"rows": 0}, 0),
        ({"created_now": 2, "failed": 1}, 1),
        ({"created_now": 2, "to_do": 1, "limit_reached": True}, 6),
        ({"created_now": 3, "limit_reached": True}, 0),
        ({"failed": 1, "to_do": 1, "deadline_reached": True}, 6),
        ({"uncertain": 1, "failed": 1, "to_do": 1, "deadline_reached": True}, 5),
        ({"uncertain": 1, "stopped": "key refused", "to_do": 1}, 3),
        ({"created_now": 1, "stopped": "disk full"}, 3),
        ({"stopped": "another run", "foreign_writer": True, "uncertain": 1}, 4),
        ({"interrupted": True, "stopped": "x", "foreign_writer": True}, 130),
        ({"interrupted": True, "stopped": "x", "uncertain": 1}, 130),
        ({"interrupted": True, "created_now": 1, "rows": 2}, 70),
        ({"created_now": 1, "rows": 2}, 70),
        ({"created_now": 1, "to_do": 1}, 70),
        ({"failed": 1, "invalid": 2}, 70),
    ],
)
def test_of_several_exit_codes_the_first(fields: dict[str, Any], code: int) -> None:
    """70, 130, 4, 3, 5, 6, 1, 0; rows left over without a reason are a law broken."""
    assert exit_code(summary(**fields)) == code


@given(st.lists(st.integers(0, 10**6), min_size=8, max_size=8), st.integers(-2, 2))
def test_only_counts_that_add_up_pass(counts: list[int], error: int) -> None:
    """One row too few or too many, in any place, is an internal error."""
    names = ("created_now", "created_before", "reconciled", "adopted", "failed", "uncertain", "to_do", "undone")
    fields: dict[str, Any] = dict(zip(names, counts, strict=True))
    wrong = summary(**fields, rows=sum(counts) + error, limit_reached=True)
    assert wrong.adds_up == (error == 0)
    assert (exit_code(wrong) == 70) == (error != 0)
    assert summary_text(wrong, ()).startswith("INTERNAL ERROR") == (error != 0)


def test_the_text_adds_up_and_names_things(tmp_path: Path) -> None:
    """The four outcomes sum to the rows; files, first failures with hints and the place of the documents are there."""
    files = Files(results=tmp_path / "d.results.jsonl", failures=tmp_path / "d.failures.jsonl", journal=tmp_path / "j")
    files.results.write_text("{}\n")
    files.failures.write_text("{}\n")
    text = summary_text(
        summary(
            created_now=1_200,
            created_before=30,
            reconciled=4,
            failed=3,
            invalid=1,
            uncertain=2,
            undone=5,
            requests=1_250,
            rate="60/min",
            files=files,
            failures=grouped(failed(), failed(18, "bad\x1b[2J\nthing")),
            other_failures=7,
        ),
        (Step("fix", typed(["run", "d.failures.jsonl"])),),
    )
    counts = [
        int(n.replace(",", "")) for n in re.findall(r"^ +([\d,]+) (?:created|failed|uncertain|not)", text, re.MULTILINE)
    ]
    assert counts == [1_234, 3, 2, 5]
    assert "    1,244 rows read" in text
    assert "1,234 created (1,200 now, 30 before, 4 reconciled: found after an unclear\n" in text
    assert "3 failed (1 invalid)" in text
    assert "2 failed: rejected\n  400: Bad Request: modelId: Required\n    d.csv:17\n" in text
    assert "  400: bad\\x1b[2J thing\n    d.csv:18\n  Hint: fix the row\n" in text
    assert "\x1b" not in text
    assert "Created in the API key owner's personal folder on https://acme.omniapp.co." in text
    assert str(files.results) in text
    assert "1,250 requests, 1,249 of 60/min" in text
    assert text.endswith("Next: fix:\n  batcher run d.failures.jsonl")


def test_a_run_shorter_than_a_period_is_not_said_to_have_overstepped() -> None:
    """Failed before: 21 requests in 19.7 s, which are within 60/min, were told as 61 of 60/min."""
    text = summary_text(summary(created_now=20, requests=21, rate="60/min", elapsed_seconds=19.7), ())
    assert "21 requests, 60 of 60/min" in text


@pytest.mark.parametrize(
    ("fields", "headline"),
    [
        ({"created_now": 2}, "Finished: every row is created."),
        ({"created_before": 2}, "Nothing to do: every row is already created."),
        ({"rows": 0}, "Nothing to do: the input has no rows."),
        ({"created_now": 16, "failed": 4}, "Finished: 16 of 20 created, 4 failed."),
        ({"to_do": 1, "interrupted": True}, "Interrupted. All requests in flight are accounted for."),
        ({"to_do": 1, "stopped": "the key was refused"}, "Stopped early: the key was refused"),
        ({"created_now": 5, "to_do": 7, "limit_reached": True}, "Stopped at the limit: 5 of 12 created."),
        (
            {"to_do": 1, "uncertain": 1, "deadline_reached": True},
            "Stopped at the deadline: 0 of 2 created, 1 uncertain.",
        ),
    ],
)
def test_the_first_line_says_how_it_ended(fields: dict[str, Any], headline: str) -> None:
    """One sentence before the counts."""
    assert summary_text(summary(**fields), ()).splitlines()[0] == headline


def test_several_keys_add_up_to_what_was_allowed() -> None:
    """Regression: two keys at 20/s each were said to have sent 39 of 20/s."""
    found = summary(created_now=2341, requests=2341, rate="20/s", keys=2)
    assert "2,341 requests, 39 of 40/s" in summary_text(found, ())
    assert summary_object(found)["rate"] == "20/s"


def test_the_object_is_json_and_adds_up(tmp_path: Path) -> None:
    """Rows = created + failed + uncertain + notAttempted; a failure keeps its reason and hint."""
    files = Files(results=tmp_path / "r", failures=tmp_path / "f", journal=tmp_path / "j")
    whole = summary(created_now=3, adopted=1, failed=2, uncertain=1, to_do=4, interrupted=True, files=files)
    uncertain = failed().become(Uncertain)
    found = orjson.loads(orjson.dumps(summary_object(summary(created_now=1, failed=1, first_failures=(uncertain,)))))
    assert found["firstFailures"][0] | {"line": 0} == {
        "key": "id:a",
        "source": "d.csv",
        "line": 0,
        "outcome": "uncertain",
        "reason": "rejected",
        "status": 400,
        "message": "Bad Request: modelId: Required",
        "hint": "fix the row",
    }
    found = orjson.loads(orjson.dumps(summary_object(whole)))
    assert found["rows"] == found["created"] + found["failed"] + found["uncertain"] + found["notAttempted"] == 11
    assert found["created"] == found["createdNow"] + found["createdBefore"] + found["reconciled"] + found["adopted"]
    assert found["files"]["keptFailures"] is None


MENDED = {  # the failures file was the input, and every row of it is created
    "inputs": ("./d.failures.jsonl",),
    "files": Files(results=Path("d.results.jsonl"), failures=Path("d.failures.jsonl"), journal=Path("j")),
}
MEND_BAD = (
    "fix the failed rows in bad.jsonl, then: batcher run bad.jsonl --failures bad.jsonl --results d.results.jsonl"
)


@pytest.mark.parametrize(
    ("argv", "fields", "steps"),
    [
        (
            ["run", "d.csv", "--instance", "acme", "--limit", "5"],
            {"created_now": 5, "to_do": 7, "limit_reached": True},
            ["continue with the 7 rows left: batcher run d.csv --instance acme"],
        ),
        (
            ["run", "--limit=5", "my rows.csv"],
            {"created_now": 5, "to_do": 7, "limit_reached": True, "inputs": ("my rows.csv",)},
            ["continue with the 7 rows left: batcher run 'my rows.csv'"],
        ),
        (
            ["run", "d.csv", "--rate", "60/min"],
            {
                "created_now": 5,
                "failed": 1,
                "files": Files(results=Path("d.results.jsonl"), failures=Path("d.failures.jsonl"), journal=Path("j")),
            },
            ["fix the failed rows in d.csv, then: batcher run d.csv --rate 60/min"],
        ),
        (
            ["run", "d.jsonl", "--rate", "60/min", "--sheet-out", "s.csv"],
            {
                "created_now": 5,
                "failed": 1,
                "files": Files(results=Path("d.results.jsonl"), failures=Path("d.failures.jsonl"), journal=Path("j")),
            },
            ["fix the failed rows in d.failures.jsonl, then: batcher run d.failures.jsonl --rate 60/min"],
        ),
        (
            ["run", "d.csv", "--skip-invalid"],
            {
                "failed": 2,
                "invalid": 2,
                "held_back": 2,
                "files": Files(results=Path("d.results.jsonl"), failures=Path("d.failures.jsonl"), journal=Path("j")),
            },
            [
                "give the 2 rows held back the documents created before: batcher run d.csv --skip-invalid --rekey",
                "create second documents: batcher run d.csv --skip-invalid --create-again",
            ],
        ),
        (
            ["run", "d.jsonl", "--failures", "bad.jsonl"],
            {
                "failed": 1,
                "files": Files(results=Path("d.results.jsonl"), failures=Path("bad.jsonl"), journal=Path("j")),
            },
            [
                MEND_BAD,
            ],
        ),
        (
            ["run", "d.csv"],
            {
                "failed": 15,
                "to_do": 20,
                "stopped": "the same failure",
                "files": Files(results=Path("d.results.jsonl"), failures=Path("d.failures.jsonl"), journal=Path("j")),
            },
            ["fix the failed rows in d.csv, then continue with the 20 rows left: batcher run d.csv"],
        ),
        (
            ["run", "d.csv", "--limit", "9"],
            {"created_now": 4, "to_do": 20, "interrupted": True},
            ["continue with the first rows: batcher run d.csv --limit 5"],
        ),
        (
            ["run", "d.csv", "--sandbox"],
            {"created_now": 5, "sandbox": True},
            ["create five for real, on your instance (NAME.omniapp.co): batcher run d.csv --instance NAME --limit 5"],
        ),
        (
            ["run", "d.csv", "--instance", "acme", "--concurrency", "4"],
            {"created_now": 5},
            ["compare the documents with what was sent: batcher verify d.csv --instance acme"],
        ),
        (
            ["run", "d.csv"],
            {"uncertain": 1},
            ["settle the uncertain rows, which the next run does first: batcher run d.csv"],
        ),
        (
            ["run", "d.csv"],
            {
                "uncertain": 1,  # and nothing is told of it: it was not looked up
                "files": Files(results=Path("r"), failures=Path("bad.jsonl"), journal=Path("j")),
            },
            ["settle the uncertain rows by hand; the hint of each in bad.jsonl says how."],
        ),
        (["run", "d.failures.jsonl", "--instance", "acme"], {"created_now": 1, **MENDED}, []),
        (["run", "./d.failures.jsonl", "--sandbox"], {"created_now": 1, "sandbox": True, **MENDED}, []),
        (
            ["run", "d.csv", "d.failures.jsonl", "--results", "d.results.jsonl"],
            {"created_now": 1, "created_before": 4, **MENDED, "inputs": ("d.csv", "d.failures.jsonl")},
            ["compare the documents with what was sent: batcher verify d.csv --results d.results.jsonl"],
        ),
        (["run", "d.csv"], {"created_before": 5}, []),
        (["run", "d.csv"], {"created_before": 5, "rows": 6}, []),
    ],
)
def test_next_steps_can_be_pasted(argv: list[str], fields: dict[str, Any], steps: list[str]) -> None:
    """Each is a whole command line, quoted for the shell."""
    found = summary(**fields)
    assert told(argv, found) == steps


def test_a_large_first_run_that_ended_early_is_told_of_a_canary() -> None:
    """Nothing of many rows is created yet: the summary names `--limit 5`; with some created it does not."""
    first = summary(rows=500, created_now=0, to_do=500, interrupted=True)
    argv = ["run", "d.csv", "--instance", "acme"]
    canary = "try five first: batcher run d.csv --instance acme --limit 5"
    assert canary in told(argv, first)
    later = summary(rows=500, created_now=1, to_do=499, interrupted=True)
    assert canary not in told(argv, later)


def test_one_cause_is_told_once() -> None:
    """Six thousand rows with one bad model are four lines; what a server quotes of each row doesn't make them differ."""
    groups = FailureGroups()
    for line in range(2, 6002):
        groups.add(replace(failed(line, f"Model m-1 not found for Board {line}"), spec={"name": f"Board {line}"}))
    for line, message in enumerate(("a", "b", "c", "d", "d"), 7000):
        groups.add(replace(failed(line, message), reason=Reason.FORBIDDEN, hint="ask", status=403))
    groups.add(failed(8000).become(Uncertain, reason=Reason.TIMEOUT, status=None, message="60 s\n", source="e.csv"))
    assert list(failures_text(groups.grouped(), PLAIN)) == [
        "6,000 failed: rejected",
        "  400: Model m-1 not found for …",
        "    6,000 rows: d.csv:2, 3, 4, 5, 6, …",
        "  Hint: fix the row",
        "5 failed: forbidden",
        "  403: a",
        "    d.csv:7000",
        "  403: b",
        "    d.csv:7001",
        "  403: c",
        "    d.csv:7002",
        "  2 rows with other messages",
        "  Hint: ask",
        "1 uncertain: timeout",
        "  60 s ",
        "    e.csv:8000",
        "  Hint: fix the row",
    ]
