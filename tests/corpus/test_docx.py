"""Word documents: as Word shows them, whole, and whatever is wrong with them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from corpus.passages import split_passages
from corpus.readers import ReadError, Reading, read, sandbox
from corpus.readers.docx_numbering import shown
from corpus.structure import parse
from tests.corpus.hostile_files import archive, archives, docx, paragraph

FILES = Path(__file__).parent.parent / "files" / "docx"

STYLES = (
    '<w:docDefaults><w:rPrDefault><w:rPr><w:sz w:val="32"/></w:rPr></w:rPrDefault></w:docDefaults>'
    '<w:style w:type="paragraph" w:default="1" w:styleId="a"><w:name w:val="Normal"/></w:style>'
    '<w:style w:type="paragraph" w:styleId="1"><w:name w:val="heading 1"/><w:basedOn w:val="a"/></w:style>'
    '<w:style w:type="paragraph" w:styleId="21"><w:name w:val="标题 2"/></w:style>'
    '<w:style w:type="paragraph" w:styleId="own"><w:name w:val="我的章"/><w:basedOn w:val="1"/></w:style>'
    '<w:style w:type="paragraph" w:styleId="loop"><w:name w:val="x"/><w:basedOn w:val="loop2"/></w:style>'
    '<w:style w:type="paragraph" w:styleId="loop2"><w:name w:val="y"/><w:basedOn w:val="loop"/></w:style>'
    '<w:style w:type="paragraph" w:styleId="t"><w:name w:val="Title"/></w:style>'
    '<w:style w:type="paragraph" w:styleId="toc1"><w:name w:val="toc 1"/></w:style>'
    '<w:style w:type="paragraph" w:styleId="n1"><w:name w:val="编号"/><w:pPr><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr></w:style>'
    '<w:style w:type="character" w:styleId="sup"><w:name w:val="sup"/><w:rPr><w:vertAlign w:val="superscript"/></w:rPr></w:style>'
)


def level(n: int, form: str, text: str, more: str = "") -> str:
    return (
        f'<w:lvl w:ilvl="{n}"><w:start w:val="1"/><w:numFmt w:val="{form}"/><w:lvlText w:val="{text}"/>{more}</w:lvl>'
    )


NUMBERING = (
    '<w:abstractNum w:abstractNumId="0">'
    + level(0, "chineseCountingThousand", "%1、")
    + level(1, "chineseCounting", "（%2）")
    + level(2, "decimal", "%3.")
    + level(3, "decimalEnclosedCircle", "%4")
    + '</w:abstractNum><w:abstractNum w:abstractNumId="1">'
    + level(0, "chineseCountingThousand", "第%1章")
    + level(1, "decimal", "%1.%2", "<w:isLgl/>")
    + '</w:abstractNum><w:abstractNum w:abstractNumId="2">'
    + level(0, "bullet", "\uf0b7")
    + '</w:abstractNum><w:abstractNum w:abstractNumId="3">'
    + level(0, "decimal", "%1.")
    + "</w:abstractNum>"
    + "".join(
        f'<w:num w:numId="{n}"><w:abstractNumId w:val="{a}"/>{more}</w:num>'
        for n, a, more in (
            (1, 0, ""),
            (2, 1, ""),
            (3, 2, ""),
            (4, 3, ""),
            (5, 3, '<w:lvlOverride w:ilvl="0"><w:startOverride w:val="1"/></w:lvlOverride>'),
        )
    )
)


def numbered(text: str, key: int, depth: int = 0) -> str:
    return paragraph(text, f'<w:numPr><w:ilvl w:val="{depth}"/><w:numId w:val="{key}"/></w:numPr>')


def styled(text: str, style: str) -> str:
    return paragraph(text, f'<w:pStyle w:val="{style}"/>')


def reading(body: str, **parts: str | bytes) -> Reading:
    return read("a.docx", docx(body, {"styles": STYLES, "numbering": NUMBERING, **parts}))


def headings(found: Reading) -> list[tuple[int, str]]:
    return [(x.level, found.text[x.start :].split("\n")[0]) for x in found.heading_marks]


@pytest.mark.parametrize("path", sorted(FILES.glob("*.docx")), ids=lambda x: x.stem)
def test_a_report_made_into_a_word_document_gives_the_same_passages(path, reports, passages):
    found = read(path.name, path.read_bytes())
    original = reports[path.stem]
    document = replace(
        original,
        text=found.text,
        media_type=found.media_type,
        heading_marks=found.heading_marks,
        editorial_headings=(),
    )
    got = split_passages(document, parse(document))
    fold = str.maketrans("", "", " \n\t*")
    plain = [x.text.removeprefix("- ").removeprefix("• ").translate(fold) for x in passages[path.stem]]
    assert sorted(x.text.removeprefix("• ").translate(fold) for x in got) == sorted(plain)
    assert {x.section for x in got} == {x.section for x in passages[path.stem]}
    assert found.title == original.title


def test_headings_by_style_outline_and_what_styles_are_based_on():
    found = reading(
        styled("规划", "t")
        + styled("总则", "1")
        + styled("目标", "21")
        + styled("保障", "own")
        + paragraph("监测", '<w:outlineLvl w:val="2"/>')
        + paragraph("正文。", '<w:pStyle w:val="1"/><w:outlineLvl w:val="9"/>')
        + styled("循环。", "loop")
    )
    assert headings(found) == [(1, "总则"), (2, "目标"), (1, "保障"), (3, "监测")]
    assert (found.title, found.title_basis) == ("规划", "Word 的“标题”样式")


def test_automatic_numbers_are_shown_as_word_shows_them():
    found = reading(
        numbered("甲", 1)
        + numbered("乙", 1, 1)
        + numbered("丙", 1, 1)
        + numbered("丁", 1, 2)
        + numbered("戊", 1, 3)
        + numbered("己", 1)
        + numbered("庚", 1, 1)
        + numbered("辛", 2)
        + numbered("壬", 2, 1)
        + styled("癸", "n1")
    )
    assert found.text.split() == [
        "一、甲",
        "（一）乙",
        "（二）丙",
        "1.",
        "丁",
        "①",
        "戊",
        "二、己",
        "（一）庚",
        "第一章",
        "辛",
        "1.1",
        "壬",
        "三、癸",
    ]


def test_items_stand_together_and_lists_begin_anew():
    found = reading(
        numbered("甲", 4)
        + numbered("乙", 4)
        + paragraph("间隔。")
        + numbered("丙", 4)
        + numbered("丁", 5)
        + numbered("戊", 3)
        + numbered("己", 3)
        + paragraph("无号。", '<w:pStyle w:val="n1"/><w:numPr><w:numId w:val="0"/></w:numPr>')
    )
    assert found.text == "1. 甲\n2. 乙\n\n间隔。\n\n3. 丙\n\n1. 丁\n\n• 戊\n• 己\n\n无号。\n"


@pytest.mark.parametrize(
    ("form", "n", "text"),
    [
        ("chineseCounting", 21, "二十一"),
        ("chineseCountingThousand", 105, "一百零五"),
        ("chineseLegalSimplified", 12, "壹拾贰"),
        ("ideographTraditional", 3, "丙"),
        ("ideographZodiac", 12, "亥"),
        ("ideographDigital", 10, "一〇"),
        ("decimalEnclosedCircleChinese", 20, "⑳"),
        ("upperRoman", 14, "XIV"),
        ("lowerRoman", 9, "ix"),
        ("upperLetter", 27, "AA"),
        ("lowerLetter", 3, "c"),
        ("decimalZero", 7, "07"),
        ("decimalFullWidth", 12, "１２"),
        ("none", 7, ""),
        ("somethingElse", 7, "7"),
    ],
)
def test_forms_of_numbers(form, n, text):
    assert shown(n, form) == text


def cell(text: str, properties: str = "") -> str:
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{paragraph(text)}</w:tc>"


def test_tables_are_rows_with_merged_cells_once_in_a_row():
    wide, first, then = '<w:gridSpan w:val="2"/>', '<w:vMerge w:val="restart"/>', "<w:vMerge/>"
    nested = f"<w:tc><w:tbl><w:tr>{cell('内')}{cell('嵌')}</w:tr></w:tbl>{paragraph('外')}</w:tc>"
    deleted = f"<w:tr><w:trPr><w:del/></w:trPr>{cell('删')}{cell('去')}</w:tr>"
    found = reading(
        paragraph("前。")
        + "<w:tbl>"
        + f"<w:tr>{cell('指标')}{cell('目标', wide)}</w:tr>"
        + f"<w:tr>{cell('创新', first)}{cell('数')}{cell('10 家')}</w:tr>"
        + f"<w:tr>{cell('', then)}{cell('率')}{nested}</w:tr>{deleted}"
        + f"<w:tr>{cell('')}{cell('空')}{cell('')}</w:tr>"
        + "</w:tbl>"
        + paragraph("后。")
    )
    assert found.text == "前。\n\n指标\t目标\n创新\t数\t10 家\n创新\t率\t内 嵌 外\n—\t空\n\n后。\n"


def test_a_frame_of_one_cell_holds_paragraphs():
    box = f"<w:tbl><w:tr><w:tc>{paragraph('专栏 1')}{paragraph('正文。')}</w:tc></w:tr></w:tbl>"
    assert reading(box).text == "专栏 1\n\n正文。\n"


def test_footnotes_stand_behind_the_paragraph_or_table_that_refers_to_them():
    def note(kind: str, n: int) -> str:
        return f'<w:r><w:{kind}Reference w:id="{n}"/></w:r>'

    notes = '<w:footnote w:id="0"><w:p/></w:footnote>' + "".join(
        f'<w:footnote w:id="{n}"><w:p><w:r><w:footnoteRef/></w:r><w:r><w:t> 注{n}。</w:t></w:r></w:p></w:footnote>'
        for n in (2, 3)
    )
    ends = f'<w:endnote w:id="2">{paragraph("尾注。")}</w:endnote>'
    table = (
        f"<w:tbl><w:tr>{cell('甲')}<w:tc><w:p><w:r><w:t>乙</w:t></w:r>{note('footnote', 3)}</w:p></w:tc></w:tr></w:tbl>"
    )
    body = f"<w:p><w:r><w:t>先租后股</w:t></w:r>{note('footnote', 2)}<w:r><w:t>。</w:t></w:r></w:p>{table}"
    body += f"<w:p><w:r><w:t>末</w:t></w:r>{note('endnote', 2)}</w:p>"
    found = reading(body, footnotes=notes, endnotes=ends)
    assert found.text == "先租后股¹。\n\n¹ 注2。\n\n甲\t乙²\n\n² 注3。\n\n末¹\n\n¹ 尾注。\n"


def test_what_is_shown_is_read_and_what_is_not_is_left_out_with_a_note():
    text = "<w:r><w:t>{}</w:t></w:r>"
    body = (
        f"<w:p>{text.format('留')}<w:ins>{text.format('插入')}</w:ins><w:del><w:r><w:delText>删除</w:delText></w:r></w:del>"
        f"<w:hyperlink>{text.format('链接')}</w:hyperlink><w:r><w:rPr><w:vanish/></w:rPr><w:t>隐藏</w:t></w:r>"
        '<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText>PAGE</w:instrText></w:r>'
        f'<w:r><w:fldChar w:fldCharType="separate"/></w:r>{text.format("7")}<w:r><w:fldChar w:fldCharType="end"/></w:r>'
        '<w:r><w:tab/><w:t>列</w:t><w:noBreakHyphen/><w:sym w:font="Wingdings" w:char="F06C"/></w:r>'
        '<w:r><w:rPr><w:rStyle w:val="sup"/></w:rPr><w:t>2</w:t></w:r><w:r><w:drawing/></w:r>'
        '<w:commentRangeStart w:id="1"/></w:p>'
        + styled("目录项	3", "toc1")
        + f"<w:sdt><w:sdtContent>{paragraph('控件。')}</w:sdtContent></w:sdt>"
        + '<w:sectPr><w:headerReference w:type="default"/></w:sectPr>'
    )
    found = reading(body)
    assert found.text == "留插入链接7 列-²\n\n控件。\n"
    assert found.notes == (
        "略去目录",
        "略去各页的页眉、页脚与页码",
        "略去 1 张图片",
        "有修订：采用插入的文字，略去删除的文字",
        "略去批注",
        "略去隐藏的文字",
    )


def test_text_boxes_are_read_once_behind_their_paragraph():
    box = f"<w:txbxContent>{paragraph('框内。')}</w:txbxContent>"
    both = (
        '<mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006">'
        f'<mc:Choice Requires="wps"><w:drawing>{box}</w:drawing></mc:Choice>'
        f"<mc:Fallback><w:pict>{box}</w:pict></mc:Fallback></mc:AlternateContent>"
    )
    assert reading(f"<w:p><w:r><w:t>段。</w:t></w:r><w:r>{both}</w:r></w:p>").text == "段。\n\n框内。\n"


def test_a_field_of_contents_over_several_paragraphs():
    body = (
        '<w:p><w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText> TOC \\o "1-3" </w:instrText></w:r>'
        '<w:r><w:fldChar w:fldCharType="separate"/></w:r><w:r><w:t>一、总则 1</w:t></w:r></w:p>'
        + paragraph("二、目标 2")
        + '<w:p><w:r><w:fldChar w:fldCharType="end"/></w:r></w:p>'
        + paragraph("正文。")
    )
    assert (reading(body).text, reading(body).notes) == ("正文。\n", ("略去目录",))


def test_letters_tell_headings_where_no_style_does():
    big, bold = '<w:sz w:val="44"/>', "<w:b/>"
    found = reading(
        paragraph("创新规划", '<w:jc w:val="center"/>', big)
        + paragraph("总体要求", "", bold)
        + paragraph("这是一段正文，字数多于标题，所以它的字号才是正文的字号。") * 3
        + paragraph("加粗的整句不是标题。", "", bold)
        + "<w:p><w:r><w:rPr><w:b/></w:rPr><w:t>成果转化。</w:t></w:r><w:r><w:t>建成三家。</w:t></w:r></w:p>"
    )
    assert headings(found) == [(1, "创新规划"), (2, "总体要求")]
    assert (found.title, found.title_basis) == ("创新规划", "居中的最大的字")
    assert found.text.endswith("**成果转化。**建成三家。\n")


def test_breaks_of_lines():
    found = reading(
        '<w:p><w:r><w:t>第一段。</w:t><w:br/><w:t>第二段，</w:t><w:br/><w:t>未完。</w:t><w:br w:type="page"/></w:r></w:p>'
    )
    assert found.text == "第一段。\n\n第二段，\n未完。\n"


def test_properties_and_strict_documents():
    core = (
        '<x xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:t="http://purl.org/dc/terms/">'
        "<dc:title>属性里的题目</dc:title><t:created>2026-02-11T08:00:00Z</t:created></x>"
    )
    kind = "http://schemas.openxmlformats.org/package/2006/relationships/metadata/core-properties"
    relations = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f'<Relationship Id="r" Type="{kind}" Target="docProps/core.xml"/></Relationships>'
    )
    found = read("a.docx", docx(paragraph("正文。"), {"docProps/core.xml": core, "_rels/.rels": relations}))
    assert (found.title, found.title_basis, found.dated) == ("属性里的题目", "文件属性中的标题", "2026-02-11")
    strict = '<d:document xmlns:d="http://purl.oclc.org/ooxml/wordprocessingml/main"><d:body><d:p><d:r><d:t>严格。</d:t></d:r></d:p></d:body></d:document>'
    assert read("s.docx", archive({"word/document.xml": strict})).text == "严格。\n"


def test_a_damaged_part_beside_the_text_costs_what_it_holds_alone():
    assert reading(paragraph("正文。"), comments="x", footnotes=b"<broken").text == "正文。\n"


@pytest.fixture
def canary() -> Iterator[tuple[str, list[str]]]:
    """An address, and who asked for it."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(404)
            self.end_headers()

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


def test_hostile_documents_end_in_their_status(canary):
    address, asked = canary
    for name, data, expected in archives(address):
        try:
            status = "ok" if sandbox.read(name, data).text else "nothing"
        except ReadError as error:
            status = error.code
        assert status in expected, name
    assert not asked
