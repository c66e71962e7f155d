"""The sandbox's state: what is committed stays, one sandbox at a time, foreign files are left alone."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from batcher.errors import Locked, UsageError
from batcher.sandbox.store import Document, Listing, Store
from tests.support.faulty import documents_in


def document(identifier: str, at: float = 1.0) -> Document:
    """A document to create."""
    return Document(0, identifier, f"name of {identifier}", "m", b"{}", "d", "w", "o", at)


def test_a_state_file_outlives_its_sandbox(tmp_path: Path) -> None:
    """Documents and Trash are there for the next sandbox on the same file."""
    state = tmp_path / "state.sqlite"
    with Store(state) as store:
        store.create(document("aa"), trash_keeps=True)
        store.create(document("bb"), trash_keeps=True)
        assert store.trash("bb", 2.0)
    with Store(state) as store:
        assert store.find("aa") is not None
        assert store.find("bb") is None
        assert store.create(document("aa"), trash_keeps=True) is None
        assert store.create(document("bb"), trash_keeps=True) is None
        assert store.create(document("bb"), trash_keeps=False) is not None
    assert [found.identifier for found in documents_in(state)] == ["aa", "bb", "bb"]


def test_a_state_that_holds_requests_is_continued(tmp_path: Path) -> None:
    """Sandboxes used to keep their starts and requests in the state as well; such a file is opened as it is."""
    state = tmp_path / "state.sqlite"
    with Store(state) as store:
        store.create(document("aa"), trash_keeps=True)
    with closing(sqlite3.connect(state)) as db:
        db.executescript("CREATE TABLE starts (id INTEGER); CREATE TABLE requests (id INTEGER, start INTEGER);")
    with Store(state) as store:
        assert store.find("aa") is not None


def test_a_state_of_the_first_version_is_continued(tmp_path: Path) -> None:
    """It knew documents of v1 alone; they are kept, with everything that came since at its default."""
    state = tmp_path / "state.sqlite"
    with closing(sqlite3.connect(state)) as db:
        db.executescript(
            """PRAGMA application_id = 186107109;
            PRAGMA user_version = 1;
            CREATE TABLE documents (
              id INTEGER PRIMARY KEY, identifier TEXT NOT NULL, name TEXT NOT NULL, model_id TEXT NOT NULL,
              body BLOB NOT NULL, dashboard_id TEXT NOT NULL, workbook_id TEXT NOT NULL, owner TEXT NOT NULL,
              created_at REAL NOT NULL, deleted_at REAL);
            CREATE UNIQUE INDEX live ON documents (identifier) WHERE deleted_at IS NULL;
            INSERT INTO documents VALUES (1, 'aa', 'A', 'm', x'7b7d', 'd', 'w', 'o', 1.0, NULL);"""
        )
    for _ in range(2):
        with Store(state) as store:
            assert store.find("aa") == Document(1, "aa", "A", "m", b"{}", "d", "w", "o", 1.0)
            assert store.folders.all() == []


def test_a_second_sandbox_on_one_state_is_refused(tmp_path: Path) -> None:
    """The refusal names the file and its holder, and the state is free again afterwards."""
    state = tmp_path / "state.sqlite"
    with Store(state), pytest.raises(Locked, match=r"state\.sqlite: a sandbox is using it \(pid \d+\)"), Store(state):
        pass
    with Store(state):
        pass


def test_no_lock_is_left_beside_the_state(tmp_path: Path) -> None:
    """The lock's file is gone with the sandbox, and so is one that a killed sandbox left, after the next one."""
    state = tmp_path / "state.sqlite"
    (tmp_path / "state.sqlite.lock").write_text("pid 1\n")
    with Store(state):
        assert (tmp_path / "state.sqlite.lock").exists()
    assert [one.name for one in tmp_path.iterdir()] == ["state.sqlite"]


def test_a_file_of_something_else_is_left_alone(tmp_path: Path) -> None:
    """A text file and another program's database are refused and not changed."""
    text = tmp_path / "notes.txt"
    text.write_text("not a database, " * 100)
    with pytest.raises(UsageError, match="cannot be read as a sandbox's state"), Store(text):
        pass
    assert text.read_text().startswith("not a database")
    other = tmp_path / "other.sqlite"
    with closing(sqlite3.connect(other)) as db:
        db.execute("CREATE TABLE documents (id)")
    with pytest.raises(UsageError, match="not the state of a sandbox"), Store(other):
        pass


def test_a_state_in_a_missing_directory_is_refused(tmp_path: Path) -> None:
    """The message says what to name instead."""
    with (
        pytest.raises(UsageError, match=r"No such file or directory\. Name a --state"),
        Store(tmp_path / "no" / "state"),
    ):
        pass


def test_pages_cover_everything_once() -> None:
    """Walking the pages in either order meets every living document once, equal names and times included."""
    with Store(None) as store:
        for n in range(25):
            store.create(
                Document(0, f"id-{n}", f"name {n % 3}", "m", b"{}", "d", "w", "o", float(n % 4)), trash_keeps=True
            )
        store.trash("id-7", 1.0)
        for by_name in (False, True):
            for descending in (False, True):
                met: list[Document] = []
                after = None
                while True:
                    page = store.page(Listing(by_name=by_name, descending=descending, after=after), 10)
                    met += page.documents
                    if not page.more:
                        break
                    after = met[-1].number
                assert page.total == 24
                assert len({found.identifier for found in met}) == len(met) == 24
                order = [(found.name if by_name else found.created_at, found.number) for found in met]
                assert order == sorted(order, key=lambda place: (str(place[0]), place[1]), reverse=descending)


@pytest.mark.parametrize("listing", [Listing(folder_id="here"), Listing(no_folder=True)])
def test_a_folder_is_listed_without_a_look_at_every_document(listing: Listing) -> None:
    """The first page of the sandbox lists each folder: 300 of them took 18 seconds beside 20,000 documents."""
    with Store(None) as store:
        for n in range(2000):
            store.create(document(f"id-{n}")._replace(folder_id="elsewhere"), trash_keeps=True)
        for n, folder in enumerate(["here", None] * 3):
            store.create(document(f"mine-{n}")._replace(folder_id=folder), trash_keeps=True)
        steps = [0]

        def count() -> None:
            steps[0] += 10

        store.db.set_progress_handler(count, 10)
        page = store.page(listing, 20)
        assert len(page.documents) == page.total == 3
        assert steps[0] < 1000
