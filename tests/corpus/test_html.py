"""Web pages: the article whole, nothing of what surrounds it, and whatever is wrong with them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from corpus.passages import split_passages
from corpus.readers import ReadError, Reading, read, sandbox
from corpus.structure import parse
from tests.corpus.hostile_files import pages
from tests.files.make import report_html, report_page


def page(body: str, head: str = "") -> Reading:
    return read("a.html", f"<!DOCTYPE html><html><head>{head}</head><body>{body}</body></html>".encode())


def headings(found: Reading) -> list[tuple[int, str]]:
    return [(x.level, found.text[x.start :].split("\n")[0]) for x in found.heading_marks]


def passages_of(found: Reading, original):
    fields = {"text": found.text, "media_type": found.media_type, "heading_marks": found.heading_marks}
    document = replace(original, **fields, editorial_headings=())
    return split_passages(document, parse(document))


def folded(passages) -> list[str]:
    fold = str.maketrans("", "", " \n\t*")
    return sorted(x.text.removeprefix("- ").removeprefix("• ").translate(fold) for x in passages)


def test_a_report_made_into_a_page_gives_the_same_passages(reports, structures, passages):
    for name, original in reports.items():
        found = read("a.html", report_html(original, structures[name]).encode())
        got = passages_of(found, original)
        assert folded(got) == folded(passages[name])
        assert {x.section for x in got} == {x.section for x in passages[name]}
        assert (found.title, found.title_basis) == (original.title, "网页的 h1")


@pytest.mark.parametrize("charset", ["utf-8", "gb2312"])
@pytest.mark.parametrize("strong", [False, True])
def test_a_saved_page_of_a_government_site_gives_the_article_alone(charset, strong, reports, structures, passages):
    for name, original in reports.items():
        found = read("a.html", report_page(original, structures[name], charset, strong))
        missing = set(folded(passages[name])) - set(folded(passages_of(found, original)))
        assert not missing
        assert (found.title, found.dated) == (original.title, f"{original.year}-02-11")
        assert found.encoding == ("utf-8" if charset == "utf-8" else "gb18030")
        furniture = (
            "首页",
            "ICP",
            "主办单位",
            "分享到",
            "公开指南",
            "邮箱",
            "统计代码",
            "隐藏的检索",
            "发布日期",
            "相关文章",
            "图解",
            "关键字",
        )
        assert not [x for x in furniture if x in found.text]
        assert found.notes == ("略去导航、页脚等正文以外的内容", "略去 1 张图片")


@pytest.mark.parametrize("depth", [255, 256, 1_000, 10_000, 100_000])
def test_nothing_is_lost_however_deep_it_stands(depth):
    text = sandbox.read(
        "a.html", f"<html><body>{'<div>' * depth}<p>深处的话。</p>{'</div>' * depth}<p>后面的话。</p>".encode()
    ).text
    assert text == "深处的话。\n\n后面的话。\n"


def test_headings_lists_tables_and_notes():
    found = page(
        "<h1>规划</h1><h2>一、<b>总则</b></h2><p>联动“先租后股”<sup>1</sup>，水体 m<sup>2</sup>。</p>"
        "<h3>目标</h3><ul><li>甲</li><li>乙<ol><li>丙</li><li value=5>丁</li></ol></li></ul><ol type=a><li>戊</li></ol>"
        "<table><caption>表 1 指标</caption><thead><tr><th>指标</th><th colspan=2>目标</th></tr></thead>"
        "<tbody><tr><td rowspan=2>创新</td><td>数</td><td>10<br>家</td></tr><tr><td>率</td><td>5%</td></tr></tbody>"
        "<tr><td colspan=3>注：略。</td></tr></table>"
        '<p class="note"><sup>1</sup>先租后股：免租。</p><dl><dt>词</dt><dd>义。</dd></dl><pre>一行\n  二行</pre>'
    )
    assert found.text == (
        "规划\n\n一、总则\n\n联动“先租后股”¹，水体 m²。\n\n目标\n\n• 甲\n• 乙\n1. 丙\n5. 丁\n\na. 戊\n\n表 1 指标\n\n"
        "指标\t目标\n创新\t数\t10 家\n创新\t率\t5%\n\n注：略。\n\n¹先租后股：免租。\n\n词\n\n义。\n\n一行\n二行\n"
    )
    assert headings(found) == [(1, "规划"), (2, "一、总则"), (3, "目标")]


def test_names_that_are_none_are_passed_over():
    found = page("<p style=x 甲='乙' \"=1 o:p=2>正文<o:p>一</o:p><w:t>二</w:t>。</p><a<p 3>三。<table><tr><td>丙")
    assert found.text.startswith("正文一二。\n\n三。")
    assert found.text.endswith("丙\n")


def test_notes_at_the_foot_take_the_mark_that_leads_to_them():
    found = page('<p>正文<sup><a href="#fn1">[1]</a></sup>。</p><ol><li id="fn1">注释。<a href="#r">↩</a></li></ol>')
    assert found.text == "正文¹。\n\n¹ 注释。\n"


def test_bold_paragraphs_are_headings_where_no_tag_is():
    found = page(
        "<p><b>一、总则</b></p><p>正文。</p><p><strong>（一）目标</strong></p><p><b>成果转化。</b>建成三家。</p>"
        '<p style="font-weight: bold">二、保障</p><p>正文。</p><p><b>整句加粗不是标题。</b></p>'
    )
    assert headings(found) == [(1, "一、总则"), (2, "（一）目标"), (1, "二、保障")]
    assert "**成果转化。**建成三家。" in found.text


def test_spaces_breaks_and_entities():
    found = page(
        "<p>中文\n  换行，English\n words&nbsp;&amp;&lt;1&#25991;</p><p>第一段。<br>　　第二段，<br>未完。</p>"
        "<p>甲&shy;乙&#xFEFF;丙</p><div>裸<span>文</span>字<div>内层</div>之后</div>"
    )
    assert (
        found.text
        == "中文换行，English words\xa0&<1文\n\n第一段。\n\n第二段，\n未完。\n\n甲乙丙\n\n裸文字\n\n内层\n\n之后\n"
    )


def test_a_table_that_only_arranges_the_page_is_no_table():
    found = page(f"<table><tr><td>菜单</td><td><h2>甲</h2><p>{'正文一句。' * 30}</p><p>乙。</p></td></tr></table>")
    assert "\t" not in found.text
    assert found.text.endswith("乙。\n")


def test_short_paragraphs_beside_the_main_part_are_kept():
    body = f"<div class=x><p>引言一句。</p><div><p>{'正文一句。' * 30}</p></div><div><h2>附</h2><ul><li>附件甲</li></ul></div></div>"
    found = page(f"<div class=nav><a href=/>首页</a></div>{body}<div class=footer>主办单位：某委</div>")
    assert found.text.startswith("引言一句。")
    assert found.text.endswith("附\n\n• 附件甲\n")
    assert "首页" not in found.text
    assert "主办" not in found.text


def test_an_article_element_is_the_article():
    found = page(
        f"<main><article><p>{'正文一句。' * 9}</p></article><section><p>推荐一篇。</p></section></main><p>杂项一句。</p>"
    )
    assert found.text == f"{'正文一句。' * 9}\n"


@pytest.mark.parametrize(
    ("head", "body", "title", "basis"),
    [
        ("<title>规划_科技政策_某市政府</title>", "<p>正文。</p>", "规划", "网页的 title"),
        ("<title>规划-某某网</title>", "<h1>某某网</h1><p>正文。</p>", "规划", "网页的 title"),
        ("<title>规划 - 某市科学技术委员会</title>", "<h1>规划</h1><p>正文。</p>", "规划", "网页的 h1"),
        (
            '<meta name="ArticleTitle" content="规划"><title>某市</title>',
            "<h1>某市</h1><p>正文。</p>",
            "规划",
            "网页的 ArticleTitle",
        ),
        ("<title>“十五五”-规划</title>", "<p>正文。</p>", "“十五五”-规划", "网页的 title"),
        ("", "<p>正文。</p>", None, None),
    ],
)
def test_the_title_is_the_articles_and_not_the_sites(head, body, title, basis):
    found = page(body, head)
    assert (found.title, found.title_basis) == (title, basis)
    assert title is None or title in found.text


@pytest.mark.parametrize(
    ("head", "body", "dated"),
    [
        ('<meta name="publishdate" content="2025-3-7 10:00">', "", "2025-03-07"),
        ('<meta property="article:published_time" content="2025-03-07T10:00:00">', "", "2025-03-07"),
        ("", "<div>发布日期：2025年3月7日</div>", "2025-03-07"),
        ("", "<div>发布时间：<span>2025/03/07</span></div>", "2025-03-07"),
        ('<meta name="PubDate" content="2025-13-45">', "<p>2025年3月7日召开会议。</p>", None),
    ],
)
def test_the_day_of_publication(head, body, dated):
    assert page(f"{body}<p>正文。</p>", head).dated == dated


def test_hostile_pages_and_texts_end_in_their_status():
    for name, data, expected in pages("http://127.0.0.1:9"):
        try:
            status = "ok" if sandbox.read(name, data).text else "nothing"
        except ReadError as error:
            status = error.code
        assert status in expected, name


@pytest.mark.parametrize("odd", ["\ufffe", "\uffff", "&#2;", "&#xFFFE;", "<a id='&#1;' hidden></a>", "\x01"])
def test_characters_that_no_tree_can_hold_cost_the_page_nothing(odd):
    assert page(f"<p>甲{odd}乙。</p>").text == "甲乙。\n"


def test_a_page_without_text_says_so():
    with pytest.raises(ReadError, match="没有正文") as error:
        page("<script>document.write('正文')</script><img src=a.png>")
    assert error.value.code == "empty"
