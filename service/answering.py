"""Hits → the fewest sentences that answer, in the reports' own words. No language model.

What kind of answer is asked for steers the choice: one sentence with the figure for «多少», all items for «哪些», one
sentence a side for a comparison, one a clause where a question asks several things at once. Each sentence is exactly
the source text of its citation; a very long one is cut to the clauses around the words that answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from corpus.sentences import sentence_spans
from corpus.types import Passage, Span
from index.evidence import Candidate, Evidence, cuts
from index.kinds import Wanted, figure_span, fits, sub_questions
from index.names import Names
from index.query import Part, Query, named_places
from index.ranking import Source
from index.types import Hit
from service.answers import NumberedCitation, Sentence

Read = Callable[[Part, Sequence[Hit]], Evidence]

POOL = 8
"""Hits that an answer may be chosen from."""

# Log-odds that a candidate holds the answer: learnt on `dev` and the calibration questions (eval/README.md).
_WEIGHTS = {"meaning": 6.3, "asked": 11.7, "fits": 3.4, "year": 2.6, "place": 1.2, "named": 2.0, "rank": 4.2}
# Characters of a sentence; a figure needs few words around it, and a list is shown whole.
_LONGEST, _LONGEST_FIGURE, _LONGEST_LIST = 100, 80, 400
_FIGURES = ("how_many", "rank", "when")

# How far below the best, in log-odds, a further sentence may be: of a list, of its sibling sections, of a clause, a part.
_LIST_GAP, _SIBLING_GAP, _CLAUSE_GAP, _PART_GAP = 1.5, 6.0, 5.0, 8.0
_MOST_ITEMS = 6
_FEWEST_SIBLINGS = 3
_BESIDE, _CLEARLY = 100.0, 0.1
# What a clause that asks counts against the whole question, and what a sentence gains that names its part's place.
_CLAUSE_SHARE = 0.7
_NAMED = 5.0

# Likeness of a known question from which its answer is marked, and from which a sentence may be cut to it.
_LIKE, _SURE = 0.45, 0.55
_FITTING = 0.7

# Kinds of answers that a place belongs to: a heading that names it is their label.
_OF_PLACES = ("where", "who", "list")
_LONGEST_LABEL = 20
_HALTS = "，,；;：:、"


@dataclass(frozen=True, slots=True)
class Chosen:
    """`[start, end)` of the text of hit number `hit`; `marks` are spans of that text that answer."""

    hit: int
    start: int
    end: int
    marks: tuple[Span, ...]
    label: str | None = None


def compose(
    query: Query, hits: Sequence[Hit], evidence: Evidence, read: Read, snapshot: Source
) -> tuple[tuple[Sentence, ...], tuple[NumberedCitation, ...]]:
    """The answer's sentences, each exactly the quote of its citation, and their citations."""
    sentences: list[Sentence] = []
    citations: list[NumberedCitation] = []
    asks_where = evidence.wants.kind in _OF_PLACES
    for number, chosen in enumerate(choose(query, hits, evidence, read), start=1):
        passage = hits[chosen.hit].passage
        label = chosen.label or (_place_above(passage, chosen, snapshot.names) if asks_where else None)
        citation = snapshot.citation(passage, chosen.start, chosen.end)
        marks = tuple((start - chosen.start, end - chosen.start) for start, end in chosen.marks)
        sentences.append(Sentence(citation.quote, (number,), marks, label))
        citations.append(NumberedCitation(number, citation, passage.id))
    return tuple(sentences), tuple(citations)


def _place_above(passage: Passage, chosen: Chosen, names: Names) -> str | None:
    """The nearest heading that names a place, where the sentence itself names none."""
    if named_places(passage.text[chosen.start : chosen.end], names):
        return None
    above = [*passage.section, *([passage.lead] if passage.lead else [])]
    return next((x for x in reversed(above) if len(x) <= _LONGEST_LABEL and named_places(x, names)), None)


def choose(query: Query, hits: Sequence[Hit], evidence: Evidence, read: Read) -> list[Chosen]:
    """The sentences that answer best, in the order in which they are to be read; none where there are no candidates.

    `evidence` is what the hits hold for the whole question, `read` finds it for a part.
    """
    candidates = evidence.candidates
    if not candidates:
        return []
    whole = query.parts[-1]
    odds = _all_odds(candidates, hits)
    asking = sub_questions(whole.text)
    if len(query.parts) > 1:
        chosen = _by_part(query.parts[:-1], hits, read)
    elif asking:
        chosen = _by_clause([replace(whole, text=x) for x in asking], candidates, odds, hits, read)
    else:
        chosen = []
    chosen = chosen or _best(candidates, odds, evidence.wants)
    if evidence.wants.kind == "list":
        chosen += [(x, None) for x in _siblings(chosen[0][0], candidates, odds, hits)]
    shown = (_shown(x, hits[x.hit], evidence.wants, label, not asking) for x, label in _ordered(chosen))
    return list({(x.hit, x.start, x.end): x for x in reversed(list(shown))}.values())[::-1]


