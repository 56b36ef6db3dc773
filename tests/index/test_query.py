"""What is understood of a question: years, places, parts, names; and what is left as it was asked."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from corpus.types import Passage
from index.names import Names
from index.query import Part, Query, understand
from index.spelling import plain
from index.years import plan_of
from tests.names import learn_names

YEARS = {"宝山": [2015, 2022, 2025, 2026], "闵行": [2015, 2022, 2025], "徐汇": [2015, 2022], "长宁": [2022, 2025]}
ALL = [2015, 2022, 2024, 2025, 2026]
HEADINGS = ["宝山区", "闵行区", "徐汇区", "长宁区", "浦东新区", "闵行园", "宝山园", "张江科技城"]
TEXT = "上海市的科技创新，张江宝山园，先投后股，大零号湾，漕河泾"


def reported(places) -> list[int]:
    """A corpus of five years; not every place is in each."""
    return [year for year in ALL if all(year in YEARS.get(place, ALL) for place in places)]


def learnt() -> Names:
    rows = [Passage("d", (heading,), (), None, "text", ((0, 1),), "文", (1, 1)) for heading in HEADINGS]
    return learn_names(rows, [TEXT])


NAMES = learnt()
PLANS = {"十五五": 2026}


def read(question: str, *ignored: str) -> Query:
    return understand(question, NAMES, reported, 2026, PLANS, ignored)


def ids(query: Query) -> list[str]:
    return [x.id for x in query.readings]


def readings(question: str, kind: str) -> list[str]:
    return [x.value for x in read(question).readings if x.kind == kind]


@pytest.mark.parametrize(
    ("question", "years"),
    [
        ("2022年宝山做了什么", (2022,)),
        ("2022 宝山", (2022,)),
        ("2022-2025年的科创", (2022, 2024, 2025)),
        ("2015年至2022年的科创", (2015, 2022)),
        ("2022到2024的科创", (2022, 2024)),
        ("15年宝山做了什么", (2015,)),
        ("十四五期间的科创", (2022, 2024, 2025)),
        ("“十四五”期间的科创", (2022, 2024, 2025)),
        ("十三五时期的科创", ()),
        ("去年的科创", (2025,)),
        ("前年的科创", (2024,)),
        ("今年的科创", (2026,)),
        ("最新的科创", (2026,)),
        ("徐汇最新的科创", (2022,)),
        ("2021年的科创", ()),
        ("15年内的科创", ()),
        ("120221个", ()),
        ("宝山有多少家企业", ()),
    ],
)
def test_years_of_reports_are_preferred(question, years):
    whole = read(question).parts[-1]
    assert whole.years == years
    assert whole.text == question


@pytest.mark.parametrize(
    ("question", "years"),
    [
        ("宝山“十五五”规划", (2026,)),
        ("宝山十五五规划讲了什么", (2026,)),
        ("宝山《十五五科技创新规划》", (2026,)),
        ("十五五科创发展规划的目标", (2026,)),
        ("「十五五」规划", (2026,)),
        ("寶山“十五五”規劃", (2026,)),
        ("“十四五”规划", ()),  # no report is it
        ("十五五", ()),
        ("十五五期间的目标", (2026,)),
        ("规划十五五的企业", ()),
    ],
)
def test_a_plan_by_its_name_prefers_the_report_that_is_it(question, years):
    assert read(question).parts[-1].years == years


def test_plans_are_the_corpuss_own():
    assert understand("宝山“十五五”规划", NAMES, reported, 2026).parts[0].years == ()
    assert understand("宝山“十五五”规划", NAMES, reported, 2026, {"十五五": 2025}).parts[0].years == (2025,)
    assert understand("“十四五”规划", NAMES, reported, 2026, {"十四五": 2022}).parts[0].years == (2022,)


def test_a_plan_and_a_year_are_asked_for_one_by_one():
    *parts, whole = read("宝山“十五五”规划和2022年的报告怎么说").parts
    assert [part.year for part in parts] == [2026, 2022]
    assert all(part.places == ("宝山",) for part in parts)
    assert whole.year is None
    assert whole.years == (2026, 2022)


@pytest.mark.parametrize(
    ("title", "plan"),
    [
        ("宝山区科技创新“十五五”规划（征求意见稿）", "十五五"),
        ("上海市“十四五”科技创新规划", "十四五"),
        ("十三五规划纲要", "十三五"),
        ("上海市国民经济和社会发展第十五个五年规划", None),
        ("上海科技创新年度报告", None),
        ("十五五展望", None),
        ("", None),
    ],
)
def test_which_plan_a_report_is(title, plan):
    assert plan_of(title) == plan


def test_the_shipped_plan_is_known_by_its_name(assistant):
    retriever = assistant.retriever()
    query = retriever.understand("宝山“十五五”规划")
    assert query.parts[-1].years == (2026,)
    assert retriever.search(query, 5)[0].citation.year == 2026
    *parts, _ = retriever.understand("宝山“十五五”规划和2022年的定位").parts
    assert [part.year for part in parts] == [2026, 2022]


@pytest.mark.parametrize("today", [2016, 2023, 2027])
def test_last_year_is_counted_from_today(today):
    years = understand("去年的科创", NAMES, reported, today).parts[0].years
    assert years == tuple(year for year in ALL if year == today - 1)


@pytest.mark.parametrize("question", ["到2030年宝山的目标", "力争2026年建成什么", "截至2025年的企业", "2035年的上海"])
def test_a_target_year_is_no_year_of_a_report(question):
    query = read(question)
    assert [x.kind for x in query.readings if x.kind in ("year", "target")] == ["target"]
    assert query.parts[-1].years == ()


@pytest.mark.parametrize(
    ("question", "places"),
    [
        ("宝山区有多少家企业", ("宝山",)),
        ("宝山有多少家企业", ("宝山",)),
        ("闵行园的产业", ("闵行",)),
        ("寶山區有多少家企業", ("宝山",)),
        ("浦东新区的定位", ("浦东",)),
        ("先投后股是什么", ()),
    ],
)
def test_places_by_any_of_their_names(question, places):
    query = read(question)
    assert query.parts == (query.parts[0],)
    assert query.parts[0].places == places
    assert query.parts[0].place is None


@pytest.mark.parametrize(
    ("question", "texts"),
    [
        ("徐汇和长宁的人工智能", {"徐汇": "徐汇的人工智能", "长宁": "长宁的人工智能"}),
        (
            "徐汇、长宁、闵行区有哪些大学",
            {"徐汇": "徐汇有哪些大学", "长宁": "长宁有哪些大学", "闵行": "闵行区有哪些大学"},
        ),
        ("徐汇 vs 长宁", {"徐汇": "徐汇", "长宁": "长宁"}),
        ("对比徐汇和长宁的大学", {"徐汇": "对比徐汇的大学", "长宁": "对比长宁的大学"}),
    ],
)
def test_several_places_are_asked_for_one_by_one(question, texts):
    *parts, whole = read(question).parts
    assert {part.place: part.text for part in parts} == texts
    assert all(part.places == (part.place,) for part in parts)
    assert (whole.text, whole.place) == (question, None)
    assert readings(question, "split") == ["；".join(texts)]


@pytest.mark.parametrize("question", ["徐汇的大学和长宁有关吗", "宝山区宝山园", "闵行区", "宝山和宝山园"])
def test_places_that_are_not_listed_are_one_question(question):
    assert len(read(question).parts) == 1
    assert readings(question, "split") == []


@pytest.mark.parametrize(
    ("question", "years", "text"),
    [
        ("宝山2015年和2022年的定位", [2015, 2022], "宝山的定位"),
        ("历年宝山的定位", [2015, 2022, 2025, 2026], "宝山的定位"),
        ("宝山在前后几份报告里的定位", [2015, 2022, 2025, 2026], "宝山在里的定位"),
        ("这几年徐汇的变化", [2015, 2022], "徐汇的变化"),
        ("技术合同2015年与2022年分别多少", [2015, 2022], "技术合同分别多少"),
    ],
)
def test_several_years_are_asked_for_one_by_one(question, years, text):
    *parts, whole = read(question).parts
    assert [part.year for part in parts] == years
    assert {part.text for part in parts} == {text}
    assert (whole.text, whole.year) == (question, None)


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("请问宝山有多少家企业呀？", "宝山有多少家企业？"),
        ("你好，我想了解一下先投后股", "先投后股"),
        ("麻烦问一下，谁知道先投后股是什么呢", "先投后股是什么"),
        ("请问", "请问"),
        ("谢谢", "谢谢"),
        ("帮我查一下？", "帮我查一下？"),
    ],
)
def test_politeness_is_left_out_and_never_all_there_is(question, text):
    query = read(question)
    assert query.parts[0].text == text
    assert query.text == question
    assert ("filler" in {x.kind for x in query.readings}) is (text != question)


@pytest.mark.parametrize(
    ("question", "text", "surface", "name"),
    [
        ("minhang有哪些园区", "闵行有哪些园区", "minhang", "闵行"),
        ("Min Hang 有哪些园区", "闵行 有哪些园区", "Min Hang", "闵行"),
        ("zhang jiang bao shan yuan有什么", "张江宝山园有什么", "zhang jiang bao shan yuan", "张江宝山园"),
        ("What is Minhang doing?", "What is 闵行 doing?", "Minhang", "闵行"),
        ("张江保山园有什么", "张江宝山园有什么", "张江保山园", "张江宝山园"),
        ("大零号弯的规划", "大零号湾的规划", "大零号弯", "大零号湾"),
    ],
)
def test_names_in_pinyin_or_with_a_wrong_character(question, text, surface, name):
    query = read(question)
    assert query.parts[0].text == text
    assert [(x.surface, x.value) for x in query.readings if x.kind == "name"] == [(surface, name)]


@pytest.mark.parametrize(
    "question",
    ["上海是什么样的城市", "宝山去年的企业", "G60科创走廊", "which park works on robots", "AI for Science", "先投后股"],
)
def test_what_is_no_misspelt_name_stays(question):
    assert readings(question, "name") == []
    assert read(question).parts[-1].text == question


def test_a_name_inside_an_english_sentence_is_found_wherever_it_stands():
    for before in ("", "what ", "what is ", "tell us what "):
        assert readings(f"{before}zhang jiang bao shan yuan does", "name") == ["张江宝山园"]


def test_places_are_found_beside_numerals():
    """Numerals are folded for matching, and change the length of a text: spans must stay where they were."""
    for question in ("一千二百家企业里徐汇和长宁的", "十家企业里徐汇和长宁三十五家的", "一千二百家企業裡徐匯和長寧的"):
        *parts, whole = read(question).parts
        assert whole.places == ("徐汇", "长宁")
        assert [part.place for part in parts] == ["徐汇", "长宁"]


def test_a_literal_query_is_its_text_and_no_more():
    query = Query.literal("请问minhang和徐汇2022年")
    assert query.readings == ()
    (part,) = query.parts
    assert (part.text, part.years, part.places, part.year, part.place) == (query.text, (), (), None, None)


def test_every_reading_has_a_chinese_line():
    query = read("请问minhang和徐汇2022年最新，到2030年呢")
    assert {x.kind for x in query.readings} == {"filler", "name", "year", "target", "place", "split"}
    assert all(x.message and "{" not in x.message for x in query.readings)


def test_without_names_and_reports_the_question_stays():
    query = understand("宝山和徐汇2022年的去年", Names({}, {}, {}), lambda places: [], 2026)
    assert [part.text for part in query.parts] == [query.text]


# -- one thing undone ---------------------------------------------------------------------------------


def test_a_year_undone_is_preferred_no_more_and_stays_in_the_text():
    whole = read("2022年宝山的定位", "year:2022年").parts[-1]
    assert (whole.text, whole.years, whole.places) == ("2022年宝山的定位", (), ("宝山",))
    assert read("最新的科创", "latest:最新").parts[-1] == Part("最新的科创")
    assert ids(read("到2030年宝山的目标", "target:2030年")) == ["place:宝山"]


def test_of_several_years_one_is_undone():
    *parts, whole = read("2015年、2022年和2025年的定位", "year:2022年").parts
    assert [part.year for part in parts] == [2015, 2025]
    assert {part.text for part in parts} == {"2022年的定位"}
    assert whole.years == (2015, 2025)
    assert len(read("2015年和2022年的定位", "year:2022年").parts) == 1


def test_of_several_places_one_is_undone():
    *parts, whole = read("徐汇、长宁和闵行区的大学", "place:长宁").parts
    assert {part.place: part.text for part in parts} == {"徐汇": "徐汇、长宁的大学", "闵行": "长宁和闵行区的大学"}
    assert whole.places == ("徐汇", "闵行")
    (only,) = read("徐汇和长宁的大学", "place:长宁").parts
    assert (only.text, only.places, only.place) == ("徐汇和长宁的大学", ("徐汇",), None)


def test_a_split_undone_is_one_question_that_prefers_all():
    (whole,) = read("徐汇和长宁的大学", "split").parts
    assert whole == Part("徐汇和长宁的大学", (), ("徐汇", "长宁"))
    (whole,) = read("宝山历年的定位", "split").parts
    assert whole == Part("宝山历年的定位", (), ("宝山",))


@pytest.mark.parametrize(
    ("question", "ignored"),
    [
        ("minhang有哪些园区", "name:minhang"),
        ("zhang jiang bao shan yuan有什么", "name:zhang jiang bao shan yuan"),
        ("张江保山园有什么", "name:张江保山园"),
        ("大零号弯的规划", "name:大零号弯"),
        ("请问宝山有多少家企业", "filler:请问"),
        ("宝山有多少家企业呀？", "filler:呀"),
    ],
)
def test_a_name_or_politeness_undone_stays_as_it_was_typed(question, ignored):
    assert ignored in ids(read(question))
    query = read(question, ignored)
    assert query.parts[-1].text == question
    assert ignored not in ids(query)


PIECES = [
    "徐汇", "长宁", "寶山區", "和", "与", "对比", "、", " vs ", "2015年", "2022", "-", "到", "去年", "历年",
    "前后几份报告", "“十五五”规划", "十四五规划", "请问", "呢", "？", "十四五期间", "15年", "minhang", "zhang jiang", "张江保山园", "百分之五", "一千二百家", "的", "or", " ",
]  # fmt: skip


def check_undoing(query: Query, undo: Callable[..., Query]) -> None:
    """Any reading can be undone; the others keep their ids, and with none left the question is its words alone."""
    known = set(ids(query))
    for one in query.readings:
        less = set(ids(undo(one.id)))
        assert one.id not in less
        if one.kind in ("year", "latest", "target", "split"):
            assert known - less <= {one.id, "split"}
    ignored: list[str] = []
    while more := ids(undo(*ignored)):
        assert not set(more) & set(ignored)
        ignored += more
    assert undo(*ignored).parts == (Part(plain(query.text)),)


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(st.text(max_size=20), st.lists(st.sampled_from(PIECES), max_size=8).map("".join)), st.integers(1990, 2100)
)
@example("对比徐汇和长宁", 2026)
@example("和徐汇和长宁", 2026)
@example("徐汇2015年2022年", 2026)
@example("  历年", 2026)
def test_understanding_never_fails_and_never_asks_for_nothing(text, today):
    query = understand(text, NAMES, reported, today, PLANS)
    check_undoing(query, lambda *ignored: understand(text, NAMES, reported, today, PLANS, ignored))
    assert query.text == text
    assert query.parts
    assert all(part.text.strip() for part in query.parts) or not text.strip()
    assert all(set(part.years) <= set(ALL) for part in query.parts)
    assert all(x.message for x in query.readings)
