"""Pages that are pictures, recognised where the extra `ocr` is installed."""

from __future__ import annotations

import io
from importlib.util import find_spec
from pathlib import Path

import pypdfium2
import pytest

from corpus.readers import sandbox
from corpus.readers.ocr import even_sizes
from corpus.readers.pdf_lines import Line

SCAN = Path(__file__).parent.parent / "files" / "pdf" / "scan.pdf"

installed = pytest.mark.skipif(find_spec("rapidocr") is None, reason="the extra ocr is not installed")


def line(text: str, size: float) -> Line:
    return Line(text, 72, 300, 100, size, 0, "")


def test_sizes_that_are_estimates_are_made_even():
    lines = [
        line("正文的一行文字", 10.3),
        line("正文的另一行文字", 9.4),
        line("(一)小标题", 12.8),
        line("大标题", 21.5),
    ]
    assert [x.size for x in even_sizes(lines, 12.0)] == [12.0, 12.0, 12.0, 24.0]
    assert even_sizes([], 12.0) == []


@installed
def test_a_page_that_is_a_picture_is_recognised_in_the_process_apart():
    """No file may be written there and no connection made: the models are those of the package."""
    scan = pypdfium2.PdfDocument(SCAN)
    for n in reversed(range(len(scan))):
        if n not in (0, 1):
            scan.del_page(n)
    out = io.BytesIO()
    scan.save(out)
    reading = sandbox.read("scan.pdf", out.getvalue())
    assert reading.notes == ("第2页为扫描件，文字由识别得出，可能有误",)
    assert reading.pages_without_text == ()
    text = reading.text[reading.page_starts[1] :].replace(" ", "")
    assert "张江科技城" in text
    assert "自贸试验区和自主创新示范区的联动" in text
