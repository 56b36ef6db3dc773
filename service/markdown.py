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
# A backslash would do for CommonMark, but an address swallows it (GFM, autolinks), and `\[` begins a formula in many
# chat tools: marks are written by their number. At the start of a line more of them begin something.
_MARKS = re.compile(r"[\\`*_\[\]<>|~$]|&(?=#?\w+;)|^\s*[-+=:#]|^\s*\d{1,9}[.)]", re.MULTILINE)
# Some tools find addresses in the text as it is shown; full-width marks make none.
_ADDRESS = re.compile(r":(?=//)|(?<=/)/|@(?=\w)|(?<=[A-Za-z0-9])\.(?=[A-Za-z]{2})")


def escaped(text: str) -> str:
    """Text that Markdown shows as it is (CommonMark 0.31, 2.5: a numeric character reference begins no structure).

    >>> escaped("![x](http://a) 3*4")
    '!&#91;x&#93;(http：/／a) 3&#42;4'
    >>> escaped("- 1. <b>")
    '&#45; 1. &#60;b&#62;'
    """
    wide = _ADDRESS.sub(lambda m: chr(ord(m.group()) + 0xFEE0), text)
    return _MARKS.sub(lambda m: f"{m.group()[:-1]}&#{ord(m.group()[-1])};", wide)


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
