"""PDF files of three makers come back as the reports that they were made from; files that mean harm come to nothing."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pypdfium2
import pytest

from corpus.elements import Structure
from corpus.passages import split_passages
from corpus.readers import ReadError, Reading, ReadOptions, pdf, sandbox
from corpus.readers.limits import Limits
from corpus.readers.pdf_lines import Line
from corpus.readers.pdf_running import running_lines
from corpus.readers.pdf_text import is_title, page_ranges
from corpus.structure import parse
from corpus.types import Document, join_spans
from tests.corpus.hostile_pdf import CASES, encrypted, hello, one_page, stream, without_unicode

FILES = Path(__file__).parent.parent / "files" / "pdf"
MADE = {
    "office": "baoshan-2026-innovation-plan",
    "chromium": "shanghai-2022-districts",
    "columns": "shanghai-2024-zhangjiang-parks",
}


def read(data: bytes, name: str = "x.pdf") -> Reading:
    return pdf.read(name, data, ReadOptions())


def refused(data: bytes) -> ReadError:
    with pytest.raises(ReadError) as caught:
        read(data)
    return caught.value


@pytest.fixture(scope="module")
def readings() -> dict[str, Reading]:
    return {maker: read((FILES / f"{maker}-{name}.pdf").read_bytes()) for maker, name in MADE.items()}


@pytest.fixture(scope="module")
def sample() -> Reading:
    return read((FILES / "sample.pdf").read_bytes())


def document(reading: Reading, original: Document) -> Document:
    return replace(
        original,
        text=reading.text,
        media_type=reading.media_type,
        editorial_headings=(),
        heading_marks=reading.heading_marks,
        page_starts=reading.page_starts,
    )


def plain(text: str) -> str:
    return re.sub(r"[\s*#]", "", text)


def elements(text: str, structure: Structure) -> Iterator[tuple[tuple[str, ...], str]]:
    for element in structure.elements:
        path = structure.sections[element.section].path
        yield tuple(map(plain, path)), plain(join_spans(text, element.spans))


# How many of a report's paragraphs may differ: two that LibreOffice's page break cut behind a full stop.
@pytest.mark.parametrize(("maker", "lost"), [("office", 2), ("chromium", 0), ("columns", 0)])
def test_paragraphs_tables_notes_and_headings_come_back(maker, lost, readings, reports, structures):
    original = reports[MADE[maker]]
    made = document(readings[maker], original)
    before = set(elements(original.text, structures[original.id]))
    after = set(elements(made.text, parse(made)))
    assert len(before - after) == lost
    assert readings[maker].title == original.title
    assert readings[maker].title_basis == "封面最大的字"


@pytest.mark.parametrize("maker", MADE)
def test_a_page_begins_with_what_is_printed_on_it(maker, readings):
    reading = readings[maker]
    printed = pypdfium2.PdfDocument(FILES / f"{maker}-{MADE[maker]}.pdf")
    assert len(reading.page_starts) == len(printed)
    assert list(reading.page_starts) == sorted(reading.page_starts)
    for page, start in zip(printed, reading.page_starts, strict=True):
        first = plain(reading.text[start : start + 12])
        assert first[:6] in plain(page.get_textpage().get_text_range())


def test_passages_know_their_pages(readings, reports):
    made = document(readings["office"], reports[MADE["office"]])
    passages = split_passages(made, parse(made))
    found = next(x for x in passages if "生物医药及合成生物领域企业" in x.text)
    assert found.pages == (4, 4)


def test_running_heads_and_page_numbers_are_left_out(readings, sample):
    assert "略去各页的页眉、页脚与页码" in sample.notes
    assert plain(sample.text).count("上海市科技创新发展报告（2024年度）") == 1  # the cover
    assert not re.search(r"第\s*\d\s*页", sample.text)
    assert "—1—" not in plain(readings["chromium"].text)


def test_headings_are_known_by_size_and_by_face(sample):
    lines = {x.start: sample.text[x.start :].split("\n", 1)[0] for x in sample.heading_marks}
    found = [(lines[x.start], x.level) for x in sample.heading_marks]
    assert found == [
        ("目 录", 1),
        ("一、总体情况", 1),
        ("（一）创新投入", 2),
        ("（二）创新产出", 2),
        ("二、各区进展", 1),
        ("三、下一步工作", 1),
    ]
    assert sample.title == "上海市科技创新发展报告"


def test_a_table_over_two_pages_has_its_heads_once_and_merged_cells_in_each_row(sample):
    rows = [x.split("\t") for x in sample.text.split("\n") if x.count("\t") == 4]
    assert rows[0] == ["序号", "区", "高新技术企业（家）", "高新技术企业（家）", "备注"]
    assert [plain(x) for x in rows[1]] == ["序号", "区", "2023年", "2024年", "备注"]
    assert [x[0] for x in rows[2:]] == [str(n) for n in range(1, 17)]
    assert rows[6] == ["5", "长宁区", "495", "555", "含分园内的企业，数据截至年底"]


def test_columns_that_stand_evident_are_a_table(sample):
    rows = [x.split("\t") for x in sample.text.split("\n") if x.count("\t") == 2]
    assert [plain("|".join(x)) for x in rows] == [
        "指标|2023年|2024年",
        "科技馆|32|35",
        "科普基地|361|377",
        "科普活动场次|8120|9044",
    ]


def test_footnotes_stand_behind_the_page_and_bear_the_mark_of_the_text(sample):
    assert "概念验证¹与中试平台²" in sample.text
    notes = [x for x in sample.text.split("\n") if x.startswith(("¹", "²"))]
    assert [x[:6] for x in notes] == ["¹ 概念验证", "² 中试：产"]
    assert notes[0].endswith("“死亡之谷”的活动。")


def test_two_columns_are_read_one_after_the_other_and_before_what_follows(sample):
    text = sample.text
    end = text.index("三、下一步工作")
    columns = text[text.index("16\t崇明区") : end].strip().split("\n\n")[2:]
    assert len(columns) == 3
    assert all(x.endswith("。") for x in columns)


def test_columns_that_stand_close_are_told_apart():
    lines = [("n" * 38 + f"{n:02}", "m" * 24 + f"{n:02}") for n in range(12)]
    shown = "".join(
        f"BT /F 10 Tf {x} {700 - 14 * n} Td ({text}) Tj ET "
        for n, row in enumerate(lines)
        for x, text in zip((72, 305), row, strict=True)
    )
    text = read(one_page(stream(shown.encode()))).text
    numbers = re.findall(r"\d\d", text)
    assert numbers == [f"{n:02}" for n in range(12)] * 2


def test_the_process_apart_gives_the_same(sample):
    steps: list[tuple[int, int]] = []
    apart = sandbox.read("sample.pdf", (FILES / "sample.pdf").read_bytes(), lambda *x: steps.append(x))
    assert apart == sample
    assert steps[:6] == [(n, 6) for n in range(1, 7)]
    assert set(steps[6:]) == {(6, 6)}


def test_pages_that_are_pictures_are_named():
    reading = read((FILES / "scan.pdf").read_bytes())
    assert reading.pages_without_text == (2, 3, 6)
    assert "第2、3、6页为扫描件，未识别" in reading.notes
    assert reading.page_starts[1] == reading.page_starts[2] == reading.page_starts[3]


def test_a_file_of_pictures_says_what_would_help():
    scan = pypdfium2.PdfDocument(FILES / "scan.pdf")
    for n in reversed(range(len(scan))):
        if n not in (1, 2, 5):
            scan.del_page(n)
    path = _saved(scan)
    error = refused(path)
    assert error.code == "no_text_layer"
    assert "第1–3页" in error.message
    assert 'pip install "kewen[ocr]"' in error.message


def _saved(made: pypdfium2.PdfDocument) -> bytes:
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def test_a_font_without_characters_is_no_text():
    error = refused(without_unicode())
    assert error.code == "no_text_layer"


def test_a_password_to_open_is_refused_and_one_to_change_is_not():
    assert read(encrypted(b"", b"owner")).text == read(hello()).text
    assert refused(encrypted(b"secret", b"owner")).code == "encrypted"


def test_more_text_than_allowed_is_refused_while_it_is_read(monkeypatch):
    monkeypatch.setattr(pdf, "MAX_CHARACTERS", 1_000)
    assert refused((FILES / "sample.pdf").read_bytes()).code == "too_large"


TURNED = (
    b"BT /F 12 Tf 0 1 -1 0 300 72 Tm (Text on a turned page) Tj ET BT /F 12 Tf 0 1 -1 0 316 72 Tm (reads well.) Tj ET"
)
MARKED = b" BT /F 40 Tf .7 .7 -.7 .7 100 100 Tm (DRAFT) Tj ET"


def test_a_turned_page_is_read_upright_and_a_watermark_is_left_out():
    turned = read(one_page(stream(TURNED), page=b"/Rotate 90"))
    assert turned.text.strip() == "Text on a turned page reads well."
    content = b"BT /F 12 Tf 72 700 Td (The quick brown fox jumps over the lazy dog.) Tj ET" + MARKED
    reading = read(one_page(stream(content)))
    assert "DRAFT" not in reading.text
    assert reading.notes == ("略去第1页中旋转的文字（如水印）",)


def test_control_characters_never_reach_the_text():
    content = b"BT /F 12 Tf 72 700 Td (a\\000b\\001c\\255d\\007e) Tj ET"
    text = read(one_page(stream(content))).text
    assert not re.search(r"[\x00-\x08\x0b-\x1f\u00ad\ufeff\ud800-\udfff]", text)


def line(text: str, y: float, x0: float = 72) -> Line:
    return Line(text, x0, x0 + 10 * len(text), y, 10, 0, "")


def test_what_pages_repeat_at_their_edges_is_found_and_body_is_not():
    pages = [
        [
            line("年度报告", 30),
            line(f"第{n}段正文。", 80),
            line(f"表{3 * n}", 90),
            line("同样的结语。", 400),
            line(f"- {n} -", 810),
        ]
        for n in range(1, 7)
    ]
    found = running_lines(pages, [842] * 6)
    assert [sorted(x.text for x in page) for page in found] == [["- " + str(n) + " -", "年度报告"] for n in range(1, 7)]


def test_numbers_at_the_edge_that_don_t_count_with_the_pages_are_text():
    pages = [[line("正文。", 300), line(str(n), 810)] for n in (17, 4, 99, 3)]
    assert running_lines(pages, [842] * 4) == [set()] * 4
    counted = [[line("正文。", 300), line(str(n), 810)] for n in (17, 18, 19, 20)]
    assert [len(x) for x in running_lines(counted, [842] * 4)] == [1] * 4


@pytest.mark.parametrize(
    "junk", ["Microsoft Word - 报告.doc", "report_final.pdf", "x.pdf", "", "无标题", "文档1", "-- 1 --"]
)
def test_titles_of_programs_are_none(junk):
    assert not is_title(junk, "x.pdf")
    assert is_title("宝山区科技创新规划", "x.pdf")


def test_pages_are_named_in_few_words():
    assert page_ranges([1, 2, 3, 5, 8, 9]) == "1–3、5、8、9"


@pytest.mark.parametrize("name", CASES)
def test_a_file_that_means_harm_comes_to_a_status(name, monkeypatch):
    make, allowed = CASES[name]
    if name == "doubling_forms":  # nothing but the time ends it
        monkeypatch.setattr(sandbox, "READING", Limits(stall=2, seconds=20, memory=1 << 30))
    monkeypatch.setattr(sandbox, "can_recognise", lambda: False)
    data = make()
    try:
        status = "ok" if sandbox.read("x.pdf", data).text.strip() else "no text"
    except ReadError as error:
        status = error.code
    assert status in allowed
