"""Nothing that a document, an address, a memory or a service says runs, or breaks the page for good."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from corpus.intake import About, Found
from service import evaluations
from service.assistant import Assistant
from service.librarian import Librarian
from service.settings import load_settings
from tests.live import serving
from tests.page.odd import EVENTS, JSON, between
from tests.page.test_documents_view import choose

PDF = Path(__file__).parents[1] / "files" / "pdf" / "sample.pdf"
QUESTION = "宝山区有多少家生物医药企业？"
STRANGE = "服务的回答读不懂"
BAD = (
    "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>\"onclick=alert(1) javascript:alert(1) "
    "${alert(1)} {{7*7}} \u202e倒\u202c\u2066隔\u2069\u200f 𠮷😀e\u0301﷽ \\ud800 &lt;b&gt;"
)
# What a page of ours never has, and direction marks that could turn its text round.
HARM = """
const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
let turned = 0;
while (walk.nextNode()) turned += /[\\u202a-\\u202e\\u2066-\\u2069]/.test(walk.currentNode.data) && !walk.currentNode.parentNode.closest("bdi");
const bad = 'img:not([src^="blob:"]), #page script, iframe, object, a[href^="javascript:" i], [onerror], [onclick], [style*=url]';
return [window.hacked ?? 0, document.querySelectorAll(bad).length, turned];
"""


def unharmed(person, where) -> None:
    assert person.run(HARM) == [0, 0, 0], where


@pytest.fixture
def odd(person):
    with between(person.browser) as made:
        yield made


# -- addresses ----------------------------------------------------------------------------------------

ADDRESSES = (
    "", "#", "#/", "#//", "#?", "#/__proto__", "#/constructor", "#/toString?q=a", "#/hasOwnProperty", "#/<img src=x>",
    "#/search?q=<img src=x onerror=window.hacked=1>", "#/search?q=%E5%", "#/search?q=%00%ED%A0%80", "#/search?q=a?b&q=c",
    "#/search?q=a&mode=constructor&k=1e9&from=abc&to=99999", "#/search?q=a&document=__proto__", "#/search?q=a&series=%00",
    "#/search?q=a&ignore=%00&ignore=__proto__&ignore=year", "#/search?q=" + "长" * 3000, "#/compare?of=%E5%&per=-1",
    "#/compare?of=<script>window.hacked=1</script>&aspect=%00", "#/compare?of=" + "长" * 3000, "#/ask?q=%E5%",
    "#/ask?q=<img src=x onerror=window.hacked=1>", "#/ask?q=" + "长" * 3000, "#/documents?x#/y", "#/evaluation/../ask",
)  # fmt: skip


def test_no_address_breaks_the_page(person, url):
    person.expect("422")
    person.open(url)
    for address in ADDRESSES:
        person.run("location.hash = arguments[0]", address)
        person.browser.wait(lambda: person.run("return !document.querySelector('[aria-busy=true]')"), address)
        assert person.count("main h1") == 1, address
        unharmed(person, address)
    person.run("location.hash = '#/ask'")
    person.ask(QUESTION)
    person.sees("449 家")


def test_a_place_within_an_address_that_makes_no_sense_is_left_out(person, url):
    person.open(f"{url}/#/search?q=科普活动&mode=constructor&from=abc&to=99999")
    person.sees("找到 10 段")
    person.open(f"{url}/#/search?q=是什么?先投后股")
    assert person.run("return document.getElementById('search-q').value") == "是什么?先投后股"


# -- what the browser remembers -----------------------------------------------------------------------

GOOD_TURN = {"question": "记得的问题", "ignored": [], "isStopped": True}
MEMORIES = (
    ("turns", 5), ("turns", "x"), ("turns", {"a": 1}), ("turns", [1, None, "a", [], {}]), ("turns", [{"question": 5}]),
    ("turns", [{"question": "q", "ignored": [], "answer": {}}]), ("turns", [{"question": "q", "ignored": [], "answer": 5}]),
    ("turns", [{"question": "q", "ignored": [], "problem": 5}]), ("turns", [{"question": "q", "ignored": [5], "isStopped": True}]),
    ("turns", [{"question": "q", "ignored": 5, "answer": {"readings": [], "sentences": [], "citations": []}}]),
    ("turns", [{**GOOD_TURN, "notices": 7}]), ("turns", [{**GOOD_TURN, "__proto__": {"x": 1}, "id": {}}] * 3),
    ("turns", [{**GOOD_TURN, "question": "长" * 50_000, "id": n} for n in range(40)]),
    ("draft", 5), ("draft", {"a": 1}), ("draft", ["a"]), ("language", 5), ("language", "constructor"), ("theme", {}),
    ("theme", "__proto__"), ("key", 5), ("key", {"a": 1}), ("key", "密钥"), ("key", "a\nb"), ("key", "ab\u200b"),
)  # fmt: skip


@pytest.mark.parametrize("storage", ["sessionStorage", "localStorage"])
def test_no_memory_breaks_the_page(person, url, storage):
    person.open(url)
    for name, value in MEMORIES:
        if storage == "localStorage" and name in ("turns", "draft"):
            continue
        script = "sessionStorage.clear(); localStorage.clear(); window[arguments[0]].setItem(`kewen.${arguments[1]}`, arguments[2])"
        person.run(script, storage, name, json.dumps(value, ensure_ascii=False))
        person.browser.driver.refresh()
        person.browser.wait(lambda: person.count("#question") == 1, f"the page with {name} {str(value)[:80]}")
        person.sees("提问", "main")
        unharmed(person, name)
    person.forget()
    person.run(
        "sessionStorage.setItem('kewen.turns', arguments[0])", json.dumps([GOOD_TURN, {"question": 5}, GOOD_TURN])
    )
    person.browser.driver.refresh()
    person.sees("记得的问题")
    assert person.count(".turn") == 2
    person.ask(QUESTION)
    person.sees("449 家")


def test_a_key_that_no_request_can_bear_is_told_and_not_kept(person, assistant, settings):
    """Once kept, every request would fail as if the service were away, and no key would ever be asked for."""
    person.expect("401")
    here = replace(settings, api_key="k" * 40)
    assistant.settings = here
    with serving(here, assistant) as url:
        person.open(url)
        person.write("ｋ" * 40, "密钥")
        person.click("继续")
        person.sees("密钥不对")
        assert person.run("return sessionStorage.getItem('kewen.key')") is None
        person.write("k" * 40, "密钥")
        person.click("继续")
        person.sees("现收 5 份资料")


# -- a service that talks nonsense --------------------------------------------------------------------

RUBBISH = (
    (422, JSON, '{"error": {"code": 5, "message": {"a": 1}, "detail": null}}'),
    (200, "text/html", "<h1>proxy</h1><script>window.hacked = 1</script>"),
    (200, JSON, ""),
    (200, JSON, "null"),
    (200, JSON, '{"hits": [{}], "readings": [], "columns": [{}], "citations": null, "documents": [{}], "report": {}}'),
    (200, JSON, '{"hits": 5, "readings": {}, "columns": "x", "documents": "x", "removed": 1, "report": "x", "subjects": 5}'),
    (200, EVENTS, "event: answer\ndata: nonsense\n\n"),
    (200, EVENTS, "event: answer\ndata: null\n\n"),
    (200, EVENTS, 'event: sentence\ndata: {"text": 5}\n\nevent: answer\ndata: {}\n\n'),
    (200, EVENTS, "event: notice\ndata: {}\n\n"),
    (200, EVENTS, "event: error\ndata: {}\n\n"),
    (502, "text/html", "<h1>Bad gateway</h1>"),
    (500, JSON, '{"error": "x"}'),
)  # fmt: skip
# A view, what fails in it, where it says so, what to click then, and what is seen at last.
VIEWS = (
    ("#/ask?q=先租后股是什么？", "v1/ask", "main .error", "再问一次", "载体方给予入驻项目免租"),
    ("#/search?q=先投后股", "v1/search", ".search-result .error", "重试", "找到 10 段"),
    ("#/compare?of=嘉定区", "v1/compare", "main .error", "重试", "嘉定区：各年的报告怎么说"),
    ("#/compare", "v1/subjects", "main .warning", "重试", "其他地方"),
    ("#/documents", "v1/documents", "main .error", "重试", "报告文件夹"),
    ("#/evaluation", "v1/evaluation", "main .error", "重试", "评测"),
)


@pytest.mark.parametrize(("view", "path", "place", "retry", "seen"), VIEWS)
def test_whatever_the_service_answers_the_view_says_so_and_goes_on(person, odd, url, view, path, place, retry, seen):
    person.expect("status of 4", "status of 5")
    for status, kind, body in (x for x in RUBBISH if x[1] != EVENTS or path == "v1/ask"):
        person.open(f"{url}/?{status}{len(body)}")  # another address, so that the page is loaded anew
        person.click("新对话") if person.count(".turn") else None
        odd.answers((path, status, kind, body))
        person.run("location.hash = arguments[0]", view)
        person.browser.wait(lambda: person.text(place), f"{view} to say what is wrong with {body}")
        assert "undefined" not in person.text(place)
        assert "Cannot" not in person.text(place)
        unharmed(person, body)
    odd.answers()
    person.click(retry, "main")
    person.sees(seen, "main")


def test_the_panel_and_the_copies_of_such_a_service_are_none(person, odd, url):
    person.expect("status of 5")
    person.open(url)
    person.ask(QUESTION)
    for status, kind, body in (x for x in RUBBISH if x[1] != EVENTS and x[0] != 422):
        for part in ("?passages=false", "/text?"):
            odd.answers((part, status, kind, body))
            person.click_on(".number")
            person.browser.wait(lambda: person.text(".panel .error"), f"the panel to say what is wrong with {body}")
            assert person.count(".panel mark") == 0
            odd.answers()
            person.click("重试", ".panel")
            person.browser.wait(lambda: "449 家" in person.text(".panel mark"), "the quote")
            person.click("关闭", ".panel")
        odd.answers(("/citation?", status, kind, body))
        person.click("引用", ".sources")
        person.click("复制为文字", ".sources")
        person.browser.wait(lambda: STRANGE in person.text(".toast") or "服务出错" in person.text(".toast"), "the word")
        odd.answers()


def test_what_cannot_be_drawn_does_not_take_the_page_with_it(person, url):
    person.expect("TypeError")
    person.open(f"{url}/#/documents")
    person.sees("报告文件夹")
    person.run("return import('/web/library.js').then(({ library }) => { library.documents = [{ own: true }] })")
    person.run("return import('/web/page.js').then(({ update }) => update())")
    person.sees("这里的内容显示不出来")
    person.click("提问", "nav")
    person.ask(QUESTION)
    person.sees("449 家")
    person.click("资料", "nav")
    person.sees("宝山区科技创新", "main")


# -- documents and models that mean harm --------------------------------------------------------------


@pytest.fixture(scope="module")
def infested(tmp_path_factory, bundled):
    """A service all of whose documents, and whose evaluation, mean harm."""
    folder = tmp_path_factory.mktemp("infested")
    (folder / "reports").mkdir()
    text = f"一、总体<img src=x onerror='window.hacked = 1'>\u202e\n\n2024年，嘉定区{BAD}有企业449家。\n\n区\t{BAD}\n嘉定区\t35\n"
    (folder / "reports" / "a.txt").write_text(text, encoding="utf-8")
    fields = {"id": "a", "file": "a.txt", "title": BAD, "year": 2024, "series": BAD, "kind": BAD, "issuer": BAD}
    manifest = "\n".join(f"{k} = {json.dumps(v, ensure_ascii=False)}" for k, v in fields.items())
    (folder / "reports" / "reports.toml").write_text(f"[[document]]\n{manifest}\n", encoding="utf-8")
    settings = load_settings({"home": folder / "home", "reports": folder / "reports"}, {})
    assistant = Assistant(settings)
    assistant._encoder = bundled
    assistant.build()
    about = About(id="pdf", title=BAD, year=2025, series=BAD, kind=BAD, issuer=BAD)
    Librarian(assistant).add([Found(BAD.replace("/", "") + ".pdf", data=PDF.read_bytes(), about=about)])
    shares = [0.5, 0.1, 0.9]
    figures = {
        "made": "2026-11-21T12:42:23+00:00", "system": BAD[:200], "split": BAD[:200], "questions": 2, "answerable": 1,
        "measures": {"Success@5": shares, BAD[:200]: shares}, "answers": {}, "by_type": {
            BAD[:200]: {"questions": 1, "Success@5": shares}, "__proto__": {"questions": 1, "Success@5": shares}},
    }  # fmt: skip
    evaluations.keep(settings.home, b"<!doctype html>", figures)
    with serving(settings, assistant) as base:
        yield base


def test_documents_mean_no_harm_in_any_view(person, infested, tmp_path):
    person.browser.cdp("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    person.open(f"{infested}/#/ask")
    person.ask(f"{BAD[:60]} 嘉定区有企业多少家？")
    person.sees("449家")
    person.point_at(".number")
    person.sees("<img src=x", "#preview")
    unharmed(person, "the preview")
    person.click_on(".number")
    person.browser.wait(lambda: person.count(".panel mark"), "the quote")
    unharmed(person, "the panel")
    person.click("目录", ".panel")
    person.browser.wait(lambda: person.count(".outline li"), "the outline")
    unharmed(person, "the outline")
    for form in ("复制为文字", "复制为脚注（GB/T 7714）", "复制为 Markdown", "复制链接"):
        person.click("引用", ".cited")
        person.click(form, ".cited")
        person.sees("已复制。", ".toast")
        assert "\u202e" not in person.run("return navigator.clipboard.readText()")
        unharmed(person, form)
    person.click("关闭", ".panel")

    for view, seen in (
        ("search?q=嘉定区企业", "找到"),
        ("compare?of=嘉定区", "段说到"),
        ("evaluation", "打开完整报告"),
    ):
        person.run("location.hash = arguments[0]", f"#/{view}")
        person.sees(seen, "main")
        unharmed(person, view)
    assert person.run("return document.querySelector('.about a').getAttribute('href')").startswith("evaluation")

    person.run("location.hash = '#/documents'")
    person.sees("报告文件夹")
    path = tmp_path / (BAD[:50].replace("/", "") + "\u202e.txt")
    path.write_text(f"{BAD}\n\n2025年有园区5个。{BAD}\n", encoding="utf-8")
    choose(person, path)
    person.sees("已加入", ".arrivals")
    unharmed(person, "what was added")
    for n in range(person.count("tr[data-id]")):
        person.click_on("td.cell-actions button:nth-of-type(2)", n)
        person.browser.wait(lambda: person.count("dl.particulars"), "the particulars")
        unharmed(person, "the particulars")
        if person.count("tr.more [id^=edit-]"):
            person.click_on("tr.more [id^=edit-]")
            person.browser.wait(lambda: person.count("form.correction"), "the form")
            unharmed(person, "the form")
            person.click("取消", "form.correction")
        person.click_on("tr.more [id^=remove-]")
        person.browser.wait(lambda: person.count("dialog[open]"), "the dialog")
        unharmed(person, "the dialog")
        person.click("取消", "dialog")
    person.click_on('tr[data-id="pdf"] button')
    person.click("页面图", ".panel")
    person.browser.wait(lambda: person.count(".pictures img"), "the picture")
    unharmed(person, "the picture")


def test_what_a_model_writes_is_text(person, odd, url):
    person.open(url)
    sentence = {"text": BAD, "citations": [], "marks": [[0, 8]], "label": BAD, "new_citations": []}
    reading = {"id": f"name:{BAD}", "kind": "name", "surface": BAD, "value": BAD, "message": BAD}
    answer = {
        "question": "?", "resolved": BAD, "answer": BAD, "abstained": False, "reason": None, "confidence": 0.5,
        "mode": "generative", "sentences": [sentence], "citations": [], "notices": [BAD], "readings": [reading], "hits": [],
    }  # fmt: skip
    events = [("notice", {"message": BAD}), ("sentence", sentence), ("answer", answer)]
    stream = "".join(f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in events)
    odd.answers(("v1/ask", 200, EVENTS, stream))
    person.ask("随便写点什么")
    person.sees("<img src=x", ".sentence")
    person.sees("<img src=x", ".turn .warning")
    person.sees("<img src=x", ".chip")
    unharmed(person, "the answer")
    person.browser.driver.refresh()
    person.sees("<img src=x", ".sentence")
    unharmed(person, "the answer that is remembered")


@pytest.fixture(scope="module")
def endless(tmp_path_factory, small_library):
    """A service with a document all of whose names are as long as they may be, and have no place to break."""
    assistant = small_library(tmp_path_factory.mktemp("endless"))
    name, longest = "W" * 500, "W" * 5000
    text = f"{longest}\n\n一、{name}\n\n2025年，丁区{name}有企业777家。\n\n2025年，丁区有园区5个。\n"
    about = About(id="w" * 60, title=name, series=name, kind=name, issuer=name)
    added = Librarian(assistant).add([Found("w" * 200 + ".txt", data=text.encode(), about=about)])
    assert added.documents[0].is_done, added.documents[0].message
    with serving(assistant.settings, assistant) as base:
        yield base


@pytest.mark.parametrize("width", [360, 1280])
def test_the_longest_names_widen_nothing(person, endless, width):
    person.browser.size(width, 800, mobile=width < 500)

    def fits(where):
        assert person.run("return document.documentElement.scrollWidth") <= width, where

    for view, seen in (("search?q=丁区企业", "找到"), ("compare?of=丁区企业", "2025 年"), ("documents", "我的资料")):
        person.open(f"{endless}/?{view[:3]}#/{view}")
        person.sees(seen, "main")
        fits(view)
    person.click_on('tr[data-id^="w"] button:nth-of-type(2)')
    person.browser.wait(lambda: person.count("dl.particulars"), "the particulars")
    fits("the particulars")
    person.click_on("tr.more [id^=remove-]")
    person.browser.wait(lambda: person.count("dialog[open]"), "the dialog")
    fits("the dialog")
    person.click("取消", "dialog")
    person.click_on('tr[data-id^="w"] button')
    person.browser.wait(lambda: person.count(".panel .line"), "the text")
    fits("the panel")
    person.click("关闭", ".panel")
    person.open(f"{endless}/?ask#/ask?q=丁区有多少家企业？")
    person.sees("777家", "main")
    fits("the answer")
    person.point_at(".number")
    person.sees("777家", "#preview")
    fits("the preview")
