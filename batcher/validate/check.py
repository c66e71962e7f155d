"""The two passes over the inputs: `check` finds every problem, `read_specs` gives the specs to send.

Between them only fingerprints are kept (`claims.py`) and one byte for each row, whether it was fine: 25 to 50 bytes a
row. A row about which nothing is wrong or unusual goes the quick way, without ever becoming a `Row`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import orjson

from ..compact_map import Fingerprints
from ..config import Reading
from ..errors import Stopped
from ..identity import hash_of
from ..models import Problem, Row, Spec, UnclearAttempt
from ..omni.fields import KEY
from ..read.read import Content, read_contents
from ..read.sources import Source
from .claims import Claims, Places, base_of, holding, identifier_of, is_another, place_of, value_of
from .normalise import Body
from .validate import Validator, own_key


@dataclass(slots=True)
class Checked:
    """What one pass over all inputs found. `rows` = `valid` + `invalid`.

    `repeats` counts rows that are wholly identical to an earlier one (they are valid).
    """

    claims: Claims = field(repr=False)
    invalid: int = 0
    repeats: int = 0
    fine: bytearray = field(default_factory=bytearray, repr=False)  # for each row: 1 if it can be sent, else 0

    @property
    def rows(self) -> int:
        """How many rows there are; blank ones are none."""
        return len(self.fine)

    @property
    def valid(self) -> int:
        """How many rows can be sent."""
        return len(self.fine) - self.invalid


class ValidRow(NamedTuple):
    """A row that can be sent, as the check leaves it: a spec without its `Row`, which few of its listeners want.

    A tuple, since a resume makes one for each row only to count it, and a frozen dataclass costs five times as much.
    """

    key: str
    source: str
    line: int
    body: Body
    unclear_attempt: UnclearAttempt | None = None

    @property
    def name(self) -> str:
        """The document's name."""
        return str(self.body["name"])

    @property
    def model_id(self) -> str:
        """The document's model."""
        return str(self.body["modelId"])

    @property
    def identifier(self) -> str | None:
        """The identifier that the user gave it."""
        return self.body.get("identifier")

    @property
    def place(self) -> str:
        """`dashboards.csv:17`, for messages."""
        return f"{self.source}:{self.line}"

    def spec_hash(self) -> str:
        """The `identity.spec_hash` of what would be sent for it."""
        return hash_of(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listeners:
    """Who is told what of a check."""

    on_problem: Callable[[Problem], None]
    on_row: Callable[[ValidRow], None] | None
    on_invalid: Callable[[Row, str, list[Problem]], None] | None


def check(
    inputs: Sequence[Source | Path],
    reading: Reading,
    *,
    on_problem: Callable[[Problem], None],
    on_row: Callable[[ValidRow], None] | None = None,
    on_invalid: Callable[[Row, str, list[Problem]], None] | None = None,
    on_warning: Callable[[str], None] | None = None,
    expected: int = 0,
) -> Checked:
    """Read and validate every row of all inputs once; send nothing, write nothing.

    Args:
        inputs: what `decode.open_inputs` gives, or paths.
        reading: how to read them.
        on_problem: is told every problem, in input order.
        on_row: is given each row that is fine.
        on_invalid: is given each row that is not, its key, and its problems.
        on_warning: is told of rows that are allowed but look like a mistake.
        expected: about how many rows there are, if that is known.

    Raises:
        UsageError: something is wrong with a whole file.
    """
    checked, validator = Checked(Claims.expecting(Places(inputs), expected)), Validator(reading)
    told = Listeners(on_problem=on_problem, on_row=on_row, on_invalid=on_invalid)
    for content in read_contents(inputs, reading):
        _check_content(content, checked, validator, told)
    if checked.repeats and on_warning is not None:
        on_warning(_repeats_in_words(checked.repeats))
    return checked


def _check_content(content: Content, checked: Checked, validator: Validator, told: Listeners) -> None:
    """Check one input; what is plainly fine about its rows is settled here, for speed."""
    plain, claim, fine, on_row = validator.quick().of(content), checked.claims.claim_plain, checked.fine, told.on_row
    source = checked.claims.places.of(content.source)
    for line, record in content.records:
        found = plain(record)
        if found is not None:
            own, body, written = found
            key = claim(own, body, written, source, line)
            if key is not None:
                fine.append(1)
                if on_row is not None:
                    on_row(ValidRow(key, content.source, line, body))
                continue
        row = content.row(line, record)
        if row is not None:
            check_row(row, checked, validator, told)


def check_row(row: Row, checked: Checked, validator: Validator, told: Listeners) -> None:
    """The long way: every problem of the row, and whose key or identifier it took."""
    body: Body = validator.normalise(row) if row.fault is None else {}
    problems = validator.problems(row, body)
    written = b"" if problems else orjson.dumps(body)
    value = value_of(written, checked.claims.places.at(row))
    key, clashes = _claim(row, body, value, checked)
    problems += clashes
    if not problems:
        checked.fine.append(1)
        if told.on_row is not None:
            told.on_row(ValidRow(key, row.source, row.line, body, row.unclear_attempt))
        return
    checked.invalid += 1
    checked.fine.append(0)
    for problem in problems:
        told.on_problem(problem)
    if told.on_invalid is not None:
        told.on_invalid(row, key, problems)


def _claim(row: Row, body: Body, value: int, checked: Checked) -> tuple[str, list[Problem]]:
    """The row's key, which no other row has, and the problem if it should have had another row's."""
    claims, own, identifier = checked.claims, own_key(row), identifier_of(body)
    base = base_of(row, own, identifier, body)
    if row.refused_as is not None and (own is None or is_another(row.refused_as, own)):  # it was not mended
        found = [] if own is None else [claims.clash(row, own, KEY)]
        return claims.claim(row.refused_as, None, value) or claims.another(row.refused_as, value), found
    if own is not None and row.is_fed_back:
        claims.bring(own)
    if (key := claims.claim(base, identifier, value)) is not None:
        return key, []
    if own is None and identifier is None and not claims.is_brought(base):
        checked.repeats += bool(value >> 32) and claims.is_copy(base, value)
        return claims.another(base, value), []
    found = []
    if identifier is not None and holding(identifier) in claims.keys:
        found.append(claims.clash(row, holding(identifier), "identifier"))
    if base in claims.keys and (own is not None or not found):
        found.append(claims.clash(row, base, KEY))
    return claims.claim(base, None, value) or claims.another(base, value), found


def _repeats_in_words(count: int) -> str:
    rows = "1 row is" if count == 1 else f"{count} rows are"
    return f"{rows} identical to an earlier row; each will become a document of its own"


def read_specs(inputs: Sequence[Source | Path], reading: Reading, checked: Checked) -> Iterator[Spec]:
    """The second pass: the rows that were fine, in order, with the same keys.

    Raises:
        Stopped: a row is not the one that was checked.
        UsageError: a file cannot be read any more.
    """
    validator, claims, fine = Validator(reading), checked.claims, iter(checked.fine)
    again, counted = claims.again, Fingerprints()
    for content in read_contents(inputs, reading, trusted=True):
        source = claims.places.of(content.source)
        for line, record in content.records:
            row = content.row(line, record)
            if row is None:
                continue
            is_fine = next(fine, None)
            if is_fine is None:
                raise _changed(row.place)
            if not is_fine:
                continue
            body: Body = validator.normalise(row) if row.fault is None else {}
            try:
                written = orjson.dumps(body)
            except TypeError:  # nested too deeply now
                raise _changed(row.place) from None
            own = own_key(row) if KEY in row.fields else None
            base = base_of(row, own, identifier_of(body), body)
            key = again(base, value_of(written, place_of(source, line)), counted)
            if key is None:
                raise _changed(row.place)
            yield validator.spec_of(row, key, body, written)
    if next(fine, None) is not None:
        raise _changed(claims.places.names[-1])


def _changed(place: str) -> Stopped:
    return Stopped(f"{place}: was changed while the run read it; nothing more is sent; run the same command again")
