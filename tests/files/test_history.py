"""What the journal says of rows that are not created: which attempts are unclear, the identifier, the last failure."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.errors import UsageError
from batcher.files.disk import Disk
from batcher.files.history import Journaled, read_journal

HEAD = {"type": "journal", "version": 1, "baseUrl": "b", "namespace": ""}
AT = "2026-11-23T10:00:00.000+00:00"


def intent(key: str, identifier: str | None = "doc-1", **more: Any) -> dict[str, Any]:
    """An intent's line."""
    said = {"key": key, "type": "intent", "identifier": identifier, "filled": identifier is not None}
    return said | {"at": AT, "run": "r", "specHash": "ab", "body": {}} | more


def say(key: str, kind: str, **more: Any) -> dict[str, Any]:
    """Another line."""
    return {"key": key, "type": kind, **more} | (outcome(kind) if kind in ("failed", "uncertain") else {})


def outcome(kind: str) -> dict[str, Any]:
    """The further fields of a failure's line."""
    fields = {"source": "d", "line": 1, "outcome": kind, "reason": "timeout", "status": None, "message": "m"}
    return fields | {"hint": "h", "attempts": 1, "identifier": None, "at": AT, "run": "r", "spec": {}}


def read(directory: Path, *lines: dict[str, Any], created: tuple[str, ...] = ()) -> Journaled:
    """What these lines say."""
    path = directory / "j"
    path.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in (HEAD, *lines)))
    return read_journal(Disk(), path, lambda key: key in created)


def test_no_journal_says_nothing(tmp_path: Path) -> None:
    """A first run."""
    said = read_journal(Disk(), tmp_path / "no", lambda _: False)
    assert (said.header, said.histories, said.has_created) == (None, {}, False)


CASES: list[tuple[str, list[dict[str, Any]], int]] = [
    ("an intent without an end is unclear", [intent("k")], 1),
    ("cleared it is not", [intent("k"), say("k", "clear")], 0),
    ("a clear ends the last attempt only", [intent("k"), intent("k"), say("k", "clear")], 1),
    ("settled ends all", [intent("k"), intent("k"), say("k", "settled")], 0),
    ("failed ends all", [intent("k"), intent("k"), say("k", "failed")], 0),
    ("uncertain ends none", [intent("k"), intent("k"), say("k", "uncertain")], 2),
    ("a resend takes nothing back", [intent("k", None), intent("k", resend=True)], 2),
    ("undone ends all", [intent("k"), say("k", "undone", identifier="doc-1", specHash="ab")], 0),
    ("a clear without an intent is harmless", [say("k", "clear")], 0),
    ("an unknown type is passed over", [intent("k"), say("k", "from the future", what=1)], 1),
    ("an unknown field is passed over", [intent("k", colour="blue")], 1),
]


