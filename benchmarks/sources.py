"""What made libraries are made of: the shipped reports, and training documents packed or cut to their size."""

from __future__ import annotations

import io
import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from corpus.library import Library, shipped_folder
from corpus.structure import parse
from corpus.types import Document

SENTENCE = re.compile(r"[^。！？；]*[。！？；]+[”」』）】》]*|[^。！？；]+$")
_HALF_WIDTH = re.compile(r"(?<=[㐀-鿿》”）%0-9])[,;:?!](?=[^0-9A-Za-z/]|$)|\((?=[㐀-鿿])|(?<=[㐀-鿿])\)")
_FULL_WIDTH = str.maketrans(",;:?!()", "，；：？！（）")

_CHARACTERS = 6_000
"""Of a source: about fifty passages."""
_SHIPPED_EVERY = 20


@dataclass(frozen=True, slots=True)
class Source:
    """What a report is made of: its lines, which of them are of its body and no heading, and how the file ends."""

    title: str
    series: str
    lines: tuple[str, ...]
    bodies: tuple[bool, ...]
    ending: str


@dataclass(frozen=True, slots=True)
class Sources:
    """All of them, and every sentence of theirs."""

    shipped: Sequence[Source]
    training: Sequence[Source]
    sentences: Sequence[str]

    @classmethod
    def load(cls, training: Path | None) -> Sources:
        """The shipped reports, and the documents of a training folder where there is one."""
        library = Library(shipped_folder())
        shipped = [_shipped(library.read(entry)) for entry in library]
        packed = list(_packed(training / "docs.jsonl.zst")) if training else []
        bodies = (line for x in (*shipped, *packed) for line, is_body in zip(x.lines, x.bodies, strict=True) if is_body)
        return cls(shipped, packed, [s for line in bodies for s in SENTENCE.findall(line) if len(s) > 12])

    def of(self, n: int) -> Source:
        """The source of report `n`."""
        if not self.training or n % _SHIPPED_EVERY == 0:
            return self.shipped[n // (_SHIPPED_EVERY if self.training else 1) % len(self.shipped)]
        return self.training[n * 7919 % len(self.training)]


def _shipped(document: Document) -> Source:
    """A shipped report: what stands in its elements is its body, but for the rows of tables."""
    lines = document.text.splitlines(keepends=True)
    starts = [0, *accumulate(map(len, lines))][:-1]
    bodies = [False] * len(lines)
    for element in parse(document).elements:
        for start, end in element.spans:
            for n in range(bisect_right(starts, start) - 1, bisect_left(starts, end)):
                bodies[n] = element.kind != "table" and bool(lines[n].strip())
    return Source(document.title, document.series, tuple(x.rstrip("\n") for x in lines), tuple(bodies), ".txt")


def _markdown(title: str, series: str, lines: Sequence[str]) -> Source:
    return Source(title, series, tuple(lines), tuple(bool(x) and not x.startswith("#") for x in lines), ".md")


def _packed(path: Path) -> Iterator[Source]:
    """Training documents as Markdown: several short ones together, a long one in parts."""
    lines: list[str] = []
    title, size = "", 0
    for document in _documents(path):
        above: tuple[str, ...] = (document["title"] or document["source"],)
        lines += [f"# {above[0]}", ""]
        for headings, paragraphs in document["sections"]:
            if size >= _CHARACTERS:
                yield _markdown(title, document["source"], lines)
                lines, title, size = [f"# {above[0]}", ""], "", 0
            title = title or above[0]
            lines += _headings(above, tuple(headings))
            above = above[:1] + tuple(headings)
            for paragraph in paragraphs:
                text = _HALF_WIDTH.sub(lambda m: m.group().translate(_FULL_WIDTH), " ".join(paragraph.split()))
                lines += [text.lstrip("#").strip(), ""]
                size += len(text)
    yield _markdown(title, document["source"], lines)


def _headings(above: tuple[str, ...], path: tuple[str, ...]) -> Iterator[str]:
    """The headings of a section that those above it have not said."""
    same = True
    for level, heading in enumerate(path, start=2):
        same = same and above[level - 1 : level] == (heading,)
        if not same and heading != above[0]:
            yield from (f"{'#' * min(level, 6)} {' '.join(heading.split())}", "")


def _documents(path: Path) -> Iterator[dict]:  # type: ignore[type-arg]
    import zstandard

    with path.open("rb") as file:
        yield from map(json.loads, io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(file), "utf-8"))
