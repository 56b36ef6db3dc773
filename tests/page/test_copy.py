"""Citations on the clipboard: each form as the API gives it, of a citation and of what the reader selects."""

from __future__ import annotations

import pytest

from service.librarian import Librarian
from tests.live import serving
from tests.page.reading import Panel, api, served_folder

ID = "baoshan-2026-innovation-plan"
FORMS = {"复制为文字": "text", "复制为脚注": "footnote", "复制为 Markdown": "markdown", "复制链接": "url"}
RARE = "一、总体情况\n\n𠮷野家👨‍👩‍👧在上海开了二十家门店，比上年多三家，其中浦东新区十二家，黄浦区八家，长宁区一家也没有。\n"


@pytest.fixture
def panel(browser, assistant, settings):
    with serving(settings, assistant) as url:
        yield with_clipboard(Panel(browser, url), url)


def with_clipboard(panel: Panel, url: str) -> Panel:
    granted = ["clipboardReadWrite", "clipboardSanitizedWrite"]
    panel.browser.cdp("Browser.grantPermissions", permissions=granted, origin=url)
    panel.browser.cdp("Emulation.setFocusEmulationEnabled", enabled=True)  # no other window has the focus
    panel.url = url
    panel.run("return navigator.clipboard.writeText('')")
    return panel


def clipboard(panel: Panel) -> str:
    """What was copied since the last look."""
    text = panel.browser.wait(lambda: panel.run("return navigator.clipboard.readText()"), "the clipboard")
    panel.run("return navigator.clipboard.writeText('')")
    return str(text)


def opened(panel: Panel, within: str = ".cited") -> None:
    panel.click(f"{within} .copy > button")
    panel.browser.wait(lambda: panel.has(f"{within} .copy [popover] button:focus"), "the menu")


def citation_of(panel: Panel, place: int = 5) -> dict:
    passage = api(panel.url, f"/v1/documents/{ID}")["passages"][place]
    return {**passage["citation"], "quote": passage["text"]}


def reference(panel: Panel, citation: dict) -> dict:
    at = ",".join(f"{start}-{end}" for start, end in citation["spans"])
    return api(panel.url, f"/v1/documents/{citation['document_id']}/citation?at={at}")


def test_each_form_is_copied_as_the_service_gives_it(panel):
    citation = citation_of(panel)
    panel.open(citation)
    for name, form in FORMS.items():
        opened(panel)
        panel.button(name, ".cited")
        assert clipboard(panel) == reference(panel, citation)[form]
        panel.browser.wait(lambda: panel.says("已复制"), "the word")
    assert reference(panel, citation)["url"] == citation["url"]


def test_a_newcomer_copies_a_citation_within_five_actions(panel):
    panel.click("textarea")  # 1
    panel.browser.type("宝山区有多少家生物医药企业？")  # 2
    panel.browser.enter()
    panel.browser.wait(lambda: panel.has("main .copy"), "an answer")
    opened(panel, "main")  # 3
    panel.button("复制为文字", "main")  # 4
    copied = clipboard(panel)
    assert copied.startswith("“生物医药及合成生物领域企业 449 家")
    assert copied.endswith("第78行）")


def test_the_menu_is_gone_through_by_keyboard(panel):
    citation = citation_of(panel)
    panel.open(citation)
    panel.run("document.querySelector('.cited .copy > button').focus()")
    panel.browser.enter()
    chosen = "return document.activeElement.textContent"
    panel.browser.wait(lambda: panel.run(chosen) == "复制为文字", "the first item")
    panel.browser.press("ArrowDown", 40)
    panel.browser.press("ArrowDown", 40)
    assert panel.run(chosen) == "复制为 Markdown"
    panel.browser.press("End", 35)
    assert panel.run(chosen) == "复制链接"
    panel.browser.press("ArrowDown", 40)
    assert panel.run(chosen) == "复制为文字"
    panel.browser.press("ArrowUp", 38)
    assert panel.run(chosen) == "复制链接"
    # Escape closes the menu and not the panel, and goes back to the button.
    panel.browser.escape()
    panel.browser.wait(lambda: not panel.has(":popover-open"), "the menu to close")
    assert panel.has(".panel")
    assert panel.run(chosen) == "引用"
    panel.browser.enter()
    panel.browser.wait(lambda: panel.run(chosen) == "复制为文字", "the first item")
    panel.browser.enter()
    assert clipboard(panel) == reference(panel, citation)["text"]


