"""Texts of everything that Chinese reports print, put together by a fuzzer, must keep what structure and passages promise.

    python -m tests.faults.fuzz_structure --minutes 60 [--keep FOLDER]

Each byte of an input is a piece of text or a mark (a heading, a page, a heading of the manifest), so that what the fuzzer
changes is what a reader could have seen. Coverage of `corpus` guides it (atheris, the extra `fuzz`).
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from corpus import citations, passages, structure
from corpus.lines import line_starts
from corpus.passages import LONGEST
from corpus.tokens import ManifestMismatch
from corpus.types import DOCX, HTML, MARKDOWN, PDF, PLAIN, Document, EditorialHeading, HeadingMark, join_spans
from tests.faults.fuzzing import Fuzzed, add_arguments, fuzz

PIECES = (
    "\n", "\n\n", "\n\n\n\n", "\r\n", "\r", "\f", "\x85", "\u2028", "\u2029", "\t", " ", "　", "\xa0", "\u200b", "\u2009",
    "。", "，", "；", "：", "、", "！”", "？", "…", "……", ".", ",", ":", ";", "-", "—", "·", "“", "”", "「", "」", "『", "』", "（", "）", "(", ")",
    "【", "】", "《", "》", "*", "**", "__", "`", "```", "```\n", "~~~\n", "|", "\\|", "#", "# ", "## ", "> ", "<b>", "&nbsp;",
    "第一章 总则", "第二章", "第三节　改革", "第一条 为了", "第二十条", "**第3条** ", "第四条之二（甲）　乙", "一、发展基础", "二、", "十一、其他", "（一）改革", "（二）", "（十二）开放", "1. 甲", "1.", "2.", "3、", "10．", "（1）", "(2)乙", "①", "②丙", "⑳",
    "4.3 创新", "4.3.1", "6.1", "A. ", "a) ", "Ⅰ.", "■ 丙", "● ", "• ", "- ", "* ", "+ ", "○\t", "▪ 条目",
    "浦东新区", "杨浦区：新城", "徐汇区", "张江园", "前 言", "目 录", "目录", "Contents", "附件", "附表1", "表 1 指标", "表1：成交额", "图 1 示意图", "专栏 2", "示意", "注：", "来源：",
    "¹", "²³", "¹ 先租后股：一种做法。", "[^1]", "[^1]: 注。", "先租后股¹",
    "序号\t指标\t值", "1\t成交额\t7%", "\t\t", "甲\t\n", "| 甲 | 乙 |", "|---|---|", "|:-:|", "甲 | 乙", "--- | ---", "---", "--------", "- | -",
    "………………12", "……3", "......4", "\t12", "一、发展基础……3", "一、发展基础\t1", "- 12 -", "第 3 页", "第3页 共9页", "7", "8", "9", "2021", "— 5 —",
    "一是", "二是**建设**。", "功能定位：", "**重点。**", "接着说。", "本章如下：", "Mr. Li", "No. 5", "paid 1,234", "12,345,678", "AI", "3.0版", "2025年", "449 家", "百分之二点五",
    "标题", "标题很长的一份报告", "发展", "科技创新", "持续推进", "的", "和", "续在下一行", "宝山区集聚生物医药企业。", "打造国家实验室上海基地，",
    "很长的一行字没有任何标点" * 8, "一二三四五六七八九，" * 50, "1" * 70, "x" * 500, "字" * 401, "。" * 30, "**" * 9, "“" * 9,
    "😀", "👨‍👩‍👧", "🇨🇳", "𠮷", "𰻞", "㈠", "Ａ", "⒈", "é", "e\u0301", "\u202e", "\u2066", "\u200f", "\ufffd", "\ue000", "한국", "かな", "ß", "١",
)  # fmt: skip
_MEDIA = (PLAIN, MARKDOWN, PDF, DOCX, HTML)
_TITLES = ("标题", "标题很长的一份报告", "第一章 总则", "发展", "。", "1", "上海")
_LONGEST = 20_000
_MARK, _PAGE, _EDITORIAL, _REPEAT, _WILD = range(240, 245)


def document_of(data: bytes) -> Document:
    """The document that an input stands for; any bytes stand for one."""
    media, title = _MEDIA[sum(data[:1]) % len(_MEDIA)], _TITLES[sum(data[1:2]) % len(_TITLES)]
    take = iter(data[2:]).__next__
    parts: list[str] = []
    marks: dict[int, int] = {}
    pages: list[int] = []
    given: list[EditorialHeading] = []
    length = 0
    try:
        while True:
            byte, piece = take(), ""
            if byte == _MARK:
                marks[length] = take() % 9 + 1
            elif byte == _PAGE:
                pages.append(length)
            elif byte == _EDITORIAL:
                given.append(_editorial(take(), take(), take()))
            elif byte == _REPEAT:
                piece = ("".join(parts[-(take() % 8 + 1) :]) * (take() % 12 + 1))[:_LONGEST]
            elif byte == _WILD:
                piece = chr((take() << 8 | take()) or 1)
            else:
                piece = PIECES[byte % len(PIECES)]
            if 0xD800 <= ord(piece[:1] or "x") < 0xE000 or piece == "\0":
                continue  # no reader lets these through
            parts.append(piece)
            length += len(piece)
            if length > _LONGEST:
                break
    except StopIteration:
        pass
    return Document(
        id="d", title=title, year=2025, series="s", kind="k", sha256="0" * 64,
        text="".join(parts), media_type=media, editorial_headings=tuple(given),
        heading_marks=tuple(HeadingMark(*x) for x in marks.items()), page_starts=(0, *pages) if pages else (),
    )  # fmt: skip


def _editorial(before: int, heading: int, more: int) -> EditorialHeading:
    names = [PIECES[x % len(PIECES)].strip() or "标题" for x in (before, heading)]
    return EditorialHeading(names[0], names[1], printed=more % 2 == 1, level=more // 2 % 10 or None)


def check_document(document: Document) -> None:
    """What holds of every text: nothing is lost or stands twice, passages are in bounds, citations hold.

    Raises:
        AssertionError: something doesn't; with what.
    """
    text = document.text
    try:
        made = structure.parse(document)
    except ManifestMismatch:
        assert document.editorial_headings, "a manifest that is empty doesn't match"
        return
    found = passages.split_passages(document, made)
    owned = [(*x.span, x.reason) for x in made.left_out]
    owned += [(start, end, x.id) for x in found for start, end in x.spans]
    at = 0
    for start, end, who in sorted(owned):
        assert at <= start < end <= len(text), f"{who} stands in two places: {(at, start, end)}"
        assert not text[at:start].strip(), f"{text[at:start]!r} before {who} is lost"
        at = end
    assert not text[at:].strip(), f"{text[at:]!r} at the end is lost"
    assert len({x.id for x in found}) == len(found), "two passages have one id"
    starts = line_starts(text)
    for passage in found:
        assert 0 < len(passage.text) <= LONGEST, f"{passage.id} has {len(passage.text)} characters"
        assert passage.text == join_spans(text, passage.spans), f"{passage.id} is not its spans"
        outer = "\r\n\f" if passage.kind == "table" else None  # empty cells are kept
        assert passage.text.strip(outer) == passage.text, f"{passage.id} is ragged"
        citation = citations.cite_passage(document.title, document.year, passage)
        citations.verify_text(text, starts, citation)
        citations.citation_label(citation)
        pages = len(document.page_starts)
        assert passage.pages is None or 1 <= passage.pages[0] <= passage.pages[1] <= pages, f"pages {passage.pages}"
        assert passage.section == () or all(passage.section), f"an unnamed section over {passage.id}"
    for n, section in enumerate(made.sections):
        assert 0 <= section.start <= section.end <= len(text), f"section {n} ends at {section.end}"
        assert section.parent is None or section.parent < n, f"section {n} stands in {section.parent}"


def growth(document: Document) -> tuple[float, float]:
    """How many times as long twice the text takes, and the seconds of the longer one. About 2 where time is linear."""
    seconds = []
    unit = document.text + "\n\n"
    repeated = max(1, 20_000 // len(unit))
    for times in (repeated, 2 * repeated):
        longer = Document("d", unit * times, document.title, 2025, "s", "k", document.media_type, "0" * 64)
        started = time.process_time()
        passages.split_passages(longer, structure.parse(longer))
        seconds.append(time.process_time() - started)
    return seconds[1] / max(seconds[0], 1e-9), seconds[1]


class Structures(Fuzzed):
    """Inputs are documents; each thousandth is also timed, and printed where twice the text takes four times as long."""

    def run(self, data: bytes) -> None:
        document = document_of(data)
        check_document(document)
        if self.count % 1000 == 0:
            ratio, seconds = growth(document)
            if ratio > 4 and seconds > 0.5:
                self.note(data, "slow", f"twice the text takes {ratio:.1f} times as long: {seconds:.2f} s")

    def seeds(self) -> list[bytes]:
        index = {x: n for n, x in enumerate(PIECES)}
        plain = [
            index[x]
            for x in ("第一章 总则", "\n\n", "一、发展基础", "\n", "宝山区集聚生物医药企业。", "\n\n", "（一）改革")
        ]
        table = [
            index[x] for x in ("表 1 指标", "\n", "序号\t指标\t值", "\n", "1\t成交额\t7%", "\n\n", "发展", "\n", "2021")
        ]
        notes = [
            index[x] for x in ("先租后股¹", "\n\n", "¹ 先租后股：一种做法。", "\n", "- ", "发展", "\n", "- ", "AI")
        ]
        marked = [
            _PAGE,
            _MARK,
            1,
            index["发展"],
            index["\n\n"],
            _EDITORIAL,
            index["接着说。"],
            index["标题"],
            2,
            index["接着说。"],
        ]
        again = [_REPEAT, 7, 3, _WILD, 0x4E, 0x00, *plain]
        bodies = (plain, table, notes, marked, again, list(range(len(PIECES))))
        return [bytes((media, title, *body)) for media in range(5) for title in (0, 2) for body in bodies]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    given = parser.parse_args()
    folder = Path(given.keep) / "structure"
    sys.exit(
        1 if fuzz("tests.faults.fuzz_structure:Structures", (), folder, given.minutes * 60, seconds_each=60) else 0
    )


if __name__ == "__main__":
    main()