def best_candidate(evidence: Evidence, hits: Sequence[Hit]) -> Candidate:
    """The candidate that answers best; there must be one."""
    odds = _all_odds(evidence.candidates, hits)
    return evidence.candidates[odds.index(max(odds))]


def log_odds(candidate: Candidate, hit: Hit, ranked: bool = True) -> float:
    """How likely a candidate holds the answer, as log-odds; the hit's rank counts where it was `ranked` for that."""
    signals = {
        "meaning": candidate.meaning,
        "asked": candidate.asked,
        "fits": candidate.fits,
        "year": candidate.year,
        "place": candidate.place,
        "named": candidate.named,
        "rank": 1 / hit.rank if ranked else 0.0,
    }
    return math.fsum(_WEIGHTS[name] * value for name, value in signals.items())


def _all_odds(candidates: Sequence[Candidate], hits: Sequence[Hit]) -> list[float]:
    """The log-odds of each candidate.

    One of another year or place is no answer, though it may be the likest: it says that there is none. Where another
    speaks of the right ones and matches the question clearly better, those that don't stand behind all that do.
    """
    odds = [log_odds(candidate, hits[candidate.hit]) for candidate in candidates]
    best, _ = max(zip(candidates, odds, strict=True), key=lambda x: x[1])
    own = max((x for x in zip(candidates, odds, strict=True) if not x[0].is_beside), key=lambda x: x[1], default=None)
    if own and best.is_beside and own[0].meaning >= best.meaning + _CLEARLY:
        return [x - _BESIDE * candidate.is_beside for candidate, x in zip(candidates, odds, strict=True)]
    return odds


_Labelled = tuple[Candidate, str | None]


def _best(candidates: Sequence[Candidate], odds: Sequence[float], wants: Wanted) -> list[_Labelled]:
    """The best candidate; for a list those close to it, too."""
    order = sorted(range(len(odds)), key=lambda n: (-odds[n], n))
    most = _MOST_ITEMS if wants.kind == "list" else 1
    return [(candidates[n], None) for n in order[:most] if odds[n] >= odds[order[0]] - _LIST_GAP]


def _by_part(parts: Sequence[Part], hits: Sequence[Hit], read: Read) -> list[_Labelled]:
    """The best candidate for each part of a question, among the hits of its year and place; none much worse."""
    found: list[tuple[float, _Labelled]] = []
    for part in parts:
        own = [hit for hit in hits if _meets(hit, part)]
        candidates = read(part, own).candidates
        odds = [log_odds(x, own[x.hit]) + _names_place(x, own[x.hit], part) for x in candidates]
        if candidates:
            place = max(range(len(odds)), key=odds.__getitem__)
            best = candidates[place]
            where = next(n for n, hit in enumerate(hits) if hit is own[best.hit])
            label = " · ".join([*([f"{part.year}年"] if part.year else []), *([part.place] if part.place else [])])
            found.append((odds[place], (replace(best, hit=where), label or None)))
    least = max((odds for odds, _ in found), default=0.0) - _PART_GAP
    return [labelled for odds, labelled in found if odds >= least]


def _names_place(candidate: Candidate, hit: Hit, part: Part) -> float:
    """What a sentence gains that names the part's place itself, or stands under its heading."""
    around = "".join([hit.passage.text[candidate.start : candidate.end], *hit.passage.section, hit.passage.lead or ""])
    return _NAMED if part.place is not None and part.place in around else 0.0


def _by_clause(
    clauses: Sequence[Part], candidates: Sequence[Candidate], odds: Sequence[float], hits: Sequence[Hit], read: Read
) -> list[_Labelled]:
    """The best candidate for each clause that asks something, judged by the clause and by the whole question."""
    chosen: list[_Labelled] = []
    for clause in clauses:
        own = [log_odds(x, hits[x.hit], ranked=False) for x in read(clause, hits).candidates]
        both = [
            _CLAUSE_SHARE * a + (1 - _CLAUSE_SHARE) * b if b >= max(odds) - _CLAUSE_GAP else -math.inf
            for a, b in zip(own, odds, strict=True)
        ]
        chosen.append((candidates[max(range(len(both)), key=both.__getitem__)], None))
    return chosen


