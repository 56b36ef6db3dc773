"""HTML → a tree of bounded depth without what is never text, and the element that holds the page's main text.

libxml2 drops what stands deeper than 2,048 elements when it builds the tree itself; its events have no such bound.
"""

from __future__ import annotations

import re
from typing import TypeAlias

from lxml import etree

from corpus.readers.flow import clean
from corpus.readers.limits import MAX_DEPTH, MAX_ELEMENTS
from corpus.readers.types import ReadError, Step

Element: TypeAlias = etree._Element


def _tags(names: str) -> frozenset[str]:
    return frozenset(names.split())


BLOCKS = _tags(
    "address article aside blockquote body caption center dd details dialog div dl dt fieldset figcaption figure footer "
    "form h1 h2 h3 h4 h5 h6 header hgroup hr html legend li main menu nav ol p pre section summary table tbody td tfoot "
    "th thead tr ul"
)
HEADINGS = {f"h{n}": n for n in range(1, 7)}
_NEVER = _tags(
    "script style noscript template iframe frame object embed applet svg canvas audio video map select option button "
    "input textarea datalist rt rp"
)
# What a broken page, or one of Word's, may have for a name (`o:p`, `a<`) can't stand in a tree.
_NAME = re.compile("[a-z][a-z0-9]*", re.ASCII)
_ATTRIBUTES = _tags("class colspan content hidden href id itemprop name property role rowspan start style type value")
_BOILERPLATE_TAGS = frozenset(("nav", "footer", "aside"))
_BOILERPLATE = _tags(
    "nav navbar navigation menu breadcrumb breadcrumbs crumb crumbs position sidebar footer foot copyright share "
    "sharing related recommend recommended login search banner toolbar pagination pager comments friendlink "
    "friendlinks topbar"
)
_IMPRINT = re.compile(r"ICP\s*备|公网安备|网站标识码|版权所有|Copyright|主办单位")
_FURNITURE = re.compile(
    r"\W*(?:发布日期|发布时间|信息来源|文章来源|来源|浏览次数|访问量|点击数|阅读次数|字体|字号|打印|分享到|关闭窗口|"
    r"当前位置|您的?位置|您所在的位置|责任编辑|扫一扫|上一篇|下一篇|相关链接)(?:\W|大|中|小|$)"
)
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_CONTAINERS = _tags("html body div section article main form center table tbody tr td span font")
_OWN_TEXT = _tags("p h2 h3 h4 h5 h6 ul ol dl pre blockquote table")
_LINES = _tags("p div ul dl section table center")
_SENTENCE = re.compile(r"[。！？；]|[，、].*[，、]")
_CHUNK = 1 << 20
_DEEPEST = 300
_OUTERMOST = 5
"""What a page has about its own elements: `html`, `body`, a paragraph."""
_LITTLE = 80
_LINE = 160
"""Characters of a block without sentences that may be left aside."""


def parse(name: str, text: str, step: Step) -> Element:
    """The tree of a page.

    Raises:
        ReadError: `corrupt` where it has no element; `too_large` where it is nested deeper than `MAX_DEPTH`.
    """
    target = _Target(name)
    parser = etree.HTMLParser(target=target, huge_tree=True, encoding="utf-8")
    data = text.encode("utf-8", errors="ignore")
    for start in range(0, len(data), _CHUNK):
        parser.feed(data[start : start + _CHUNK])
        step(min(start + _CHUNK, len(data)), len(data))
        target.check()
    root = parser.close()
    if root is None:
        raise ReadError("corrupt", f"{name} 里没有内容。请在浏览器中重新另存后再试。")
    return root


