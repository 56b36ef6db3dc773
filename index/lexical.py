"""BM25 over two views of a passage: jieba words, and Han characters as unigrams and bigrams.

Scores are Lucene's BM25: idf·tf/(tf + k1·(1 − b + b·dl/avgdl)), idf = ln(1 + (N − df + ½)/(df + ½))
(Robertson and Zaragoza, The Probabilistic Relevance Framework, 2009; the variant as in Kamphuis et al.,
ECIR 2020). What is stored counts terms, segment by segment, so that adding passages changes no count of the others; what
the whole index says of a term is added up when a question has it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from index.counting import count
from index.counts import Counts
from index.maxscore import LikelySums, Terms, best_rows, likely_rows
from index.postings import Lists, Table
from index.segment import characters, words
from index.terms import term_key
from index.types import Floats, Ints, Mask

K1 = 1.2
B = 0.75
VIEWS: Mapping[str, Callable[[str], list[str]]] = {"characters": characters, "words": words}

_FEW = 4096
"""So few passages are looked up one by one sooner than the best are found among all."""

_KEPT = 16
"""So many names are remembered with the passages that have them: one question asks for a place's several times."""


@dataclass(frozen=True, slots=True)
class TermView:
    """One view of all `size` passages: its tables in the order of their rows.

    Of a segment in which only some passages have expansions there are two: theirs, and the plain one of the others.
    """

    tables: Sequence[Table]
    size: int

    @classmethod
    def of(cls, segments: Sequence[Sequence[tuple[Counts, Mask | None]]]) -> TermView:
        """Of each segment's counts, with the rows of which they count; a row is in one table at most."""
        lengths = [_lengths(tables) for tables in segments]
        size = sum(map(len, lengths))
        mean = sum(int(x.sum()) for x in lengths) / max(size, 1) or 1.0
        found, first = [], 0
        for tables, own in zip(segments, lengths, strict=True):
            norms: Floats = (K1 * (1 - B) + K1 * B / mean * own).astype(np.float32)
            found += [Table.of(counts, first, norms, only) for counts, only in tables]
            first += len(own)
        return cls(found, size)

    def weight(self, term: str, unknown: float = 0.0) -> float:
        """A term's idf, or `unknown` for one that no passage has."""
        idf, occurrences, _ = self.look_up([term])
        return float(idf[0]) if occurrences[0] else float(unknown)

    def weights(self, terms: Collection[str]) -> dict[str, float]:
        """Each term's idf, 0 for one that no passage has."""
        wanted = sorted(terms)
        idf, occurrences, _ = self.look_up(wanted)
        return dict(zip(wanted, np.where(occurrences > 0, idf, 0).tolist(), strict=True))

    def look_up(self, terms: Sequence[str]) -> tuple[Floats, Ints, list[tuple[Ints, Ints]]]:
        """Of each term its idf, float32, and in how many passages it occurs, int64; by table where its postings are."""
        keys = np.array([term_key(term) for term in terms], dtype=np.uint64)
        found = [table.spans(keys) for table in self.tables]
        occurrences = np.sum([number for _, _, number in found], axis=0, dtype=np.int64) + np.zeros(len(keys), np.int64)
        return inverse_frequency(occurrences, self.size), occurrences, [(a, b) for a, b, _ in found]

    def scores(self, terms: Iterable[str]) -> Floats:
        """float32 `[size]`: each passage's BM25 score for the distinct terms; 0 where it has none. All are looked at."""
        idf, _, spans = self.look_up(sorted(set(terms)))
        scores = np.zeros(self.size)
        for table, (starts, stops) in zip(self.tables, spans, strict=True):
            Lists(table, starts, stops, idf).add(scores[table.rows], 0, len(idf))
        return scores.astype(np.float32)

    def holds(self, term: str, row: int) -> bool:
        """Whether a passage has a term."""
        return bool(self.hold([term], np.array([row], dtype=np.int64))[0])

    def hold(self, terms: Iterable[str], rows: Ints) -> Mask:
        """bool `[rows]`: which of some passages, rising, have all of the terms; none where there are no terms."""
        wanted = sorted(set(terms))
        held = np.zeros(len(rows), dtype=np.bool_)
        for table, (starts, stops) in zip(self.tables, self.look_up(wanted)[2], strict=True):
            some = _within(rows, table)
            local = rows[some] - table.first
            each = [table.held(a, b, local) for a, b in zip(starts.tolist(), stops.tolist(), strict=True)]
            held[some] |= np.logical_and.reduce(each) if each else False
        return held

    def holding(self, terms: Iterable[str]) -> Ints:
        """The passages that have all of the terms, int64, rising; none where there are no terms."""
        wanted = sorted(set(terms))
        if not wanted:
            return np.zeros(0, dtype=np.int64)
        found = [np.zeros(0, dtype=np.int64)]
        for table, (starts, stops) in zip(self.tables, self.look_up(wanted)[2], strict=True):
            rarest = int(np.argmin(stops - starts))
            rows = table.counts.rows[starts[rarest] : stops[rarest]].astype(np.int64)
            for a, b in zip(starts.tolist(), stops.tolist(), strict=True):
                rows = rows[table.held(a, b, rows)]
            found.append(rows + table.first)
        return np.sort(np.concatenate(found))


