"""Follow-up questions: what they stand for, what is left alone, and what holds of any text."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.names import Names
from service.conversation import resolve
from tests.names import learn_names

GOLD = Path(__file__).parents[2] / "eval" / "gold" / "questions.jsonl"

ALONE = Names({"宝山": ["宝山区", "宝山园"], "徐汇": ["徐汇区"], "浦东": ["浦东新区"]}, {"xuhui": "徐汇"}, {})


@pytest.fixture(scope="session")
def names(passages) -> Names:
    every = [passage for of_one in passages.values() for passage in of_one]
    return learn_names(every, [passage.text for passage in every])


FIRMS = "2022年宝山有多少家生物医药企业？"
INDUSTRY = "宝山区的主导产业是什么？"
LAB = "上海吴淞材料实验室是哪年启用的？"
SPACE = "2025年徐汇的“模速空间”一共进了多少家企业？"
PLAN = "《上海市科普规划》提出了什么目标？"
EQUITY = "宝山“先投后股”立项了多少个项目？"
TARGET = "到2030年宝山要建成多少家优质科普基地？"
ENGLISH = "How many incubators does Baoshan have in 2022?"


@pytest.mark.parametrize(
    ("last", "question", "resolved"),
    [
        # years
        (FIRMS, "那2025年呢？", "2025年宝山有多少家生物医药企业？"),
        (FIRMS, "2025年呢？", "2025年宝山有多少家生物医药企业？"),
        (FIRMS, "那么2025呢", "2025年宝山有多少家生物医药企业？"),
        (FIRMS, "那2025年的情况怎么样？", "2025年宝山有多少家生物医药企业？"),
        (FIRMS, "那2025年有多少家？", "2025年宝山有多少家生物医药企业？"),
        (FIRMS, "2023年和2024年呢？", "2023年和2024年宝山有多少家生物医药企业？"),
        (FIRMS, "那它2025年呢？", "2025年宝山有多少家生物医药企业？"),
        (INDUSTRY, "2015年呢？", "2015年宝山区的主导产业是什么？"),
        (TARGET, "那2035年呢？", "2035年宝山要建成多少家优质科普基地？"),
        ("松江2022年和2025年各办了哪些科技活动？", "2024年呢？", "松江2024年各办了哪些科技活动？"),
        # places
        (INDUSTRY, "那徐汇呢？", "徐汇区的主导产业是什么？"),
        (INDUSTRY, "徐汇区呢", "徐汇区的主导产业是什么？"),
        (INDUSTRY, "浦东呢？", "浦东新区的主导产业是什么？"),
        (FIRMS, "那徐汇呢？", "2022年徐汇有多少家生物医药企业？"),
        (FIRMS, "还有徐汇和长宁呢？", "2022年徐汇和长宁有多少家生物医药企业？"),
        (FIRMS, "那寶山園呢？", "2022年寶山園有多少家生物医药企业？"),
        ("2024年徐汇园要建什么先导区？", "换成金桥呢？", "2024年金桥园要建什么先导区？"),
        (EQUITY, "另外，杨浦呢？", "杨浦“先投后股”立项了多少个项目？"),
        (TARGET, "那徐汇呢？", "到2030年徐汇要建成多少家优质科普基地？"),
        ("有多少家孵化器？", "徐汇呢？", "徐汇有多少家孵化器？"),
        ("上海有多少家孵化器？", "那浦东呢？", "浦东有多少家孵化器？"),
        ("张江宝山园的主导产业是什么？", "那青浦园呢？", "青浦园的主导产业是什么？"),
        # both
        (FIRMS, "2025年徐汇呢？", "2025年徐汇有多少家生物医药企业？"),
        (INDUSTRY, "那2015年的闵行呢？", "2015年闵行区的主导产业是什么？"),
        # pronouns
        (LAB, "它的目标呢？", "上海吴淞材料实验室的目标是什么？"),
        (LAB, "其负责人是谁？", "上海吴淞材料实验室的负责人是谁？"),
        (LAB, "这个实验室有多少人？", "上海吴淞材料实验室有多少人？"),
        (LAB, "那里有多少家企业？", "上海吴淞材料实验室有多少家企业？"),
        (SPACE, "它的面积呢？", "2025年“模速空间”的面积是什么？"),
        (SPACE, "它2022年有多少家企业？", "“模速空间”2022年有多少家企业？"),
        (SPACE, "它们主要做什么？", "2025年“模速空间”的企业主要做什么？"),
        (PLAN, "它是哪年发布的？", "《上海市科普规划》是哪年发布的？"),
        (EQUITY, "这个政策是哪年出台的？", "“先投后股”是哪年出台的？"),
        (EQUITY, "上面说的项目现在怎么样了？", "“先投后股”现在怎么样了？"),
        (INDUSTRY, "该区有多少家高新技术企业？", "宝山区有多少家高新技术企业？"),
        ("2024年杨浦园的主导产业是什么？", "该园有多少家企业？", "2024年杨浦园有多少家企业？"),
        (FIRMS, "这里有几家孵化器？", "2022年宝山有几家孵化器？"),
        (FIRMS, "該區現在有幾家孵化器？", "宝山現在有幾家孵化器？"),
        ("宝山有哪些未来产业集聚区？", "它们分别在哪里？", "宝山的未来产业集聚区分别在哪里？"),
        ("金山园和宝山园的主导产业是什么？", "前者的面积呢？", "金山园的面积是什么？"),
        ("金山园和宝山园的主导产业是什么？", "后者有多少家企业？", "宝山园有多少家企业？"),
        ("碳基纳米材料研究所打算孵化几家企业？", "它在哪个区？", "碳基纳米材料研究所在哪个区？"),
        # aspects
        (FIRMS, "目标呢？", "2022年宝山的目标是什么？"),
        (LAB, "那面积呢？", "上海吴淞材料实验室的面积是什么？"),
        (FIRMS, "2025年的目标呢？", "2025年宝山的目标是什么？"),
        (FIRMS, "徐汇的目标呢？", "2022年徐汇的目标是什么？"),
        ("徐汇的模速空间有多少家企业？", "那长阳秀带呢？", "长阳秀带有多少家企业？"),
        # whole but for a place and a year
        (INDUSTRY, "那有多少家孵化器？", "宝山区有多少家孵化器？"),
        (FIRMS, "那有多少家孵化器？", "2022年宝山有多少家孵化器？"),
        (FIRMS, "还有哪些孵化器？", "2022年宝山还有哪些孵化器？"),
        (FIRMS, "那徐汇有多少家孵化器？", "徐汇有多少家孵化器？"),
        (FIRMS, "那“先投后股”是什么？", "“先投后股”是什么？"),
        # English
        (ENGLISH, "what about 2025?", "How many incubators does Baoshan have in 2025?"),
        (ENGLISH, "And Xuhui?", "How many incubators does Xuhui have in 2022?"),
        (ENGLISH, "How about its target?", "In 2022, what is the target of Baoshan?"),
        (ENGLISH, "Which companies are located there?", "In 2022, which companies are located in Baoshan?"),
        (ENGLISH, "And how many parks?", "In 2022 in Baoshan, how many parks?"),
    ],
)
def test_a_follow_up_stands_by_itself(names, last, question, resolved):
    assert resolve(question, ["别的问题？", last], names) == resolved


@pytest.mark.parametrize(
    "question",
    [
        "宝山有多少家企业，其中上市的有几家？",
        "那达慕大会在哪里办？",
        "那些年上海办了哪些科技展？",
        "它山之石可以攻玉是哪个区说的？",
        "那个同济创园到底是在哪条路上来着？",
        "那个…宝山老说的0到1，到底是啥意思啊",
        "那个世博园，2024年说要把楼里的企业凑成一个行业的，咋弄来着？",
        "那八个创新联合体分别由哪家企业牵头？",
        "那家做轮胎的法国公司要弄个什么东西？",
        "那本科普护照要花多少钱买？",
        "先进特殊钢那个实验室，归谁领导？",
        "我们想申请张江专项：它的目标是什么？",
        "政府先掏钱、以后再换成股份，这个做法最近改了哪份规定？",
        "宝山和徐汇的孵化器，前者有多少家？",
        "米其林在哪里建厂？",
        "其他区有什么政策？",
        "应该园区出钱还是企业出钱？",
        "再生医学有哪些企业？",
        "另外两个实验室是谁？",
        "How many incubators does Baoshan have and how does it rank?",
        "Why did Tesla choose Lingang for its factory?",
        "How long does it take to open a company?",
        "Is there a science park?",
        "谢谢",
        "那好吧",
        "那它呢？",
        "那呢？",
    ],
)
@pytest.mark.parametrize("last", [FIRMS, LAB, ENGLISH])
def test_a_question_of_its_own_is_left_alone(names, question, last):
    assert resolve(f" {question}\n", [last], names) == question


def test_real_questions_are_left_alone(names):
    questions = [json.loads(line)["question"] for line in GOLD.read_text(encoding="utf-8").splitlines()]
    changed = [x for last, x in pairwise(questions) if resolve(x, [last], names) != x]
    assert changed == []


def test_without_a_history_and_with_one_that_names_nothing(names):
    for history in ([], [""], ["  "], ["你好"], ["谢谢！"]):
        for question in ("它的目标呢？", "目标呢？", "那面积呢？", "后者有多少家？"):
            assert resolve(question, history, names) == question


def test_a_chain(names):
    history = [FIRMS]
    for question in ("那2025年呢？", "徐汇呢？", "它的目标呢？", "那浦东呢？"):
        history.append(resolve(question, history, names))
    assert history[1:] == [
        "2025年宝山有多少家生物医药企业？",
        "2025年徐汇有多少家生物医药企业？",
        "2025年徐汇的目标是什么？",
        "2025年浦东的目标是什么？",
    ]


def test_the_names_of_the_index_will_do(assistant):
    learnt = assistant.retriever().snapshot.names
    assert resolve("那徐汇呢？", [INDUSTRY], learnt) == "徐汇区的主导产业是什么？"


WORDS = (
    "那 那么 还有 另外 再 换成 and what about 呢 ？ ? ， 它 它们 这个 那些 该区 其 前者 后者 its there “ ” 《 》 2025年 到2030年 十四五期间 "
    "去年 宝山 宝山区 徐汇 张江 模速空间 实验室 目标 的 有 多少家 是什么 和 xuhui ² ｱ İ ß \ud800 \x00"
)
PIECES = st.sampled_from(WORDS.split(" "))
TEXT = st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=30).map("".join))


@given(TEXT, st.lists(TEXT, max_size=3))
def test_any_text(question, history):
    result = resolve(question, history, ALONE)
    last = history[-1] if history else ""
    assert bool(result) == bool(question)
    assert len(result) <= len(question) + len(last) + 20
    assert ("\n" in result) <= ("\n" in question + last)
    if not last.strip():
        assert result == (question.strip() or question)


@given(st.sampled_from([2015, 2022, 2024, 2025, 2030]), st.sampled_from(["徐汇", "浦东"]))
def test_a_year_and_a_place_are_taken_over(year, place):
    resolved = resolve(f"那{year}年{place}呢？", [FIRMS], ALONE)
    assert resolved == f"{year}年{place}有多少家生物医药企业？"


@pytest.mark.parametrize(
    "piece", ["那2025年呢", "宝山", "它的", "“", "what about ", "实验室", " \t", "到2030年", "1", "𠮷"]
)
def test_long_texts_end(piece):
    long = (piece * 2000)[:2000]
    assert resolve(long, [long], ALONE)
    assert resolve("那徐汇呢？", [long], ALONE)
    assert resolve(long, [FIRMS], ALONE)