@pytest.mark.parametrize(("lines", "unclear"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_which_attempts_are_unclear(tmp_path: Path, lines: list[dict[str, Any]], unclear: int) -> None:
    """The law of contract 7, line by line."""
    history = read(tmp_path, *lines).histories["k"]
    assert len(history.unclear) == unclear
    assert history.is_open is (unclear > 0)


def test_the_filled_identifier_is_kept_for_later_runs(tmp_path: Path) -> None:
    """The last one that was filled in, also after the attempt was cleared; a user's own is not kept."""
    said = read(
        tmp_path,
        intent("k", "one"),
        say("k", "clear"),
        intent("k", "own", filled=False),
        intent("l", "own", filled=False),
    )
    assert said.histories["k"].identifier == "one"
    assert said.histories["l"].identifier is None


def test_the_last_failure_counts(tmp_path: Path) -> None:
    """Its offset is where its line stands."""
    said = read(tmp_path, say("k", "failed"), say("k", "uncertain"))
    failure = said.histories["k"].failure
    assert failure is not None
    assert said.histories["k"].is_uncertain
    assert (tmp_path / "j").read_bytes()[failure:].startswith(b'{"key":"k","type":"uncertain"')


def test_created_keys_are_passed_over(tmp_path: Path) -> None:
    """Only rows without a document are kept in memory, also where the key has escapes.

    (Escaped keys failed before: a created row with a quote in its key was taken for unclear.)
    """
    odd = 'a "quoted" \\ key'
    said = read(tmp_path, intent("k"), intent("l"), intent(odd), created=("k", odd))
    assert set(said.histories) == {"l"}


def test_undo_counts_and_names(tmp_path: Path) -> None:
    """How often a key was undone, what was deleted; and after a new intent it is undone no more."""
    undone = say("k", "undone", identifier="doc-1", specHash="ab")
    history = read(tmp_path, intent("k"), undone).histories["k"]
    assert (history.is_undone, history.undone, history.undone_hash, history.identifier) == (True, 1, "ab", None)
    journaled = read(tmp_path, intent("k"), undone, intent("k", "doc-2"))
    history = journaled.histories["k"]
    assert (history.is_undone, history.undone, len(history.unclear)) == (False, 1, 1)
    assert set(journaled.undone["k"]) == {"doc-1"}


@given(
    st.lists(st.tuples(st.text(max_size=3), st.sampled_from(["intent", "clear", "undone"]), st.booleans()), max_size=6)
)
def test_one_reading_of_the_journal_tells_whether_undo_has_deleted_anything(
    said: list[tuple[str, str, bool]],
) -> None:
    """Created or not, whatever the key, and although intents are not searched; else a deleted row would count as created."""
    lines = [
        intent(key) if kind == "intent" else say(key, kind, identifier="doc-1", specHash="ab") for key, kind, _ in said
    ]
    created = tuple(key for key, _, is_created in said if is_created)
    with tempfile.TemporaryDirectory() as directory:
        journaled = read(Path(directory), *lines, created=created)
        assert set(journaled.undone) == {key for key, kind, _ in said if kind == "undone"}


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (b"{oops\n", r"j:1: "),
        (b'{"type":"results"}\n', r"j:1: this is not a batcher journal"),
        (json.dumps(HEAD).encode() + b'\n{"key":"k","type"\n{"key":"k","type":"clear"}\n', r"j:2: "),
        (json.dumps(HEAD).encode() + b'\n{"key":"k","type":"intent"}\n', r"j:2: .*'identifier'"),
        (json.dumps(HEAD).encode() + b'\n{"key":"k","type":"intent","identifier":null,"at":"noon"}\n', r"j:2: "),
        (json.dumps(HEAD).encode() + b'\n{"type":"rewriting","size":"x","digest":""}\n', r"j:2: "),
        (json.dumps(HEAD).encode() + b"\n7\n", r"j:2: "),
        (json.dumps(HEAD).encode() + b"\n\xff\xfe\n", r"j:2: "),
        (json.dumps(HEAD).encode() + b'\n{"key":"\xff","type":"clear"}\n', r"j:2: "),  # was an internal error
        (json.dumps(HEAD).encode() + b'\n{"key":"\xff","type":"intent","identifier":null}\n', r"j:2: "),
    ],
)
def test_a_corrupt_line_in_the_middle_is_an_error_that_names_its_place(tmp_path: Path, text: bytes, place: str) -> None:
    """Never a guess: file and line, and what to do."""
    (tmp_path / "j").write_bytes(text)
    with pytest.raises(UsageError, match=place):
        read_journal(Disk(), tmp_path / "j", lambda _: False)


def test_a_torn_tail_says_nothing(tmp_path: Path) -> None:
    """A piece of a last line is passed over, before any repair."""
    whole = json.dumps(HEAD) + "\n" + json.dumps(intent("k")) + "\n"
    for cut in range(len(json.dumps(HEAD)) + 1, len(whole)):
        (tmp_path / "j").write_text(whole[:cut])
        histories = read_journal(Disk(), tmp_path / "j", lambda _: False).histories
        assert set(histories) <= {"k"}
        assert bool(histories) is (cut == len(whole) - 1)


@given(st.lists(st.sampled_from(["intent", "clear", "settled", "failed", "uncertain"]), max_size=12))
def test_a_prefix_of_a_journal_never_knows_less_than_is_unclear(kinds: list[str]) -> None:
    """Whatever follows, an attempt is unclear until a line says otherwise: intents minus clears, none after the rest."""
    unclear = 0
    for kind in kinds:
        match kind:
            case "intent":
                unclear += 1
            case "clear":
                unclear = max(0, unclear - 1)
            case "settled" | "failed":
                unclear = 0
            case _:
                pass
    with tempfile.TemporaryDirectory() as directory:
        lines = [intent("k") if kind == "intent" else say("k", kind) for kind in kinds]
        histories = read(Path(directory), *lines).histories
    assert len(histories["k"].unclear if histories else []) == unclear
