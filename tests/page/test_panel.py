"""The source beside the page: the text exactly, the quote marked exactly or not at all, nothing of it obeyed."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.librarian import Librarian
from tests.live import serving
from tests.page.reading import Panel, api, served_folder

ID = "baoshan-2026-innovation-plan"
QUESTION = "宝山区有多少家生物医药企业？"
PDFS = Path(__file__).parents[1] / "files" / "pdf"
CHANGED = "这份报告在引用之后有过改动"


@pytest.fixture
def url(assistant, settings):
    with serving(settings, assistant) as url:
        yield url


@pytest.fixture
def panel(browser, url) -> Panel:
    return Panel(browser, url)


def asked(panel: Panel, question: str = QUESTION) -> None:
    """Type the question, and wait for the answer."""
    panel.run("document.querySelector('textarea').focus()")
    panel.browser.type(question)
    panel.browser.enter()
    panel.browser.wait(lambda: panel.has(".number"), "an answer")


def quoted(passage) -> dict:
    """A passage as a view opens it: its citation, and its text as the quote."""
    return {**passage["citation"], "quote": passage["text"]}


# -- what is marked -----------------------------------------------------------------------------------


def test_passages_of_every_kind_are_marked_exactly_in_the_middle_of_the_panel(panel, url):
    for document in api(url, "/v1/documents")["documents"]:
        passages = api(url, f"/v1/documents/{document['id']}")["passages"]
        cut = [x for x in passages if len(x["citation"]["spans"]) > 1]
        other = [x for x in passages if x["kind"] != "text" or x["citation"]["restored"]]
        for passage in [passages[0], *cut[:4], *other[:4], passages[-1]]:
            panel.open(quoted(passage))
            assert panel.marked() == passage["text"]
            start = int(panel.run("return document.querySelector('.panel .line').dataset.start"))
            whole = api(url, f"/v1/documents/{document['id']}/text")["text"]
            shown = panel.shown()
            assert whole[start : start + len(shown)] == shown
            outer, mark = panel.box(".panel .source-text"), panel.box(".panel mark")
            assert outer["top"] - 1 <= mark["top"] < outer["bottom"]


def test_a_number_is_opened_by_keyboard_beside_the_answer_and_closed_to_where_one_was(panel):
    asked(panel)
    panel.run("document.querySelector('.number').focus()")
    panel.browser.enter()
    panel.settled()
    assert panel.focused() == "panel-title"
    assert "449 家" in panel.marked()
    assert panel.box("#main")["right"] <= panel.box(".panel")["left"] + 1
    assert panel.texts(".panel .cited p")[0].endswith("第78行")
    panel.browser.escape()
    panel.browser.wait(lambda: not panel.has(".panel"), "the panel to close")
    assert panel.focused() == "number"


def test_on_a_phone_the_panel_covers_the_page_which_cannot_be_reached_meanwhile(panel):
    panel.browser.size(390, 844, mobile=True)
    asked(panel)
    panel.click(".number")
    panel.settled()
    box = panel.box(".panel")
    assert (box["x"], box["y"], box["width"], box["height"]) == (0, 0, 390, 844)
    assert panel.run("return document.querySelector('#main').inert && document.querySelector('.head').inert")
    assert panel.run("return document.documentElement.scrollWidth") <= 390
    panel.button("关闭")
    panel.browser.wait(lambda: not panel.has(".panel"), "the panel to close")
    assert not panel.run("return document.querySelector('#main').inert")
    assert panel.focused() == "number"


def test_nothing_is_marked_where_the_quote_is_not_what_stands_there(panel, url):
    passage = next(x for x in api(url, f"/v1/documents/{ID}")["passages"] if len(x["citation"]["spans"]) == 1)
    citation, text = passage["citation"], passage["text"]
    (start, end), beyond = citation["spans"][0], 10**6
    false = [
        {**citation, "quote": text[:-1] + "异"},
        {**citation, "quote": text[:-1]},
        {**citation, "quote": text, "spans": [[start + 1, end + 1]]},
        {**citation, "quote": text, "spans": [[beyond, beyond + len(text)]]},
        {**citation, "quote": ""},
    ]
    for wrong in false:
        panel.open(wrong)
        assert not panel.has(".panel mark")
        assert panel.says(CHANGED)
        assert panel.run("return document.querySelector('.panel .warning a').href") == citation["url"]
        assert panel.shown()
    panel.open(quoted(passage))
    assert panel.marked() == text
    assert not panel.says(CHANGED)


def test_a_citation_without_its_quote_is_looked_up(panel, url):
    passage = api(url, f"/v1/documents/{ID}")["passages"][5]
    panel.open(passage["citation"])
    assert panel.marked() == passage["text"]


def test_where_the_drawn_words_are_not_the_quote_the_mark_is_taken_away(panel, url):
    passage = api(url, f"/v1/documents/{ID}")["passages"][5]
    # As if the drawing itself went wrong.
    panel.run(
        "const own = Object.getOwnPropertyDescriptor(Node.prototype, 'textContent');"
        "Object.defineProperty(HTMLElement.prototype, 'textContent', { set(x) { own.set.call(this, x) },"
        " get() { return own.get.call(this) + (this.localName === 'mark' ? '!' : '') } })"
    )
    panel.open(quoted(passage))
    assert not panel.has(".panel mark")
    assert panel.says(CHANGED)


# -- documents as strangers make them -----------------------------------------------------------------

HOSTILE = (
    "一、总体情况<script>window.hacked = 1</script>\n\n"
    "𠮷野家👨‍👩‍👧在上海开了<img src=x onerror='window.hacked = 1'>二十家门店，同比增长三成，其中浦东新区十二家。\n\n"
    "价格为\u202e元百\u202c，标签</mark></div>与&lt;b&gt;都是\u2067文字\u2069，一共九百元整，由市科委统计后发布在年报中。\n"
    "表一　门店数量\n区\t门店\t占比\n浦东新区\t12\t60%\n黄浦区\t8\t40%\n"
)


def test_markup_direction_marks_and_rare_characters_are_text_and_are_marked_exactly(browser, make_folder, tmp_path):
    folder = make_folder({"shop.txt": HOSTILE}, title="<b>门店</b>\u202e报告")
    with served_folder(folder, tmp_path / "own") as (url, _, _):
        panel = Panel(browser, url)
        for passage in api(url, "/v1/documents/shop")["passages"]:
            panel.open(quoted(passage))
            assert panel.marked() == passage["text"]
            assert panel.shown() == HOSTILE
        start = HOSTILE.index("同比增长三成")
        # Behind a character of two UTF-16 units and one of five code points.
        citation = api(url, f"/v1/documents/shop/citation?at={start}-{start + 6}")
        assert citation["quote"] == "同比增长三成"
        panel.open(citation)
        assert panel.marked() == "同比增长三成"
        assert panel.run("return window.hacked ?? 0") == 0
        inside = panel.run("return [...document.querySelectorAll('.panel .line *')].map((x) => x.localName)")
        assert set(inside) <= {"mark", "bdi", "span"}
        assert panel.texts(".panel bdi") == ["\u202e", "\u202c", "\u2067", "\u2069"]
        title = panel.run("return document.querySelector('#panel-title').textContent")
        assert title == "《<b>门店</b>报告》"
        assert not [x for x in browser.messages() if "Security" in x or "Error" in x]


def test_headings_are_headings_and_editorial_ones_stand_outside_the_text(panel, url):
    passage = next(
        x
        for x in api(url, "/v1/documents/shanghai-2025-districts")["passages"]
        if "长宁区" in x["citation"]["restored"]
    )
    panel.open(quoted(passage))
    assert "〔长宁区〕" in panel.texts(".panel .restored")
    assert "〔长宁区〕" not in panel.shown()
    headings = panel.texts(".panel .line[role=heading]")
    assert any("浦东新区" in x for x in headings)


# -- going about in it --------------------------------------------------------------------------------


def test_sections_are_a_list_to_go_by_and_the_next_is_a_click_away(panel):
    asked(panel)
    panel.click(".number")
    panel.settled()
    panel.button("目录")
    panel.browser.wait(lambda: panel.has(".outline ol"), "the outline")
    assert "（四）创新链产业链融合发展" in panel.texts(".outline [aria-current]")[0]
    names = panel.texts(".outline li button")
    panel.button("（五）区域创新生态持续优化", ".outline ol")
    panel.settled()

    def first_heading() -> str:
        script = (
            "const top = document.querySelector('.source-text').getBoundingClientRect().top;"
            "return [...document.querySelectorAll('.line')].find((x) => x.getBoundingClientRect().top >= top - 2).textContent"
        )
        return str(panel.run(script)).strip().strip("*#").strip()

    assert first_heading() == "（五）区域创新生态持续优化"
    assert panel.focused() == "source-text"  # the list is gone
    following = [x.strip() for x in names][[x.strip() for x in names].index("（五）区域创新生态持续优化") + 1]
    panel.button("下一节")
    panel.settled()
    panel.browser.wait(lambda: first_heading().replace(" ", "") == following.replace(" ", ""), "the next section")
    panel.button("上一节")
    panel.settled()
    assert first_heading() == "（五）区域创新生态持续优化"
    panel.button("回到引文")
    panel.settled()
    assert "449 家" in panel.marked()
    outer, mark = panel.box(".panel .source-text"), panel.box(".panel mark")
    assert outer["top"] < mark["top"] < outer["bottom"]


def test_a_long_document_comes_a_piece_at_a_time_and_stays_where_it_is_read(browser, make_folder, tmp_path):
    lines = [f"第{n}段记载上海科技创新中心建设的进展，企业、高校与园区合作，𠮷字第{n}号。" for n in range(6000)]
    folder = make_folder({"long.txt": "\n".join(lines)})
    with served_folder(folder, tmp_path / "own") as (url, assistant, _):
        text = assistant.retriever().snapshot.text("long")
        panel = Panel(browser, url)
        start = text.index("第3000段")
        panel.open(api(url, f"/v1/documents/long/citation?at={start}-{start + 20}"))
        assert panel.marked() == text[start : start + 20]
        assert len(panel.shown()) < 6000
        first = (
            "const box = document.querySelector('.source-text'), line = box.querySelector(arguments[0]);"
            "return [line.dataset.start, line.getBoundingClientRect().top - box.getBoundingClientRect().top, box.scrollTop]"
        )
        for top in (0, 10**9):
            before = panel.shown()
            line, distance, scrolled = panel.run(first, ".line")
            panel.run("document.querySelector('.source-text').scrollTop = arguments[0]", top)
            browser.wait(lambda before=before: panel.shown() != before, "more text")
            panel.settled()
            shown = panel.shown()
            assert before in shown
            assert shown in text
            assert panel.marked() == text[start : start + 20]
            if top == 0:
                _, now, _ = panel.run(first, f".line[data-start='{line}']")
                assert abs(now - (distance + scrolled)) < 2
        numbers = panel.run(
            "return [...document.querySelectorAll('.line[data-n]')].map((x) => [x.dataset.n, x.textContent])"
        )
        assert all(lines[int(n) - 1] == line.rstrip("\n") for n, line in numbers)


def test_a_report_changed_since_is_not_marked_and_its_earlier_text_is_a_click_away(browser, make_folder, tmp_path):
    before = "一、总体情况\n\n全市有生物医药企业449家，比上年增加了二十家，研发投入持续增长，园区建设加快。\n"
    folder = make_folder({"bao.txt": before}, title="年报")
    with served_folder(folder, tmp_path / "own") as (url, assistant, _):
        panel = Panel(browser, url)
        asked(panel, "有多少家生物医药企业？")
        make_folder({"bao.txt": before.replace("449", "448")}, title="年报")
        assistant.build()
        panel.click(".number")
        panel.settled()
        assert not panel.has(".panel mark")
        assert panel.says(CHANGED)
        assert "448家" in panel.shown()
        browser.open(panel.run("return document.querySelector('.panel .warning a').href"))
        assert "449家" in "".join(panel.texts("mark"))


def test_a_report_removed_while_open_is_told_and_the_page_stays(browser, make_folder, tmp_path):
    text = "\n".join(f"第{n}段记载上海科技创新中心建设的进展，有企业{n}家参与。" for n in range(2000))
    folder = make_folder(
        {"gone.txt": text, "other.txt": "浦东新区有科技企业一百家，比上年增长一成，其中集成电路企业三十家。"}
    )
    with served_folder(folder, tmp_path / "own") as (url, assistant, _):
        panel = Panel(browser, url)
        panel.open_document("gone")
        shown = panel.shown()
        Librarian(assistant).remove(["gone"])
        panel.run("document.querySelector('.source-text').scrollTop = 10 ** 9")
        browser.wait(lambda: panel.says("这份资料已被移除"), "the message")
        assert panel.shown() == shown
        panel.run("return import('/web/panel.js').then((x) => x.openDocument('gone'))")
        browser.wait(lambda: panel.has(".panel .error"), "the message")
        asked(panel, "浦东新区有多少家科技企业？")


def test_a_report_replaced_while_open_is_told_and_opened_anew(browser, make_folder, tmp_path):
    lines = [f"第{n}段记载上海科技创新中心建设的进展，有企业{n}家参与。" for n in range(2000)]
    with served_folder(make_folder({"new.txt": "\n".join(lines)}), tmp_path / "own") as (url, assistant, _):
        panel = Panel(browser, url)
        panel.open_document("new")
        make_folder({"new.txt": "\n".join(lines[:20])})
        assistant.build()
        panel.run("document.querySelector('.source-text').scrollTop = 10 ** 9")
        browser.wait(lambda: panel.says("刚刚更新过"), "the message")
        panel.button("重试")
        browser.wait(lambda: panel.shown() == "\n".join(lines[:20]), "the new text")
        assert not panel.has(".panel .error")


def test_without_a_connection_the_panel_says_so_and_tries_again(panel, url):
    passage = api(url, f"/v1/documents/{ID}")["passages"][5]
    panel.browser.cdp("Network.enable")
    offline = {"offline": True, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    panel.browser.cdp("Network.emulateNetworkConditions", **offline)
    panel.run("return import('/web/panel.js').then((x) => x.openSource(arguments[0]))", quoted(passage))
    panel.browser.wait(lambda: panel.has(".panel .error"), "the message")
    panel.browser.cdp("Network.emulateNetworkConditions", **{**offline, "offline": False})
    panel.button("重试")
    panel.browser.wait(lambda: panel.marked() == passage["text"], "the text")
    assert not panel.has(".panel .error")


def test_of_a_pdf_pages_are_marked_and_its_page_can_be_seen_instead(browser, make_folder, tmp_path):
    folder = make_folder({"plan.pdf": (PDFS / "office-baoshan-2026-innovation-plan.pdf").read_bytes()})
    with served_folder(folder, tmp_path / "own") as (url, assistant, _):
        panel = Panel(browser, url)
        pages = assistant.document("plan")[0].page_starts
        passage = next(
            x
            for x in api(url, "/v1/documents/plan")["passages"]
            if x["citation"]["pages"] == [4, 4] and x["citation"]["spans"][0][0] < pages[3] + 400
        )
        panel.open(quoted(passage))
        assert panel.marked() == passage["text"]
        assert "第 4 页" in panel.run("return [...document.querySelectorAll('.page-mark')].map((x) => x.dataset.page)")
        # Page marks are no text, even where a page begins within a line.
        text = assistant.retriever().snapshot.text("plan")
        assert panel.shown() in text
        panel.button("页面图")
        browser.wait(lambda: panel.has(".panel .source-picture img"), "the page's image")
        assert not panel.has(".panel .source-text")
        panel.button("文字")
        panel.settled()
        assert panel.marked() == passage["text"]
        outer, mark = panel.box(".panel .source-text"), panel.box(".panel mark")
        assert outer["top"] <= mark["top"] < outer["bottom"]