class _Target:
    """Takes the parser's events. Elements deeper than `_DEEPEST` give their text to the one that holds them."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.builder = etree.TreeBuilder()
        self.depth = 0
        self.deepest = 0
        self.elements = 0
        self.skipped = 0
        self.found = False
        self.opened: list[str] = []
        self.written = False
        """There is text since the last break among what is too deep."""

    def check(self) -> None:
        """Refuse what is too large. Not within an event: the parser would hide the error."""
        if self.deepest > MAX_DEPTH + _OUTERMOST:
            raise ReadError("too_large", f"{self.name} 的标签嵌套超过 {MAX_DEPTH} 层，不予读取。请另存或拆分后再试。")
        if self.elements > MAX_ELEMENTS:
            raise ReadError(
                "too_large", f"{self.name} 的标签超过 {MAX_ELEMENTS // 10_000} 万个，不予读取。请拆分后再试。"
            )

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        self.elements += 1
        if self.depth > self.deepest:
            self.deepest = self.depth
        if tag in _NEVER:
            self.skipped += 1
        elif self.depth <= _DEEPEST:
            known = tag if _NAME.fullmatch(tag) else "span"
            self.builder.start(known, {x: clean(y) for x, y in attributes.items() if x in _ATTRIBUTES})
            self.opened.append(known)
            self.found = True
        elif self.written and (tag in BLOCKS or tag == "br"):
            self._break()

    def end(self, tag: str) -> None:
        if tag in _NEVER:
            self.skipped -= 1
        elif self.depth <= _DEEPEST:
            self.builder.end(self.opened.pop())
        elif self.written and tag in BLOCKS:
            self._break()
        self.depth -= 1

    def data(self, data: str) -> None:
        if not self.skipped:
            self.builder.data(clean(data))  # what `&#2;` stands for can't stand in a tree
            self.written = True

    def _break(self) -> None:
        """A new paragraph where an element begins or ends that is too deep to be kept."""
        self.builder.start("br", {})
        self.builder.end("br")
        self.written = False

    def close(self) -> Element | None:
        # The parser may leave elements open at the end of a broken page.
        for tag in reversed(self.opened):
            self.builder.end(tag)
        return self.builder.close() if self.found else None


def main_text(root: Element) -> Element:
    """The element that holds the main text; all that is not part of it has been taken out of it.

    It is the page's only `<main>` or `<article>`, where that holds most of the text; else the smallest element beside
    which there is nothing but links, imprint and scraps. In doubt too much is kept and nothing lost.
    """
    body = root.find("body") if root.tag == "html" else root
    body = root if body is None else body
    weights = _weigh(body)
    start = body
    for path in (".//article|.//*[@itemprop='articleBody']", ".//main|.//*[@role='main']"):
        found = body.xpath(path)
        if isinstance(found, list) and len(found) == 1 and isinstance(found[0], etree._Element):
            candidate = found[0]
            if 2 * weights.text(candidate) >= weights.text(body) and not _is_hidden(candidate):
                start = candidate
                break
    chosen = _descend(start, weights)
    _remove([x for x in chosen.iterdescendants() if isinstance(x.tag, str) and _leaves(x, weights, chosen)])
    return chosen


class _Weights:
    """How many characters outside links, of sentences, and in links stand in an element that may hold others."""

    def __init__(self) -> None:
        self.of: dict[Element, tuple[int, int, int]] = {}

    def text(self, element: Element) -> int:
        return self.of.get(element, (0, 0, 0))[0]

    def sentences(self, element: Element) -> int:
        return self.of.get(element, (0, 0, 0))[1]

    def links(self, element: Element) -> int:
        return self.of.get(element, (0, 0, 0))[2]


def _weigh(body: Element) -> _Weights:
    weights = _Weights()
    stack: list[list[int]] = [[0, 0, 0]]
    links = 0
    for event, element in etree.iterwalk(body, events=("start", "end", "comment", "pi")):
        if event == "start":
            links += element.tag == "a"
            stack.append([0, 0, 0])
            _count(element.text, stack[-1], links)
            continue
        if event == "end":
            links -= element.tag == "a"
            counts = stack.pop()
            if _is_hidden(element):
                counts = [0, 0, 0]
            elif (element.tag in BLOCKS or element.tag in _CONTAINERS) and counts[0] + counts[2] > _least(element.tag):
                weights.of[element] = (counts[0], counts[1], counts[2])
            stack[-1] = [a + b for a, b in zip(stack[-1], counts, strict=True)]
        if element is not body:
            _count(element.tail, stack[-1], links)
    return weights


def _least(tag: str) -> int:
    """Characters below which nobody asks for an element's weight: there may be a million cells."""
    return _LITTLE if tag in ("td", "th", "tr") else 0


