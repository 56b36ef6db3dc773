"""Some documents' passages, read: the terms, words and pieces of each, each line of a document folded and cut once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from corpus.expansions import Expansion
from index.context import expansion_text, passage_lines, passage_text
from index.counting import Numbers
from index.groups import Groups, distinct
from index.names import Mentions, domain_terms, places_of
from index.parts import Part
from index.rows import Row
from index.segment import is_han
from index.split import LineEncoder, Split
from index.terms import term_key
from index.types import DocumentInfo, Encoder, Floats, Ints, LateInteraction, Mask

_FEW, _MANY = 256, 4096
"""Pieces that are embedded at once: by a model, which may take a minute for them, and by looking words up."""

_NONE: Ints = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Seen:
    """One view of passages: the lines of each whose terms are counted, its distinct words, and how many pieces it has.

    `texts` are those of all pieces; `encode` gives the vectors of some of them, by number, float32; `together` says of
    how many at once.
    """

    lines: Groups
    units: Groups
    pieces: Ints
    texts: Sequence[str]
    encode: Callable[[Ints], Floats]
    together: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Documents, read: both views of their passages, one behind the other, and what each document mentions.

    The terms of the expanded view are those of passages that have expansions; its words and pieces are those of the
    expansions alone.
    """

    terms: dict[str, Groups]
    """The terms of all lines, by number, as each view of the lexical index has them."""
    plain: Seen
    expanded: Seen
    mentions: Sequence[Mentions]

    @classmethod
    def of(cls, parts: Sequence[Part], encoder: Encoder, numbers: Numbers) -> Batch:
        """Of parts; `numbers` number their terms."""
        lined = _Lined(isinstance(encoder, LateInteraction))
        for part in parts:
            lined.add(part.document, part.rows)
        split = Split.of(lined.lines, numbers)
        both = [
            [*own, *asked] if asked else [] for own, asked in zip(lined.plain.lines, lined.asked.lines, strict=True)
        ]
        units = (
            encoder.line_units(split.han, split.latin, split.latin_lines) if isinstance(encoder, LineEncoder) else None
        )
        return cls(
            terms={"words": split.words, "characters": split.characters},
            plain=_seen(lined.plain, lined.plain.lines, encoder, units),
            expanded=_seen(lined.asked, both, encoder, units),
            mentions=[_mentions(lines, split) for lines in lined.documents],
        )


def piece_texts(parts: Sequence[Part], in_pieces: bool) -> list[str]:
    """What is embedded of parts: their passages as they are read, or `in_pieces`, and their expansions."""
    lined = _Lined(in_pieces)
    for part in parts:
        lined.add(part.document, part.rows)
    return [*lined.plain.piece_texts, *lined.asked.piece_texts]


@dataclass(frozen=True, slots=True)
class _DocumentLines:
    """Which lines, by number, are a document's headings, and which `[start, stop)` are of its passages."""

    headings: Sequence[int]
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class _Passages:
    """One view of passages: the lines of each, by number, and its text; the lines and texts of all their pieces."""

    lines: list[list[int]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    pieces: list[list[int]] = field(default_factory=list)
    piece_texts: list[str] = field(default_factory=list)

    def add(self, lines: list[int], text: str, pieces: Sequence[tuple[list[int], str]]) -> None:
        self.lines.append(lines)
        self.texts.append(text)
        self.counts.append(len(pieces))
        self.pieces.extend(numbers for numbers, _ in pieces)
        self.piece_texts.extend(said for _, said in pieces)


class _Lined:
    """Documents in lines; those of one document are each here once, for most stand in several pieces."""

    def __init__(self, in_pieces: bool) -> None:
        """`in_pieces`: a passage is embedded sentence by sentence, not as a whole."""
        self.lines: list[str] = []
        self.documents: list[_DocumentLines] = []
        self.plain, self.asked = _Passages(), _Passages()
        self._in_pieces = in_pieces
        self._known: dict[str, int] = {}

    def add(self, document: DocumentInfo, rows: Sequence[Row]) -> None:
        """One more document."""
        self._known = {}
        start = len(self.lines)
        headings = [self._number(x) for x in dict.fromkeys(part for row in rows for part in row.passage.section)]
        for row in rows:
            lines = passage_lines(document.title, document.year, row.passage)
            whole = self._numbers(lines.whole)
            text = passage_text(document.title, document.year, row.passage)
            pieces = [(self._numbers(x), "\n".join(x)) for x in lines.pieces] if self._in_pieces else [(whole, text)]
            self.plain.add(whole, text, pieces)
        self.documents.append(_DocumentLines(headings, start, len(self.lines)))
        for row in rows:
            self._add_asked(row.expansions)

    def _add_asked(self, expansions: Sequence[Expansion]) -> None:
        texts = [x.text for x in expansions]
        lines = self._numbers(texts)
        self.asked.add(lines, expansion_text(expansions), [([n], text) for n, text in zip(lines, texts, strict=True)])

    def _numbers(self, lines: Sequence[str]) -> list[int]:
        return [self._number(line) for line in lines]

    def _number(self, line: str) -> int:
        number = self._known.setdefault(line, len(self.lines))
        if number == len(self.lines):
            self.lines.append(line)
        return number


def _seen(passages: _Passages, counted: Sequence[Sequence[int]], encoder: Encoder, units: Groups | None) -> Seen:
    """`counted` are the lines whose terms each passage has; `units` the words of all lines, if they are known."""
    lines = Groups.of(counted)
    if units is not None:
        words = units.through(Groups.of(passages.lines)).distinct()
    else:
        bags = encoder.units(passages.texts) if isinstance(encoder, LateInteraction) else [_NONE] * lines.size
        words = Groups.of(bags)

    def encode(some: Ints) -> Floats:
        if units is None or not isinstance(encoder, LineEncoder):
            return encoder.encode_passages([passages.piece_texts[n] for n in some.tolist()])
        pieces = Groups.of([passages.pieces[n] for n in some.tolist()])
        return encoder.means(units.through(pieces).distinct())

    return Seen(
        lines=lines,
        units=words,
        pieces=np.array(passages.counts, dtype=np.int64),
        texts=passages.piece_texts,
        encode=encode,
        together=_FEW if units is None else _MANY,
    )


def _mentions(lines: _DocumentLines, split: Split) -> Mentions:
    """As `names.mentions`, of lines that are folded."""
    terms = split.characters
    held = terms.values[terms.starts[lines.start] : terms.starts[lines.stop]]
    together = "\n".join(split.folded[lines.start : lines.stop])
    # Most terms are not even begun in a document, and those need not be searched for.
    begun = _are_in(distinct(held), _beginnings()) | (_beginnings() == 0)
    possible = map(domain_terms().__getitem__, np.flatnonzero(begun).tolist())
    found = tuple(term for term in possible if term in together)
    return Mentions(places_of(split.folded[n] for n in lines.headings), found)


def _are_in(rising: Ints, values: Ints) -> Mask:
    """Which of the values are among others, which rise."""
    places = np.searchsorted(rising, values)
    places[places == len(rising)] = 0
    return rising[places] == values if len(rising) else np.zeros(len(values), dtype=np.bool_)


@cache
def _beginnings() -> Ints:
    """The first two characters of each of the domain's terms as they are counted, 0 where they are not Han; int64."""
    heads = [term[:2] for term in domain_terms()]
    return np.array([term_key(x) if all(map(is_han, x)) else 0 for x in heads], dtype=np.int64)
