"""What comes late, out of order, or once all has changed: no other words than the quote are ever marked, boxed or copied."""

from __future__ import annotations

from dataclasses import replace

import pytest

from corpus.intake import Found
from service.keys import KeyRing
from service.librarian import Librarian
from tests.corpus.test_pdf import FILES
from tests.live import serving
from tests.page.odd import JSON, between
from tests.page.reading import Panel, api, served_folder
from tests.page.test_documents_view import choose

QUESTION = "宝山区有多少家生物医药企业？"
CHANGED, REPLACED, REMOVED = "这份报告在引用之后有过改动", "这份资料刚刚更新过", "这份资料已被移除"
LINES = [f"第{n}段𠮷记载上海科技创新中心建设的进展，有企业{n}家参与。" for n in range(1000, 3000)]
BEFORE, AFTER = "\n".join(LINES), "\n".join(LINES).replace("企业1", "企业9")
"""Of one length, so that every place of one is a place of the other."""


@pytest.fixture
def odd(person):
    with between(person.browser) as made:
        yield made


def quoted(url: str, document: str, start: int, end: int) -> dict:
    return dict(api(url, f"/v1/documents/{document}/citation?at={start}-{end}"))


def opens(person, citation: dict) -> None:
    """As a view does, without waiting for what comes of it."""
    person.run("return import('/web/panel.js').then((x) => x.openSource(arguments[0]))", citation)


def marked(person) -> str:
    return "".join(person.run("return [...document.querySelectorAll('.panel mark')].map((x) => x.textContent)"))


def shows(person, quote: str) -> None:
    person.browser.wait(lambda: marked(person) == quote, f"{quote} to be marked, not {marked(person)}")


# -- the panel ----------------------------------------------------------------------------------------


def test_of_many_sources_that_come_in_any_order_the_last_one_asked_for_is_shown(person, odd, url):
    person.open(url)
    known = [
        x for d in api(url, "/v1/documents")["documents"] for x in api(url, f"/v1/documents/{d['id']}")["passages"][4:6]
    ]
    for order in ((), (2, 0, 1), (1, 2, 0), (0, 2, 1)):
        odd.holds("passages=false")
        chosen = known[:3]
        for passage in chosen:
            opens(person, {**passage["citation"], "quote": passage["text"]})
        person.browser.wait(lambda: len(odd.held()) == 3, "three answers that wait")
        odd.lets_go(*order)
        shows(person, chosen[-1]["text"])
        known = [*known[1:], known[0]]
        odd.holds("/text?")
        opens(person, {**known[0]["citation"], "quote": known[0]["text"]})
        person.browser.wait(lambda: len(odd.held()) == 1, "a text that waits")
        opens(person, {**known[5]["citation"], "quote": known[5]["text"]})
        person.browser.wait(lambda: len(odd.held()) == 2, "two texts that wait")
        odd.lets_go()
        shows(person, known[5]["text"])


def test_a_source_that_comes_once_the_panel_is_closed_stays_away(person, odd, url):
    person.open(url)
    passage = api(url, "/v1/documents/baoshan-2026-innovation-plan")["passages"][5]
    odd.holds("/text?")
    opens(person, {**passage["citation"], "quote": passage["text"]})
    person.browser.wait(lambda: odd.held(), "a text that waits")
    person.click("关闭", ".panel")
    odd.lets_go()
    person.browser.wait(lambda: person.count(".panel") == 0, "the panel to go")
    person.ask(QUESTION)
    assert person.count(".panel") == 0


@pytest.fixture
def replaced(make_folder, tmp_path):
    """A service with a long report, and what puts another version of one length in its place."""
    with served_folder(make_folder({"a.txt": BEFORE}), tmp_path / "own") as (url, assistant, _):

        def swap() -> None:
            make_folder({"a.txt": AFTER})
            assistant.build()

        yield url, swap


@pytest.mark.parametrize("waiting", ["passages=false", "/text?"])
def test_a_report_replaced_while_it_is_being_opened_is_opened_anew(person, odd, replaced, waiting):
    url, swap = replaced
    person.open(url)
    start = BEFORE.index("企业1500家")
    citation = quoted(url, "a", start, start + 7)
    odd.holds(waiting)
    opens(person, citation)
    person.browser.wait(lambda: odd.held(), "an answer that waits")
    swap()
    odd.lets_go()
    if waiting == "/text?":  # all of it is of the earlier version
        person.browser.wait(lambda: marked(person) == "企业1500家", "the quote")
        return
    person.sees(REPLACED, ".panel")
    assert marked(person) == ""
    person.click("重试", ".panel")
    person.sees(CHANGED, ".panel")
    assert marked(person) == ""
    assert "企业9500家" in person.text(".panel .source-text")


