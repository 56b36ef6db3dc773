"""Which sentences of the hits answer a question, and how well: what an answer is chosen from.

A candidate is a sentence, a list item, a row of a table, or a footnote of a hit. What speaks for it is measured by
late interaction over the bundled encoder's words, whatever encoder the index uses; by questions that people may ask of
its passage (expansions), whose answers are known to the word; and by what a sentence must hold to answer at all.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from corpus.sentences import sentence_spans
from corpus.types import Span, merge_spans
from index.agreement import agreement, names_held
from index.context import passage_context
from index.highlight import query_weights
from index.interaction import Bag, InteractionIndex, share
from index.kinds import Wanted, fits, focus, wanted
from index.query import Part, named_places
from index.ranking import Source
from index.rows import Row
from index.segment import characters
from index.types import Floats, Hit, LateInteraction, Mask

_LONG = 120
_LONGEST = 160
_AT_HAND = 512
# What the headings above a sentence say counts a little less than what it says itself.
_ABOVE = np.float32(0.9)


@dataclass(frozen=True, slots=True)
class Candidate:
    """`[start, end)` of the text of hit number `hit`, and what speaks for it, each from 0 to 1.

    `meaning` is the share of the question that the sentence and the headings above it match, `asked` the likeness of
    the likest question that it is known to answer, `answers` its words that answer that one; `fits` says whether it can
    hold the answer, `year` and `place` whether its passage is of those asked for (1 where none are), `named` the share of
    the names in quotation marks or Latin letters that it or the headings above it hold. `elsewhere`: the question is of
    a place or a past year that is none of the corpus's, and the passage does not speak of it either. `matches` is how
    well each word of the question is matched, float32 `[words]`.
    """

    hit: int
    start: int
    end: int
    meaning: float
    asked: float
    answers: tuple[Span, ...]
    fits: float
    year: float
    place: float
    named: float
    elsewhere: bool
    matches: Floats

    @property
    def is_beside(self) -> bool:
        """Its passage is of another year or place than the question."""
        return self.elsewhere or not (self.year and self.place)


@dataclass(frozen=True, slots=True)
class Around:
    """What a whole hit has of the question, with the questions that people may ask of it.

    `matches` as of a candidate; `asked` is the likeness of the likest question, and `same` of the likest one that asks
    for the same kind of answer.
    """

    matches: Floats
    asked: float
    same: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """All candidates of some hits, in the order of the hits and of their text.

    `weights` are those of the question's words, float32 `[words]`; `focus` marks the words about the one that asks.
    """

    wants: Wanted
    candidates: tuple[Candidate, ...]
    around: tuple[Around, ...]
    weights: Floats
    focus: Mask


@dataclass(frozen=True, slots=True)
class _Reading:
    """A passage taken apart: its sentences, then what stands above them, then the questions; all in one index."""

    spans: tuple[Span, ...]
    answers: tuple[tuple[Span, ...], ...]
    wants: tuple[Wanted, ...]
    words: InteractionIndex
    own_weights: Floats
    terms: tuple[frozenset[str], ...]
    places: frozenset[str]
    own_places: tuple[frozenset[str], ...]
    """Those that each sentence names, with what stands above it; empty where the sentence names none."""
    above: str
    text: str


class EvidenceReader:
    """Reads hits of one snapshot; keeps the passages that it took apart last."""

    def __init__(self, snapshot: Source, encoder: LateInteraction, fingerprint: str = "") -> None:
        """`fingerprint` is the encoder's."""
        self._snapshot = snapshot
        self._encoder = encoder
        self._readings: OrderedDict[str, _Reading] = OrderedDict()
        # The vectors that the index was built with, where they are this encoder's; its own table stays untouched.
        built = snapshot.description.get("encoder", {}).get("fingerprint")
        self._at_hand = snapshot.words if built == fingerprint else None

    def read(self, part: Part, hits: Sequence[Hit], expansions: bool = True) -> Evidence:
        """The candidates of the hits for a question; `expansions=False` takes no notice of what people may ask."""
        bag = Bag.of(self._encoder, part.text)
        wants = wanted(part.text)
        weights = query_weights(part.text, self._snapshot.weights)
        in_words = self._snapshot.coverage(part.text)
        candidates: list[Candidate] = []
        around: list[Around] = []
        for n, hit in enumerate(hits):
            reading = self._reading(hit.passage.id)
            matches, back = reading.words.mutual(bag, reading.own_weights)
            above = len(reading.spans)
            if not expansions:
                matches = matches[:, : above + 1]
            likeness = _likeness(reading, matches[:, above + 1 :], back[above + 1 :], bag, weights, in_words)
            same = [x for x, other in zip(likeness, reading.wants, strict=False) if other == wants]
            around.append(Around(matches.max(axis=1), max(likeness, default=0.0), max(same, default=0.0)))
            year, place, elsewhere = agreement(part, hit.citation.year, reading.places, reading.text)
            for i, (start, end) in enumerate(reading.spans):
                own = np.maximum(matches[:, i], _ABOVE * matches[:, above])
                asked, answers = _best_asked(likeness, reading.answers, start, end)
                fit = fits(wants, hit.passage.text[start:end])
                meaning = float(share(own[:, None], bag.weights)[0])
                named = names_held(part.text, f"{reading.above}\n{hit.passage.text[start:end]}")
                there = reading.own_places[i]
                here = 0.0 if part.places and there and there.isdisjoint(part.places) else place
                candidates.append(
                    Candidate(n, start, end, meaning, asked, answers, fit, year, here, named, elsewhere, own)
                )
        return Evidence(
            wants=wants,
            candidates=tuple(candidates),
            around=tuple(around),
            weights=bag.weights,
            focus=np.isin(bag.units, self._encoder.units([focus(part.text)])[0]),
        )

    def has_questions(self, passage_id: str) -> bool:
        """Whether it is known what people may ask of a passage."""
        return any(x.kind == "question" for x in self._row(passage_id).expansions)

    def _row(self, passage_id: str) -> Row:
        row = self._snapshot.found(passage_id)
        if row is None:
            raise KeyError(passage_id)
        return row

    def _reading(self, passage_id: str) -> _Reading:
        found = self._readings.pop(passage_id, None) or self._read(self._row(passage_id))
        self._readings[passage_id] = found
        while len(self._readings) > _AT_HAND:
            self._readings.popitem(last=False)
        return found

    def _read(self, row: Row) -> _Reading:
        passage = row.passage
        document = self._snapshot.documents[passage.document_id]
        # A line of punctuation says nothing.
        spans = tuple(x for x in unit_spans(passage.text) if any(c.isalnum() for c in passage.text[x[0] : x[1]]))
        above = passage_context(document.title, document.year, passage)
        questions = [x for x in row.expansions if x.kind == "question"]
        texts = [
            *(passage.text[start:end].replace("**", "") for start, end in spans),
            above,
            *(x.text for x in questions),
        ]
        words = InteractionIndex.build(self._encoder, texts, self._at_hand)
        names = self._snapshot.names
        over = named_places(above, names)
        named = (named_places(passage.text[start:end], names) for start, end in spans)
        return _Reading(
            spans=spans,
            answers=tuple(merge_spans((i := passage.text.index(a), i + len(a)) for a in x.answers) for x in questions),
            wants=tuple(wanted(x.text) for x in questions),
            words=words,
            own_weights=self._encoder.unit_weights(words.units),
            terms=tuple(frozenset(characters(text)) for text in texts),
            places=named_places(f"{above}\n{passage.text}", names),
            own_places=tuple(x and x | over for x in named),
            above=above,
            text=f"{above}\n{passage.text}",
        )


