"""What a document says is text in a chat tool, whatever Markdown the tool reads: tried in a real renderer."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from service.markdown import escaped

GFM = MarkdownIt("gfm-like")
LIVE = re.compile(r"<(?!/?p>|/?br>)[a-z]")


def shown(text: str) -> str:
    """The text that a reader sees, after the renderer; fails where anything but a paragraph comes of it."""
    rendered = GFM.render(text)
    assert not LIVE.search(rendered), rendered
    return html.unescape(re.sub(r"</?p>", "", rendered)).strip()


@pytest.mark.parametrize(
    "hostile",
    [
        "![x](http://evil.example/p.png)",
        "[点这里](javascript:alert(1))",
        "<img src=x onerror=alert(1)>",
        "见 http://e.example/<img src=http://evil.example/p.png onerror=alert(1)> 所载",
        "www.e.example/<script>alert(1)</script>",
        "详见https://evil.example",
        "详见http://10.0.0.1/x 与 //10.0.0.1/y 及 gov.cn 与 HTTPS://EVIL.EXAMPLE",
        "a@evil.example 与 mailto:a@evil.example",
        "[1]: http://evil.example",
        "&#60;b&#62; &lt;i&gt; &amp;",
        "# 标题",
        "- 一",
        "1. 一",
        "12) 二",
        "> 引",
        "***",
        "```\ncode\n```",
        "| a | b |\n| - | - |\n| 1 | 2 |",
        "甲\n===",
        "甲\n---",
        "~~划掉~~ **粗** _斜_ `码` $x$ \\[y\\] \\(z\\)",
        "<http://evil.example>",
    ],
)
def test_nothing_comes_of_it_but_text(hostile):
    shown(escaped(hostile))


@given(st.text(alphabet=st.sampled_from("abw1 中c\n\\`*_[]()<>|~$&#;-+=:.!@/\"'w"), max_size=40))
def test_of_any_text(text):
    seen = shown(escaped(text))
    plain = str.maketrans({0xFF20: "@", 0xFF0E: ".", 0xFF1A: ":", 0xFF0F: "/"})
    assert re.sub(r"\s", "", seen).translate(plain) == re.sub(r"\s", "", text)
