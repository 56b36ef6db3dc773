"""Where the characters of a PDF's text are printed, and its pages as pictures: judged by PDFium's own boxes and by the ink."""

from __future__ import annotations

import ctypes
import io
from collections.abc import Callable

import numpy as np
import pypdfium2.raw as pdfium
import pytest
from PIL import Image

from corpus import readers
from corpus.readers import ReadError, pdf_pictures, pictures, sandbox
from corpus.readers.limits import Limits
from corpus.readers.pdf_lines import cut, read_lines, superscript
from corpus.readers.pdf_page import Glyph
from corpus.readers.pictures import characters_of
from corpus.readers.types import STATUSES, silent
from tests.corpus.hostile_pdf import CASES, encrypted, hello, one_page, pdf, stream
from tests.corpus.test_pdf import FILES

SCALE = 100


def pages_of(data: bytes) -> list[str]:
    reading = readers.read("a.pdf", data)
    ends = [*reading.page_starts[1:], len(reading.text)]
    return [reading.text[a:b] for a, b in zip(reading.page_starts, ends, strict=True)]


def places_of(data: bytes, number: int = 0, text: str | None = None) -> list[pictures.Place]:
    text = pages_of(data)[number] if text is None else text
    return pdf_pictures.find_places("a.pdf", data, number, characters_of(text), silent)["places"]


def centres(data: bytes, number: int) -> list[tuple[str, float, float]]:
    """Each character of a page as PDFium has it, and the middle of its ink in points, as the page is shown."""
    document = pdfium.FPDF_LoadMemDocument64(data, len(data), None)
    page = pdfium.FPDF_LoadPage(document, number)
    text = pdfium.FPDFText_LoadPage(page)
    width, height = (round(f(page) * SCALE) for f in (pdfium.FPDF_GetPageWidthF, pdfium.FPDF_GetPageHeightF))
    found = []
    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    x, y = ctypes.c_int(), ctypes.c_int()
    for n in range(pdfium.FPDFText_CountChars(text)):
        character = chr(pdfium.FPDFText_GetUnicode(text, n))
        if character.isspace() or not pdfium.FPDFText_GetCharBox(text, n, left, right, bottom, top):
            continue
        middle = (left.value + right.value) / 2, (bottom.value + top.value) / 2
        pdfium.FPDF_PageToDevice(page, 0, 0, width, height, 0, *middle, x, y)
        found.append((character, x.value / SCALE, y.value / SCALE))
    pdfium.FPDF_CloseDocument(document)
    return found


def same(printed: str, read: str) -> bool:
    return read in superscript(printed) or read == printed


@pytest.mark.parametrize("name", [x.name for x in sorted(FILES.glob("*.pdf"))])
def test_each_character_of_each_page_stands_where_its_place_says(name):
    data = (FILES / name).read_bytes()
    count = 0
    for number, text in enumerate(pages_of(data)):
        characters = "".join(text.split())
        places = places_of(data, number, text)
        if not characters:
            continue
        known = centres(data, number)
        assert len(places) == len(characters)
        for character, (x0, y0, x1, y1, _) in zip(characters, places, strict=True):
            inside = [c for c, x, y in known if x0 <= x <= x1 and y0 <= y <= y1]
            assert inside, (name, number, character)
            assert all(same(x, character) for x in inside), (name, number, character, inside)
            count += 1
    assert count > 1000


HELLO = b"BT /F 12 Tf 72 700 Td (The quick brown fox) Tj 0 -40 Td (jumps over the lazy dog.) Tj ET"
SIDEWAYS = (
    b"BT /F 12 Tf 0 1 -1 0 300 72 Tm (The quick brown fox) Tj 0 1 -1 0 340 72 Tm (jumps over the lazy dog.) Tj ET"
)


