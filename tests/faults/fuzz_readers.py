"""Files changed by a fuzzer must be read, or refused by name, whatever stands in them.

    python -m tests.faults.fuzz_readers --minutes 60 [--format pdf|docx|html|text] [--keep FOLDER]

The minutes are shared out among the formats. Changes know the shell of a format, so that they get past it: objects and
unpacked streams of a PDF, elements of the XML within a DOCX, tags of a page. PDFium and lxml are not instrumented.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import re
import sys
import time
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

import pypdfium2

from corpus import guess, readers
from corpus.library import shipped_folder
from corpus.readers.types import ReadError, Reading, ReadOptions, reading_from
from corpus.types import MARKDOWN, PLAIN, Document
from tests.corpus import hostile_pdf
from tests.corpus.hostile_files import docx as make_docx
from tests.corpus.hostile_files import paragraph
from tests.faults.common import ROOT
from tests.faults.fuzz_structure import check_document
from tests.faults.fuzzing import Fuzzed, add_arguments, fuzz
from tests.faults.mutators import MUTATORS

for _module in ("pdf", "docx", "html", "markdown", "text"):  # imported later, they would not be instrumented
    import_module(f"corpus.readers.{_module}")

FILES = ROOT / "tests" / "files"
STALL = 8.0
_NAMES = {"pdf": ("x.pdf",), "docx": ("x.docx",), "html": ("x.html", "x.xhtml"), "text": ("x.txt", "x.md", "x")}
_LONGEST_SEED = 300_000
_NEVER = re.compile("[\0\ud800-\udfff]")
_CONTROL = re.compile("[\0-\x08\x0b\x0e-\x1f\x7f\u00ad\ufeff\ud800-\udfff]")


def check_reading(reading: Reading) -> None:
    """What every reading promises, and what structure and passages then make of it.

    Raises:
        AssertionError: with what doesn't hold.
    """
    text = reading.text
    own = reading.media_type in (PLAIN, MARKDOWN)  # a text is kept as it is
    odd = (_NEVER if own else _CONTROL).search(text)
    assert odd is None, f"{odd!r} in the text"
    assert text.strip(), "a text of nothing"
    starts = [x.start for x in reading.heading_marks]
    assert starts == sorted(set(starts)), "heading marks are out of order"
    for mark in reading.heading_marks:
        assert 1 <= mark.level <= 9, f"level {mark.level}"
        assert 0 <= mark.start < len(text), f"a mark outside at {mark.start}"
        assert not text[mark.start].isspace(), f"a mark of nothing at {mark.start}"
        assert mark.start == 0 or text[mark.start - 1] in "\n\r\f \t　\xa0", f"a mark within a line at {mark.start}"
    pages = reading.page_starts
    assert not pages or pages[0] == 0, f"the first page starts at {pages[0]}"
    assert [*pages, len(text)] == sorted([*pages, len(text)]), "pages are out of order"
    assert all(1 <= x <= len(pages) for x in reading.pages_without_text), "a page that is none"
    for line in (reading.title or "甲", *reading.notes):
        assert line.strip(), "a line of nothing"
        assert not re.search("[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029]", line), f"{line!r} is no line"
    assert reading.dated is None or re.fullmatch(r"\d{4}-\d\d-\d\d", reading.dated), f"a day {reading.dated!r}"
    assert reading_from(json.loads(json.dumps(asdict(reading)))) == reading, "JSON gives another reading"
    known = guess.guess("报告.x", reading, 2026)
    check_document(
        Document(
            id="d", text=text, title=known.title, year=known.year, series=known.series, kind=known.kind, sha256="0" * 64,
            media_type=reading.media_type, heading_marks=reading.heading_marks, page_starts=pages,
        )
    )  # fmt: skip


class Files(Fuzzed):
    """Inputs are files of one format."""

    def __init__(self, folder: Path, kind: str) -> None:
        super().__init__(folder, kind)
        self.kind = kind

    def run(self, data: bytes) -> None:
        last = time.process_time()
        slowest = 0.0

        def step(done: int, total: int) -> None:
            nonlocal last, slowest
            now = time.process_time()
            slowest, last = max(slowest, now - last), now

        name = _NAMES[self.kind][len(data) % len(_NAMES[self.kind])]
        try:
            reading = readers.read(name, data, ReadOptions(step))
        except ReadError as error:
            self.refusals[error.code] += 1
            if name not in error.message and error.code != "decode_error":
                raise AssertionError(error.message) from error
        except (MemoryError, RecursionError) as error:  # statuses of the process that reads
            self.refusals[type(error).__name__] += 1
        else:
            self.refusals[f"ok {reading.media_type.rpartition('.')[2]}"] += 1
            check_reading(reading)
        step(1, 1)
        if slowest > STALL:
            self.note(data, f"slow {self.kind} {int(slowest / 4)}", f"{slowest:.1f} s of CPU without a sign of life")

    def seeds(self) -> list[bytes]:
        return SEEDS[self.kind]()

    def mutate(self, data: bytes, most: int, seed: int) -> bytes:
        """The change that libFuzzer asks for; one in four knows nothing of the format."""
        from atheris import Mutate

        def change(part: bytes) -> bytes:
            return bytes(Mutate(part, len(part) + 64))

        chance = random.Random(seed)  # noqa: S311 - what is drawn is no secret
        made = change(data) if chance.random() < 0.25 else MUTATORS[self.kind](data, change, chance)
        return made[:most]


# -- seeds -------------------------------------------------------------------------------------------


def pdf_seeds() -> list[bytes]:
    made = [
        hostile_pdf.hello(), hostile_pdf.without_unicode(), hostile_pdf.no_numbers(), hostile_pdf.absurd_page(),
        hostile_pdf.encrypted(b"", b"x"), hostile_pdf.encrypted(b"x", b"y"), hostile_pdf.circular_pages(), hostile_pdf.lying_count(),
    ]  # fmt: skip
    for path in sorted((FILES / "pdf").glob("*.pdf")):
        with pypdfium2.PdfDocument(path) as whole:
            for first in range(0, min(len(whole), 8), 2):
                part, buffer = pypdfium2.PdfDocument.new(), io.BytesIO()
                part.import_pages(whole, list(range(first, min(first + 2, len(whole)))))
                part.save(buffer)
                made.append(buffer.getvalue())
    made = [x for x in made if len(x) < _LONGEST_SEED]
    return made


def docx_seeds() -> list[bytes]:
    table = "<w:tbl><w:tr><w:tc><w:tcPr><w:gridSpan w:val='2'/></w:tcPr><w:p><w:r><w:t>指标</w:t></w:r></w:p></w:tc></w:tr></w:tbl>"
    note = "<w:p><w:r><w:t>先租后股</w:t></w:r><w:r><w:footnoteReference w:id='2'/></w:r></w:p>"
    notes = {
        "footnotes": "<w:footnote w:id='2'><w:p><w:r><w:footnoteRef/><w:t>一种做法。</w:t></w:r></w:p></w:footnote>"
    }
    body = paragraph("一、基础", "<w:outlineLvl w:val='0'/>") + paragraph("正文。") + table + note
    whole = [path.read_bytes() for path in sorted((FILES / "docx").glob("*.docx"))]
    return [make_docx(body, notes), make_docx(paragraph("甲", "<w:numPr><w:numId w:val='1'/></w:numPr>") * 3), *whole]


def html_seeds() -> list[bytes]:
    rows = "<tr><th>指标<th>值</tr><tr><td rowspan=2>甲<td>1</tr><tr><td>2</tr>"
    body = f"<h1>报告</h1><p>先租后股<sup><a href='#n1'>1</a></sup>。</p><ul><li>甲<li>乙</ul><table>{rows}</table><p id=n1>1 做法</p>"
    page = f"<!DOCTYPE html><html><head><title>报告-网站</title><meta charset=utf-8></head><body><nav>首页</nav><article>{body}</article></body>"
    text = (shipped_folder() / "shanghai-2022-districts.txt").read_text(encoding="utf-8")[:3_000]
    paragraphs = "".join(f"<p>{x}</p>\n" for x in text.split("\n\n"))
    made = [page, f"<html><body>{paragraphs}</body></html>", body, f"<?xml version='1.0'?>{page}"]
    return [x.encode() for x in made] + [page.replace("utf-8", "gbk").encode("gbk")]


def text_seeds() -> list[bytes]:
    texts = [x.read_text(encoding="utf-8")[:1_500] for x in sorted(shipped_folder().glob("*.txt"))]
    texts += ["# 标题\n\n正文¹。\n\n| 甲 | 乙 |\n|---|---|\n| 1 | 2 |\n\n```\n码\n```\n", "甲\t乙\n1\t2\n", "中国人"]
    return [x.encode(codec, "ignore") for x in texts for codec in ("utf-8", "gb18030", "utf-16", "big5")]


SEEDS = {"pdf": pdf_seeds, "docx": docx_seeds, "html": html_seeds, "text": text_seeds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    parser.add_argument("--format", choices=sorted(_NAMES), dest="kind")
    given = parser.parse_args()
    kinds = [given.kind] if given.kind else ["pdf", "docx", "html", "text"]
    seconds = given.minutes * 60 / len(kinds)
    target = "tests.faults.fuzz_readers:Files"
    found = [fuzz(target, (kind,), Path(given.keep) / kind, seconds, seconds_each=90) for kind in kinds]
    sys.exit(1 if any(found) else 0)


if __name__ == "__main__":
    main()
