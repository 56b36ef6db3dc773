"""The conversation: a first question, the quote behind each number, follow-ups, what was understood, abstentions."""

from __future__ import annotations

from dataclasses import replace

import httpx
import pytest

from tests.live import serving

QUESTION = "宝山区有多少家生物医药企业？"
QUOTE = "生物医药及合成生物领域企业 449 家，其中规上企业 74 家，上市企业 1 家。"
LABEL = "《宝山区科技创新“十五五”规划（征求意见稿）》（2026）一、发展基础 › （四）创新链产业链融合发展，第78行"
NOT_SAID = "宝山区区长是谁？"


def answers(person) -> list[str]:
    return person.texts(".turn .sentences")


def test_a_newcomer_asks_one_of_the_examples_and_gets_an_answer_with_its_source(person, url):
    person.open(url)
    person.sees("现收 5 份资料，2015–2026 年")
    person.click(QUESTION)
    person.sees("449 家，其中规上企业 74 家")
    person.sees(LABEL)
    assert person.text(".sentence b") == "生物医药及合成生物领域企业 449 家，其中规上企业 74 家"


def test_every_example_is_answered(person, url):
    person.open(url)
    examples = person.texts(".examples button")
    assert len(examples) >= 5
    for example in examples:
        answer = httpx.post(f"{url}/v1/ask", json={"question": example}).json()
        assert not answer["abstained"], example


def test_pointing_at_a_number_shows_the_quote_and_leaving_it_does_not(person, url):
    person.open(url)
    person.ask(QUESTION)
    assert person.count("#preview") == 0
    person.point_at(".number")
    person.sees(QUOTE, "#preview")
    person.sees(LABEL, "#preview")
    person.point_at(".asked")
    person.browser.wait(lambda: person.count("#preview") == 0, "the quote to go")


def test_the_keyboard_alone_reaches_the_quote(person, url):
    person.open(url)
    person.ask(QUESTION)
    person.run("document.querySelector('.asked').tabIndex = -1; document.querySelector('.asked').focus()")
    for _ in range(4):
        person.browser.tab()
        if person.focused().startswith("出处 1"):
            break
    assert person.focused() == f"出处 1，{LABEL}。打开原文"
    person.sees(QUOTE, "#preview")
    person.browser.escape()
    person.browser.wait(lambda: person.count("#preview") == 0, "the quote to go")
    person.browser.enter()
    person.sees("第78行", ".stage")


def test_a_follow_up_is_understood_in_its_conversation(person, url):
    person.open(url)
    person.ask("嘉定区2015年有哪些重点产业？")
    person.ask("那闵行区呢？")
    person.sees("问的是：闵行区2015年有哪些重点产业？")


def test_what_was_understood_can_be_removed_and_brought_back(person, url):
    person.open(url)
    person.ask("2022年黄浦区的创新重点是什么？")
    assert person.texts(".chip > span") == ["优先 2022 年的报告", "优先讲黄浦的段落"]
    first = answers(person)
    person.click("去掉：优先 2022 年的报告")
    person.sees("恢复", ".chip.off")
    person.sees("2022年", ".chip.off")
    assert person.texts(".chip:not(.off) > span") == ["优先讲黄浦的段落"]
    person.click("恢复 2022年")
    person.browser.wait(
        lambda: person.texts(".chip > span") == ["优先 2022 年的报告", "优先讲黄浦的段落"], "the chip to be back"
    )
    person.browser.wait(lambda: answers(person) == first, "the first answer")


def test_a_question_that_was_parted_can_be_asked_as_one(person, url):
    person.open(url)
    person.ask("徐汇和长宁各有哪些大学？")
    person.sees("分开找：徐汇；长宁", ".chip:last-of-type")
    person.click("去掉：分开找")
    person.sees("恢复", ".chip.off")
    person.sees_no("分开找：", ".turn")


