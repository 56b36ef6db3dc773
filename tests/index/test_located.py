"""Where words stand in a text: the places found are those of the source, whatever folding does to it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.types import Passage
from index.located import LocatedPassage, LocatedText
from index.segment import words


def source(text: str, *spans: tuple[int, int]) -> LocatedPassage:
    return LocatedPassage(Passage("d", (), (), None, "text", spans or ((0, len(text)),), text, (1, 1)))


@pytest.mark.parametrize(
    ("text", "term", "found"),
    [
        ("先投后股，先投后股", "先投后股", [(0, 4), (5, 9)]),
        ("𠮷野家创新", "创新", [(3, 5)]),
        ("創新中心", "创新", [(0, 2)]),
        ("一千二百家企业", "1200", [(0, 4)]),
        ("1,200 家企业", "1200", [(0, 5)]),
        ("占百分之二点五。", "2.5", [(1, 7)]),
        ("ＡＩ制造", "ai", [(0, 2)]),
        ("AI二十五家企业", "ai25", [(0, 5)]),
        ("**先投**后股", "先投后股", [(2, 4), (6, 8)]),
        ("2016年6个", "6", [(5, 6)]),
        ("G60科创走廊", "g60", [(0, 3)]),
        ("cafe\u0301，创新cafe\u0301", "café", [(0, 5), (6, 13)]),  # no telling within a clause: all of it
    ],
)
def test_a_word_is_found_where_it_stands_as_it_is_matched(text, term, found):
    read = source(text)
    assert list(read.spans(read.places(term))) == found


def test_a_long_line_of_numerals_is_read_in_one_go():
    """Its length once counted by its square: the title of a hostile document kept the service busy for minutes."""
    assert LocatedText("二十五家企业" * 2000).places("25") == [(6 * n, 6 * n + 3) for n in range(2000)]


def test_a_word_that_a_page_break_cuts_has_two_places():
    read = source("创新", (10, 11), (40, 41))
    assert read.spans(read.places("创新")) == ((10, 11), (40, 41))


ALPHABET = "科创新創中心一二三十百千万亿家年个项AＡi6０,.％%点分之の （），。\t\n*𠮷﹣㈠ﬁİ"


@settings(max_examples=300, deadline=None)
@given(st.text(ALPHABET, max_size=40))
def test_places_lie_in_the_text_and_in_order(text):
    read = LocatedText(text)
    for run in read._runs:
        assert len(run.places) == len(run.text)
        assert all(0 <= start <= end <= len(text) for start, end in run.places)
        assert list(run.places) == sorted(run.places)


@settings(max_examples=300, deadline=None)
@given(st.text(ALPHABET, max_size=40))
def test_every_word_of_a_clause_is_found_in_it(text):
    read = LocatedText(text)
    for run in read._runs:
        for term in words(run.text):
            assert read.places(term)
