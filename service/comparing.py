"""One subject, year by year: what the reports of each year say about it, or that they don't. No language model.

Each year is searched and read by itself, with the same retriever and the same reader of evidence as an answer. A
place is a fact: a year speaks of it where a passage names it. Of anything else it does where the evidence is good enough.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise

import numpy as np

from corpus.types import Span, merge_spans
from index.evidence import Candidate, EvidenceReader
from index.located import LocatedText
from index.query import Part, Query, Reading
from index.search import HybridRetriever
from index.segment import words
from index.subjects import Subject, form_of, is_named, name_of, place_of, rows_naming, subjects
from index.types import Hit, Ints, Mask
from service.answering import POOL, log_odds
from service.answers import NumberedCitation, Reason, Sentence
from service.comparisons import Cell, Column, Comparing, Comparison
from service.confidence import confidence

# Learnt on `dev` and the calibration questions (eval/README.md). From this confidence on a year has something to say, though
# another has more; how far below the best of its year and of all years, in log-odds, a further sentence may be; and the
# share of what is asked for that a sentence must match to be shown whatever speaks against it.
_EVEN, _GAP, _ACROSS, _SAID = 0.5, 4.0, 6.0, 0.85
# Likeness of a known question from which its answer is marked.
_LIKE = 0.45
# Share of the shorter one's pairs of characters that another sentence has: from here on it says the same.
_SAME = 0.8
_LEAST_WORD = 2
_UNDERSTOOD = ("name", "year", "latest")
_MARKS = re.compile(r"[。；，、：,;:！？!?]")


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is looked for: one part, or one a place where several are named; in the reports of `years`, where any are.

    `named` is what a silent year is told to be silent about. `place` is the subject, where it is one: `naming` are the
    rows that name it. `topic` are the words asked for beside the place.
    """

    named: str
    topic: str
    parts: tuple[Part, ...]
    years: tuple[int, ...]
    notices: tuple[str, ...]
    place: str | None = None
    naming: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    @property
    def is_all(self) -> bool:
        """Whatever is said about a place will do."""
        return not self.topic


@dataclass(frozen=True, slots=True)
class _Found:
    """A sentence that may speak of what is asked for; `tier` 0 stands before all of tier 1. `wants` is the kind of answer.

    `own` are its log-odds without its passage's rank.
    """

    hit: Hit
    candidate: Candidate
    tier: int
    odds: float
    own: float
    wants: str


@dataclass(frozen=True, slots=True)
class _Look:
    """What one year has for one part: sentences, best first, and the chance that they hold what is asked for."""

    found: Sequence[_Found] = ()
    chance: float = 0.0

    @property
    def best(self) -> float:
        return max((x.own for x in self.found), default=-math.inf)


