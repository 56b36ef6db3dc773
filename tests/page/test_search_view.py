"""Searching on the page: passages exact, why each was found, filters, what was understood undone, Back and reload."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.live import serving
from tests.page.reading import served_folder

DRUGS = "搞药的公司宝山一共有几家"
MUCH = "请问minhang和徐汇2022年的大学"
HOSTILE = "<img src=x onerror=alert(1)> 𠮷野家🚀的创新 \u202e倒写\u202c 与<script>alert(2)</script>。"


def look(person, url: str, query: str, **more: Any) -> None:
    """Open the place of a search and wait for what comes of it."""
    person.open(f"{url}/#/search?q={quote(query)}" + "".join(f"&{k}={quote(str(v))}" for k, v in more.items()))
    settled(person)


def settled(person) -> None:
    person.browser.wait(
        lambda: person.count(".search-result[aria-busy=false] :is(.hit, .search-none, .error)"), "a result"
    )


def found(url: str, query: str, **more: Any) -> list[dict[str, Any]]:
    """The hits of the service."""
    return list(
        httpx.post(f"{url}/v1/search", json={"query": query, "top_k": 10, "explain": True, **more}).json()["hits"]
    )


def labels(person) -> list[str]:
    return [x.split(" ", 1)[1].strip() for x in person.texts(".hit h3")]


def chips(person) -> list[str]:
    return person.texts(".chip > span")


def address(person) -> str:
    return str(person.run("return decodeURIComponent(location.hash)"))


def shows(person, hits) -> None:
    """Wait until these are the passages that are shown."""
    expected = [" ".join(x["citation"]["label"].split()) for x in hits]
    person.browser.wait(lambda: labels(person) == expected, f"{expected}, not {labels(person)}")


# -- passages -----------------------------------------------------------------------------------------


def test_what_is_found_is_shown_as_the_service_gives_it(person, url):
    for query in (DRUGS, "主要指标 2030年 目标值", "先投后股"):
        look(person, url, query)
        hits = found(url, query)
        shows(person, hits)
        texts = person.run("return [...document.querySelectorAll('.passage')].map((x) => x.textContent)")
        for hit, text in zip(hits, texts, strict=True):
            assert "".join(text.split()) == "".join(hit["text"].replace("**", "").split())
            if hit["kind"] != "table":
                assert text.strip() == hit["text"].replace("**", "").strip()


def test_the_best_sentence_is_marked_exactly(person, url):
    look(person, url, DRUGS)
    for n, hit in enumerate(found(url, DRUGS)):
        start = hit["citation"]["spans"][0][0]
        if len(hit["citation"]["spans"]) > 1 or "**" in hit["text"]:
            continue
        best = "".join(hit["text"][a - start : b - start] for a, b in hit["highlights"])
        script = "return [...document.querySelectorAll('.hit')[arguments[0]].querySelectorAll('mark')].map((x) => x.textContent)"
        assert "".join(person.run(script, n)) == best


def test_each_word_of_the_question_is_underlined_where_it_stands(person, url):
    look(person, url, "科普活动")
    words = set(person.texts(".passage u.same"))
    assert words == {"科普活动", "科普", "活动"}
    hits = found(url, "科普活动")
    spans = {tuple(s) for hit in hits for word in hit["why"]["words"] for s in word["spans"]}
    assert person.count(".passage u.same") <= len(spans)


def test_a_table_is_a_table(person, url):
    look(person, url, "主要指标 2030年 目标值", document="baoshan-2026-innovation-plan")
    rows = person.run(
        "return [...document.querySelectorAll('.passage table')[0].rows].map((x) => [...x.cells].map((y) => y.innerText))"
    )
    assert ["4", "市级科技小巨人（含培育）企业数", "不低于全市平均水平"] in rows


# -- why ----------------------------------------------------------------------------------------------


def test_why_a_passage_was_found_is_told_in_words(person, url):
    look(person, url, DRUGS)
    first = " ".join(person.text(".hit").split())
    for part in (
        "字词 宝山 （标题中）",
        "药 ≈ 生物医药",
        "公司 ≈ 企业",
        "扩展问法（非原文）： 宝山搞生物医药的公司总共有多少家",
    ):
        assert part.replace(" ", "") in first.replace(" ", "")


def test_the_numbers_of_the_arms_are_those_of_the_service(person, url):
    look(person, url, DRUGS)
    for hit, shown in zip(found(url, DRUGS), person.texts(".arms"), strict=True):
        read = shown.split()
        assert read[read.index("按意思") + 1] == f"{round(hit['signals']['dense'] * 100 + 1e-9)}%"
        assert read[read.index("按字词") + 1] == f"{round(hit['signals']['lexical'] * 100 + 1e-9)}%"
        assert read[read.index("得分") + 1] == f"{hit['score']:.2f}"
    widths = person.run(
        "return [...document.querySelectorAll('.hit:first-child .part')].map((x) => +x.getAttribute('width'))"
    )
    assert widths[0] == pytest.approx(48 * found(url, DRUGS)[0]["signals"]["dense"], abs=0.06)


def test_by_meaning_alone_and_by_words_alone_each_tells_its_own(person, url):
    look(person, url, DRUGS)
    person.click("按字词")
    person.browser.wait(lambda: "mode=lexical" in address(person), "the mode")
    person.browser.wait(lambda: "≈" not in person.text(".hits"), "words alone")
    assert "按意思" not in person.text(".arms")
    person.click("按意思")
    person.browser.wait(lambda: "≈" in person.text(".hits"), "meanings")
    shows(person, found(url, DRUGS, mode="dense"))


# -- narrowing ----------------------------------------------------------------------------------------


def choose(person, name: str, value: str) -> None:
    """Choose an option by its value, as the keyboard would."""
    person.run(
        "const x = document.querySelector(`label.${arguments[0]} select`); x.value = arguments[1];"
        "x.dispatchEvent(new Event('change', { bubbles: true }))",
        name,
        value,
    )


def test_filters_count_at_once_and_stand_in_the_address(person, url):
    look(person, url, "科普活动")
    choose(person, "from", "2022")
    choose(person, "to", "2024")
    shows(person, found(url, "科普活动", filters={"years": [2022, 2024]}))
    assert address(person) == "#/search?q=科普活动&from=2022&to=2024"
    choose(person, "to", "2015")  # one year, not a span that runs backwards
    shows(person, found(url, "科普活动", filters={"years": [2015, 2015]}))
    choose(person, "document", "shanghai-2015-districts")
    shows(person, found(url, "科普活动", filters={"document_ids": ["shanghai-2015-districts"]}))
    assert address(person) == "#/search?q=科普活动&from=2015&to=2015&document=shanghai-2015-districts"


def test_what_there_is_to_choose_is_what_the_library_holds(person, url):
    look(person, url, "科普活动")
    documents = httpx.get(f"{url}/v1/documents").json()["documents"]
    person.browser.wait(lambda: person.count("label.document option") == len(documents) + 1, "the reports")
    options = person.run("return [...document.querySelectorAll('label.document option')].map((x) => x.value)")
    assert options == ["", *(x["id"] for x in documents)]
    series = person.run("return [...document.querySelectorAll('label.series option')].map((x) => x.value)")
    assert set(series) == {"", *(x["series"] for x in documents)}


def test_the_place_of_a_search_survives_reload_and_back(person, url):
    look(person, url, "科普活动", mode="lexical", document="baoshan-2026-innovation-plan", to="2026")
    hits = found(url, "科普活动", mode="lexical", filters={"document_ids": ["baoshan-2026-innovation-plan"]})
    shows(person, hits)
    person.browser.driver.refresh()
    shows(person, hits)
    values = person.run(
        "return [...document.querySelectorAll('.search-form :is(select, input[type=search])')].map((x) => x.value)"
    )
    assert values == ["科普活动", "", "2026", "", "baoshan-2026-innovation-plan"]
    person.write("先投后股", "要找什么")
    person.enter()
    shows(person, found(url, "先投后股", mode="lexical", filters={"document_ids": ["baoshan-2026-innovation-plan"]}))
    person.browser.driver.back()
    shows(person, hits)
    assert person.run("return document.getElementById('search-q').value") == "科普活动"


def test_nothing_found_says_so_and_offers_to_drop_what_narrows(person, url):
    person.expect("422")
    look(person, url, "先投后股", mode="lexical", series="qqq")
    person.sees("没有系列 qqq", ".error")
    look(person, url, "qqqzzz", mode="lexical", to="2015")
    person.sees("没有找到相关的段落", ".search-none")
    person.click("不限年份与报告，再找一次")
    person.browser.wait(lambda: address(person) == "#/search?q=qqqzzz&mode=lexical", "no filter")
    person.sees("换一种说法试试", ".search-none")
    person.click("改用“综合”再找一次")
    person.browser.wait(lambda: address(person) == "#/search?q=qqqzzz", "both arms")
    settled(person)


def test_a_year_without_report_is_told_and_dropped_with_a_click(person, url):
    person.expect("422")
    look(person, url, "科普活动", to="2016", **{"from": "2016"})
    person.sees("没有 2016 年的报告", ".error")
    person.click("不限年份与报告，再找一次")
    person.browser.wait(lambda: person.count(".hit"), "passages")
    assert address(person) == "#/search?q=科普活动"


def test_more_passages_follow_until_a_hundred(person, url):
    look(person, url, "科技创新")
    first = labels(person)
    assert len(first) == 10
    person.click("再看 10 段")
    person.browser.wait(lambda: person.count(".hit") == 20, "twenty")
    assert labels(person)[:10] == first
    assert "k=20" in address(person)
    person.browser.driver.refresh()
    person.browser.wait(lambda: person.count(".hit") == 20, "twenty again")
    look(person, url, "科技创新", k=100)
    assert person.count(".hit") == 100
    assert "再看" not in person.text("main")
    look(person, url, "科技创新", k="many")
    assert person.count(".hit") == 10


# -- what was understood ------------------------------------------------------------------------------


def test_each_thing_understood_can_be_removed_and_restored(person, url):
    look(person, url, MUCH)
    everything = chips(person)
    assert everything == [
        "略去“请问”",
        "“minhang”当作“闵行”",
        "优先 2022 年的报告",
        "优先讲闵行的段落",
        "优先讲徐汇的段落",
        "分开找：闵行；徐汇",
    ]
    person.click("去掉：优先 2022 年的报告")
    shows(person, found(url, MUCH, ignore=["year:2022年"]))
    person.browser.wait(lambda: person.texts(".chip.off > span") == ["优先 2022 年的报告"], "a chip that is off")
    assert "ignore=year:2022年" in address(person)
    person.click("去掉：分开找：闵行；徐汇")
    shows(person, found(url, MUCH, ignore=["year:2022年", "split"]))
    person.click("恢复 优先 2022 年的报告")
    shows(person, found(url, MUCH, ignore=["split"]))
    person.click("恢复 分开找：闵行；徐汇")
    shows(person, found(url, MUCH))
    person.browser.wait(lambda: chips(person) == everything, "all chips")
    person.browser.driver.back()
    person.browser.wait(lambda: person.count(".chip.off") == 1, "the one before")


def test_what_was_removed_from_one_question_is_not_removed_from_another(person, url):
    look(person, url, MUCH, ignore="year:2022年")
    assert person.texts(".chip.off > span") == ["2022年"]
    person.write("2022年徐汇的定位", "要找什么")
    person.enter()
    shows(person, found(url, "2022年徐汇的定位"))
    assert chips(person) == ["优先 2022 年的报告", "优先讲徐汇的段落"]
    assert "ignore" not in address(person)


# -- what one does with a passage ---------------------------------------------------------------------


def test_a_passage_opens_at_its_place_in_the_source(person, url):
    look(person, url, DRUGS)
    person.click("看原文")
    person.browser.wait(lambda: person.count(".panel mark"), "the source")
    marked = person.run("return [...document.querySelectorAll('.panel mark')].map((x) => x.textContent).join('')")
    assert marked == found(url, DRUGS)[0]["text"]
    assert person.count(".hit") == 10


def test_a_passage_can_be_cited(person, url):
    look(person, url, DRUGS)
    person.click("引用", ".hit")
    person.sees("复制为脚注")


def test_with_the_keyboard_alone(person, url):
    person.open(f"{url}/#/search")
    person.sees("可以这样找")
    person.run("document.getElementById('search-q').focus()")
    person.browser.type("先投后股")
    person.enter()
    settled(person)
    assert person.focused() == "search-q"
    for _ in range(6):
        person.browser.tab()
    assert person.run("return document.activeElement.value") == "hybrid"
    person.browser.press("ArrowRight", 39)
    person.browser.wait(lambda: "mode=dense" in address(person), "by meaning")


# -- what may go wrong --------------------------------------------------------------------------------


def test_a_question_too_long_is_told_and_stays(person, url):
    person.open(f"{url}/#/search")
    person.sees("可以这样找")
    person.write("长" * 2001, "要找什么")
    person.enter()
    person.sees("要找的有 2001 字，至多 2000 字", ".error")
    assert person.run("return document.getElementById('search-q').value") == "长" * 2001
    person.run("document.getElementById('search-q').select()")
    person.browser.type("先投后股")
    person.enter()
    settled(person)
    assert "先投后股" in person.text(".hit")


def test_without_a_connection_it_says_so_and_searches_again(person, assistant, settings):
    person.expect("ERR_CONNECTION", "Failed to load", "net::ERR")
    with serving(replace(settings, port=0), assistant) as url:
        look(person, url, "科普活动")
        port = int(url.rsplit(":", 1)[1])
    person.write("先投后股", "要找什么")
    person.enter()
    person.sees("连不上科问服务", ".error")
    assert person.run("return document.getElementById('search-q').value") == "先投后股"
    with serving_again(settings, assistant, port):
        person.click("重试", ".error")
        person.browser.wait(lambda: person.count(".hit"), "passages")
        assert "先投后股" in person.text(".hit")


@contextmanager
def serving_again(settings, assistant, port: int):
    with serving(replace(settings, port=port), assistant, port) as url:
        yield url


def test_markup_direction_marks_and_rare_characters_are_text(person, make_folder, tmp_path):
    folder = make_folder(
        {"a.txt": f"甲区报告\n\n{HOSTILE}\n", "b.txt": "乙区报告\n\n乙区的<b>创新</b>有𠮷。\n"}, title="<b>题</b>"
    )
    with served_folder(folder, tmp_path / "home") as (url, _, _):
        look(person, url, "𠮷野家的创新")
        texts = person.run("return [...document.querySelectorAll('.passage')].map((x) => x.textContent)")
        assert any(HOSTILE in text for text in texts)
        assert person.count("main :is(img, script, .passage b)") == 0
        assert person.count(".passage bdi[data-mark]") == 2
        assert "<b>题</b>" in person.text(".hit h3")
        underlined = person.texts(".passage u.same")
        assert "创新" in underlined
        assert all(x in HOSTILE + "乙区的<b>创新</b>有𠮷。" for x in underlined)


def test_on_a_phone_nothing_is_wider_than_the_screen(person, url):
    person.browser.size(360, 740, mobile=True)
    look(person, url, "主要指标 2030年 目标值")
    assert person.run("return document.documentElement.scrollWidth <= innerWidth")
    small = person.run(
        "return [...document.querySelectorAll('main :is(button, select, input[type=search])')]"
        ".filter((x) => x.checkVisibility() && x.getClientRects().length && x.getBoundingClientRect().height < 32).map((x) => x.outerHTML)"
    )
    assert small == []


def test_in_english(person, url):
    look(person, url, DRUGS)
    person.click("English")
    person.sees("Why it was found")
    person.sees("passages on 宝山 first")
    person.sees("By meaning")
    assert "为何" not in person.text("main")
