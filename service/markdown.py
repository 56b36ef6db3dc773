"""Answers in Markdown for chat tools. What a document says can make no link, image, HTML, heading or list there."""

from __future__ import annotations

import re
from collections.abc import Sequence

from corpus.citations import citation_label
from corpus.types import Citation
from service.answer_render import tidy
from service.answers import NO_ANSWER, Answer, Sentence
from service.links import Link

_NEAREST = 3
_MARKS = re.compile(r"[\\`*_<>|~$&]")
# `\[` begins a formula in many chat tools, so brackets are written by their number.
_BRACKETS = {"[": "&#91;", "]": "&#93;"}
# At the start of a line these begin a heading, a list, a quotation or a rule.
_LEADING = re.compile(r"^(\s*)([-+=:#]|\d{1,9}[.)])", re.MULTILINE)


def escaped(text: str) -> str:
    """Text that Markdown shows as it is (CommonMark 0.31, 2.4 and 2.5: escapes and character references).

    >>> escaped("![x](http://a) 3*4 <b>")
    '!&#91;x&#93;(http://a) 3\\\\*4 \\\\<b\\\\>'
    """
    marked = _MARKS.sub(lambda m: f"\\{m.group()}", text)
    for mark, reference in _BRACKETS.items():
        marked = marked.replace(mark, reference)
    return _LEADING.sub(lambda m: f"{m.group(1)}{m.group(2)[:-1]}\\{m.group(2)[-1]}", marked)


def sentence_markdown(sentence: Sentence) -> str:
    """A sentence without its numbers, its label before it."""
    text = escaped(tidy(sentence.text).strip())
    return f"{escaped(sentence.label)}：{text}" if sentence.label else text


def source_markdown(citation: Citation, link: Link) -> str:
    """A citation's label as a link to its source."""
    return f"[{escaped(tidy(citation_label(citation)))}]({link(citation)})"


def sources_markdown(citations: Sequence[tuple[int, Citation]], link: Link) -> str:
    """The list of sources under an answer, a line each."""
    return "\n".join(["来源：", *(f"- [{number}] {source_markdown(x, link)}" for number, x in citations)])


def abstention_markdown(answer: Answer, link: Link, with_sources: bool) -> str:
    """That there is no answer, why, and what comes nearest."""
    reason = answer.reason.message if answer.reason else ""
    text = f"{NO_ANSWER}。{escaped(tidy(reason))}"
    if not answer.hits or not with_sources:
        return text
    nearest = [f"- {source_markdown(hit.citation, link)}" for hit in answer.hits[:_NEAREST]]
    return "\n".join([text, "", "相近的段落（不是答案）：", *nearest])
