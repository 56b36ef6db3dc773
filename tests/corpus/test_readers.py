"""Text files in the encodings that Chinese offices produce, told apart reliably."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.readers import ReadError, read
from corpus.readers.encodings import decode

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
        "繁體中文測試檔案內容".encode("big5"),
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
    with pytest.raises(ReadError, match=r"\.txt 与 \.md") as error:
        read("a.wps", b"x")
    assert error.value.code == "unsupported"
