"""The page image of a PDF beside the answer: the boxes cover the quoted words, and whatever fails is said."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from corpus.intake import Found
from service.assistant import Assistant
from service.librarian import Librarian
from tests.corpus.test_pdf import FILES
from tests.corpus.test_pdf_pictures import centres, same
from tests.live import serving
from tests.page.reading import Panel, api

NAMES = ("sample", "scan", "columns-shanghai-2024-zhangjiang-parks")
UNSEEN = "chromium-shanghai-2022-districts"
"""No test but one opens its pages, so that none of them is kept."""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, small_library: Callable[[Path], Assistant]) -> Assistant:
    made = small_library(tmp_path_factory.mktemp("pictures"))
    report = Librarian(made).add([Found(f"{x}.pdf", FILES / f"{x}.pdf") for x in (*NAMES, UNSEEN)])
    assert all(x.is_done for x in report.documents)
    return made


@pytest.fixture(scope="module")
def url(filled: Assistant) -> Iterator[str]:
    with serving(filled.settings, filled) as base:
        yield base


@pytest.fixture
def panel(browser, url) -> Iterator[Panel]:
    """In the end the page must have logged nothing but what a test expects."""
    yield Panel(browser, url)
    assert browser.messages() == []


def passages(url: str, document: str) -> list[dict]:
    """As a view opens them: citations with their quotes."""
    found = api(url, f"/v1/documents/{document}")["passages"]
    return [{**x["citation"], "quote": x["text"]} for x in found]


def drawn(panel: Panel) -> None:
    """The picture is there, and it is known where its words are."""
    script = """
      const image = document.querySelector('.pictures [aria-busy=false] img');
      return !!image && image.complete && image.naturalWidth > 0;
    """
    panel.browser.wait(lambda: panel.run(script), "the picture")
    panel.run("return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def pictured(panel: Panel, citation: dict) -> None:
    panel.open(citation)
    panel.browser.wait(lambda: "页面图" in panel.texts(".switch button"), "the switch")
    panel.button("页面图")
    drawn(panel)


def framed(panel: Panel, known: list[tuple[str, float, float]]) -> str:
    """The characters whose middle is within a frame on the screen; `known` as `centres` gives them, in points."""
    frames, image = panel.run("""
      const boxes = [...document.querySelectorAll('.pictures rect')].map((x) => x.getBoundingClientRect().toJSON());
      return [boxes, document.querySelector('.pictures img').getBoundingClientRect().toJSON()]
    """)
    width = float(panel.run("return document.querySelector('.pictures svg')?.viewBox.baseVal.width ?? 0"))
    inside = ""
    for frame in frames:
        points = [
            (c, image["x"] + x * image["width"] / width, image["y"] + y * image["width"] / width) for c, x, y in known
        ]
        held = [
            (x, c)
            for c, x, y in points
            if frame["left"] <= x <= frame["right"] and frame["top"] <= y <= frame["bottom"]
        ]
        inside += "".join(c for _, c in sorted(held))
    return inside


def bare(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("size", [(1280, 800, False), (360, 740, True)])
@pytest.mark.parametrize("name", NAMES)
def test_the_frames_on_the_screen_hold_the_quoted_words_and_no_others(name, size, panel, url):
    panel.browser.size(*size)
    data = (FILES / f"{name}.pdf").read_bytes()
    whole = [x for x in passages(url, name) if x["pages"][0] == x["pages"][1]]
    for citation in (whole[0], whole[len(whole) // 2], whole[-1]):
        pictured(panel, citation)
        inside = framed(panel, centres(data, citation["pages"][0] - 1))
        quoted = bare(citation["quote"])
        assert len(inside) == len(quoted)
        assert all(same(a, b) for a, b in zip(inside, quoted, strict=True))
        first, sheet = panel.box(".pictures rect"), panel.box(".pictures .sheet")
        assert sheet["top"] <= first["top"]
        assert first["bottom"] <= sheet["bottom"], "it is scrolled to"
        assert panel.run("return document.documentElement.scrollWidth") <= size[0]


def test_one_turns_the_pages_zooms_and_comes_back_to_the_quote(panel, url):
    citation = next(x for x in passages(url, "sample") if x["pages"] == [4, 4])
    pictured(panel, citation)
    alt = "return document.querySelector('.pictures img').alt"
    assert panel.run(alt).endswith("第 4 页的图，所引文字已框出")
    width = panel.box(".pictures img")["width"]
    panel.button("放大")
    drawn(panel)
    assert panel.box(".pictures img")["width"] == 2 * width
    data = (FILES / "sample.pdf").read_bytes()
    assert len(framed(panel, centres(data, 3))) == len(bare(citation["quote"]))
    sheet, frames = panel.box(".pictures .sheet"), panel.box(".pictures rect")
    assert sheet["left"] <= frames["left"]
    panel.button("适合宽度")
    for page in (5, 6):
        panel.button("下一页")
        panel.browser.wait(lambda page=page: panel.says(f"第 {page} 页，共 6 页"), "the next page")
        drawn(panel)
        assert panel.run(alt).endswith(f"第 {page} 页的图")
        assert not panel.has(".pictures rect")
    assert panel.run("return document.querySelector('.pictures [aria-disabled=true]').innerText") == "下一页"
    panel.button("下一页")
    assert panel.says("第 6 页，共 6 页")
    panel.button("回到引文所在页")
    panel.browser.wait(lambda: panel.says("第 4 页，共 6 页"), "the quote's page")
    drawn(panel)
    assert panel.has(".pictures rect")
    assert not panel.says("回到引文所在页")


def test_words_that_stand_on_two_pages_are_framed_on_both(panel, url):
    citation = next(x for x in passages(url, "scan") if x["pages"][0] < x["pages"][1])
    first, last = citation["pages"]
    data = (FILES / "scan.pdf").read_bytes()
    pictured(panel, citation)
    inside = [framed(panel, centres(data, first - 1))]
    for page in range(first + 1, last + 1):
        panel.button("下一页")
        panel.browser.wait(lambda page=page: panel.says(f"第 {page} 页，共"), "the next page")
        drawn(panel)
        inside.append(framed(panel, centres(data, page - 1)))
    assert inside[0]
    assert inside[-1]
    assert len("".join(inside)) == len(bare(citation["quote"]))


def test_where_the_words_can_t_be_placed_no_frame_is_drawn_and_it_says_so(panel, url):
    citation = passages(url, "sample")[0]
    pictured(panel, {**citation, "url": citation["url"].replace("&h=", "&h=0")})
    assert panel.says("在图上定不出所引文字的位置")
    assert not panel.has(".pictures rect")
    assert panel.has(".pictures img")


def test_a_document_that_is_read_opens_its_first_page_and_one_without_pages_has_no_pictures(panel):
    panel.open_document("sample")
    panel.browser.wait(lambda: "页面图" in panel.texts(".switch button"), "the switch")
    panel.button("页面图")
    drawn(panel)
    assert panel.says("第 1 页，共 6 页")
    assert not panel.says("回到引文所在页")
    panel.open_document("a")
    assert not panel.has(".switch")


def test_a_picture_that_fails_can_be_asked_for_again_and_is_let_go_when_the_panel_closes(browser, url, filled):
    panel = Panel(browser, url)
    path = filled.documents_store.object_path(next(x.sha256 for x, _ in filled.documents() if x.id == UNSEEN))
    away = path.with_suffix(".away")
    path.rename(away)
    try:
        panel.open(passages(url, UNSEEN)[0])
        panel.browser.wait(lambda: "页面图" in panel.texts(".switch button"), "the switch")
        panel.button("页面图")
        panel.browser.wait(lambda: panel.says("原文件已不在"), "the reason")
        assert not panel.has(".pictures img")
    finally:
        away.rename(path)
    panel.button("重试")
    drawn(panel)
    assert panel.has(".pictures rect")
    address = panel.run("return document.querySelector('.pictures img').src")
    panel.button("关闭")
    gone = "return fetch(arguments[0]).then(() => false, () => true)"
    panel.browser.wait(lambda: panel.run(gone, address), "the picture to be let go")
    panel.browser.messages()


def test_everything_is_said_in_english_too(panel, url):
    citation = next(x for x in passages(url, "sample") if x["pages"] == [4, 4])
    pictured(panel, citation)
    panel.button("English", ".head")
    panel.browser.wait(lambda: panel.says("Page 4 of 6"), "English")
    for name in ("Previous page", "Next page", "Zoom in"):
        assert panel.says(name)
    assert not panel.run("return /[一-鿿]/.test(document.querySelector('.pictures .row').innerText)")
