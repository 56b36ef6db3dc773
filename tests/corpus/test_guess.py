"""What a document probably is, and from what that follows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.guess import clean_name, guess, kind_of, series_of
from corpus.readers.types import Reading

THIS_YEAR = 2026


def of(file, text, **more):
    return guess(file, Reading(text, "text/plain", **more), THIS_YEAR)


@pytest.mark.parametrize(
    ("file", "text", "year", "basis"),
    [
        ("a.pdf", "2025上海科技进步报告\n\n一、概况", 2025, "题名中有“2025”"),
        ("上海2024.pdf", "区县创新\n2015年", 2024, "文件名中有“2024”"),
        ("a.pdf", "宝山区规划\n\n（2026年2月）\n\n2024年2024年", 2026, "封面署“（2026年2月）”"),
        ("a.pdf", "宝山区规划\n\n二〇二六年二月\n\n2024年", 2026, "封面署“二〇二六年二月”"),
        (
            "a.pdf",
            "宝山区规划\n\n到2030年建成。2023年完成，2023年通过，2021年启动。",
            2023,
            "正文最常述及2023年（2处）",
        ),
        ("a.pdf", "区县创新\n\n2015—2020年行动，2015—2020年，到2020年，2020年底。", 2015, "正文最常述及2015年（2处）"),
        ("a.pdf", "宝山区规划\n\n总则。", 2026, "看不出年份，暂记加入之年，请用 kewen docs set 更正"),
        ("电话13820151234.txt", "联系方式\n\n总则。", 2026, "看不出年份，暂记加入之年，请用 kewen docs set 更正"),
    ],
)
def test_a_year_comes_with_its_ground(file, text, year, basis):
    found = of(file, text)
    assert (found.year, found.year_basis) == (year, basis)


def test_the_files_own_date_is_the_last_resort():
    assert of("a.pdf", "总则。", dated="2019-03-01").year_basis == "文件自记的日期为2019-03-01"


@pytest.mark.parametrize(
    ("file", "text", "title", "basis"),
    [
        ("a.md", "# **宝山区科技创新规划**\n\n正文。", "宝山区科技创新规划", "正文首行"),
        ("宝山区规划_最终版(2).docx", "本规划旨在加快推进。", "宝山区规划_最终版", "文件名"),
        ("x.pdf", "2026年2月\n\n宝山区科技创新规划\n", "宝山区科技创新规划", "正文首行"),
    ],
)
def test_a_title_comes_with_its_ground(file, text, title, basis):
    found = of(file, text)
    assert (found.title, found.title_basis) == (title, basis)


def test_what_the_file_says_itself_goes_first():
    found = of("a.pdf", "页眉\n正文。", title="上海科技进步报告\n2025", title_basis="封面最大的字")
    assert (found.title, found.title_basis) == ("上海科技进步报告 2025", "封面最大的字")


@pytest.mark.parametrize(
    ("title", "series", "kind"),
    [
        ("2025上海科技进步报告", "上海科技进步报告", "报告"),
        ("上海科技进步报告（2024年度）", "上海科技进步报告", "报告"),
        ("上海市“十四五”规划（2021—2025年）", "上海市“十四五”规划", "规划"),
        ("关于印发《行动方案（2023—2025年）》的通知", "关于印发《行动方案》的通知", "通知"),
        ("2025", "2025", "文件"),
        ("宝山区“十五五”规划（征求意见稿）", "宝山区“十五五”规划", "规划"),
    ],
)
def test_series_and_kind_follow_from_the_title(title, series, kind):
    assert (series_of(title), kind_of(title)) == (series, kind)


@given(st.text(max_size=400))
def test_a_name_can_be_shown_anywhere(text):
    name = clean_name(text)
    assert name.isprintable()
    assert len(name.encode()) <= 255
    assert clean_name(name) == name


@given(st.text(max_size=300), st.text(max_size=60))
def test_every_text_has_a_title_and_a_year(text, file):
    found = of(file, text)
    assert found.title
    assert found.series
    assert 1900 <= found.year <= 2100