@pytest.mark.parametrize("crop", [b"", b"/CropBox[50 60 500 800]"])
@pytest.mark.parametrize("content", [HELLO, SIDEWAYS])
@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_on_turned_and_cropped_pages_the_places_cover_the_ink_of_the_picture(rotate, content, crop):
    data = one_page(stream(content), page=b"/Rotate %d%s" % (rotate, crop))
    characters = "".join(pages_of(data)[0].split())
    assert characters == "Thequickbrownfoxjumpsoverthelazydog."
    found = pdf_pictures.find_places("a.pdf", data, 0, characters_of(characters), silent)
    for character, (x0, y0, x1, y1, _) in zip(characters, found["places"], strict=True):
        assert [c for c, x, y in centres(data, 0) if x0 <= x <= x1 and y0 <= y <= y1] == [character]
    assert len({x[4] for x in found["places"]}) == 2
    ink = ink_of(pdf_pictures.draw_page("a.pdf", data, 0, 1000))
    scale = 1000 / found["width"]
    assert ink.shape == (round(found["height"] * scale), 1000)
    assert ink.any()
    for x0, y0, x1, y1, _ in found["places"]:
        ink[round(y0 * scale) - 1 : round(y1 * scale) + 2, round(x0 * scale) - 1 : round(x1 * scale) + 2] = False
    assert not ink.any()


def test_words_far_apart_on_one_line_keep_their_places():
    content = b"BT /F 12 Tf 72 700 Td (Name of the unit) Tj 250 0 Td (and its place) Tj -250 -200 Td (Below.) Tj ET"
    data = one_page(stream(content))
    characters = "".join(pages_of(data)[0].split())
    assert characters == "NameoftheunitanditsplaceBelow."
    known = centres(data, 0)
    for character, (x0, y0, x1, y1, _) in zip(characters, places_of(data), strict=True):
        assert [c for c, x, y in known if x0 <= x <= x1 and y0 <= y <= y1] == [character]


def test_a_line_that_is_parted_parts_its_glyphs_though_one_of_them_is_two_characters():
    glyphs = [
        Glyph(text, 72 + 10 * n, 82 + 10 * n, 100, 10, False, "", False)
        for n, text in enumerate(("甲", superscript("⑩"), "乙", "丙"))
    ]
    (line,) = read_lines([*glyphs[:2], *(x._replace(x0=x.x0 + 8, x1=x.x1 + 8) for x in glyphs[2:])], keep=True)
    assert line.text.replace(" ", "") == "甲¹⁰乙丙"
    left, right = cut(line, 0)
    assert ["".join(x.text for x in part.glyphs) for part in (left, right)] == ["甲¹⁰", "乙丙"]
    assert (left.text, right.text) == ("甲¹⁰", "乙丙")


def ink_of(picture: bytes) -> np.ndarray:
    """Where a picture is dark, `[height, width]`."""
    opened = Image.open(io.BytesIO(picture))
    assert opened.format == "WEBP"
    return np.asarray(opened.convert("L")) < 128


def test_a_page_is_drawn_as_wide_as_asked_for():
    data = (FILES / "sample.pdf").read_bytes()
    for width in (200, 1200, 2000):
        picture = Image.open(io.BytesIO(pictures.draw_page("a.pdf", data, 0, width)))
        assert picture.size[0] == width
        assert abs(picture.size[1] / width - 842 / 595) < 0.01


def test_of_another_text_there_are_no_places():
    data = (FILES / "sample.pdf").read_bytes()
    text = pages_of(data)[0]
    assert pictures.find_places("a.pdf", data, 0, text).places
    assert pictures.find_places("a.pdf", data, 0, text.replace("海", "河", 1)).places is None
    assert pictures.find_places("a.pdf", data, 1, text).places is None
    assert pictures.find_places("a.pdf", data, 0, "".join(text.split())).places, "white space is no character"


def test_a_page_that_is_only_a_picture_has_no_places_and_the_others_are_not_asked(monkeypatch):
    data = (FILES / "scan.pdf").read_bytes()
    scans = readers.read("a.pdf", data).pages_without_text
    asked = counted(monkeypatch)
    for number in scans:
        assert places_of(data, number - 1, "识别出来的文字") is None
    assert len(asked) == len(scans) > 0


def counted(monkeypatch: pytest.MonkeyPatch) -> list[range]:
    """The pages that each reading looks at."""
    asked: list[range] = []
    real = pdf_pictures.printed

    def printed(name, document, pages, number, step):
        asked.append(pages)
        return real(name, document, pages, number, step)

    monkeypatch.setattr(pdf_pictures, "printed", printed)
    return asked


