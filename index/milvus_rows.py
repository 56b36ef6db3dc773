"""A generation on disk → the rows that Milvus holds of it, some passages at a time."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from index.interaction import InteractionIndex
from index.lexical import VIEWS, TermView, inverse_frequency
from index.milvus import Record
from index.milvus_schema import (
    HEADS,
    LONGEST,
    LONGEST_PLACE,
    NOWHERE,
    PLACES,
    QUESTIONS,
    SENTENCES,
    WORDS,
    word_dimension,
)
from index.milvus_tables import Terms, blob_rows
from index.postings import Table
from index.rows import dump_rows
from index.snapshot import Snapshot
from index.types import Floats, Ints, Mask
from index.views import View

_BLOCK = 8_192
"""So many passages are turned at a time: what stands by term comes to stand by passage, in bounded memory."""
_ELSEWHERE: Record = {"record": "", "units": "", "asked": "", "plain": {NOWHERE: 1.0}, "expanded": {NOWHERE: 1.0}}


def terms_of(snapshot: Snapshot) -> dict[str, Terms]:
    """All terms by the view of lexical search, numbered through."""
    found: dict[str, Terms] = {}
    first = NOWHERE + 1
    for name in VIEWS:
        views = [x.lexical.views[name] for x in (snapshot.plain, snapshot.expanded)]
        keys = np.unique(np.concatenate([table.counts.keys for view in views for table in view.tables]))
        found[name] = Terms.of(name, first, keys, *(_weights(view, keys) for view in views))
        first += len(keys)
    return found


def _weights(view: TermView, keys: np.ndarray) -> Floats:
    """The inverse document frequencies of keys, float32; 0 of those that no passage has."""
    occurrences = np.sum([table.spans(keys)[2] for table in view.tables], axis=0, dtype=np.int64)
    weights: Floats = np.where(occurrences > 0, inverse_frequency(np.asarray(occurrences), view.size), np.float32(0))
    return weights


@dataclass(frozen=True, slots=True)
class _Weights:
    """The terms of passages `[first, …)`: those of the `n`th are `dimensions[starts[n]:starts[n + 1]]`, int64, with what
    each weighs there, float32."""

    first: int
    starts: Ints
    dimensions: Ints
    weights: Floats

    @classmethod
    def of(cls, view: View, terms: _Numbered, block: range, only: Mask | None = None) -> _Weights:
        """BM25 without the inverse document frequency, which is the question's half: tf / (tf + norm).

        `only`, bool `[block]`: of these passages alone.
        """
        tables = ((name, table) for name in VIEWS for table in view.lexical.views[name].tables)
        found = [_of_table(table, block, terms, name) for name, table in tables if _overlap(table, block)]
        rows, dimensions, weights = (np.concatenate(x) for x in zip(*found, strict=True))
        if only is not None:
            kept = only[rows]
            rows, dimensions, weights = rows[kept], dimensions[kept], weights[kept]
        order = np.argsort(rows, kind="stable")
        starts = np.searchsorted(rows[order], np.arange(len(block) + 1)).astype(np.int64)
        return cls(block.start, starts, dimensions[order], weights[order])

    def row(self, number: int) -> dict[int, float]:
        """The sparse vector of a passage; never an empty one."""
        some = slice(*self.starts[number - self.first : number - self.first + 2].tolist())
        found = dict(zip(self.dimensions[some].tolist(), self.weights[some].tolist(), strict=True))
        return found or {NOWHERE: 1.0}


class _Numbered:
    """The dimensions of all terms, table by table; what was looked up is kept."""

    def __init__(self, terms: Mapping[str, Terms]) -> None:
        self._terms = terms
        self._known: dict[int, Ints] = {}

    def of(self, name: str, table: Table) -> Ints:
        """The dimension of each term of a table, int64."""
        found = self._known.get(id(table))
        if found is None:
            found = self._known[id(table)] = self._terms[name].dimensions(np.asarray(table.counts.keys))
        return found


def _overlap(table: Table, block: range) -> bool:
    return bool(table.rows.start < block.stop and block.start < table.rows.stop)


def _of_table(table: Table, block: range, terms: _Numbered, name: str) -> tuple[Ints, Ints, Floats]:
    """The postings of a block in one table: the passage, from the block's first, the dimension and the weight of each."""
    counts = table.counts
    first, last = block.start - table.first, block.stop - table.first
    places = np.flatnonzero((counts.rows >= max(first, 0)) & (counts.rows < last))
    rows = counts.rows[places].astype(np.int64)
    if table.only is not None:
        counted = table.only[rows]
        places, rows = places[counted], rows[counted]
    dimensions = terms.of(name, table)
    numbers = np.searchsorted(counts.offsets, places, side="right") - 1
    frequencies = counts.frequencies[places].astype(np.float32)
    weights: Floats = frequencies / (frequencies + table.norms[rows])
    return rows - first, dimensions[numbers], weights


