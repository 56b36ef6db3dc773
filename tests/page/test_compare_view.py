"""The years side by side: choosing, silent years, evidence behind each sentence, the table on the clipboard."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import httpx
import lxml.html
import pytest

from service.assistant import Assistant
from service.settings import load_settings
from tests.live import serving


def compare(person, url: str, subject: str, aspect: str = "") -> None:
    """Open the place of a comparison and wait for it."""
    more = f"&aspect={quote(aspect)}" if aspect else ""
    person.open(f"{url}/#/compare?of={quote(subject)}{more}")
    person.browser.wait(lambda: person.count(".year"), "the years")


def answer(url: str, subject: str, aspect: str | None = None) -> dict:
    return httpx.post(f"{url}/v1/compare", json={"subject": subject, "aspect": aspect}).json()


def clipboard(person, url: str) -> dict[str, str]:
    """What was last copied, by type."""
    person.browser.cdp("Browser.grantPermissions", origin=url, permissions=["clipboardReadWrite"])
    script = """
    const done = arguments[arguments.length - 1];
    navigator.clipboard.read().then(async ([item]) => {
      const forms = await Promise.all(item.types.map(async (x) => [x, await (await item.getType(x)).text()]));
      done(Object.fromEntries(forms));
    }, (error) => done({ error: String(error) }));
    """
    return dict(person.browser.driver.execute_async_script(script))


def copied(person, url: str) -> dict[str, str]:
    person.browser.cdp("Browser.grantPermissions", origin=url, permissions=["clipboardReadWrite"])
    person.click("复制对照表")
    person.sees("已复制对照表", ".toast")
    return clipboard(person, url)


def test_a_newcomer_chooses_a_district_and_sees_each_year(person, url):
    person.open(f"{url}/#/compare")
    person.click("嘉定区，4 年的报告说到")
    person.sees("嘉定区：各年的报告怎么说")
    assert person.texts(".year h3") == ["2015 年", "2022 年", "2024 年", "2025 年", "2026 年 没有说到"]
    assert "聚焦汽车“新四化”" in person.texts(".year")[2]
    assert person.actions == 1


def test_the_keyboard_goes_on_from_what_was_chosen(person, url):
    person.open(f"{url}/#/compare")
    person.sees("其他地方")
    person.run(
        "[...document.querySelectorAll('.compare-choices button')].find((x) => x.innerText.includes('嘉定')).focus()"
    )
    person.enter()
    person.browser.wait(lambda: person.focused() == "compare-result", "the heading to have the keyboard")
    person.browser.tab()
    assert person.focused() == "复制对照表"


def test_of_a_topic_it_is_said_where_its_words_do_not_stand(person, url):
    compare(person, url, "工业软件")
    for n, cell in enumerate(person.texts(".cell")):
        has_mark = person.run("return !!document.querySelectorAll('.cell')[arguments[0]].querySelector('b')", n)
        assert ("意思相近" in cell) != has_mark
    compare(person, url, "张江")
    assert "意思相近" not in person.text(".years")


def test_a_place_that_was_tampered_with_is_mended(person, url):
    person.open(f"{url}/#/compare?of={quote('嘉定区')}&per=abc&x=%3Cimg%3E")
    person.sees("嘉定区：各年的报告怎么说")


def test_the_choices_are_grouped_with_how_many_years_speak_of_each(person, url):
    person.open(f"{url}/#/compare")
    person.sees("其他地方")
    assert person.texts(".compare-choices h2") == ["区", "园区", "其他地方", "主题，可以自己写"]
    assert "张江 5 年" in " ".join(person.text(".compare-choices").split())


def test_a_subject_and_an_aspect_are_written_and_sent_with_enter(person, url):
    person.open(f"{url}/#/compare")
    person.write("徐汇区", "对照什么")
    person.write("人工智能", "只看哪一方面")
    person.enter()
    person.sees("徐汇区 · 人工智能：各年的报告怎么说")
    assert person.run("return decodeURIComponent(location.hash)") == "#/compare?of=徐汇区&aspect=人工智能"
    assert "人工智能" in person.texts(".cell b")


def test_every_cell_shows_its_sentence_as_the_service_gives_it(person, url):
    compare(person, url, "宝山区")
    shown = person.run("return [...document.querySelectorAll('.cell > p')].map((x) => x.textContent)")
    cells = [x for column in answer(url, "宝山区")["columns"] for x in column["cells"]]
    assert len(shown) == len(cells)
    for text, cell in zip(shown, cells, strict=True):
        bare = "".join(cell["text"].replace("**", "").split()).removeprefix("-")
        assert bare in "".join(text.split())


def test_a_silent_year_says_why(person, url):
    compare(person, url, "嘉定区")
    assert "2026 年的报告没有提到嘉定。" in person.text(".year.silent")
    compare(person, url, "先投后股")
    person.sees("2015 年的报告里没有找到说到“先投后股”的句子。", ".year.silent")


def test_what_no_year_speaks_of_is_said_plainly_and_gives_no_table(person, url):
    compare(person, url, "火星移民")
    person.sees("各年的报告都没有说到")
    assert person.count(".cell") == 0
    assert "复制对照表" not in person.text()


def test_a_number_opens_the_source_of_its_sentence(person, url):
    compare(person, url, "嘉定区")
    quoted = answer(url, "嘉定区")["citations"][8]["quote"]
    person.click_on(".cell .number", 8)
    person.browser.wait(lambda: person.count(".stage mark"), "the quote in its source")
    marked = person.run("return [...document.querySelectorAll('.stage mark')].map((x) => x.textContent).join('')")
    assert marked == quoted


def test_the_place_of_a_comparison_survives_reload_and_back(person, url):
    compare(person, url, "嘉定区")
    person.browser.driver.refresh()
    person.sees("嘉定区：各年的报告怎么说")
    person.click("换一个对照")
    person.click("青浦区，4 年的报告说到")
    person.sees("青浦区：各年的报告怎么说")
    person.browser.driver.back()
    person.browser.driver.back()
    person.sees("嘉定区：各年的报告怎么说")
    assert person.run("return document.getElementById('compare-of').value") == "嘉定区"


def test_more_sentences_a_year_are_shown_on_request(person, url):
    compare(person, url, "宝山区")
    before = person.count(".cell")
    person.run(
        "const x = document.querySelector('.compare-form select'); x.value = '8'; x.dispatchEvent(new Event('change'))"
    )
    person.click("对照", ".compare-form")
    person.browser.wait(lambda: person.count(".cell") > before, "more sentences")


def test_the_table_is_copied_as_html_with_numbered_notes(person, url):
    compare(person, url, "嘉定区")
    html = copied(person, url)["text/html"]
    page = lxml.html.fromstring(html)
    given = answer(url, "嘉定区")
    assert [x.text_content() for x in page.iter("th")] == ["2015 年", "2022 年", "2024 年", "2025 年", "2026 年"]
    cells = [x.text_content() for x in page.iter("td")]
    assert "嘉定园：聚焦汽车“新四化”" in cells[2]
    assert "[9]" in cells[2]
    assert cells[4] == "2026 年的报告没有提到嘉定。"
    assert [(x.text, x.get("href")) for x in page.iter("a")] == [(x["label"], x["url"]) for x in given["citations"]]


def test_the_table_is_copied_as_markdown_too(person, url):
    compare(person, url, "嘉定区")
    lines = copied(person, url)["text/plain"].splitlines()
    assert lines[0] == "**嘉定区**"
    assert lines[2] == "| 2015 年 | 2022 年 | 2024 年 | 2025 年 | 2026 年 |"
    assert lines[3] == "| --- | --- | --- | --- | --- |"
    assert lines[4].count(" | ") == 4
    assert lines[4].endswith("| 2026 年的报告没有提到嘉定。 |")
    assert sum(x.startswith("[") for x in lines) == len(answer(url, "嘉定区")["citations"])


def test_without_a_clipboard_of_its_own_the_page_copies_all_the_same(person, url):
    compare(person, url, "嘉定区")
    person.run("Object.defineProperty(navigator, 'clipboard', { value: undefined, configurable: true })")
    person.run("document.addEventListener('copy', (event) => (window.heard = [...event.clipboardData.types]))")
    person.click("复制对照表")
    person.sees("已复制对照表", ".toast")
    person.run("delete navigator.clipboard")
    assert clipboard(person, url)["text/plain"].startswith("**嘉定区**")


HOSTILE = "嘉定区<img src=x onerror=alert(1)>有“𠮷😀”门店 35 家 | **甲**\u202e倒写[链接](javascript:alert(1))<script>alert(2)</script>。"


@pytest.fixture
def hostile(tmp_path: Path, make_folder: Callable[..., Path]):
    folder = make_folder({"a.txt": f"报告\n\n嘉定区\n\n{HOSTILE}\n"})
    settings = load_settings({"home": tmp_path / "home", "reports": folder}, {})
    Assistant(settings).build()
    with serving(settings) as base:
        yield base


def test_markup_and_direction_marks_of_a_document_are_text(person, hostile):
    compare(person, hostile, "嘉定区")
    text = person.run("return document.querySelector('.cell > p').textContent")
    assert "<img src=x onerror=alert(1)>有“𠮷😀”门店 35 家 | 甲倒写[链接](javascript:alert(1))<script>" in text
    assert person.count(".year img, .year script") == 0
    forms = copied(person, hostile)
    tags = {x.tag for x in lxml.html.fromstring(forms["text/html"]).iter()}
    assert tags <= {"div", "p", "b", "table", "tbody", "tr", "th", "td", "sup", "a"}
    row = forms["text/plain"].splitlines()[4]
    assert "\\<img" in row
    assert "35 家 \\| 甲倒写" in row
    assert "\u202e" not in json.dumps(forms, ensure_ascii=False)


def test_a_comparison_that_fails_keeps_what_was_typed_and_can_be_tried_again(person, url):
    person.open(f"{url}/#/compare")
    person.sees("其他地方")
    person.expect("v1/compare", "ERR_")
    person.run("window.known = window.fetch; window.fetch = () => Promise.reject(new TypeError('lost'))")
    person.write("嘉定区", "对照什么")
    person.enter()
    person.sees("连不上科问服务", ".error")
    assert person.run("return document.getElementById('compare-of').value") == "嘉定区"
    person.run("window.fetch = window.known")
    person.click("重试")
    person.sees("嘉定区：各年的报告怎么说")


def test_what_the_service_refuses_is_shown_in_its_words(person, url):
    person.expect("v1/compare")
    person.open(f"{url}/#/compare?of={quote('嘉' * 2001)}")
    person.sees("对照的对象超过 2000 字", ".error")


def test_the_years_stand_side_by_side_on_a_desk_and_one_below_the_other_on_a_phone(person, url):
    compare(person, url, "嘉定区")
    tops = "return [...document.querySelectorAll('.year')].map((x) => x.getBoundingClientRect().top)"
    assert len(set(person.run(tops))) == 1
    person.browser.size(390, 844, mobile=True)
    stacked = person.browser.wait(lambda: (x := person.run(tops)) and len(set(x)) == 5 and x)
    assert stacked == sorted(stacked)
    assert person.run("return document.documentElement.scrollWidth") <= 390


def test_the_view_is_in_english_where_that_is_wanted(person, url):
    compare(person, url, "嘉定区")
    person.click("English")
    person.sees("4 of 5 years speak of it", ".compare-head")
    person.sees("The reports of 2026 don't name it.", ".year.silent")
    person.click("中文")
    person.sees("没有提到嘉定", ".year.silent")
