"""Text files in the encodings that Chinese offices produce, told apart reliably."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.readers import ReadError, read
from corpus.readers.encodings import decode, decode_page
from tests.corpus.hostile_files import docx, paragraph
from tests.files.make import report_html

ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "gb18030", "gbk")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_report_reads_the_same_in_every_encoding(encoding, reports):
    for document in reports.values():
        text = document.text
        if encoding == "gbk":
            text = text.encode("gbk", errors="ignore").decode("gbk")
        assert decode(text.encode(encoding))[0] == text


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("text", ["年均200场", "宝山区。\r\n", "中文字", "科技创新 plan 2026", "联通", "宝山区2026年"])
def test_short_texts(encoding, text):
    assert decode(text.encode(encoding))[0] == text


@pytest.mark.parametrize(
    "text", ["café déjà vu", "Ελληνικά κείμενα", "русский текст", "𠮷野家的报告", "plain ascii", "emoji 🙂 ok"]
)
def test_utf8_of_other_scripts_stays_utf8(text):
    assert decode(text.encode()) == (text, "utf-8")


@settings(max_examples=300, deadline=None)
@given(
    st.text(
        alphabet=st.sampled_from("的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动"),
        min_size=2,
        max_size=60,
    )
)
def test_common_chinese_survives_gb18030(text):
    assert decode(text.encode("gb18030"))[0] == text


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xfe\xff",
        b"\x80\x81\x82\x83\x84",
        bytes(range(256)),
        "宝山区".encode("gbk")[:-1],
        "日本の科学技術イノベーション政策についての報告書".encode("euc-jp"),
        "日本の科学技術イノベーション政策についての報告書".encode("shift_jis"),
        "Отчёт о научно-техническом развитии".encode("cp1251"),
        "대한민국 서울특별시 과학기술 혁신 보고서는".encode("euc-kr"),
        "the café’s “owner” said".encode("cp1252"),
        (
            "대한민국 서울특별시 과학기술 혁신 보고서는 매년 발간되며 여러 기관의 성과와 계획을 담고 있습니다. " * 3
        ).encode("euc-kr"),
        b"\x7fELF\x02\x01\x01\x00" * 9,
    ],
)
def test_what_stays_doubtful_is_refused(data):
    with pytest.raises(ReadError, match=r"编码|不符") as error:
        decode(data)
    assert error.value.code == "decode_error"


def test_line_ends_and_offsets_are_kept():
    reading = read("a.txt", "甲。\r\n乙。\r丙。".encode("utf-16"))
    assert reading.text == "甲。\r\n乙。\r丙。"
    assert reading.media_type == "text/plain"
    assert read("b.MD", b"# x").media_type == "text/markdown"


def test_an_unknown_format_says_what_can_be_read():
    with pytest.raises(ReadError, match="可读 PDF、DOCX、HTML、Markdown 与纯文本") as error:
        read("a.wps", b"x")
    assert error.value.code == "unsupported"


TRADITIONAL = "香港特別行政區政府致力發展創新及科技，並將與大灣區內其他城市一起建設國際創新科技中心。"
RARE = "𠮷野家的报告说，㐂与𡋾都在名单之中，这是第一年的成果，对以后的工作有用。"
TEXTS = {
    "gbk": "联通",
    "gb2312": "宝山区有多少家生物医药企业？2026年为449家。",
    "gb18030": RARE,
    "utf-8": RARE,
    "utf-8-sig": RARE,
    "utf-16": TRADITIONAL,
    "utf-16-le": RARE,
    "utf-16-be": TRADITIONAL,
    "big5": TRADITIONAL,
    "cp950": TRADITIONAL + "碁恒裏粧嫺",
    "big5hkscs": TRADITIONAL + "深水埗石硤尾邨",
    "euc-kr": "대한민국 서울특별시 과학기술 혁신 보고서는 매년 발간되며 여러 기관의 성과를 담고 있습니다.",
    "shift_jis": "日本の科学技術イノベーション政策についての報告書",
    "euc-jp": "日本の科学技術イノベーション政策についての報告書",
    "cp1252": "Résumé of “the” plan – naïve café",
    "koi8-r": "Отчёт о научно-техническом развитии",
}
PAGE = '<!DOCTYPE html><html><head><meta charset="{}"></head><body class="a b c d e f"><div id="content"><p>{}</p></div></body></html>'


@pytest.mark.parametrize("encoding", TEXTS)
def test_a_text_is_read_as_it_is_or_refused_and_never_as_something_else(encoding):
    text = TEXTS[encoding]
    readable = encoding not in ("euc-kr", "shift_jis", "euc-jp", "cp1252", "koi8-r")
    # As plain text, and as pages that declare nothing, the truth, and two things that are not so.
    cases = [(decode, text)]
    cases += [(decode_page, PAGE.format(declared, text)) for declared in ("", encoding, "utf-8", "iso-8859-1")]
    for decoder, whole in cases:
        got = decoded(decoder, whole.encode(encoding))
        assert got == whole or (got is None and not readable)


def decoded(decoder, data: bytes) -> str | None:
    """The text, None where the encoding is not recognised."""
    try:
        return decoder(data)[0]
    except ReadError:
        return None


def test_a_page_in_another_language_is_read_where_it_says_its_encoding():
    page = PAGE.format("euc-kr", TEXTS["euc-kr"])
    assert decode_page(page.encode("euc-kr")) == (page, "euc-kr")


def test_a_text_is_kept_as_it_is_and_what_is_no_text_is_refused():
    text = f"甲\x0b乙\ufeff丙\u00ad丁\t戊\n{'文' * 500}\x1a"
    assert read("a.txt", text.encode()).text == text
    for data in ("甲".encode() + b"\0", "甲\x01\x02乙".encode() * 9):
        with pytest.raises(ReadError) as error:
            read("a.txt", data)
        assert error.value.code == "decode_error"


def test_the_bytes_of_a_file_outweigh_its_name(reports, structures):
    original = reports["shanghai-2022-districts"]
    page = report_html(original, structures[original.id]).encode()
    for name in ("a.pdf", "a.txt", "a.docx", "a", "a.doc"):
        found = read(name, page)
        assert (found.media_type, found.title) == ("text/html", original.title)
    assert read("a.txt", docx(paragraph("正文。"))).text == "正文。\n"
    assert read("a.md", b"<div>\n\n# x\n\n</div>").media_type == "text/markdown"
    assert read("README", "说明。".encode()).media_type == "text/plain"
    assert read("run.log", "日志一行。".encode("gbk")).text == "日志一行。"


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("a.docx", b"\x7fELF\x02\x01\x01" + bytes(50), "unsupported"),
        ("a.png", b"\x89PNG\r\n\x1a\n" + bytes(50), "unsupported"),
        ("a.rtf", b"{\\rtf1 x}", "unsupported"),
        ("a.mht", b"MIME-Version: 1.0\n", "unsupported"),
        ("a", b"\x7fELF\x02\x01\x01" + bytes(50), "unsupported"),
        ("a.txt", b"\x7fELF\x02\x01\x01" + bytes(50), "decode_error"),
        ("a.txt", b"\xef\xbb\xbf", "empty"),
        ("a.html", b"\xff\xfe", "empty"),
        ("a.md", b" \n\t", "empty"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(name, data, code):
    with pytest.raises(ReadError) as error:
        read(name, data)
    assert error.value.code == code
