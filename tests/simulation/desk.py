"""A person's desk: the rows as they keep them, in files of some form, and what they do to them.

`touched` is what keeps the edits within the promise. Between two runs that end well a row gets another key or another
content, not both: one that has neither its key nor its content is a new row, whoever looks at it (contract 5, "renamed").
"""

from __future__ import annotations

import random
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from .forms import FORMS, Form
from .schedule import MODELS

Content = tuple[str, str, str]  # model, name as it looks, description


@dataclass(slots=True)
class DeskRow:
    """One row. `number` is its marker; `stray` is what a program left behind its name."""

    number: int
    model_id: str
    name: str
    version: str = "1"
    key: str | None = None
    identifier: str | None = None
    refuse: int | None = None
    is_nameless: bool = False
    stray: str = ""
    touched: str = ""  # "key" or "content", since the last run that ended well
    edited_at: int = 0  # the last edit of this row, in runs
    rekeyed_at: int = 0  # when --rekey was said last while the row was there

    @property
    def description(self) -> str:
        """What the server reads (see `server.py`)."""
        return f"row:{self.number} v{self.version}" + (f" refuse:{self.refuse}" if self.refuse else "")

    @property
    def content(self) -> Content:
        """As `content_seen` of its document."""
        return content_seen({"modelId": self.model_id, "name": self.name, "description": self.description})

    def fields(self) -> dict[str, str]:
        """What stands in a file."""
        named = "" if self.is_nameless else self.name + self.stray
        given = {"key": self.key, "modelId": self.model_id, "name": named, "description": self.description}
        return {name: value for name, value in (given | {"identifier": self.identifier}).items() if value}


def content_seen(body: dict[str, str]) -> Content:
    """What people see of a document (contract 5): names are compared after NFKC, blanks folded."""
    name = " ".join(unicodedata.normalize("NFKC", body["name"]).split())
    return body["modelId"], name, body["description"]


def marker_of(description: object) -> int:
    """Of which row this is; -1: of none, as a line of a results file that was run as an input."""
    word = str(description).split(" ")[0]
    return int(word.removeprefix("row:")) if word.startswith("row:") else -1