def test_an_abstention_looks_like_one_and_its_passages_stand_apart(person, url):
    person.open(url)
    person.ask(NOT_SAID)
    person.sees("所收报告中没有找到依据", ".abstained")
    person.sees("相近的段落（不是答案）", ".near")
    assert person.count(".sentences") == 0
    assert person.count(".number") == 0
    assert person.count(".near .card") == 3


def test_the_conversation_survives_a_reload_and_a_new_one_is_empty(person, url):
    person.open(url)
    person.ask(QUESTION)
    person.write("半句没有问完的话", "问题")
    person.open(url)
    person.sees("449 家")
    assert person.run("return document.getElementById('question').value") == "半句没有问完的话"
    person.click("新对话")
    person.sees("可以这样问")
    assert person.focused() == "question"
    person.open(url)
    person.sees("可以这样问")


def test_the_box_is_as_high_as_what_stands_in_it(person, url):
    height = "return document.getElementById('question').offsetHeight"
    person.browser.size(360, 740, mobile=True)
    person.open(url)
    person.ask(QUESTION)
    person.browser.wait(lambda: person.run(height) < 60, "a box of one line")
    person.write("一二三四五六七八九十" * 8, "问题")
    person.browser.wait(lambda: person.run(height) > 100, "a box of several lines")


def test_a_link_to_a_question_asks_it(person, url):
    person.open(f"{url}/#/ask?q=宝山区有多少家生物医药企业？")
    person.sees("449 家")
    assert person.run("return location.hash") == "#/ask"


def test_a_question_too_long_is_kept_and_its_length_told(person, url):
    person.open(url)
    person.write("长" * 2001, "问题")
    person.enter()
    person.sees("问题有 2001 字，至多 2000 字")
    assert person.run("return document.getElementById('question').value.length") == 2001
    assert person.count(".turn") == 0


def test_a_question_of_2000_characters_that_are_two_units_each_is_asked(person, url):
    person.open(url)
    person.ask("𠮷" * 2000)
    person.sees("所收报告中没有找到依据")


def test_what_the_service_refuses_goes_back_to_be_mended(person, assistant, settings):
    assistant.settings = replace(settings, max_question=10)
    person.expect("422")
    with serving(assistant.settings, assistant) as url:
        person.open(url)
        person.write(QUESTION, "问题")
        person.enter()
        person.sees("10 字", "#fault")
        assert person.run("return document.getElementById('question').value") == QUESTION
        assert person.focused() == "question"
        person.write("宝山有几家药企？", "问题")
        person.enter()
        person.sees("449 家")


def test_the_enter_that_ends_a_composition_asks_nothing(person, url):
    person.open(url)
    person.run("document.getElementById('question').focus()")
    person.browser.type("宝山")
    person.run(
        "document.getElementById('question').dispatchEvent(new KeyboardEvent('keydown',"
        "{key: 'Enter', isComposing: true, bubbles: true, cancelable: true}))"
    )
    person.browser.enter(modifiers=8)  # with Shift: a new line
    assert person.run("return document.getElementById('question').value") == "宝山\n"
    assert person.count(".turn") == 0


@pytest.mark.parametrize(("scheme", "light"), [("light", True), ("dark", False)])
def test_light_and_dark_follow_the_system_until_one_is_chosen(person, url, scheme, light):
    person.browser.scheme(scheme)
    person.open(url)
    brightness = "return Number(getComputedStyle(document.documentElement).backgroundColor.match(/\\d+/)[0]) > 127"
    assert person.run(brightness) is light
    person.click("颜色：随系统")
    assert person.run(brightness) is True
    person.click("颜色：浅色")
    assert person.run(brightness) is False
    person.open(url)
    assert person.run(brightness) is False


def test_the_page_speaks_english_and_remembers_it(person, url):
    person.open(url)
    person.click("English")
    person.sees("Find it in the reports")
    assert person.run("return document.documentElement.lang") == "en"
    person.open(url)
    person.sees("For example")
    person.write("Which park works on medical robots?", "Your question")
    person.enter()
    person.sees("Sources")
    person.click("中文")
    person.sees("出处")