def _likeness(
    reading: _Reading, matches: Floats, back: Floats, bag: Bag, weights: Mapping[str, float], known: float
) -> list[float]:
    """How like the question each known one is, 0 to 1: what each matches of the other, and rare characters shared.

    Characters count as far as the corpus knows those of the question: not at all where it is in another language.
    """
    meaning = np.sqrt(share(matches, bag.weights) * back[: matches.shape[1]])
    terms = reading.terms[len(reading.spans) + 1 :]
    by_words = min(known, 0.5)
    return [
        (1 - by_words) * float(meaning[n]) + by_words * _share_of(terms[n], weights) for n in range(matches.shape[1])
    ]


def unit_spans(text: str) -> list[Span]:
    """What an answer is put together from: sentences, lines of lists and tables; long ones part by part.

    >>> unit_spans("甲。乙。")
    [(0, 2), (2, 4)]
    """
    return [part for start, end in sentence_spans(text) for part in _parts(text, start, end)]


def _parts(text: str, start: int, end: int) -> Iterator[Span]:
    """A sentence, or where it is long, what its semicolons set apart; where that is long still, its clauses."""
    if end - start <= _LONG:
        yield start, end
        return
    for a, b in pairwise([start, *cuts(text, start, end, "；;"), end]):
        first = a
        for _, stop in pairwise([a, *(cuts(text, a, b, "，,") if b - a > _LONGEST else ()), b]):
            following = next((x for x in (*cuts(text, stop, b, "，,"), b) if x > stop), b)
            if stop == b or following - first > _LONG:
                yield first, stop
                first = stop


def cuts(text: str, start: int, end: int, marks: str) -> list[int]:
    """The places within `[start, end)` right after one of `marks`, none within brackets, quotation marks or numbers."""
    depth, found = 0, []
    for i in range(start, end):
        depth = max(0, depth + (text[i] in _OPEN) - (text[i] in _CLOSE))
        between_digits = text[i - 1 : i].isdigit() and text[i + 1 : i + 2].isdigit()
        if text[i] in marks and not depth and not between_digits and i + 1 < end:
            found.append(i + 1)
    return found


_OPEN, _CLOSE = "（(《“「『【[", "）)》”」』】]"


def _best_asked(
    likeness: Sequence[float], answers: Sequence[Sequence[Span]], start: int, end: int
) -> tuple[float, tuple[Span, ...]]:
    """The likeness of the likest question that `[start, end)` answers, at least in part, and the words that do."""
    best: float = 0.0
    words: tuple[Span, ...] = ()
    for like, spans in zip(likeness, answers, strict=False):
        if like > best:
            inside = tuple((max(s, start), min(e, end)) for s, e in spans if s < end and start < e)
            if inside:
                best, words = like, inside
    return best, words


def _share_of(terms: frozenset[str], weights: Mapping[str, float]) -> float:
    total = sum(weights.values())
    return sum(weight for term, weight in weights.items() if term in terms) / total if total else 0.0