class Rows:
    """All rows of a generation, passage by passage."""

    def __init__(self, snapshot: Snapshot, terms: Mapping[str, Terms]) -> None:
        self._snapshot = snapshot
        self._terms = _Numbered(terms)
        self.aside: list[Record] = []
        """The rows of the tables that hold those records of passages so far which are too long for a field."""
        self._names, self._holders, self._held = _places_of(snapshot)
        every = np.arange(len(snapshot.rows))
        lengths = [view.pieces.pieces_of(every)[1] for view in (snapshot.plain, snapshot.expanded)]
        self.total = int(sum(x.sum() for x in lengths)) + sum(len(units) for units, _ in _vocabulary(snapshot))
        """How many rows there are."""

    def __iter__(self) -> Iterator[tuple[str, Record]]:
        """The partition of each row, and the row; a passage's head before its other pieces."""
        snapshot = self._snapshot
        for start in range(0, len(snapshot.rows), _BLOCK):
            block = range(start, min(start + _BLOCK, len(snapshot.rows)))
            plain = _Weights.of(snapshot.plain, self._terms, block)
            # Of a passage without expansions the plain vector says all.
            has = snapshot.has_expansions[block.start : block.stop]
            expanded = _Weights.of(snapshot.expanded, self._terms, block, has)
            for number in block:
                yield from self._of(number, plain.row(number), expanded.row(number))
        for units, vectors in _vocabulary(snapshot):
            yield from ((WORDS, _word(unit, vector)) for unit, vector in zip(units.tolist(), vectors, strict=True))

    def _of(self, number: int, plain: dict[int, float], expanded: dict[int, float]) -> Iterator[tuple[str, Record]]:
        snapshot = self._snapshot
        row = snapshot.rows[number]
        shared: Record = {
            "row": number,
            "document": row.passage.document_id,
            "year": int(snapshot.years[number]),
            "places": self._places(number),
            "enriched": bool(row.expansions),
        }
        record = dump_rows([row])
        if len(record) > LONGEST:
            self.aside += blob_rows(f"record:{number}", record)
        for vector, view in ((plain, snapshot.plain), (expanded, snapshot.expanded)):
            vector |= dict.fromkeys(map(word_dimension, _units(view.words, number).tolist()), 1.0)
        head: Record = {
            "record": record.decode("utf-8") if len(record) <= LONGEST else "",
            "units": _packed(_units(snapshot.plain.words, number)),
            "asked": _packed(_units(snapshot.expanded.words, number)),
            "plain": plain,
            "expanded": expanded,
        }
        for partition, view, mark in ((SENTENCES, snapshot.plain, "s"), (QUESTIONS, snapshot.expanded, "q")):
            pieces, _ = view.pieces.pieces_of(np.array([number]))
            for n, vector in enumerate(view.pieces.vectors(pieces)):
                is_head = view is snapshot.plain and n == 0
                name = row.passage.id if is_head else f"{row.passage.id}#{mark}{n}"
                own = head if is_head else _ELSEWHERE
                yield HEADS if is_head else partition, {**shared, **own, "id": name, "piece": n, "dense": vector}

    def _places(self, number: int) -> list[str]:
        """The places of the corpus that a passage holds."""
        first, last = np.searchsorted(self._holders, [number, number + 1]).tolist()
        return [self._names[n] for n in self._held[first : min(last, first + PLACES)].tolist()]


def _places_of(snapshot: Snapshot) -> tuple[Sequence[str], Ints, Ints]:
    """The places of the corpus; then the passages that hold one, rising, and which one that is."""
    names = [place for place in snapshot.names.places if len(place.encode("utf-8")) <= LONGEST_PLACE]
    found = [snapshot.holding(place) for place in names]
    rows = np.concatenate([np.zeros(0, np.int64), *found])
    which = np.repeat(np.arange(len(names)), [len(x) for x in found])
    order = np.argsort(rows, kind="stable")
    return names, rows[order], which[order]


def _vocabulary(snapshot: Snapshot) -> Iterator[tuple[Ints, Floats]]:
    """All words that occur, each once, and their vectors; some at a time."""
    known = np.zeros(0, dtype=np.int64)
    for table in (table for x in (snapshot.plain, snapshot.expanded) if x.words for table in x.words.tables):
        new = np.flatnonzero(~np.isin(table.units, known))
        known = np.union1d(known, table.units)
        for n in range(0, len(new), _BLOCK):
            some = new[n : n + _BLOCK]
            yield table.units[some], table.vectors[some].astype(np.float32) * table.scales[some, None]


def _word(unit: int, vector: Floats) -> Record:
    nowhere = {"row": -1, "document": "", "year": 0, "places": [], "enriched": False}
    return {**nowhere, **_ELSEWHERE, "id": f"{WORDS}:{unit}", "piece": unit, "dense": vector}


def _units(words: InteractionIndex | None, number: int) -> Ints:
    """The distinct words of a passage; none where the encoder knows none."""
    return np.zeros(0, dtype=np.int64) if words is None else words.units_of(number)


def _packed(units: Ints) -> str:
    """Words as a field holds them."""
    width = 4 if units.max(initial=0) < 1 << 31 else 8
    return f"{width}{b64encode(units.astype(f'<i{width}').tobytes()).decode('ascii')}"


def unpacked(text: str) -> Ints:
    """The ids that `_packed` gave, int64."""
    return np.frombuffer(b64decode(text[1:]), dtype=f"<i{text[:1] or 4}").astype(np.int64)
