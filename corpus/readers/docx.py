"""Word documents (.docx), read from their XML.

lxml alone, on the parts that hold text. python-docx parses every part of the file before one can look at it, stumbles
over broken references, and knows neither automatic numbers nor footnotes, changes, fields, nor text boxes, which is what
there is to do here.
"""

from __future__ import annotations

import re

from corpus.readers.docx_body import Block, BodyReader, Paragraph, write
from corpus.readers.docx_inline import Found
from corpus.readers.docx_numbering import Numbering
from corpus.readers.docx_package import OLE, ZIP, Element, Package, W
from corpus.readers.docx_styles import Styles
from corpus.readers.flow import Flow, clean, could_be_heading
from corpus.readers.types import ReadError, Reading, ReadOptions
from corpus.types import DOCX

_DAY = re.compile(r"((?:19|20)\d\d-\d\d-\d\d)T")
_JUNK = re.compile(
    r"(?:Microsoft Word\s*-|文档\s*\d*$|Document\s*\d*$|untitled|无标题|.*\.(?:docx?|wps|txt|html?)$)", re.IGNORECASE
)
_COVER = 15
"""Paragraphs among which the title is looked for."""


def accepts(name: str, data: bytes) -> bool:
    """Any ZIP archive or old Office file: what it is not is said by `read`."""
    return data.startswith((*ZIP, OLE))


def read(name: str, data: bytes, options: ReadOptions) -> Reading:
    """The document's text, with its automatic numbers and its notes.

    Raises:
        ReadError: `encrypted`, `unsupported`, `corrupt`, `too_large`, `empty`.
    """
    package = Package(name, data)
    styles = Styles(package.related("styles"))
    notes = {"footnote": package.related("footnotes"), "endnote": package.related("endnotes")}
    reader = BodyReader(styles, Numbering(package.related("numbering")), notes, options.step)
    body = package.document()
    blocks = list(reader.blocks(body))
    flow = Flow()
    write(blocks, flow)
    text, marks = flow.text_and_marks()
    if not text.strip():
        raise ReadError("empty", f"{name} 里没有文字。若内容是图片，请先识别成文字（如另存为 PDF 后用 OCR）再加入。")
    core = package.related_core()
    title, basis = _title(blocks, core)
    created = _DAY.match(_property(core, "created"))
    dated = created.group(1) if created else None
    return Reading(text, DOCX, None, marks, (), title, basis, dated, _left_out(reader.found, body))


def _title(blocks: list[Block], core: Element | None) -> tuple[str | None, str | None]:
    """What the document calls itself, and where it says so."""
    paragraphs = [x for x in blocks if isinstance(x, Paragraph)]
    cover = paragraphs[:_COVER]
    titled = [x for x in cover if x.style.title]
    if titled:
        first = cover.index(titled[0])
        lines = [x for x in cover[first : first + 3] if x.style.title]
        return _one_line("".join(x.shown for x in lines)), "Word 的“标题”样式"
    largest = max((x.inline.size for x in cover), default=0.0)
    for x in cover:
        if (
            x.centred
            and x.inline.size == largest > _commonest(paragraphs)
            and could_be_heading(x.shown.replace("\n", ""))
        ):
            return _one_line(x.shown), "居中的最大的字"
    for x in paragraphs:
        if x.level:
            return _one_line(x.shown), "Word 的第一个标题"
    given = _property(core, "title").strip()
    return (given, "文件属性中的标题") if given and not _JUNK.match(given) else (None, None)


def _commonest(paragraphs: list[Paragraph]) -> float:
    sizes: dict[float, int] = {}
    for paragraph in paragraphs:
        for size, count in paragraph.inline.sizes.items():
            sizes[size] = sizes.get(size, 0) + count
    return max(sizes, key=lambda x: sizes[x], default=0.0)


def _property(core: Element | None, name: str) -> str:
    child = None if core is None else core.find(f"{{*}}{name}")
    return "" if child is None else clean(child.text or "")


def _left_out(found: Found, body: Element) -> tuple[str, ...]:
    notes = []
    if found.contents:
        notes.append("略去目录")
    if any(True for _ in body.iter(f"{W}headerReference", f"{W}footerReference")):
        notes.append("略去各页的页眉、页脚与页码")
    if found.pictures:
        notes.append(f"略去 {found.pictures} 张图片")
    if found.deleted:
        notes.append("有修订：采用插入的文字，略去删除的文字")
    if found.comments:
        notes.append("略去批注")
    if found.hidden:
        notes.append("略去隐藏的文字")
    return tuple(notes)


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", clean(text).replace("**", "")).strip()