@dataclass(slots=True)
class Desk:
    """The rows, in one file or two. `renames` and `seconds`: by row, further documents that an edit or an answer asks for."""

    rows: list[DeskRow]
    form: Form = FORMS[0]
    parts: int = 1
    name: str = "boards"
    runs: int = 0
    highest: int = 0  # of all numbers so far: a row that is taken out takes its number along
    is_first_gone: bool = False  # the row with the key 1 was taken out
    is_numbered_anew: bool = False  # and no run has seen all rows since
    is_forgotten: bool = False  # the journal is lost, or an old copy: a row edited from now on may be made twice
    renames: Counter[int] = field(default_factory=Counter)
    seconds: Counter[int] = field(default_factory=Counter)

    def texts(self, which: int | None = None) -> dict[str, bytes]:
        """The files by name; one of them, if there are two."""
        cut = len(self.rows) // 2
        halves = [self.rows] if self.parts == 1 else [self.rows[:cut], self.rows[cut:]]
        texts = {
            f"{self.name}{number or ''}{self.form.suffix}": self.form.text([row.fields() for row in half])
            for number, half in enumerate(halves)
        }
        names = list(texts)
        return texts if which is None else {names[which % len(names)]: texts[names[which % len(names)]]}

    def settled(self, made: Mapping[int, Content]) -> None:
        """All rows have had a run that ended well. `made`: what the document of a row holds."""
        self.is_numbered_anew = False
        for row in self.rows:
            is_as_made = row.number not in made or (made[row.number] == row.content and not row.is_nameless)
            row.touched = "" if is_as_made else "content"

    def edit(self, what: str, chance: random.Random) -> bool:
        """Do it; False if there is nothing to do it to."""
        if what in KEY_EDITS:
            return self._edit_keys(what)
        match what:
            case "reorder":
                chance.shuffle(self.rows)
            case "remove" if len(self.rows) > 1:
                gone = self.rows[chance.randrange(len(self.rows))]
                if gone.touched == "key":  # another row has its key: that is this row then, and has changed
                    return False
                self.rows.remove(gone)
                self.is_first_gone = self.is_first_gone or shorn(gone.key) == "1"
            case "add":
                self.rows.insert(chance.randint(0, len(self.rows)), self._another())
            case "split":
                self.parts = 2
            case "join":
                self.parts = 1
            case "move":
                self.name = "panels" if self.name == "boards" else "boards"
            case "save as":
                self.form = chance.choice(FORMS)
            case "save in a spreadsheet program":
                self.form = chance.choice(FORMS[1:])
                edits = ("keys as numbers", "identifiers as numbers", "stray blanks")
                return any(list(map(self._edit_keys, edits)))
            case "number anew":
                return self._number_anew()
            case "mend" | "mend nameless" | "rename" | "edit":
                return self._edit_content(what, chance)
            case _:
                return False
        return True

    def touch(self, row: DeskRow, how: str) -> None:
        """Somebody gives the row another key, or another content."""
        row.touched, row.edited_at = how, self.runs
        self.seconds[row.number] += self.is_forgotten

    def rekey(self) -> None:
        """Somebody says that rows are those that they were."""
        for row in self.rows:
            row.rekeyed_at = self.runs

    def _another(self) -> DeskRow:
        self.highest = number = max(self.highest, *(row.number for row in self.rows)) + 100
        like = self.rows[0]
        key = f"{number:04}" if like.key else None
        return DeskRow(number, MODELS[0], f"Café {number}", key=key, identifier=like.identifier and f"{number:05}")

    def _edit_keys(self, what: str) -> bool:
        """Of all rows; not while one of them has another content that no run has seen to its end."""
        changed = [KEY_EDITS[what](row) for row in self.rows]
        if changed == self.rows or any(row.touched == "content" for row in self.rows):
            return False
        keys = [row.key or row.identifier or (row.model_id, row.name + row.stray) for row in changed]
        if len(set(keys)) < len(keys):
            return False
        for row, new in zip(self.rows, changed, strict=True):
            if row != new:
                self.touch(new, "key")
        self.rows = changed
        return True

    def _number_anew(self) -> bool:
        """A row on top, and all rows are numbered again.

        Not after --create-again, nor when the first row was taken out: the document of the key 1 is nobody's then, and
        whoever has that key has an edited row (contract 5, "the key decides").
        """
        if any(row.touched for row in self.rows) or any(self.seconds.values()) or self.is_first_gone:
            return False
        self.is_numbered_anew = True
        self.rows.insert(0, replace(self._another(), key="1"))
        for number, row in enumerate(self.rows[1:], 2):
            row.key = str(number)
            self.touch(row, "key")
        return True

    def _edit_content(self, what: str, chance: random.Random) -> bool:
        rows = [row for row in self.rows if row.touched != "key" and _may(what, row)]
        for row in rows if what.startswith("mend") else chance.sample(rows, min(1, len(rows))):
            if what == "rename" and row.key is None and row.identifier is None:
                if row.touched:  # a third content before the second has been seen
                    continue
                self.renames[row.number] += 1
            self.touch(row, "content")
            match what:
                case "mend nameless":
                    row.is_nameless = False
                case "rename":
                    row.name = f"{row.name} (new)"
                case _:
                    row.refuse, row.version = None, f"{row.version}.{self.runs}"
        return bool(rows)


def _may(what: str, row: DeskRow) -> bool:
    match what:
        case "mend":
            return row.refuse is not None
        case "mend nameless":
            return row.is_nameless
        case _:
            return not row.is_nameless and row.refuse is None


def shorn(text: str | None) -> str | None:
    """As a spreadsheet program saves a number."""
    return text and (text.lstrip("0") if text.isdigit() else text)


KEY_EDITS: dict[str, Callable[[DeskRow], DeskRow]] = {
    "key column": lambda row: replace(row, key=row.key or f"{row.number + 1:04}"),
    "keys as numbers": lambda row: replace(row, key=shorn(row.key)),
    "keys as text": lambda row: replace(row, key=row.key and f"B-{row.number:04}"),
    "drop key column": lambda row: replace(row, key=None),
    "identifier column": lambda row: replace(row, identifier=row.identifier or f"{row.number + 10:05}"),
    "identifiers as numbers": lambda row: replace(row, identifier=shorn(row.identifier)),
    "composed otherwise": lambda row: replace(
        row, name=unicodedata.normalize("NFC" if "\N{COMBINING ACUTE ACCENT}" in row.name else "NFD", row.name)
    ),
    "stray blanks": lambda row: replace(row, stray="" if row.stray else " "),
}


def edits(chance: random.Random, count: int) -> Iterator[str]:
    """So many of them."""
    yield from chance.choices(EDITS, k=count)


EDITS = (
    *KEY_EDITS,
    *("reorder", "remove", "add", "split", "join", "move", "save as", "save in a spreadsheet program"),
    *("number anew", "mend", "mend", "mend nameless", "rename", "edit"),
)