def long_pdf(head: Callable[[int], str], pages: int = 40) -> bytes:
    """A document whose pages have a line at the top, `head`, and a paragraph of their own."""
    kids = b" ".join(b"%d 0 R" % (10 + 2 * n) for n in range(pages))
    objects = {
        1: b"<</Type/Catalog/Pages 2 0 R>>",
        2: b"<</Type/Pages/Kids[%s]/Count %d>>" % (kids, pages),
        3: b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    }
    for n in range(pages):
        words = " ".join(f"{word}{letters(n)}" for word in ("alpha", "beta", "gamma", "delta"))
        lines = b"BT /F 12 Tf 72 790 Td (%s) Tj 0 -150 Td (Words %s end here.) Tj ET" % (
            head(n).encode(),
            words.encode(),
        )
        objects[10 + 2 * n] = (
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents %d 0 R/Resources<</Font<</F 3 0 R>>>>>>"
            % (11 + 2 * n)
        )
        objects[11 + 2 * n] = stream(lines)
    return pdf(objects)


def letters(n: int) -> str:
    return f"{chr(97 + n % 26)}{chr(97 + n // 26)}"


def test_the_neighbours_of_a_page_decide_what_is_a_running_head_and_where_they_can_t_the_whole_document_does(
    monkeypatch,
):
    asked = counted(monkeypatch)
    heads: dict[str, tuple[Callable[[int], str], list[int]]] = {
        "the same everywhere": (lambda n: "Annual report", [7]),
        "left and right pages": (lambda n: ("Annual report", "Chapter one")[n % 2], [7]),
        "far apart": (lambda n: f"Part {letters(n % 10)} of it", [7, 40]),
    }
    for what, (head, looks) in heads.items():
        data = long_pdf(head)
        pages = pages_of(data)
        for number in (0, 20, 39):
            text = pages[number]
            assert text.split()[0] == "Words", "the line at the top is a running head"
            asked.clear()
            assert len(places_of(data, number, text)) == len("".join(text.split()))
            assert [len(x) for x in asked] == looks, (what, number)


@pytest.mark.parametrize("name", CASES)
def test_a_file_that_means_harm_comes_to_an_end_in_its_own_process(name, monkeypatch):
    monkeypatch.setattr(pictures, "DRAWING", Limits(stall=2, seconds=4, memory=1 << 30))
    data = CASES[name][0]()
    ends = []
    for call in (
        lambda: pictures.find_places("x.pdf", data, 0, "文字").places,
        lambda: ink_of(pictures.draw_page("x.pdf", data, 0, 400)).shape,
    ):
        try:
            ends.append(call())
        except ReadError as error:
            ends.append(error.code)
    assert ends[0] in (None, "corrupt", "timeout", "memory_limit", "parser_crashed", "too_large", "too_many_pages")
    assert isinstance(ends[1], tuple) or ends[1] in STATUSES


@pytest.mark.parametrize("box", [b"0 0 10 14400", b"0 0 1 100000"])
def test_a_page_that_would_be_too_high_is_refused_by_name(box):
    with pytest.raises(ReadError, match=r"^条幅\.pdf 的第 1 页") as caught:
        pictures.draw_page("条幅.pdf", hello(box), 0, 1200)
    assert caught.value.code == "too_large"


def test_pages_that_are_not_there_and_files_that_are_locked_are_refused():
    for number, data, code in ((1, hello(), "corrupt"), (0, encrypted(b"secret", b"owner"), "encrypted")):
        for call in (
            lambda: pictures.find_places("a.pdf", data, number, "x"),  # noqa: B023 - called at once
            lambda: pictures.draw_page("a.pdf", data, number, 800),  # noqa: B023
        ):
            with pytest.raises(ReadError) as caught:
                call()
            assert caught.value.code == code


@pytest.mark.parametrize(
    "answer",
    [
        b"[]",
        b'{"page": 1}',
        b'{"page": {"width": 1, "height": 1, "places": [[0, 0, 1, 1, 0]]}}',
        b'{"page": {"width": NaN, "height": 1, "places": null}}',
        b'{"page": {"width": 1, "height": 1, "places": [["a", 0, 1, 1, 0], [0, 0, 1, 1, 0]]}}',
        b'{"page": {"width": 1, "height": 1, "places": [[0, 0, 1, 1, 0], [0, 0, 1, Infinity, 0]]}}',
        b'{"picture": "%%%"}',
    ],
)
def test_an_answer_that_makes_no_sense_is_no_answer(answer, monkeypatch):
    monkeypatch.setattr(sandbox, "_wait", lambda *_: answer)
    for call in (
        lambda: pictures.find_places("a.pdf", b"", 0, "两字"),
        lambda: pictures.draw_page("a.pdf", b"", 0, 800),
    ):
        with pytest.raises(ReadError) as caught:
            call()
        assert caught.value.code == "parser_crashed"
