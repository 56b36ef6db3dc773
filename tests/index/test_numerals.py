"""Numerals: counted ones become digits, names keep their words."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from index.numerals import fold_numbers, fold_numbers_at, value


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("六家企业", "6家企业"),
        ("二十三个项目", "23个项目"),
        ("一千二百个", "1200个"),
        ("一千零二十人", "1020人"),
        ("两百家", "200家"),
        ("三千万元", "3000万元"),
        ("百分之二点五", "2.5%"),
        ("百分之十", "10%"),
        ("二〇二五年", "2025年"),
        ("二零一五年", "2015年"),
        ("十余家", "10余家"),
        ("1,234,567元", "1234567元"),
        ("三点五亿元", "3.5亿元"),
    ],
)
def test_what_is_counted_becomes_digits(text, folded):
    assert fold_numbers(text) == folded


@pytest.mark.parametrize(
    "text",
    [
        "十四五", "“十四五”规划", "十四五期间", "三区联动", "一批", "一体化", "一轴两翼", "一带一路", "万亿", "千亿级",
        "统一", "一个", "一家", "五大新城", "百家", "449家", "3.0版", "1,23", "12,3456", "", "零", "百分之百",
    ],
)  # fmt: skip
def test_names_and_articles_keep_their_words(text):
    assert fold_numbers(text) == text


@pytest.mark.parametrize("text", ["2025,100家", "2022,2025,2026", "1234,567"])
def test_a_comma_between_two_numbers_joins_nothing(text):
    assert fold_numbers(text) == text


@pytest.mark.parametrize(
    ("numeral", "number"),
    [
        *(
            ("十", 10),
            ("十四", 14),
            ("二十", 20),
            ("一百零五", 105),
            ("九千九百九十九", 9999),
            ("〇", 0),
            ("两千", 2000),
        ),
        *(("十四五", None), ("一二", None), ("百", None), ("二百千", None), ("十十", None)),
    ],
)
def test_value(numeral, number):
    assert value(numeral) == number


def numeral(number: int) -> str:
    """The usual Chinese numeral of 1 to 9999."""
    digits, units = "零一二三四五六七八九", ["", "十", "百", "千"]
    text = ""
    for place in (3, 2, 1, 0):
        digit = number // 10**place % 10
        if digit:
            text += digits[digit] + units[place]
        elif text and not text.endswith("零"):
            text += "零"
    return text.rstrip("零").removeprefix("一") if 10 <= number < 20 else text.rstrip("零")


@given(st.integers(2, 9999))
def test_every_number_is_read_as_it_is_written(number):
    assert value(numeral(number)) == number
    assert fold_numbers(f"共有{numeral(number)}家企业") == f"共有{number}家企业"


@settings(max_examples=300)
@given(
    st.one_of(
        st.text(max_size=30), st.text(alphabet="零〇一二两三四五六七八九十百千万亿点分之家个年%1234,.", max_size=15)
    )
)
@example("1,二百家")
@example("百分之一百分之一家")
def test_folding_never_fails_and_twice_changes_nothing(text):
    once = fold_numbers(text)
    assert fold_numbers(once) == once


@settings(max_examples=500, deadline=None)
@given(st.text("一二三五十百千万亿零〇两点分之年家个%1234,. 甲", max_size=40))
@example("1,200家，二〇二五年增百分之二点五")
def test_every_digit_comes_from_its_numeral(text):
    folded, places = fold_numbers_at(text, [(n, n + 1) for n in range(len(text))])
    assert folded == fold_numbers(text)
    assert len(places) == len(folded)
    assert list(places) == sorted(places)
    for character, (start, end) in zip(folded, places, strict=True):
        is_digit = character in "0123456789.%" and text[start] in "一二三五十百千零〇两1234"
        assert is_digit or text[start:end] == character
