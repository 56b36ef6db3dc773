"""The whole way, as a person goes it; and what the browser asks for on the way."""

from __future__ import annotations

from urllib.parse import urlsplit

QUESTION = "宝山区有多少家生物医药企业？"
QUOTE = "生物医药及合成生物领域企业 449 家，其中规上企业 74 家，上市企业 1 家。"


def test_from_a_newcomers_first_question_to_a_copied_citation_in_under_five_actions(person, url):
    person.browser.cdp(
        "Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"], origin=url
    )
    person.open(url)
    person.click(QUESTION)
    person.click("引用", ".sources")
    person.click("文字")
    person.sees("已复制")
    assert person.actions == 3
    copied = person.browser.driver.execute_async_script("navigator.clipboard.readText().then(arguments[0])")
    assert QUOTE in copied
    assert "《宝山区科技创新“十五五”规划（征求意见稿）》（2026）" in copied


def test_nothing_is_asked_of_anybody_but_the_service(person, url):
    person.open(url)
    person.ask(QUESTION)
    person.click_on(".number")
    person.sees("第78行", ".panel")
    for view, word in (("检索", "检索"), ("对照", "对照"), ("资料", "宝山区"), ("评测", "评测")):
        person.click(view, "nav")
        person.sees(word, "main")
    asked = person.run("return performance.getEntriesByType('resource').map((x) => x.name)")
    assert len(asked) > 20
    assert {urlsplit(x).netloc for x in asked} == {urlsplit(url).netloc}


def test_the_page_works_though_no_name_can_be_resolved(person, url):
    """The browser of the tests resolves no name at all, and the page logs no refused request."""
    person.open(url)
    person.ask(QUESTION)
    person.sees("449 家")
    fonts = person.run("return [...document.fonts].length")
    assert fonts == 0


def test_back_and_forward_go_from_view_to_view(person, url):
    person.open(url)
    person.ask(QUESTION)
    person.click("资料", "nav")
    person.sees("宝山区科技创新", "main")
    assert person.run("return document.title") == "资料 · 科问"
    person.browser.driver.back()
    person.sees("449 家", "main")
    person.browser.driver.forward()
    person.sees("宝山区科技创新", "main.documents")