@dataclass(frozen=True, slots=True)
class LexicalQuery:
    """A question as an index looks for it: made once by `LexicalIndex.prepare`, good for that index alone.

    `lists` are for each view those of its tables, and add up to shares of the question. `coverage`: how much of the
    question the index can see at all, 0 (another language) to 1.
    """

    lists: Sequence[Sequence[Lists]]
    terms: Terms
    coverage: float


def inverse_frequency(document_frequency: np.ndarray, size: int) -> Floats:
    """Lucene's idf, float32, of the shape given."""
    idf: Floats = np.log(1 + (size - document_frequency + 0.5) / (document_frequency + 0.5)).astype(np.float32)
    return idf


class LexicalIndex:
    """Both views of all passages; what a passage has of a question is the mean of both.

    `searched` are the numbers of the tables, the same in each view, in which `best` looks.
    """

    def __init__(self, views: Mapping[str, TermView], searched: Sequence[int]) -> None:
        self.views = views
        self._searched = searched
        self._holding: dict[str, Ints] = {}

    @classmethod
    def of(cls, plain: Sequence[Mapping[str, Counts]]) -> LexicalIndex:
        """The index of each segment's counts by view."""
        views = {name: TermView.of([[(segment[name], None)] for segment in plain]) for name in VIEWS}
        return cls(views, range(len(plain)))

    @classmethod
    def with_expansions(
        cls, plain: Sequence[Mapping[str, Counts]], expanded: Sequence[Mapping[str, Counts]]
    ) -> LexicalIndex:
        """The index of the passages that have expansions with these, and of the others as they are.

        Raises:
            ValueError: some passages of a segment have expansions and some have none, and its plain counts don't say
                which terms they share (`Counts.shared_with`).
        """
        pairs = list(zip(plain, expanded, strict=True))
        segments = {name: [_with_expansions(a[name], b[name]) for a, b in pairs] for name in VIEWS}
        one = next(iter(VIEWS))
        own = [counts is b[one] for (_, b), tables in zip(pairs, segments[one], strict=True) for counts, _ in tables]
        return cls(
            {name: TermView.of(x) for name, x in segments.items()}, [n for n, is_own in enumerate(own) if is_own]
        )

    @classmethod
    def build(cls, texts: Sequence[str]) -> LexicalIndex:
        """The index of some texts, in one segment."""
        return cls.of([{name: count([terms(text) for text in texts]) for name, terms in VIEWS.items()}])

    @property
    def size(self) -> int:
        """How many passages."""
        return self.views["characters"].size

    def prepare(self, text: str) -> LexicalQuery:
        """What the index knows of a question's terms; one that it doesn't know weighs most."""
        lists, occurrences, weights, coverage = [], [], [], []
        for name, view in self.views.items():
            idf, number, spans = view.look_up(_terms(text)[name])
            total = float(idf.sum(dtype=np.float64)) or 1.0
            known = np.flatnonzero(number)
            known = known[np.argsort(number[known], kind="stable")]
            shares = (idf[known] / np.float32(total * len(self.views))).astype(np.float32)
            lists.append([Lists(x, a[known], b[known], shares) for x, (a, b) in zip(view.tables, spans, strict=True)])
            occurrences.append(number[known])
            weights.append(shares)
            coverage.append(float(idf[known].sum(dtype=np.float64)) / total)
        order = np.argsort(np.concatenate(occurrences), kind="stable")
        places = np.empty(len(order), dtype=np.int64)
        places[order] = np.arange(len(order))
        ranks = np.split(places, np.cumsum([len(x) for x in weights])[:-1])
        terms = Terms(np.concatenate(occurrences)[order], np.concatenate(weights)[order], ranks)
        return LexicalQuery(lists, terms, coverage[list(self.views).index("characters")])

    def shares(self, query: LexicalQuery, rows: Ints) -> Floats:
        """float32 `[rows]`, 0 to 1: how much of the question some passages have, by weight, in the mean of both views.

        BM25 divided by the most that a passage could score, so that arms and corpora can be compared. `rows` rise.
        """
        shares = np.zeros(len(rows))
        for lists in query.lists:
            for one in lists:
                some = _within(rows, one.table)
                shares[some] += one.at(rows[some] - one.table.first, 0, len(one.weights))
        return shares.astype(np.float32)

    def best(self, query: LexicalQuery, count: int, allowed: Mask | None = None) -> Ints:
        """The `count` passages with the largest positive share, int64, best first, ties by row; see `index.maxscore`.

        Only those that may be found, bool `[size]`, and in an index with expansions only those that have some.
        """
        if allowed is None or np.count_nonzero(allowed) > _FEW:
            return best_rows([[x[n] for x in query.lists] for n in self._searched], query.terms, count, allowed)
        rows = self._only_searched(np.flatnonzero(allowed))
        shares = self.shares(query, rows)
        order = np.lexsort((rows, -shares))[:count]
        best: Ints = rows[order][shares[order] > 0]
        return best

    def _only_searched(self, rows: Ints) -> Ints:
        """Those of some rows that a search may find."""
        kept = np.zeros(len(rows), dtype=np.bool_)
        for n in self._searched:
            table = self.views["characters"].tables[n]
            some = _within(rows, table)
            kept[some] = table.counts.lengths[rows[some] - table.first] > 0
        return rows[kept]

    def likely(self, query: LexicalQuery, count: int, allowed: Mask | None = None) -> Ints:
        """The `count` passages that have most of the question's rarest terms, int64: as `best`, in a fraction of its time.

        Who scores them anew, with what another arm found, needs no more: see `index.maxscore.likely_rows`.
        """
        if allowed is not None and np.count_nonzero(allowed) <= _FEW:
            return self._only_searched(np.flatnonzero(allowed))
        lists = [[of_view[n] for of_view in query.lists] for n in self._searched]
        return likely_rows(lists, query.terms, count, allowed)

    def rough_shares(self, query: LexicalQuery) -> LikelySums:
        """`shares` of all passages, segment by segment, by the terms of `likely`."""
        return LikelySums([[of_view[n] for of_view in query.lists] for n in self._searched], query.terms)

    def holding(self, name: str) -> Ints:
        """The passages that have all characters of a name, two by two: int64, rising; read-only."""
        found = self._holding.get(name)
        if found is None:
            found = self.views["characters"].holding(_of_name(name))
            found.flags.writeable = False
            if len(self._holding) >= _KEPT:
                self._holding = {}  # another thread may be reading the old one
            self._holding[name] = found
        return found

    def holds(self, name: str, rows: Ints) -> Mask:
        """bool `[rows]`: which of some passages, rising, have all characters of a name, two by two."""
        return self.views["characters"].hold(_of_name(name), rows)


