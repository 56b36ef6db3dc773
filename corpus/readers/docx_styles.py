"""What a DOCX says of its paragraphs by styles: headings, title, contents, numbering, letters."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from corpus.readers.docx_package import Element, W, is_on, number, value

_HEADING = re.compile(r"(?:heading|标题)\s*([1-9])", re.IGNORECASE)
_TITLE = re.compile(r"title|标题|文档标题", re.IGNORECASE)
_CONTENTS = re.compile(
    r"(?:toc|目录)\s*(?:[1-9]|heading|标题)?|table of (?:figures|authorities)|图表目录", re.IGNORECASE
)
_BODY_SIZE = 20
"""Half points, where a document gives no size at all."""
_DEEPEST_CHAIN = 50


@dataclass(frozen=True, slots=True)
class Look:
    """Letters: bold, hidden, raised, and their size in half points. None: as the style below says."""

    bold: bool | None = None
    hidden: bool | None = None
    raised: bool | None = None
    size: int | None = None

    def over(self, below: Look) -> Look:
        """This look, with what it leaves open taken from `below`."""
        return Look(
            below.bold if self.bold is None else self.bold,
            below.hidden if self.hidden is None else self.hidden,
            below.raised if self.raised is None else self.raised,
            below.size if self.size is None else self.size,
        )


@dataclass(frozen=True, slots=True)
class Style:
    """A style with all that it is based on. `level` is a heading's, from 1; `numbering` is (list, its level from 0)."""

    level: int | None = None
    title: bool = False
    contents: bool = False
    numbering: tuple[int | None, int | None] = (None, None)
    centred: bool | None = None
    look: Look = Look()


def look_of(properties: Element | None) -> Look:
    """The look that run properties give."""
    if properties is None:
        return Look()
    vertical, position = value(properties, "vertAlign"), number(value(properties, "position"))
    return Look(
        is_on(properties, "b"),
        is_on(properties, "vanish"),
        vertical == "superscript" if vertical else position > 0 if position is not None else None,
        number(value(properties, "sz")),
    )


def outline_level(properties: Element | None) -> int | None:
    """A paragraph's outline level, from 1; 0 is body text, None nothing said."""
    level = number(value(properties, "outlineLvl"))
    return None if level is None else level + 1 if 0 <= level < 9 else 0


def numbering_of(properties: Element | None) -> tuple[int | None, int | None]:
    given = None if properties is None else properties.find(f"{W}numPr")
    return number(value(given, "numId")), number(value(given, "ilvl"))


class Styles:
    """The styles of a document by id."""

    def __init__(self, root: Element | None) -> None:
        self._elements: dict[str, Element] = {}
        self._known: dict[str, Style] = {}
        self.default = ""
        base = None
        if root is not None:
            base = root.find(f"{W}docDefaults/{W}rPrDefault/{W}rPr")
            for element in root.iterchildren(f"{W}style"):
                name = element.get(f"{W}styleId") or ""
                self._elements.setdefault(name, element)
                if element.get(f"{W}type") == "paragraph" and element.get(f"{W}default") in ("1", "true", "on"):
                    self.default = name
        self.base = look_of(base).over(Look(False, False, False, _BODY_SIZE))

    def of(self, name: str | None) -> Style:
        """A style by its id, what it is based on included; the default where there is none of that id."""
        name = name if name in self._elements else self.default
        if name not in self._known:
            self._known[name] = self._resolve(name, _DEEPEST_CHAIN)
        return self._known[name]

    def look(self, name: str | None) -> Look:
        """What a style of characters gives; none by default."""
        return self.of(name).look if name in self._elements else Look()

    def _resolve(self, name: str, depth: int) -> Style:
        element = self._elements.get(name)
        if element is None or not depth:
            return Style()
        based_on = value(element, "basedOn")
        below = self._resolve(based_on, depth - 1) if based_on and based_on != name else Style()
        shown = (value(element, "name") or "").strip()
        properties = element.find(f"{W}pPr")
        heading = _HEADING.fullmatch(shown)
        outline = outline_level(properties)
        level = int(heading.group(1)) if heading else below.level
        listed, depth_of_list = numbering_of(properties)
        centred = value(properties, "jc")
        return replace(
            below,
            level=outline if outline is not None else level,
            title=_TITLE.fullmatch(shown) is not None,
            contents=_CONTENTS.fullmatch(shown) is not None,
            numbering=(
                below.numbering[0] if listed is None else listed,
                below.numbering[1] if depth_of_list is None else depth_of_list,
            ),
            centred=centred == "center" if centred else below.centred,
            look=look_of(element.find(f"{W}rPr")).over(below.look),
        )
