"""The compact map: behaves as a dict, costs a fraction of one."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher import fingerprints
from batcher.fingerprints import Fingerprints

steps = st.tuples(st.sampled_from(["add", "put", "get"]), st.text("abc", max_size=3), st.integers(0, 2**64 - 1))


@pytest.mark.parametrize("buckets", [1, 1 << 16])
@given(st.lists(steps, max_size=200))
def test_it_behaves_as_a_dict(buckets: int, history: list[tuple[str, str, int]]) -> None:
    """With many entries in a bucket as well as with one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fingerprints, "_BUCKETS", buckets)
        patch.setattr(fingerprints, "_LOW", buckets - 1)
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


def test_a_match_that_straddles_two_entries_is_none() -> None:
    """The bytes of a value followed by the next hash may look like the hash that is sought."""
    mark, bucket = b"abcdef", bytearray(b"123456" + b"12345abc" + b"defxyz" + b"87654321")
    assert bucket.find(mark) == 11
    assert fingerprints._find(bucket, mark) == -1
    assert fingerprints._find(bucket + mark + b"x" * 8, mark) == 28


def test_an_entry_costs_at_most_24_bytes() -> None:
    """So a million keys fit into 24 MB beside the process."""
    kept = Fingerprints()
    for number in range(500_000):
        kept.add(str(number), number)
    used = sys.getsizeof(kept._buckets) + sum(sys.getsizeof(bucket) for bucket in kept._buckets if bucket is not None)
    assert used / 500_000 <= 24
