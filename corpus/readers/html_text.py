"""The main element of a page → paragraphs, headings, lists, tables and notes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import islice

from lxml import etree

from corpus.readers.flow import BOLD_OFF, BOLD_ON, Flow, could_be_heading, mark_leads, split_breaks, spread, superscript
from corpus.readers.html_tree import BLOCKS, HEADINGS, Element
from corpus.readers.types import Step

_SPACE = re.compile(r"[ \t\n\r\f]+")
_HAN = "[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]"
_BETWEEN_HAN = re.compile(rf"(?<={_HAN})\x1e(?={_HAN})")
_BREAK, _SOURCE_BREAK = "\x1f", "\x1e"
_OWN_MARK = re.compile(
    r"(?:[-•·●○▪■◆]|\d{1,3}[.．、]|[(（]?[\d一二三四五六七八九十]{1,3}[)）]|[①-⑳]|[一二三四五六七八九十]+、)"
)
_BOLD = re.compile(r"(?<![\w-])font-weight\s*:\s*(?:bold|[6-9]00)", re.IGNORECASE)
_SIZE = re.compile(r"(?<![\w-])font-size\s*:\s*([\d.]{1,6})(px|pt|em|rem)", re.IGNORECASE)
_POINTS = {"px": 0.75, "pt": 1.0, "em": 12.0, "rem": 12.0}
_BODY_SIZE = 12.0
_LONGEST_HEADING = 120
_LONGEST_CELL = 1000
_LONGEST_MARK, _MARK_PIECES = 20, 10
_ALIVE = 50_000
_BACK = frozenset(("↩", "↑", "^", "⤴", "↩︎"))


def write(main: Element, flow: Flow, step: Step) -> int:
    """Write the text of `main` into `flow`; returns the number of pictures in it."""
    writer = _Writer(flow, _notes(main), any(x.tag != "h1" for x in main.iter(*HEADINGS)))
    walk = etree.iterwalk(main, events=("start", "end"))
    for n, (event, element) in enumerate(walk):
        if n % _ALIVE == 0:
            step(1, 1)
        if event == "start":
            if writer.start(element):
                walk.skip_subtree()
                writer.skipped = True
        else:
            writer.end(element)
            if element is not main:
                writer.text(element.tail)
    writer.flush()
    return writer.pictures


def _notes(main: Element) -> dict[str, str]:
    """Ids of the notes at a page's foot, and the mark that leads to each: `<sup><a href="#n1">[1]</a></sup>`."""
    found: dict[str, str] = {}
    for sup in main.iter("sup"):
        parent = sup.getparent()
        if parent is not None and parent.tag == "sup":  # thousands in each other are no marks
            continue
        mark = superscript(_short_text(sup))
        for link in (parent, *sup.iter("a")):
            target = (link.get("href") or "") if link is not None and link.tag == "a" else ""
            if target.startswith("#") and mark and mark[0] in "⁰¹²³⁴⁵⁶⁷⁸⁹":
                found.setdefault(target[1:], mark)
    return found


def _short_text(element: Element) -> str:
    """The text of an element that should be a mark: no more of it than shows that it is none."""
    text = ""
    for piece in islice(element.itertext(), _MARK_PIECES):
        text += piece
        if len(text) > _LONGEST_MARK:
            break
    return text


@dataclass(slots=True)
class _List:
    ordered: bool
    run: int
    number: int
    style: str