def test_without_a_clipboard_the_text_is_there_to_be_copied_by_hand(panel):
    citation = citation_of(panel)
    panel.run("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    panel.open(citation)
    opened(panel)
    panel.button("复制为脚注", ".cited")
    panel.browser.wait(lambda: panel.has("dialog[open].by-hand"), "the dialog")
    field = "const x = document.querySelector('.by-hand textarea');"
    assert panel.run(f"{field} return x.value") == reference(panel, citation)["footnote"]
    selected = panel.run(f"{field} return x.value.slice(x.selectionStart, x.selectionEnd)")
    assert selected == reference(panel, citation)["footnote"]
    panel.browser.escape()
    panel.browser.wait(lambda: not panel.has(".by-hand"), "the dialog to close")
    assert panel.has(".panel")


def select(panel: Panel, first: str, last: str) -> None:
    """Select from the beginning of one text to the end of another, as a mouse would."""
    panel.run(
        """
        const find = (words, isEnd) => {
          const walk = document.createTreeWalker(document.querySelector('.source-text'), NodeFilter.SHOW_TEXT);
          for (let node; (node = walk.nextNode()); ) {
            const at = node.data.indexOf(words);
            if (at >= 0) return [node, at + (isEnd ? words.length : 0)];
          }
        };
        document.getSelection().setBaseAndExtent(...find(arguments[0], false), ...find(arguments[1], true));
        """,
        first,
        last,
    )
    panel.browser.wait(lambda: panel.has(".chosen .copy"), "the selection")


def test_what_the_reader_selects_is_cited_exactly(panel):
    citation = citation_of(panel)
    panel.open(citation)
    text = api(panel.url, f"/v1/documents/{ID}/text")["text"]
    start, end = text.index("科技企业发展量质齐升"), text.index("（五）区域创新生态") + len("（五）区域创新生态")
    panel.open_document(ID, start)
    select(panel, "科技企业发展量质齐升", "（五）区域创新生态")
    assert f"已选 {end - start} 字" in panel.texts(".chosen")[0]
    opened(panel, ".chosen")
    panel.button("复制为文字", ".chosen")
    expected = api(panel.url, f"/v1/documents/{ID}/citation?at={start}-{end}")
    assert expected["quote"] == text[start:end]
    assert clipboard(panel) == expected["text"]


def test_a_selection_behind_rare_characters_and_over_marks_is_exact(browser, make_folder, tmp_path):
    with served_folder(make_folder({"rare.txt": RARE}), tmp_path / "own") as (url, _, _):
        panel = with_clipboard(Panel(browser, url), url)
        start = RARE.index("二十家")
        panel.open(api(url, f"/v1/documents/rare/citation?at={start}-{start + 5}"))
        assert panel.marked() == "二十家门店"
        select(panel, "👨", "比上年多三家")
        opened(panel, ".chosen")
        panel.button("复制为文字", ".chosen")
        copied = clipboard(panel)
        assert copied.startswith("“👨‍👩‍👧在上海开了二十家门店，比上年多三家”（《标题0》")
        # From within a line to the end of all text: the last line break is no part of the words.
        select(panel, "黄浦区", "没有。\n")
        opened(panel, ".chosen")
        panel.button("复制为文字", ".chosen")
        assert clipboard(panel).startswith("“黄浦区八家，长宁区一家也没有。”")


@pytest.mark.parametrize(
    ("first", "last"), [("科技企业发展量质齐升", "（五）区域创新生态"), ("主要指标如下", "累计 260 个")]
)
def test_what_a_browser_copies_of_the_panel_is_the_source_without_numbers(panel, first, last):
    text = api(panel.url, f"/v1/documents/{ID}/text")["text"]
    start = text.index(first)
    end = text.index(last, start) + len(last)
    panel.open_document(ID, start)
    select(panel, first, last)
    copied = panel.run("return document.getSelection().toString()")
    assert [x for x in copied.splitlines() if x] == [x for x in text[start:end].splitlines() if x]


def test_of_a_report_changed_since_what_it_said_then_is_copied(browser, make_folder, tmp_path):
    before = "一、总体情况\n\n全市有生物医药企业449家，比上年增加了二十家，研发投入持续增长，园区建设加快。\n"
    texts = {"bao.txt": before, "other.txt": RARE}
    with served_folder(make_folder(texts), tmp_path / "own") as (url, assistant, _):
        panel = with_clipboard(Panel(browser, url), url)
        start = before.index("全市")
        citation = api(url, f"/v1/documents/bao/citation?at={start}-{start + 14}")
        panel.open(citation)
        make_folder({**texts, "bao.txt": before.replace("449", "448")})
        assistant.build()
        opened(panel)
        panel.button("复制为文字", ".cited")
        assert clipboard(panel).startswith(f"“{citation['quote']}”")
        panel.browser.wait(lambda: panel.says("复制的是当时的原文"), "the word")
        Librarian(assistant).remove(["bao"])
        opened(panel)
        panel.button("复制为文字", ".cited")
        panel.browser.wait(lambda: panel.says("已被移除"), "the word")
        assert panel.run("return navigator.clipboard.readText()") == ""
