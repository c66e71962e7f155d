"""Rows → specs or problems, in one pass over the inputs.

Only fingerprints are kept of a row (`claims.py`): 24 to 48 bytes each. A row about which nothing is wrong or unusual
takes the fast path, without ever becoming a `Row`; whoever sends it asks for its `spec`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import orjson

from ..config import Reading
from ..models import Problem, Row, Spec
from ..omni.fields import KEY
from ..placement import NO_PLACEMENT, Placement, StepKind, steps_of
from ..read.failures_lines import refused_key
from ..read.read import Content, read_contents
from ..read.sources import Source
from .checked_rows import InvalidRow, ValidRow
from .claims import Claims, Places, base_of, holding, identifier_of, is_refused_still, value_of
from .normalise import Body
from .placement import placement_of
from .validate import Validator, own_key


@dataclass(slots=True)
class Checked:
    """What was read so far. `rows` (blank ones are none) = `valid` + `invalid`.

    `repeats` counts rows that are wholly identical to an earlier one (they are valid); `steps` are requests that follow
    creates under version 1, `moves` those of them that version 2 spares;
    `left_out` says of each input what was ignored.
    """

    claims: Claims = field(repr=False)
    rows: int = 0
    invalid: int = 0
    repeats: int = 0
    left_out: list[str] = field(default_factory=list)
    steps: int = 0
    moves: int = 0

    def count_steps(self, placement: Placement) -> None:
        """What follows the create of a valid row, under version 1."""
        kinds = steps_of(placement)
        self.steps += len(kinds)
        self.moves += StepKind.FOLDER in kinds

    @property
    def valid(self) -> int:
        """How many rows can be sent."""
        return self.rows - self.invalid


def check(
    inputs: Sequence[Source | Path],
    reading: Reading,
    *,
    on_problem: Callable[[Problem], None],
    on_row: Callable[[ValidRow], None] | None = None,
    on_invalid: Callable[[InvalidRow], None] = lambda _: None,
    on_warning: Callable[[str], None] = lambda _: None,
    is_made: Callable[[InvalidRow], bool] = lambda _: False,
    expected: int = 0,
    same_rows: Mapping[str, str] = MappingProxyType({}),
    is_filed: Callable[[str], bool] = lambda _: True,
    shared: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> Checked:
    """Read and validate every row of all inputs once; send nothing, write nothing.

    Args:
        inputs: what `sources.open_inputs` gives, or paths.
        reading: how to read them.
        on_problem: gets every problem, in input order.
        on_row: gets each valid row.
        on_invalid: gets each invalid row, after its problems.
        on_warning: gets what is allowed but looks like a mistake.
        is_made: whether the document of an invalid row exists: then the row needs nothing, and isn't counted as invalid.
        expected: about how many rows there are, if that is known.
        same_rows: keys of rows that the files of earlier runs have under another key, and that key.
        is_filed: whether the files say anything of a key that a failures line brings; else it is looked for in `same_rows`.
        shared: names that rows without a key share, and their keys in the order of these rows (`plan/shared_names.py`).

    Raises:
        UsageError: something is wrong with a whole file.
    """
    checked = Checked(Claims.expecting(Places(inputs), expected, same_rows, shared, is_filed))
    for row in check_rows(inputs, reading, checked, all_rows=on_row is not None):
        if isinstance(row, InvalidRow) and is_made(row):
            checked.invalid -= 1
        elif isinstance(row, InvalidRow):
            for problem in row.problems:
                on_problem(problem)
            on_invalid(row)
        elif on_row is not None:
            on_row(row)
    for left_out in checked.left_out:
        on_warning(left_out)
    if checked.repeats:
        on_warning(_repeats_in_words(checked.repeats))
    return checked


def read_specs(
    inputs: Sequence[Source | Path],
    reading: Reading,
    *,
    on_problem: Callable[[Problem], None] = lambda _: None,
) -> Iterator[Spec]:
    """Read the inputs once: each valid row's spec, as it is read. `on_problem` gets what is wrong with the others.

    Raises UsageError as `check` does, perhaps after the first specs.
    """
    for row in check_rows(inputs, reading, Checked(Claims(Places(inputs)))):
        if isinstance(row, ValidRow):
            yield row.spec()
        else:
            for problem in row.problems:
                on_problem(problem)


def check_rows(
    inputs: Sequence[Source | Path], reading: Reading, checked: Checked, *, all_rows: bool = True
) -> Iterator[ValidRow | InvalidRow]:
    """Every row of all inputs, checked, in order; `checked` counts them. Raises UsageError.

    Without `all_rows` the rows of the fast path are only counted.
    """
    validator = Validator(reading)
    for content in read_contents(inputs, reading):
        yield from _check_content(content, checked, validator, all_rows=all_rows)
        if left_out := validator.left_out():
            checked.left_out.append(f"{content.source}: left out: {left_out}")


def _check_content(
    content: Content, checked: Checked, validator: Validator, *, all_rows: bool
) -> Iterator[ValidRow | InvalidRow]:
    """The rows of one input; those that are plainly valid are settled here, for speed."""
    plain, claim, source = validator.fast_path().of(content), checked.claims.claim_plain, content.source
    place, placement = checked.claims.places.of(source), validator.default_placement
    for line, record in content.records:
        read = plain(record)
        if read is not None:
            own, body, written = read
            key = claim(own, body, written, place, line)
            if key is not None:
                checked.rows += 1
                if placement is not NO_PLACEMENT:
                    checked.count_steps(placement)
                if all_rows:
                    yield ValidRow(key, source, line, body, written, content, record, placement)
                continue
        row = content.row(line, record)
        if row is not None:
            yield check_row(row, checked, validator)


def check_row(row: Row, checked: Checked, validator: Validator) -> ValidRow | InvalidRow:
    """Full validation: every problem of the row, and whose key or identifier it took.

    Raises UsageError for an API key in the place of the row's key.
    """
    validator.refuse_api_keys(row)
    body: Body = validator.normalise(row) if row.fault is None else {}
    problems = validator.problems(row, body)
    written = b"" if problems else orjson.dumps(body)
    placement = placement_of(row, validator.default_placement)
    whole = written if placement == NO_PLACEMENT else written + repr(placement).encode("utf-8", "surrogatepass")
    value = value_of(whole, checked.claims.places.at(row))
    key, clashes = _claim(row, body, value, checked)
    checked.rows += 1
    if not problems and not clashes:
        checked.count_steps(placement)
        return ValidRow(key, row.source, row.line, body, written, None, row, placement)
    checked.invalid += 1
    return InvalidRow(row, key, (*problems, *clashes))


def _claim(row: Row, body: Body, value: int, checked: Checked) -> tuple[str, list[Problem]]:
    """The row's key, which no other row has, and the problem if it should have had another row's."""
    claims, own, identifier = checked.claims, own_key(row), identifier_of(body)
    base = base_of(row, own, identifier, body)
    if row.refused_as is not None and is_refused_still(row, own):
        clashes = [] if own is None else [claims.clash(row, own, KEY)]
        key = claims.claim(row.refused_as, None, value, is_filed=True)
        return key or claims.another(row.refused_as, value), clashes
    if own is not None and row.is_fed_back:
        claims.bring(own)
    if (key := claims.claim(base, identifier, value, is_filed=row.is_fed_back)) is not None:
        return key, []
    if own is None and identifier is None and not claims.is_brought(base):
        checked.repeats += bool(value >> 32) and claims.is_copy(base, value)
        return claims.another(base, value), []
    clashes = []
    if identifier is not None and holding(identifier) in claims.keys:
        clashes.append(claims.clash(row, holding(identifier), "identifier"))
    if claims.holder(base) is not None and (own is not None or not clashes):
        clashes.append(claims.clash(row, base, KEY))
        base = base if own is None else refused_key(own)
    return claims.claim(base, None, value) or claims.another(base, value), clashes


def _repeats_in_words(count: int) -> str:
    rows = "1 row is" if count == 1 else f"{count} rows are"
    return f"{rows} identical to an earlier row; each becomes a separate document"