def test_texts_of_two_versions_are_never_put_together(person, replaced):
    url, swap = replaced
    person.open(url)
    start = BEFORE.index("企业1500家")
    opens(person, quoted(url, "a", start, start + 7))
    person.browser.wait(lambda: marked(person) == "企业1500家", "the quote")
    shown = person.text(".panel .source-text")
    swap()
    person.run("document.querySelector('.source-text').scrollTop = 10 ** 9")
    person.sees(REPLACED, ".panel")
    assert person.text(".panel .source-text") == shown
    person.click("重试", ".panel")
    person.sees(CHANGED, ".panel")


def test_selected_words_that_have_changed_are_not_copied_as_others(person, replaced):
    url, swap = replaced
    person.browser.cdp("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    person.open(url)
    person.run("return import('/web/panel.js').then((x) => x.openDocument('a'))")
    person.sees("企业1000家", ".panel")
    person.run("document.getSelection().selectAllChildren(document.querySelector('.line'))")
    person.click("引用所选", ".chosen")
    person.click("复制为文字", ".chosen")
    person.sees("已复制。", ".toast")
    assert person.run("return navigator.clipboard.readText()").startswith(f"“{LINES[0]}”")
    swap()
    person.click("引用所选", ".chosen")
    person.click("复制为文字", ".chosen")
    person.sees("不能再引用", ".toast")
    assert person.run("return navigator.clipboard.readText()").startswith(f"“{LINES[0]}”")


ODD_TEXTS = {
    "surrogates": "𠮷😀👨‍👩‍👧𠀀。\n\n𠮷野家😀有门店𠀀二十家，e\u0301店三家。" * 30,
    "breaks": "一、概况\r\n\r\n全市有企业四百家。\r\n其中\r浦东新区一百家，\n黄浦区八家。\r\n" * 30,
    "marks": "价格\u202e元百\u202c，\u2066隔\u2069，\u200f右\u2028行\u2029段\u0085新\x0b纵\x0c页\ufeff零\u200b宽。\n"
    * 30,
    "table": "区\t门店\t占比\n浦东新区\t12\t60%\n黄浦区\t8\t40%\n" * 30,
    "line": "没有换行的一句话，𠮷说有企业三家。" * 900,
}


def test_any_words_of_any_text_are_marked_exactly(person, make_folder, tmp_path):
    texts = {f"{name}.txt": text for name, text in ODD_TEXTS.items()}
    with served_folder(make_folder(texts), tmp_path / "own") as (url, _, _):
        panel = Panel(person.browser, url)
        for name, text in ODD_TEXTS.items():
            length = len(text)
            for spans in (
                [[0, 1]], [[1, 2], [3, 5], [6, 7]], [[length // 2, length // 2 + 37], [length // 2 + 40, length // 2 + 41]],
                [[0, length]], [[5, 9], [length - 40, length]], [[length - 1, length]],
            ):  # fmt: skip
                at = ",".join(f"{a}-{b}" for a, b in spans)
                citation = api(url, f"/v1/documents/{name}/citation?at={at}")
                panel.open(citation)
                assert panel.marked() == "".join(text[a:b] for a, b in spans) == citation["quote"], (name, spans)
                shifted = {**citation, "spans": [[a + 1, b + 1] for a, b in spans]}
                panel.open(shifted)
                assert panel.marked() in ("", citation["quote"]), (name, spans)  # repeated letters are the same words


# -- pictures of pages --------------------------------------------------------------------------------


def test_frames_are_never_left_from_before(person, odd, make_folder, tmp_path):
    person.expect("status of 5")
    data = (FILES / "sample.pdf").read_bytes()
    with served_folder(make_folder({"b.txt": BEFORE[:400], "p.pdf": data}), tmp_path / "own") as (url, _, _):
        person.open(url)
        passages = [x for x in api(url, "/v1/documents/p")["passages"] if x["citation"]["pages"] == [1, 1]]
        opens(person, {**passages[0]["citation"], "quote": passages[0]["text"]})
        person.click("页面图", ".panel")
        person.browser.wait(lambda: person.count(".pictures rect"), "the frames")
        odd.holds("pages/1?")
        person.click("放大", ".pictures")
        person.browser.wait(lambda: odd.held(), "frames that wait")
        assert person.count(".pictures rect") == 0
        odd.lets_go()
        person.browser.wait(lambda: person.count(".pictures rect"), "the frames")
        odd.answers(("pages/1?", 503, "text/html", "away"))
        person.click("适合宽度", ".pictures")
        person.sees("在图上定不出所引文字的位置", ".pictures")
        assert person.count(".pictures rect") == 0
        odd.answers(("/image?", 200, "text/html", "<h1>proxy</h1>"))
        person.click("放大", ".pictures")
        person.sees("服务的回答读不懂", ".pictures")
        odd.answers(("pages/1?", 200, JSON, '{"pages": 1, "width": 10, "height": 10, "boxes": [5], "is_exact": true}'))
        person.click("重试", ".pictures")
        person.sees("在图上定不出所引文字的位置", ".pictures")
        odd.answers()
        person.click("适合宽度", ".pictures")
        person.browser.wait(lambda: person.count(".pictures rect"), "the frames")
        # Another quote of the page, while the frames of the first are still on their way.
        odd.holds("pages/1?")
        person.click("放大", ".pictures")
        person.browser.wait(lambda: odd.held(), "frames that wait")
        start = passages[0]["citation"]["spans"][0][0]
        other = quoted(url, "p", start + 2, start + 9)
        opens(person, other)
        person.click("页面图", ".panel")
        person.browser.wait(lambda: len(odd.held()) == 2, "frames that wait")
        odd.lets_go()
        person.browser.wait(lambda: person.count(".pictures rect"), "the frames")
        script = "return [...document.querySelectorAll('.pictures rect')].map((x) => x.getAttribute('x') * 1 + 1)"
        boxes = api(url, f"/v1/documents/p/pages/1?at={start + 2}-{start + 9}")["boxes"]
        assert person.run(script) == pytest.approx([x for x, *_ in boxes])


# -- views that one has left --------------------------------------------------------------------------


def test_answers_to_what_one_no_longer_asks_are_dropped(person, odd, url):
    person.open(f"{url}/#/search?q=先投后股")
    person.sees("找到 10 段")
    odd.holds("v1/search", "v1/compare")
    person.run("location.hash = '#/search?q=科普活动'")
    person.browser.wait(lambda: len(odd.held()) == 1, "a search that waits")
    person.run("location.hash = '#/search?q=模速空间'")
    person.browser.wait(lambda: len(odd.held()) == 2, "two searches that wait")
    odd.lets_go()
    person.sees("模速空间", ".hits")
    assert person.run("return document.getElementById('search-q').value") == "模速空间"
    odd.holds("v1/search", "v1/compare")
    person.run("location.hash = '#/compare?of=嘉定区'")
    person.browser.wait(lambda: len(odd.held()) == 1, "a comparison that waits")
    person.run("location.hash = '#/compare?of=长宁区'")
    person.browser.wait(lambda: len(odd.held()) == 2, "two comparisons that wait")
    person.run("location.hash = '#/documents'")
    person.sees("报告文件夹", "main")
    odd.lets_go()
    person.sees("报告文件夹", "main")
    person.run("history.back()")
    person.sees("长宁区：各年的报告怎么说")


def test_a_quote_that_was_pointed_at_goes_with_its_view(person, url):
    person.open(url)
    person.ask(QUESTION)
    person.point_at(".number")
    person.sees("449 家", "#preview")
    person.run("location.hash = '#/documents'")
    person.sees("报告文件夹", "main")
    person.browser.wait(lambda: person.count("#preview") == 0, "the quote to go")


# -- a document that goes while it is looked at -------------------------------------------------------


def test_of_a_report_removed_while_open_each_button_says_so_and_the_page_goes_on(person, make_folder, tmp_path):
    person.expect("404")
    text = "\n\n".join(f"{n}、第{n}节\n\n{'全市有企业四百家，比上年增长一成。' * 60}" for n in "一二三四五六")
    with served_folder(make_folder({"gone.txt": text, "stays.txt": BEFORE[:400]}), tmp_path / "own") as (
        url,
        assistant,
        _,
    ):
        person.open(f"{url}/#/search?q=全市有企业多少家&document=gone")
        person.click("看原文", "main")
        person.browser.wait(lambda: marked(person), "the quote")
        Librarian(assistant).remove(["gone"])
        person.click("引用", ".cited")
        person.click("复制为文字", ".cited")
        person.sees("已被移除，不能再引用", ".toast")
        for name in ("下一节", "下一节", "下一节", "下一节", "上一节", "回到引文"):
            person.click(name, ".panel")
        person.run("document.querySelector('.source-text').scrollTop = 0")
        person.sees(REMOVED, ".panel")
        person.click("重试", ".panel")
        person.sees(REMOVED, ".panel")
        person.click("关闭", ".panel")
        person.click("看原文", "main")
        person.sees(REMOVED, ".panel")
        person.click("关闭", ".panel")
        person.run("location.hash = '#/documents'")
        person.sees("已移除的报告", "main")
        person.click("恢复", "main")
        person.sees("已恢复")
        person.run("history.back()")
        person.click("看原文", "main")
        person.browser.wait(lambda: marked(person), "the quote")


def test_another_tab_changes_the_library_and_each_action_says_what_is(person, small_library, tmp_path):
    person.expect("404", "409", "422")
    assistant = small_library(tmp_path)
    librarian = Librarian(assistant)
    librarian.add([Found(f"{x}.txt", data=f"{x}市报告\n\n2025年有园区{x}个。\n".encode()) for x in "乙丙"])
    with serving(assistant.settings, assistant) as url:
        person.open(f"{url}/#/documents")
        person.sees("乙市报告", "main")
        person.click("详情：《乙市报告》", "main")
        librarian.remove(["乙"])
        person.click("下载原件", "main")
        person.sees("没有", ".toast")
        person.click("更正", "tr.more")
        person.write("我写的新题名", "题名")
        person.enter()
        person.sees("没有", "form.correction .error")
        assert person.run("return document.querySelector('form.correction [name=title]').value") == "我写的新题名"
        person.click("取消", "form.correction")
        person.click("移除", "tr.more")
        person.click("移除", "dialog")
        person.sees("没有", "dialog .error")
        person.click("取消", "dialog")
        person.click("看原文：《乙市报告》", "main")
        person.sees(REMOVED, ".panel")
        person.click("关闭", ".panel")
        person.click("提问", "nav")
        person.click("资料", "nav")
        person.sees_no("乙市报告", "main")


# -- a service that comes and goes --------------------------------------------------------------------


def test_whatever_is_done_while_the_service_is_away_is_told_and_can_be_done_again(person, small_library, tmp_path):
    person.expect("ERR_", "Failed to load")
    assistant = small_library(tmp_path)
    Librarian(assistant).add([Found("p.pdf", data=(FILES / "sample.pdf").read_bytes())])
    lost, path = "连不上科问服务", tmp_path / "新.txt"
    path.write_text("火星区报告\n\n2025年有园区5个。\n", encoding="utf-8")
    running = serving(assistant.settings, assistant)
    url = running.__enter__()
    port = int(url.rsplit(":", 1)[1])
    person.open(f"{url}/#/search?q=企业")
    person.click("看原文", "main")
    person.browser.wait(lambda: marked(person), "the quote")
    person.click("关闭", ".panel")
    person.run("location.hash = '#/documents'")
    person.sees("我的资料", "main")
    person.click_on('tr[data-id="p"] button')
    person.click("页面图", ".panel")
    person.browser.wait(lambda: person.count(".pictures img"), "the picture")
    running.__exit__(None, None, None)

    person.click("放大", ".pictures")
    person.sees(lost, ".pictures .error")
    person.click("关闭", ".panel")
    choose(person, path)
    person.sees(lost, ".arrivals")
    person.click_on('tr[data-id="p"] button:nth-of-type(2)')
    person.click("更正", "tr.more")
    person.write("写了一半的题名", "题名")
    person.enter()
    person.sees(lost, "form.correction")
    person.click("提问", "nav")
    person.click("检索", "nav")
    person.write("企业四百", "要找什么")
    person.enter()
    person.sees(lost, ".search-result")
    person.click("对照", "nav")
    person.write("甲区", "对照什么")
    person.enter()
    person.sees(lost, "main .error")
    person.sees("正在重试", ".banner")

    with serving(assistant.settings, assistant, port):
        person.sees("已重新连上")
        person.click("重试", "main")
        person.sees("甲区：各年的报告怎么说")
        person.run("location.hash = '#/search?q=企业四百'")
        person.browser.wait(lambda: person.count(".search-result .error button") or person.count(".hit"), "the search")
        if person.count(".search-result .error button"):
            person.click("重试", ".search-result")
        person.browser.wait(lambda: person.count(".hit"), "the passages")
        person.click("资料", "nav")
        person.browser.wait(lambda: person.count("form.correction"), "the form")
        assert person.run("return document.querySelector('form.correction [name=title]').value") == "写了一半的题名"
        person.click("保存", "form.correction")
        person.sees("已更正《写了一半的题名》")
        person.click("重试", ".arrivals")
        person.sees("已加入", ".arrivals")


def test_a_key_revoked_between_two_uploads_is_asked_for_and_the_file_goes_on(person, small_library, tmp_path):
    person.expect("401")
    assistant = small_library(tmp_path)
    here = replace(assistant.settings, api_key="k" * 40)
    assistant.settings = here
    ring = KeyRing(here)
    key = ring.add("一时", "full")
    path = tmp_path / "新.txt"
    path.write_text("火星区报告\n\n2025年有园区5个。\n", encoding="utf-8")
    with serving(here, assistant) as url:
        person.open(f"{url}/#/documents")
        person.write(key, "密钥")
        person.click("继续")
        person.sees("报告文件夹")
        ring.revoke("一时")
        choose(person, path)
        person.sees("已被撤销", "dialog")
        person.write("k" * 40, "密钥")
        person.click("继续")
        person.sees("已加入", ".arrivals")
