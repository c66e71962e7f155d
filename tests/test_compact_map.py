"""The compact map: behaves as a dict, costs a fraction of one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from batcher.compact_map import Fingerprints

steps = st.tuples(st.sampled_from(["add", "put", "get"]), st.text("abc", max_size=3), st.integers(0, 2**64 - 1))


class Chosen(str):
    """A text whose hash is chosen, so that texts crowd in the table's last places, and around its end."""

    __slots__ = ("chosen",)
    chosen: int

    def __hash__(self) -> int:
        return self.chosen

    def __eq__(self, other: object) -> bool:
        return str.__eq__(self, other) is True


def chosen(text: str, hashed: int) -> Chosen:
    """`text` with this hash."""
    made = Chosen(text)
    made.chosen = hashed
    return made


@given(st.lists(steps, max_size=200))
def test_it_behaves_as_a_dict(history: list[tuple[str, str, int]]) -> None:
    """Whatever is added, put and asked for, in whatever order."""
    check(history)


@given(st.lists(st.tuples(st.sampled_from(["add", "put", "get"]), st.integers(-5, 5), st.integers(0, 2**64 - 1))))
def test_texts_that_crowd_around_the_end_of_the_table_are_told_apart(history: list[tuple[str, int, int]]) -> None:
    """The search goes on at the table's beginning when it has come to its end. A hash of 0 is that of 1."""
    texts = {number: chosen(str(number or 1), number * (1 << 40) - abs(number)) for number in range(-5, 6)}
    check([(step, texts[number], value) for step, number, value in history])


def check(history: list[tuple[str, str, int]]) -> None:
    """The same steps with a dict."""
    kept, model = Fingerprints(), dict[str, int]()
    for step, text, value in history:
        match step:
            case "add":
                assert kept.add(text, value) == (text not in model)
                model.setdefault(text, value)
            case "put":
                kept.put(text, value)
                model[text] = value
            case _:
                assert kept.get(text) == model.get(text)
                assert (text in kept) == (text in model)
    assert len(kept) == len(model)
    assert sorted(kept.values()) == sorted(model.values())


def test_it_grows_and_an_entry_costs_at_most_48_bytes() -> None:
    """A hundred thousand texts, counted at every size: none is lost, and a million of them cost 34 MB."""
    kept, most = Fingerprints(), 0.0
    for number in range(100_000):
        kept.add(str(number), number)
        if number >= 1000:
            most = max(most, kept._table.itemsize * len(kept._table) / len(kept))
    assert [kept.get(str(number)) for number in range(100_000)] == list(range(100_000))
    assert kept.get("100000") is None
    assert most <= 48