def _count(text: str | None, counts: list[int], links: int) -> None:
    length = len(text.strip()) if text else 0
    if not text or not length:
        return
    if links:
        counts[2] += length
        return
    counts[0] += length
    if _SENTENCE.search(text) and not _IMPRINT.search(text):
        counts[1] += length


def _descend(element: Element, weights: _Weights) -> Element:
    """Down to the smallest element beside which nothing is lost."""
    while True:
        children = [x for x in element if isinstance(x.tag, str) and not _is_aside(x, weights)]
        if _has_own_text(element) or len(children) != 1 or children[0].tag not in _CONTAINERS:
            return element
        if not weights.text(children[0]):
            return element
        element = children[0]


def _has_own_text(element: Element) -> bool:
    return any(text and text.strip() for text in (element.text, *(x.tail for x in element)))


def _is_aside(element: Element, weights: _Weights) -> bool:
    """It holds no main text: hidden, navigation, imprint, mostly links, or a scrap without a sentence."""
    if _is_hidden(element) or element.tag in ("br", "hr", "img", "link", "meta", "header", "h1"):
        return True
    if _is_boilerplate(element):
        return True
    text, links = weights.text(element), weights.links(element)
    if element.tag in _OWN_TEXT:
        return links > text or not text or _is_furniture(element, weights)
    own = 2 * links < text and any(True for _ in element.iter(*_OWN_TEXT))
    scrap = not weights.sentences(element) and text <= _LITTLE and not own
    return scrap or (links > text and weights.sentences(element) <= _LITTLE) or _is_furniture(element, weights)


def _is_boilerplate(element: Element) -> bool:
    if element.tag in _BOILERPLATE_TAGS:
        return True
    names = f"{element.get('class') or ''} {element.get('id') or ''}"
    if not names.isspace() and not _BOILERPLATE.isdisjoint(re.split(r"[^a-z]+", names.lower())):
        return True
    return element.get("role") in ("navigation", "banner", "contentinfo", "search")


def _leaves(element: Element, weights: _Weights, chosen: Element) -> bool:
    """Whether a part of the main element is no main text. A part that holds much of its sentences always is."""
    if _is_hidden(element):
        return True
    if not _is_boilerplate(element) and not _is_imprint(element, weights) and not _is_furniture(element, weights):
        return False
    return 5 * weights.sentences(element) <= weights.sentences(chosen) or weights.links(element) > weights.text(element)


def _is_furniture(element: Element, weights: _Weights) -> bool:
    """A line about the page: `发布日期：… 来源：…`, `字体：大 中 小`, `分享到：…`."""
    if element.tag not in _LINES or weights.sentences(element) or not 0 < weights.text(element) <= _LINE:
        return False
    return _FURNITURE.match("".join(element.itertext())) is not None


def _is_imprint(element: Element, weights: _Weights) -> bool:
    return (
        element.tag in _LINES
        and 0 < weights.text(element) <= 300
        and len(_IMPRINT.findall("".join(element.itertext()))) >= 2
    )


def _is_hidden(element: Element) -> bool:
    return element.get("hidden") is not None or _HIDDEN.search(element.get("style") or "") is not None


def _remove(elements: list[Element]) -> None:
    """Take elements out of the tree; the text behind each stays."""
    for element in elements:
        parent = element.getparent()
        if parent is None:
            continue
        tail, before = element.tail, element.getprevious()
        if tail and before is not None:
            before.tail = (before.tail or "") + tail
        elif tail:
            parent.text = (parent.text or "") + tail
        parent.remove(element)