class Comparer:
    """Compares the years over one retriever."""

    def __init__(self, retriever: HybridRetriever, reader: EvidenceReader, threshold: float) -> None:
        """`reader` reads the retriever's hits; `threshold`, 0 to 1, is the confidence below which nothing is answered."""
        self.retriever = retriever
        self._snapshot = retriever.snapshot
        self._names = retriever.snapshot.names
        self._threshold = threshold
        self._reader = reader

    @cached_property
    def subjects(self) -> tuple[Subject, ...]:
        """The places to choose from, those of most years first."""
        return tuple(subjects(self._snapshot))

    def compare(self, subject: str, aspect: str | None, how: Comparing) -> Comparison:
        """The years of all reports that may be found, or those alone that the subject or its aspect names."""
        started = time.perf_counter()
        asked = self._asked(subject, aspect)
        allowed = self._snapshot.mask(how.filters)
        looks = {x: [self._look(part, asked, how, x) for part in asked.parts] for x in self._years(asked, allowed)}
        citations: list[NumberedCitation] = []
        columns = []
        for year, some in looks.items():
            found = [x.found if asked.is_all else self._good(x, year, n, asked, looks) for n, x in enumerate(some)]
            columns.append(self._column(year, found, asked, how, allowed, citations))
        took = round((time.perf_counter() - started) * 1000, 2)
        generation = self._snapshot.name
        return Comparison(
            subject, aspect, asked.place, tuple(columns), tuple(citations), generation, took, asked.notices
        )

    def _asked(self, subject: str, aspect: str | None) -> _Asked:
        query = self.retriever.understand(subject)
        place = place_of(query.parts[-1].text, self._names)
        if place is None:
            query = self.retriever.understand(f"{subject} {aspect}") if aspect else query
            apart = tuple(part for part in query.parts[:-1] if part.year is None)
            whole = query.parts[-1]
            return _Asked(aspect or subject, whole.text, apart or (whole,), whole.years, _notices(query.readings))
        notices = _notices(query.readings)
        if aspect:
            query = self.retriever.understand(aspect)
            notices += _notices(query.readings)
        whole = query.parts[-1]
        topic = whole.text if aspect else ""
        # By whatever name a place is asked for, the same is found.
        part = replace(whole, text=topic or name_of(place, self._names)[1], places=(place,), place=place)
        naming = rows_naming(self._snapshot, place)
        return _Asked(aspect or subject, topic, (part,), part.years, notices, place, naming)

    def _years(self, asked: _Asked, allowed: Mask | None) -> list[int]:
        """The years of the reports that may be found; only those asked for, where any are."""
        years = self._snapshot.years if allowed is None else self._snapshot.years[allowed]
        found = [int(year) for year in np.unique(years)]
        return [year for year in found if year in asked.years] or found

    # -- one year -----------------------------------------------------------------------------------

    def _look(self, part: Part, asked: _Asked, how: Comparing, year: int) -> _Look:
        """What the reports of one year have for a part."""
        filters = replace(how.filters, years=(year, year))
        query = Query(part.text, (part,))
        hits = self.retriever.search(query, max(POOL, how.per_year), "hybrid", filters, how.expansions)
        evidence = self._reader.read(part, hits, how.expansions)
        found = []
        for x in evidence.candidates:
            hit = hits[x.hit]
            tier = self._tier(x, hit, asked)
            if tier is not None and _is_sentence(x, hit):
                odds = log_odds(x, hit), log_odds(x, hit, ranked=False)
                found.append(_Found(hit, x, tier, *odds, evidence.wants.kind))
        if not found:
            return _Look()
        found.sort(key=lambda x: (x.tier, -x.odds, x.hit.rank, x.candidate.start))
        is_expanded = how.expansions and self._reader.has_questions(found[0].hit.passage.id)
        return _Look(found, confidence(evidence, found[0].candidate, is_expanded))

    def _good(
        self, look: _Look, year: int, part: int, asked: _Asked, looks: Mapping[int, Sequence[_Look]]
    ) -> list[_Found]:
        """What of a year answers part number `part` well enough, or says nearly all that is asked for.

        The confidence must be that of an answer, for a year that is asked for and for the one that has most to say. For
        the others it must be higher: with each further year that is tried, chance has one more.
        """
        others = [some[part] for some in looks.values()]
        is_asked = year in asked.years
        is_wanted = is_asked or look.chance >= max(x.chance for x in others)
        is_sure = look.chance >= (self._threshold if is_wanted else max(self._threshold, _EVEN))
        least = look.best - _GAP
        if not is_asked:
            least = max(least, max(x.best for x in others) - _ACROSS)
        return [x for x in look.found if (is_sure and x.own >= least) or x.candidate.meaning >= _SAID]

    def _column(
        self,
        year: int,
        found: Sequence[Sequence[_Found]],
        asked: _Asked,
        how: Comparing,
        allowed: Mask | None,
        citations: list[NumberedCitation],
    ) -> Column:
        here = self._snapshot.years == year
        here = here if allowed is None else here & allowed
        known = self._snapshot.documents.values()
        documents = tuple(x for x in known if x.year == year and here[self._snapshot.rows_of(x.id)].any())
        naming = int(here[asked.naming].sum())
        # A report that only its title says to be of the place has no passage that names it.
        mentioned = max(naming if asked.is_all else 0, len({x.hit.passage.id for some in found for x in some}))
        chosen = _reading_order(_distinct(_in_turn(found), how.per_year))
        cells = tuple(self._cell(x, asked, citations) for x in chosen)
        return Column(year, documents, mentioned, cells, None if cells else _silence(year, asked, naming))

    def _tier(self, candidate: Candidate, hit: Hit, asked: _Asked) -> int | None:
        """None for what is beside the subject; of a place, what stands under its heading before what names it itself."""
        if asked.place is None:
            return None if candidate.is_beside else 0
        if candidate.elsewhere or not candidate.year:
            return None
        above = "\n".join([*hit.passage.section, hit.passage.lead or "", hit.citation.title])
        if is_named(above, asked.place, self._names):
            return 0
        text = hit.passage.text[candidate.start : candidate.end]
        return int(asked.is_all) if is_named(text, asked.place, self._names) else None

    def _cell(self, found: _Found, asked: _Asked, citations: list[NumberedCitation]) -> Cell:
        """A sentence with its citation, which takes the next number."""
        passage, candidate = found.hit.passage, found.candidate
        start = candidate.start
        end = start + len(passage.text[start : candidate.end].rstrip())
        citation = self._snapshot.citation(passage, start, end)
        citations.append(NumberedCitation(len(citations) + 1, citation, passage.id))
        label = None
        if asked.place is not None:
            around = [passage.lead or "", *reversed(passage.section), citation.title, citation.quote]
            label = form_of(around, asked.place, self._names)
        marks = [*_words_in(citation.quote, asked.topic)]
        if found.wants != "what" and candidate.asked >= _LIKE:
            marks += [(s - start, min(e, end) - start) for s, e in candidate.answers if s < end]
        return Cell(
            passage.document_id, Sentence(citation.quote, (len(citations),), merge_spans(marks), label), passage.section
        )


