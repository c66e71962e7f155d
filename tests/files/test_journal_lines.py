"""The journal's line types: what is written is read back, and what a later version adds is tolerated."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.files.journal_lines import (
    Cleared,
    FailureLine,
    Fixed,
    Intent,
    JournalHeader,
    JournalLine,
    Settled,
    Unknown,
    parse_journal_line,
)
from batcher.files.run_lines import FirstCreated, Rewriting, RunBegan
from batcher.files.step_lines import Making, PlaceMade, StepDone, StepsDue
from batcher.files.undo_lines import UndoIntent, UndoKept, Undone
from batcher.models import Failed, Uncertain, Unfinished
from batcher.placement import Placement, StepKind
from batcher.reasons import Reason

texts = st.text(st.characters(codec="utf-8"), max_size=8)
numbers = st.integers(0, 1 << 40)
times = st.integers(0, 10**12).map(lambda ms: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms))
bodies = st.dictionaries(texts, st.none() | texts | numbers, max_size=3).map(orjson.dumps)
outcomes = st.builds(
    Failed,
    key=texts,
    source=texts,
    line=numbers,
    reason=st.sampled_from(Reason),
    status=st.none() | numbers,
    message=texts,
    hint=texts,
    attempts=numbers,
    identifier=st.none() | texts,
    at=texts,
    run=texts,
    spec=st.dictionaries(texts, texts, max_size=2) | texts,
)
kinds = st.sampled_from(StepKind)
placements = st.builds(Placement, st.none() | texts, st.lists(texts, max_size=3).map(tuple))
journal_lines: st.SearchStrategy[JournalLine] = st.one_of(
    st.builds(JournalHeader, texts, texts, numbers, st.none() | texts),
    st.builds(RunBegan, texts, texts, st.none() | texts),
    st.builds(
        Intent,
        texts,
        st.none() | texts,
        st.booleans(),
        numbers,
        times,
        texts,
        texts,
        numbers,
        texts,
        bodies,
        st.booleans(),
        st.floats(0.1, 3600.0),
        placements,
    ),
    st.builds(Cleared, texts),
    st.builds(Settled, texts),
    st.builds(Fixed, texts),
    st.builds(FailureLine, outcomes | outcomes.map(lambda outcome: outcome.become(Uncertain))),
    st.builds(FailureLine, st.builds(lambda outcome, step: outcome.become(Unfinished, step=step), outcomes, kinds)),
    st.builds(StepsDue, texts, placements, st.lists(kinds, max_size=2).map(tuple), texts, texts, texts),
    st.builds(StepDone, texts, kinds, texts, texts, texts),
    st.builds(Making, kinds, texts, texts, texts),
    st.builds(PlaceMade, kinds, texts, st.none() | texts, texts, texts),
    st.builds(UndoIntent, texts, texts, texts, numbers, texts, texts),
    st.builds(Undone, texts, texts, texts, numbers, texts, texts),
    st.builds(UndoKept, texts, texts, texts, texts),
    st.builds(FirstCreated, texts),
    st.builds(Rewriting, numbers, texts, texts),
)


@given(journal_lines)
def test_what_is_written_is_read_back(line: JournalLine) -> None:
    """Every type, as one line with its key in front."""
    text = line.encode()
    assert text.endswith(b"}\n")
    assert text.count(b"\n") == 1
    assert parse_journal_line(text) == line
    assert type(parse_journal_line(text)) is type(line)
    assert next(iter(json.loads(text))) == ("key" if hasattr(line, "key") else "type")


@given(journal_lines)
def test_fields_of_a_later_version_are_skipped(line: JournalLine) -> None:
    """What is known is read all the same."""
    assert parse_journal_line(orjson.dumps(orjson.loads(line.encode()) | {"later": [1]})) == line


@pytest.mark.parametrize("kind", ["leap", "", None, 7, ["intent"], {}])
def test_a_type_of_a_later_version_is_unknown(kind: object) -> None:
    """Whatever it is."""
    assert parse_journal_line(orjson.dumps({"key": "k", "type": kind})) == Unknown()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"[]", "not a JSON object"),
        (b"{", "unexpected end"),
        (b'{"type":"clear"}', "'key'"),
        (b'{"type":"intent","key":"k","identifier":null,"filled":true,"at":7,"specHash":"","body":{}}', "argument"),
        (b'{"type":"intent","key":"k","identifier":null,"filled":true,"at":"noon","specHash":"","body":{}}', "noon"),
        (b'{"type":"failed","key":"k"}', "'outcome'"),
        (b'{"type":"undone","key":"k"}', "'identifier'"),
        (b'{"type":"rewriting","size":"x","digest":""}', "'x'"),
        (b'{"type":"rewriting","size":[],"digest":""}', "list"),
    ],
)
def test_what_cannot_be_read_is_an_error_that_says_why(text: bytes, words: str) -> None:
    """Never a guess."""
    with pytest.raises(ValueError, match=words):
        parse_journal_line(text)
