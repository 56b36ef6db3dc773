"""Terms are counted as a dictionary would count them."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index import counting as module
from index.counting import Counting, Numbers
from index.groups import Groups
from index.terms import HASHED, term_key

TERM = st.sampled_from(["科", "技", "科技", "技科", "g60", "科创板", "3.0", "𠮷", "𠮷野", "a" * 30])
PASSAGES = st.lists(st.lists(st.lists(TERM, max_size=6), max_size=3), max_size=12)


def counted(passages, numbers, batches=1):
    """The counts of passages, each a list of lines, each a list of terms; added in so many batches."""
    counting = Counting(numbers)
    for some in np.array_split(np.arange(len(passages)), batches):
        lines = [line for n in some for line in passages[n]]
        ends = np.cumsum([0, *(len(passages[n]) for n in some)]).tolist()
        members = [list(range(start, end)) for start, end in pairwise(ends)]
        counting.add(Groups.of([[numbers[term] for term in line] for line in lines]), Groups.of(members))
    return counting.counts()


def check(counts, passages):
    expected = {}
    for row, passage in enumerate(passages):
        for term, frequency in Counter(term for line in passage for term in line).items():
            expected.setdefault(term_key(term), []).append((row, min(frequency, 255)))
    assert counts.keys.tolist() == sorted(expected)
    assert counts.lengths.tolist() == [sum(map(len, passage)) for passage in passages]
    for n, key in enumerate(counts.keys.tolist()):
        some = slice(counts.offsets[n], counts.offsets[n + 1])
        assert list(zip(counts.rows[some].tolist(), counts.frequencies[some].tolist(), strict=True)) == expected[key]
    types = [getattr(counts, x).dtype for x in ("keys", "offsets", "frequencies", "lengths")]
    assert types == [np.uint64, np.int64, np.uint8, np.int32]
    assert counts.rows.dtype == np.min_scalar_type(max(len(passages) - 1, 0))


@settings(max_examples=200, deadline=None)
@given(PASSAGES, st.integers(1, 4))
def test_each_term_is_counted_in_each_passage(passages, batches):
    check(counted(passages, Numbers(), batches), passages)


def test_more_passages_than_are_sorted_together_are_counted(monkeypatch):
    monkeypatch.setattr(module, "_ROW_BITS", 3)
    passages = [[["科技", f"第{n % 7}"], ["科技", "g60"][: n % 3]] for n in range(100)]
    check(counted(passages, Numbers(), 2), passages)


def test_the_frequencies_of_a_term_end_at_255():
    counts = counted([[["科"] * 300, ["技"] * 255, ["区"] * 256]], Numbers())
    assert counts.frequencies.tolist() == [255, 255, 255]
    assert counts.lengths.tolist() == [811]


def test_a_term_that_was_forgotten_gets_its_number_again(monkeypatch):
    monkeypatch.setattr(module, "_HELD", 2)
    numbers = Numbers()
    first = [numbers[term] for term in ("科创板", "g60", "ai4s", "大模型")]
    assert [numbers[term] for term in ("科创板", "g60", "ai4s", "大模型")] == first
    assert len(numbers) <= 2
    assert numbers.keys_of(np.array(first)).tolist() == [term_key(x) for x in ("科创板", "g60", "ai4s", "大模型")]


@pytest.mark.parametrize("term", ["科", "科技", "𠮷野", "\U0003ffff\U0003ffff"])
def test_a_short_terms_number_is_its_key(term):
    assert Numbers()[term] == term_key(term) < HASHED