def _siblings(
    best: Candidate, candidates: Sequence[Candidate], odds: Sequence[float], hits: Sequence[Hit]
) -> list[Candidate]:
    """The best candidate of each passage that stands beside or under the best one's: the items of a list of sections.

    None where there are fewer than three: chance neighbours.
    """
    order = sorted(range(len(odds)), key=lambda n: (-odds[n], n))
    first: dict[int, int] = {}
    for n in order:
        first.setdefault(candidates[n].hit, n)
    least = odds[order[0]] - _SIBLING_GAP
    section = hits[best.hit].passage.section
    for path in (section, section[:-1]):
        near = [n for hit, n in first.items() if odds[n] >= least and hits[hit].passage.section[: len(path)] == path]
        items = {(hits[candidates[n].hit].passage.section, hits[candidates[n].hit].passage.lead) for n in near}
        if path and len(items) >= _FEWEST_SIBLINGS:
            return [candidates[n] for n in near]
    return []


def _meets(hit: Hit, part: Part) -> bool:
    """Whether a hit is of the year and the place that a part requires."""
    if part.year is not None and hit.citation.year != part.year:
        return False
    around = "".join([hit.passage.text, *hit.passage.section, hit.passage.lead or "", hit.citation.title])
    return part.place is None or part.place in around


def _ordered(chosen: Iterable[_Labelled]) -> list[_Labelled]:
    """Each candidate once; those of one passage in its reading order, passages as they were chosen first."""
    once: dict[tuple[int, int], _Labelled] = {}
    for candidate, label in chosen:
        once.setdefault((candidate.hit, candidate.start), (candidate, label))
    first = {candidate.hit: n for n, (candidate, _) in reversed(list(enumerate(once.values())))}
    return sorted(once.values(), key=lambda x: (first[x[0].hit], x[0].start))


def _shown(candidate: Candidate, hit: Hit, wants: Wanted, label: str | None, is_one: bool) -> Chosen:
    """A candidate as it is shown: a list whole, a figure with few words around it where `is_one` is asked for."""
    text = hit.passage.text
    marks = _known_marks(candidate, text, wants)
    is_sure = bool(marks) and candidate.asked >= _SURE
    marks = marks or _figure(candidate, text, wants)
    start, end = candidate.start, candidate.end
    if wants.kind == "list":
        start, end = _sentence(text, start, end)
    elif is_sure:
        start, end = _cut(text, start, end, marks, _LONGEST_FIGURE if is_one and wants.kind in _FIGURES else _LONGEST)
    end = start + len(text[start:end].rstrip(_HALTS + " \n"))
    inside = tuple((max(s, start), min(e, end)) for s, e in marks if s < end and start < e)
    return Chosen(candidate.hit, start, end, inside, label)


def _known_marks(candidate: Candidate, text: str, wants: Wanted) -> tuple[Span, ...]:
    """The words that answer the likest known question, where they can answer this one."""
    if candidate.asked < _LIKE or not candidate.answers:
        return ()
    words = "".join(text[start:end] for start, end in candidate.answers)
    return candidate.answers if fits(wants, words) >= _FITTING else ()


def _figure(candidate: Candidate, text: str, wants: Wanted) -> tuple[Span, ...]:
    """The figure that is asked for, the first of its unit."""
    if wants.kind != "how_many":
        return ()
    figure = figure_span(wants, text[candidate.start : candidate.end])
    return ((candidate.start + figure[0], candidate.start + figure[1]),) if figure else ()


def _sentence(text: str, start: int, end: int) -> Span:
    """The whole sentence around a part of one: a list is not cut."""
    around = [(s, e) for s, e in sentence_spans(text) if s <= start and end <= e and e - s <= _LONGEST_LIST]
    return around[0] if around else (start, end)


def _cut(text: str, start: int, end: int, marks: Sequence[Span], longest: int) -> Span:
    """A sentence; of one that is too long, the clauses around the words that answer."""
    if end - start <= longest:
        return start, end
    clauses = list(pairwise([start, *cuts(text, start, end, "，,；;：:。！？!?"), end]))
    first = max(n for n, (a, _) in enumerate(clauses) if a <= marks[0][0])
    last = min(n for n, (_, b) in enumerate(clauses) if b >= marks[-1][1])
    while first > 0 and clauses[last][1] - clauses[first - 1][0] <= longest:
        first -= 1
    while last + 1 < len(clauses) and clauses[last + 1][1] - clauses[first][0] <= longest:
        last += 1
    return clauses[first][0], clauses[last][1]