@dataclass(slots=True)
class _Writer:
    """Takes elements as they open and close. `parts` is the paragraph in the making."""

    flow: Flow
    notes: dict[str, str]
    has_headings: bool
    parts: list[str] = field(default_factory=list)
    length: int = 0
    bold_length: int = 0
    bold: int = 0
    superscript: int = 0
    verbatim: int = 0
    heading: int = 0
    size: float = _BODY_SIZE
    lists: list[_List] = field(default_factory=list)
    mark: str = ""
    """What the next paragraph begins with: the mark of its item or note."""
    pictures: int = 0
    skipped: bool = False

    def start(self, element: Element) -> bool:
        """Whether the element has been dealt with, all that is in it included."""
        tag = element.tag
        if tag == "br":
            self.parts.append(_BREAK)
        elif tag == "img":
            self.pictures += 1
        elif tag == "table" and not _is_layout(element):
            self.flush()
            self._table(element)
            return True
        elif tag == "a" and _short_text(element).strip() in _BACK:
            return True
        elif tag in BLOCKS:
            self.flush()
            self._open_block(element, str(tag))
        self._look(element, 1)
        self.text(element.text)
        return False

    def end(self, element: Element) -> None:
        if self.skipped:
            self.skipped = False
            return
        tag = element.tag
        if tag in BLOCKS:
            self.flush()
            self._close_block(str(tag))
        self._look(element, -1)

    def text(self, text: str | None) -> None:
        if not text:
            return
        if self.verbatim:
            text = text.replace("\n", _BREAK)
        else:
            text = superscript(text) if self.superscript else _SPACE.sub(_space, text)
        self.parts.append(f"{BOLD_ON}{text}{BOLD_OFF}" if self.bold and text.strip() else text)
        length = len(text.strip())
        self.length += length
        self.bold_length += length if self.bold else 0

    def flush(self) -> None:
        """End the paragraph."""
        text = mark_leads(_join(self.parts))
        bold = bool(self.length) and self.bold_length == self.length
        self.parts, self.length, self.bold_length = [], 0, 0
        if not text.strip():
            return
        mark, self.mark = self.mark, ""
        if self.heading and len(text) <= _LONGEST_HEADING:
            self.flow.heading(text, self.heading)
        elif self.lists and mark:
            own = _OWN_MARK.match(text.strip()) and mark[0] not in "⁰¹²³⁴⁵⁶⁷⁸⁹"
            self.flow.item(text if own else mark + text.strip(), self.lists[-1].run)
        else:
            self._paragraphs(mark + text.strip(), bold)

    def _paragraphs(self, text: str, bold: bool) -> None:
        if bold and not self.has_headings and not self.lists and could_be_heading(text.strip()):
            self.flow.paragraph(text, size=self.size)
            return
        if self.verbatim:
            self.flow.paragraph(text)
            return
        for part in split_breaks(text) if "\n" in text else [text]:
            self.flow.paragraph(part)

    def _open_block(self, element: Element, tag: str) -> None:
        self.size = _BODY_SIZE
        if tag in HEADINGS:
            self.heading = HEADINGS[tag]
        elif tag == "pre":
            self.verbatim += 1
        elif tag in ("ol", "ul", "menu"):
            run = self.lists[0].run if self.lists else self.flow.new_run()
            first = element.get("start") or ""
            number = int(first) if first.isascii() and first.isdigit() and len(first) < 6 else 1
            self.lists.append(_List(tag == "ol", run, number, element.get("type") or "1"))
        note = self.notes.get(element.get("id") or "") or self.notes.get(element.get("name") or "")
        if note:
            self.mark = f"{note} "
        elif tag == "li" and self.lists:
            self.mark = _item_mark(self.lists[-1], element.get("value"))
            self.lists[-1].number += 1

    def _close_block(self, tag: str) -> None:
        if tag in HEADINGS:
            self.heading = 0
        elif tag == "pre":
            self.verbatim -= 1
        elif tag in ("ol", "ul", "menu") and self.lists:
            self.lists.pop()
        elif tag == "li":
            self.mark = ""

    def _look(self, element: Element, change: int) -> None:
        tag, style = element.tag, element.get("style")
        if tag in ("b", "strong") or (style and _BOLD.search(style)):
            self.bold += change
        if tag == "sup":
            self.superscript += change
        if style and change > 0 and (size := _SIZE.search(style)):
            self.size = _points(size)

    def _table(self, table: Element) -> None:
        caption = table.find("caption")
        if caption is not None:
            self.flow.paragraph(_inline(caption))
        rows = []
        for row in _rows(table):
            cells = [x for x in row if x.tag in ("td", "th")]
            rows.append([(_inline(x), _span(x, "colspan"), _span(x, "rowspan")) for x in cells])
        self.flow.table(spread(rows))
        self.pictures += sum(1 for _ in table.iter("img"))


def _join(parts: list[str]) -> str:
    text = "".join(parts)
    if _SOURCE_BREAK in text:
        text = _BETWEEN_HAN.sub("", text).replace(_SOURCE_BREAK, " ")
    return re.sub(r" {2,}", " ", text).replace(_BREAK, "\n")


def _space(match: re.Match[str]) -> str:
    """A line break in the source is none on the page, and between Han characters no space either."""
    return _SOURCE_BREAK if "\n" in match.group() or "\r" in match.group() else " "


def _inline(element: Element) -> str:
    """The text of a cell or caption on one line; what stands in a block of its own is set off by a space."""
    if not len(element):
        return _SPACE.sub(" ", element.text or "").strip()
    parts: list[str] = []
    raised = 0
    for event, x in etree.iterwalk(element, events=("start", "end")):
        block = x is not element and (x.tag in BLOCKS or x.tag == "br")
        if event == "start":
            raised += x.tag == "sup"
            text = x.text
        else:
            raised -= x.tag == "sup"
            text = None if x is element else x.tail
        inside = raised and event == "start"
        parts += [" " if block else "", superscript(text) if inside and text else _SPACE.sub(_space, text or "")]
    return _join(parts).replace("\n", " ").strip()


def _rows(table: Element) -> list[Element]:
    rows: list[Element] = []
    for child in table:
        if child.tag == "tr":
            rows.append(child)
        elif child.tag in ("thead", "tbody", "tfoot"):
            rows += [x for x in child if x.tag == "tr"]
    return rows


def _span(cell: Element, name: str) -> int:
    value = (cell.get(name) or "").strip()
    return max(1, int(value)) if value.isascii() and value.isdigit() and len(value) < 5 else 1


def _is_layout(table: Element) -> bool:
    """A table that only arranges the page: one column, headings in it, or a cell that is an article."""
    rows = _rows(table)
    if table.get("role") == "presentation" or all(len(row) <= 1 for row in rows):
        return True
    if any(True for _ in table.iter(*HEADINGS)):
        return True
    return any(len(cell) > 1 and len("".join(cell.itertext())) > _LONGEST_CELL for row in rows for cell in row)


def _item_mark(within: _List, value: str | None) -> str:
    if not within.ordered:
        return "• "
    if value and value.isascii() and value.isdigit() and len(value) < 6:
        within.number = int(value)
    number = within.number
    if within.style in ("a", "A") and number <= 26:
        return f"{chr(ord(within.style) + number - 1)}. "
    return f"{number}. "


def _points(size: re.Match[str]) -> float:
    try:
        return float(size.group(1)) * _POINTS[size.group(2).lower()]
    except ValueError:
        return _BODY_SIZE
