"""What stands within a paragraph of a DOCX: runs, fields, notes' marks, changes, pictures and text boxes."""

from __future__ import annotations

from dataclasses import dataclass, field

from corpus.readers.docx_package import Element, W, is_on, value
from corpus.readers.docx_styles import Look, Styles, look_of
from corpus.readers.flow import BOLD_OFF, BOLD_ON, superscript

_M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_INTO = frozenset(
    f"{W}{x}"
    for x in ("hyperlink", "ins", "moveTo", "smartTag", "customXml", "sdt", "sdtContent", "dir", "bdo", "fldSimple")
)
_INTO_OTHERS = frozenset((f"{_MC}Choice", f"{_M}oMath", f"{_M}oMathPara", f"{W}ruby", f"{W}rubyBase"))
_TEXTS = {
    f"{W}tab": " ",
    f"{W}ptab": " ",
    f"{W}br": "\n",
    f"{W}cr": "\n",
    f"{W}noBreakHyphen": "-",
}
_PICTURES = frozenset((f"{W}drawing", f"{W}pict", f"{W}object"))
_PRIVATE = ("\ue000", "\uf8ff")


@dataclass(slots=True)
class Found:
    """What was met and left out, for the notes of the reading; and how the notes' marks and the fields stand."""

    pictures: int = 0
    comments: bool = False
    deleted: bool = False
    hidden: bool = False
    contents: bool = False
    fields: list[list[str]] = field(default_factory=list)
    """Fields that are open, the innermost last: [`code` or `result`, the code]. They may span paragraphs."""
    marks: dict[str, int] = field(default_factory=lambda: {"footnote": 0, "endnote": 0})


@dataclass(slots=True)
class Inline:
    """A paragraph's text, with the marks of bold, and what else stands in it.

    `size` is the smallest size of its letters in points, `length` how many characters it has, by which it counts.
    `notes` are (kind, id, mark) of the notes that it refers to; `boxes` the text boxes that are anchored in it.
    """

    parts: list[str] = field(default_factory=list)
    length: int = 0
    bold: int = 0
    sizes: dict[float, int] = field(default_factory=dict)
    notes: list[tuple[str, str, str]] = field(default_factory=list)
    boxes: list[Element] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.parts)

    @property
    def is_bold(self) -> bool:
        return 0 < self.length == self.bold

    @property
    def size(self) -> float:
        return min(self.sizes, default=0.0)


