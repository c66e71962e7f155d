"""Which identifier a row sets out under: its own document's wherever it's sent from, and no other's (contract 5 and 7)."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batcher.config import Sending
from batcher.files.journal_lines import CONTENT, Cleared, Intent, JournalHeader
from batcher.files.key_history import IN_MEMORY, NO_HISTORY, KeyHistory
from batcher.files.undo_lines import Undone
from batcher.identity import content_hash, fill_identifier, hash_of
from batcher.models import Row, Spec
from batcher.omni.v1 import V1
from batcher.send.row_progress import RowProgress, set_out
from tests.support.rows import COLUMNS, MODEL, Told, csv_text, documents, jsonl, texts, write

BASE = "https://acme.omniapp.co"
API = V1(BASE)
NEW, OLD = JournalHeader(BASE, "eu"), JournalHeader(BASE, "eu", identifiers=None)
KEYED = ["key", *COLUMNS]
Fields = dict[str, object]
PLAIN: Fields = {"key": "1", "modelId": MODEL, "name": "Overview", "description": "Europe"}
EDITED: Fields = PLAIN | {"description": "Asia"}


def started(
    spec: Spec, header: JournalHeader = NEW, history: KeyHistory = NO_HISTORY, *, fills: bool = True
) -> RowProgress:
    """The row at its start."""
    return set_out(spec, history, Sending(fill_identifiers=fills), API, header)


def identifiers(specs: list[Spec], header: JournalHeader = NEW) -> list[str | None]:
    """What each is sent under, by a run that knows nothing of them."""
    return [started(spec, header).identifier for spec in specs]


def attempted(spec: Spec, identifier: str | None, *, is_filled: bool = True) -> Intent:
    """The journal's line of its attempt."""
    at = datetime(2026, 11, 28, tzinfo=UTC)
    return Intent("1", identifier, is_filled, 1, at, "r", "a.csv", 1, spec.spec_hash, spec.body)


@pytest.fixture(scope="module")
def specs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Spec, Spec]:
    """A row, and the same after somebody edited it."""
    folder = tmp_path_factory.mktemp("specs")
    plain, edited = (Told(write(folder / f"{n}.jsonl", jsonl([row]))).specs[0] for n, row in enumerate((PLAIN, EDITED)))
    return plain, edited


@given(st.lists(documents, min_size=1, max_size=4))
@settings(max_examples=40, deadline=None)
def test_one_row_is_one_identifier_in_any_form(tmp_path_factory: pytest.TempPathFactory, rows: list[Fields]) -> None:
    """CSV or JSONL, its fields in any order: who has lost the files meets the same documents again."""
    folder = tmp_path_factory.mktemp("same")
    keyed = [{"key": str(number), **row} for number, row in enumerate(rows)]
    turned = [dict(reversed(row.items())) for row in keyed]
    told = [
        Told(write(folder / "a.csv", csv_text(keyed, KEYED))),
        Told(write(folder / "b.csv", csv_text(keyed, KEYED[::-1], ";"))),
        Told(write(folder / "a.jsonl", jsonl(keyed))),
        Told(write(folder / "b.jsonl", jsonl(turned))),
    ]
    for one in told:
        assert identifiers(one.specs) == identifiers(told[0].specs)


@given(st.lists(documents, min_size=2, max_size=4, unique_by=content_hash))
@settings(max_examples=40, deadline=None)
def test_other_content_under_the_same_key_is_another_identifier(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Fields]
) -> None:
    """Each row stands in a file of its own and is number 1 there; in an earlier version's journal the names alone differ."""
    folder = tmp_path_factory.mktemp("apart")
    told = [Told(write(folder / f"{number}.jsonl", jsonl([{"key": "1", **row}]))) for number, row in enumerate(rows)]
    specs = [spec for one in told for spec in one.specs]
    assert len(set(identifiers(specs))) == len(specs)
    for one, other in pairwise(specs):
        same_name = fill_identifier(one.name, "1", "eu", 0, None) == fill_identifier(other.name, "1", "eu", 0, None)
        first, second = identifiers([one, other], OLD)
        assert (first == second) == same_name