def build_postings(texts: Sequence[Sequence[str]]) -> TermView:
    """One view of some texts, in one segment; `texts` are the terms of each."""
    return TermView.of([[(count(texts), None)]])


@lru_cache(maxsize=64)
def _terms(text: str) -> Mapping[str, Sequence[str]]:
    """A question's distinct terms in each view, rising: every index of a search is asked for the same."""
    return {name: sorted(set(terms(text))) for name, terms in VIEWS.items()}


def _of_name(name: str) -> list[str]:
    terms = characters(name)
    return [t for t in terms if len(t) > 1] or terms


def _with_expansions(plain: Counts, expanded: Counts) -> list[tuple[Counts, Mask | None]]:
    has = expanded.lengths > 0
    if not has.any():
        return [(plain, None)]
    if has[plain.lengths > 0].all():
        return [(expanded, None)]
    if plain.shared is None:
        raise ValueError("only some passages have expansions, and the plain counts do not say what they share")
    return [(expanded, None), (plain, ~has)]


def _lengths(tables: Sequence[tuple[Counts, Mask | None]]) -> Ints:
    """Of each passage of a segment, in the table that counts for it."""
    lengths = np.zeros(tables[0][0].size, dtype=np.int64)
    for counts, only in tables:
        lengths += counts.lengths if only is None else np.where(only, counts.lengths, 0)
    return lengths


def _within(rows: Ints, table: Table) -> slice:
    """Which of some rows, rising, are a table's."""
    return slice(*np.searchsorted(rows, [table.rows.start, table.rows.stop]).tolist())