class InlineReader:
    """Reads paragraphs one after the other."""

    def __init__(self, styles: Styles, found: Found) -> None:
        self.styles = styles
        self.found = found

    def read(self, paragraph: Element, look: Look) -> Inline:
        """The inline content of a paragraph whose style gives `look`."""
        inline = Inline()
        self._children(paragraph, look, inline)
        return inline

    def _children(self, parent: Element, look: Look, inline: Inline) -> None:
        for child in parent:
            tag = child.tag
            if tag == f"{W}r":
                self._run(child, look, inline)
            elif tag in _INTO or tag in _INTO_OTHERS:
                self._children(child, look, inline)
            elif tag == f"{_MC}AlternateContent":
                self._alternate(child, look, inline)
            elif tag == f"{_M}t":
                self._add(child.text or "", look, inline)
            elif tag in (f"{W}del", f"{W}moveFrom"):
                self.found.deleted = True
            elif tag in (f"{W}commentRangeStart", f"{W}commentReference"):
                self.found.comments = True
            elif isinstance(tag, str) and tag.startswith(_M):
                self._children(child, look, inline)

    def _run(self, run: Element, below: Look, inline: Inline) -> None:
        properties = run.find(f"{W}rPr")
        own = look_of(properties)
        style = value(properties, "rStyle")
        look = own.over(self.styles.look(style)).over(below) if style else own.over(below)
        for child in run:
            tag = child.tag
            if tag == f"{W}fldChar":
                self._field(child.get(f"{W}fldCharType"))
            elif tag == f"{W}instrText":
                if self.found.fields:
                    self.found.fields[-1][1] += child.text or ""
            elif look.hidden:
                self.found.hidden = self.found.hidden or tag == f"{W}t"
            elif tag == f"{W}t":
                self._add(child.text or "", look, inline)
            elif tag in _TEXTS:
                self._add(_TEXTS[str(tag)], look, inline)
            else:
                self._other(child, look, inline)

    def _other(self, child: Element, look: Look, inline: Inline) -> None:
        tag = child.tag
        if tag in (f"{W}footnoteReference", f"{W}endnoteReference"):
            self._note(child, "endnote" if tag == f"{W}endnoteReference" else "footnote", inline)
        elif tag in _PICTURES:
            self._drawing(child, inline)
        elif tag == f"{_MC}AlternateContent":
            self._alternate(child, look, inline)
        elif tag == f"{W}sym":
            self._symbol(child, look, inline)
        elif tag == f"{W}commentReference":
            self.found.comments = True
        elif tag in _INTO_OTHERS:
            for base in child.iter(f"{W}rubyBase"):
                self._children(base, look, inline)

    def _add(self, text: str, look: Look, inline: Inline) -> None:
        if not text or any(state == "code" for state, _ in self.found.fields):
            return
        if any(_is_contents(code) for _, code in self.found.fields):
            self.found.contents = True
            return
        if look.raised:
            text = superscript(text)
        shown = len(text.strip())
        inline.length += shown
        if shown and not look.raised:
            size = (look.size or 0) / 2
            inline.sizes[size] = inline.sizes.get(size, 0) + shown
        if look.bold and shown:
            inline.bold += shown
            text = f"{BOLD_ON}{text}{BOLD_OFF}"
        inline.parts.append(text)

    def _field(self, kind: str | None) -> None:
        fields = self.found.fields
        if kind == "begin":
            fields.append(["code", ""])
        elif fields and kind == "separate":
            fields[-1][0] = "result"
        elif fields and kind == "end":
            fields.pop()

    def _note(self, reference: Element, kind: str, inline: Inline) -> None:
        if is_on(reference, "customMarkFollows") or reference.get(f"{W}customMarkFollows") in ("1", "true", "on"):
            return
        self.found.marks[kind] += 1
        mark = superscript(str(self.found.marks[kind]))
        inline.notes.append((kind, reference.get(f"{W}id") or "", mark))
        inline.parts.append(mark)

    def _alternate(self, element: Element, look: Look, inline: Inline) -> None:
        """One of several ways to show the same: the first that is not empty."""
        for choice in element:
            before = len(inline.boxes), len(inline.parts), self.found.pictures
            for child in choice:
                if child.tag in _PICTURES:
                    self._drawing(child, inline)
                else:
                    self._other(child, look, inline)
            self._children(choice, look, inline)
            if before != (len(inline.boxes), len(inline.parts), self.found.pictures):
                return

    def _drawing(self, element: Element, inline: Inline) -> None:
        """A picture, or a shape with text in it."""
        boxes = [x for x in element.iter(f"{W}txbxContent") if not _within_box(x, element)]
        shown = {id(x) for x in element.iter(f"{_MC}Fallback")}
        boxes = [x for x in boxes if not any(id(a) in shown for a in x.iterancestors(f"{_MC}Fallback"))] or boxes[:1]
        if boxes:
            inline.boxes += boxes
        else:
            self.found.pictures += 1

    def _symbol(self, symbol: Element, look: Look, inline: Inline) -> None:
        """A sign by its number in a font; those of symbol fonts (Wingdings) have no character that says the same."""
        try:
            sign = chr(int(symbol.get(f"{W}char") or "", 16))
        except (ValueError, OverflowError):
            return
        if not _PRIVATE[0] <= sign <= _PRIVATE[1]:
            self._add(sign, look, inline)


def _within_box(box: Element, top: Element) -> bool:
    for above in box.iterancestors():
        if above is top:
            return False
        if above.tag == f"{W}txbxContent":
            return True
    return False


def _is_contents(code: str) -> bool:
    return code.strip().upper().startswith("TOC")
