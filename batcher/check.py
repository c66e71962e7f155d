"""The two passes over the inputs: `check` finds every problem, `read_specs` gives the specs to send.

Between them only fingerprints are kept: for each key a hash of its row's body and where the row stands, and one byte
for each row, whether it was fine. So the memory is about 25 bytes a row, and the second pass can prove that it reads
what was checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from .config import Reading
from .decode import Source
from .errors import Stopped
from .fields import KEY
from .fingerprints import Fingerprints
from .identity import name_key, raw_key
from .json_text import shown
from .models import Problem, Row, Spec
from .read import as_read, read_rows
from .validate import Normalised, Validator, own_key

_LINE_BITS = 26
_SOURCE_BITS = 6
_PLACE_BITS = _LINE_BITS + _SOURCE_BITS
_PLACE = (1 << _PLACE_BITS) - 1
_LONGEST_IDENTIFIER = 48
_MOST_KEPT = 1000  # different model ids and own identifiers kept for the preflight


@dataclass(slots=True)
class Checked:
    """What one pass over all inputs found. `rows` = `valid` + `invalid`.

    `repeats` counts rows that are wholly identical to an earlier one (they are valid); `models` has the different model
    ids and `identifiers` the users' own identifiers of valid rows, at most 1,000 of each, in input order.
    """

    rows: int = 0
    valid: int = 0
    invalid: int = 0
    repeats: int = 0
    models: dict[str, int] = field(default_factory=dict)
    identifiers: dict[str, None] = field(default_factory=dict)
    keys: Fingerprints = field(default_factory=Fingerprints, repr=False)  # key → hash of the body, and place
    repeated: Fingerprints = field(default_factory=Fingerprints, repr=False)  # base of keys with ~2, ~3 → how many
    fine: bytearray = field(default_factory=bytearray, repr=False)  # 1 for each row that can be sent, else 0


class _Claims:
    """Gives rows their keys, in order, and tells when a key or an identifier is another row's already."""

    def __init__(self, checked: Checked, names: Sequence[str]) -> None:
        self._keys = checked.keys
        self._repeated = checked.repeated
        self._names = names

    def claim(self, row: Row, body: Normalised, value: int) -> tuple[str, list[Problem]]:
        """The row's key, unique among all rows, and what is wrong with it."""
        base, named = key_of(row, body)
        if self._keys.add(base, value):
            key, found = base, []
        else:
            key = self._counted(base, value)
            found = [] if named else [self._clash(row, base)]
        identifier = _own_identifier(body)
        if identifier and base != f"id:{identifier}" and not self._keys.add(f"id:{identifier}", value):
            found.append(self._clash(row, f"id:{identifier}"))
        return key, found

    def _counted(self, base: str, value: int) -> str:
        count = (self._repeated.get(base) or 1) + 1
        while not self._keys.add(key := f"{base}~{count}", value):  # such a key was somebody's own
            count += 1
        self._repeated.put(base, count)
        return key

    def _clash(self, row: Row, key: str) -> Problem:
        place = (self._keys.get(key) or 0) & _PLACE
        number, line = place >> _LINE_BITS, place & ((1 << _LINE_BITS) - 1)
        where = f"{self._names[number]}:{line}" if number < (1 << _SOURCE_BITS) - 1 else "an earlier row"
        if own_key(row) == key:
            return Problem(row.source, row.line, KEY, f"{shown(key)} is the key of {where} too; each row needs its own")
        message = f"{shown(key.removeprefix('id:'))} is the identifier of {where} too; each document needs its own"
        return Problem(row.source, row.line, "identifier", message)


def key_of(row: Row, body: Normalised) -> tuple[str, bool]:
    """The row's key before repeats are told apart, and whether it may repeat (contract 5)."""
    if (key := own_key(row)) is not None:
        return key, False
    if (identifier := _own_identifier(body)) is not None:
        return f"id:{identifier}", False
    model_id, name = body.get("modelId"), body.get("name")
    if isinstance(model_id, str) and isinstance(name, str) and model_id and name:
        return name_key(model_id, name), True
    return raw_key(_text_of(row)), True


def _own_identifier(body: Normalised) -> str | None:
    value = body.get("identifier")
    usable = isinstance(value, str) and 0 < len(value) <= _LONGEST_IDENTIFIER and value.isprintable()
    return value if usable else None