@pytest.mark.parametrize(("before", "after"), [("Café", "Cafe\N{COMBINING ACUTE ACCENT}"), ("A b", "A  b")])
def test_a_name_that_looks_the_same_is_the_same_content(
    tmp_path_factory: pytest.TempPathFactory, before: str, after: str
) -> None:
    """As where new rows are compared with created ones: an editor that composes letters makes no other document."""
    folder = tmp_path_factory.mktemp("names")
    told = [
        Told(write(folder / f"{n}.jsonl", jsonl([PLAIN | {"name": name}]))) for n, name in enumerate((before, after))
    ]
    first, second = (one.specs[0] for one in told)
    assert first.spec_hash != second.spec_hash
    assert identifiers([first]) == identifiers([second])


@given(texts, texts)
def test_the_first_line_says_how(namespace: str, unclaimed: str) -> None:
    """A journal's way and namespace are those of its first line; what an earlier version wrote there has no content."""
    body = {"modelId": MODEL, "name": "x", "description": unclaimed}
    spec = Spec("k", "a", 1, "x", MODEL, None, orjson.dumps(body), hash_of(body), Row("a", 1, {}))
    assert started(spec, JournalHeader(BASE, namespace)).identifier == fill_identifier(
        "x", "k", namespace, 0, content_hash(body)
    )
    assert started(spec, JournalHeader(BASE, namespace, identifiers=None)).identifier == fill_identifier(
        "x", "k", namespace, 0, None
    )


@pytest.mark.parametrize("header", [NEW, OLD])
@pytest.mark.parametrize("is_clear", [False, True])
def test_an_edited_row_keeps_what_it_was_attempted_under(
    specs: tuple[Spec, Spec], header: JournalHeader, *, is_clear: bool
) -> None:
    """Unclear or not, with the content of then or of now: the intent's identifier decides."""
    plain, edited = specs
    first = started(plain, header).identifier
    history = NO_HISTORY.after(attempted(plain, first), IN_MEMORY)
    if is_clear:
        history = history.after(Cleared("1"), IN_MEMORY)
    progress = started(edited, header, history)
    assert (progress.identifier, progress.is_filled) == (first, True)
    assert orjson.loads(progress.body) == orjson.loads(edited.body) | {"identifier": first}
    if is_clear:
        assert started(edited, header, history, fills=False).identifier is None
    else:
        assert started(edited, header, history, fills=False).identifier == first


def test_an_identifier_of_before_the_upgrade_holds_after_it(specs: tuple[Spec, Spec]) -> None:
    """Whatever the first line says now: what an intent names needs no recipe."""
    plain, edited = specs
    first = fill_identifier(plain.name, "1", "eu", 0, None)
    history = NO_HISTORY.after(attempted(plain, first), IN_MEMORY)
    assert started(edited, NEW, history).identifier == first


@pytest.mark.parametrize("header", [NEW, OLD])
def test_after_undo_a_row_has_another(specs: tuple[Spec, Spec], header: JournalHeader) -> None:
    """The undo count is in it, and what was attempted before the undo counts no more."""
    plain, _ = specs
    first = started(plain, header).identifier
    history = NO_HISTORY.after(attempted(plain, first), IN_MEMORY)
    history = history.after(Undone("1", first or "", plain.spec_hash, 1, "at", "r"), IN_MEMORY)
    content = content_hash(orjson.loads(plain.body)) if header.identifiers == CONTENT else None
    assert started(plain, header, history).identifier == fill_identifier(plain.name, "1", "eu", 1, content) != first


@pytest.mark.parametrize("header", [NEW, OLD])
def test_a_row_that_is_sent_again_at_the_users_risk_is_filled_in_likewise(
    specs: tuple[Spec, Spec], header: JournalHeader
) -> None:
    """--resend-uncertain: the attempt had no identifier; now the row gets the one that it would have had."""
    plain, edited = specs
    history = NO_HISTORY.after(attempted(plain, None, is_filled=False), IN_MEMORY)
    progress = started(edited, header, history)
    assert progress.identifier is None
    progress.rename_for_resend(Sending(), API, header)
    assert (progress.identifier, progress.is_filled) == (started(edited, header).identifier, True)