def _silence(year: int, asked: _Asked, naming: int) -> Reason:
    """Why a year has nothing to show; `naming` passages name the place."""
    if asked.place is None:
        return Reason("not_covered", f"{year} 年的报告里没有找到说到“{asked.named}”的句子。")
    if not naming:
        return Reason("no_place_year", f"{year} 年的报告没有提到{asked.place}。")
    return Reason("not_covered", f"{year} 年的报告提到{asked.place}，但没有找到说到“{asked.named}”的句子。")


def _notices(readings: Iterable[Reading]) -> tuple[str, ...]:
    """What the reader should know of how the subject was understood."""
    return tuple(x.message for x in readings if x.kind in _UNDERSTOOD)


def _is_sentence(candidate: Candidate, hit: Hit) -> bool:
    """Whether a line of running text is a sentence, and not a name or a date on a title page."""
    passage = hit.passage
    return passage.kind != "text" or _MARKS.search(passage.text, candidate.start, candidate.end) is not None


def _in_turn(lists: Sequence[Sequence[_Found]]) -> list[_Found]:
    """The best of each list, then the second best of each, and so on."""
    longest = max(map(len, lists), default=0)
    return [some[n] for n in range(longest) for some in lists if n < len(some)]


def _distinct(found: Iterable[_Found], most: int) -> list[_Found]:
    """The first `most` sentences of which none says again what one before it says."""
    chosen: list[_Found] = []
    seen: list[set[tuple[str, str]]] = []
    for x in found:
        pairs = set(pairwise(x.hit.passage.text[x.candidate.start : x.candidate.end]))
        if len(chosen) < most and all(len(pairs & other) < _SAME * min(len(pairs), len(other)) for other in seen):
            chosen.append(x)
            seen.append(pairs)
    return chosen


def _reading_order(chosen: Sequence[_Found]) -> list[_Found]:
    """The passage of the best sentence first; the sentences of one passage as they follow each other in it."""
    first: dict[str, int] = {}
    for n, x in enumerate(chosen):
        first.setdefault(x.hit.passage.id, n)
    return sorted(chosen, key=lambda x: (first[x.hit.passage.id], x.candidate.start))


def _words_in(text: str, wanted: str) -> Iterator[Span]:
    """Where the words that are asked for stand in a text."""
    located = LocatedText(text)
    for word in set(words(wanted)):
        if len(word) >= _LEAST_WORD:
            yield from located.places(word)