def _text_of(row: Row) -> str:
    read = as_read(row)
    if isinstance(read, str):
        return read
    try:
        return orjson.dumps(read, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError:  # nested too deeply to be written
        return repr(read)


def _value(written: bytes, place: int) -> int:
    """What is kept for a key: 32 bits of a hash of the body, and 32 of where the row stands."""
    return (hash(written) & 0xFFFF_FFFF) << _PLACE_BITS | place


class _Places:
    """Rows' places as numbers: which input, which line."""

    def __init__(self, inputs: Sequence[Source | Path]) -> None:
        self.names = [given.name if isinstance(given, Source) else str(given) for given in inputs]
        self._shifted = {
            name: min(number, (1 << _SOURCE_BITS) - 1) << _LINE_BITS for number, name in enumerate(self.names)
        }

    def of(self, row: Row) -> int:
        return self._shifted[row.source] | min(row.line, (1 << _LINE_BITS) - 1)


def check(
    inputs: Sequence[Source | Path],
    reading: Reading,
    *,
    on_problem: Callable[[Problem], None],
    on_row: Callable[[Spec], None] | None = None,
    on_invalid: Callable[[Row, str, list[Problem]], None] | None = None,
    on_warning: Callable[[str], None] | None = None,
) -> Checked:
    """Read and validate every row of all inputs once; send nothing, write nothing.

    Args:
        inputs: what `decode.open_inputs` gives, or paths.
        reading: how to read them.
        on_problem: is told every problem, in input order.
        on_row: is given the spec of each row that is fine.
        on_invalid: is given each row that is not, its key, and its problems.
        on_warning: is told of rows that are allowed but look like a mistake.

    Raises:
        UsageError: something is wrong with a whole file.
    """
    checked, validator, places = Checked(), Validator(reading), _Places(inputs)
    claims = _Claims(checked, places.names)
    for row in read_rows(inputs, reading):
        body = validator.normalise(row) if row.fault is None else {}
        problems = validator.problems(row, body)
        written = b"" if problems else orjson.dumps(body)
        value = _value(written, places.of(row))
        key, clashes = claims.claim(row, body, value)
        problems += clashes
        checked.rows += 1
        checked.fine.append(not problems)
        if problems:
            checked.invalid += 1
            for problem in problems:
                on_problem(problem)
            if on_invalid is not None:
                on_invalid(row, key, problems)
            continue
        checked.valid += 1
        _remember(checked, body)
        if "~" in key and own_key(row) is None and _is_repeat(checked, key, value):
            checked.repeats += 1
        if on_row is not None:
            on_row(validator.spec_of(row, key, body))
    if checked.repeats and on_warning is not None:
        on_warning(_repeats_in_words(checked.repeats))
    return checked


def _remember(checked: Checked, body: Normalised) -> None:
    model_id = body["modelId"].lower()
    if model_id in checked.models or len(checked.models) < _MOST_KEPT:
        checked.models[model_id] = checked.models.get(model_id, 0) + 1
    if "identifier" in body and len(checked.identifiers) < _MOST_KEPT:
        checked.identifiers[body["identifier"]] = None


def _is_repeat(checked: Checked, key: str, value: int) -> bool:
    """Is the row, the second or later of its name, wholly identical to an earlier one?"""
    base, content = key.partition("~")[0], value >> _PLACE_BITS
    first = checked.keys.get(base)
    same = first is not None and first >> _PLACE_BITS == content
    return not checked.repeated.add(f"\0{base}\0{content}", 1) or same


def _repeats_in_words(count: int) -> str:
    rows = "1 row is" if count == 1 else f"{count} rows are"
    return f"{rows} identical to an earlier row; each will become a document of its own"


def read_specs(inputs: Sequence[Source | Path], reading: Reading, checked: Checked) -> Iterator[Spec]:
    """The second pass: the rows that were fine, in order, with the same keys.

    Raises:
        Stopped: a row is not the one that was checked.
        UsageError: a file cannot be read any more.
    """
    validator, places = Validator(reading), _Places(inputs)
    counted = Fingerprints()
    number = -1
    for number, row in enumerate(read_rows(inputs, reading, trusted=True)):
        if number >= checked.rows:
            raise _changed(row.place)
        if not checked.fine[number]:
            continue
        body = validator.normalise(row) if row.fault is None else {}
        base, _ = key_of(row, body)
        key = _key_again(checked, counted, base, places.of(row))
        if key is None:
            raise _changed(row.place)
        spec = validator.spec_of(row, key, body)
        if checked.keys.get(key) != _value(spec.body, places.of(row)):
            raise _changed(row.place)
        yield spec
    if number + 1 != checked.rows:
        raise _changed(places.names[-1])


def _key_again(checked: Checked, counted: Fingerprints, base: str, place: int) -> str | None:
    """The key that the row at this place was given in the first pass, or None if it was given none."""
    value = checked.keys.get(base)
    if value is not None and value & _PLACE == place:
        return base
    last = checked.repeated.get(base) or 0
    for count in range((counted.get(base) or 1) + 1, last + 1):
        key = f"{base}~{count}"
        value = checked.keys.get(key)
        if value is not None and value & _PLACE == place:
            counted.put(base, count)
            return key
    return None


def _changed(place: str) -> Stopped:
    return Stopped(f"{place}: was changed while the run read it; nothing more is sent; run the same command again")
