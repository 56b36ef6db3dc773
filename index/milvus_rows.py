"""A generation on disk → the rows that Milvus holds of it."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from index.interaction import InteractionIndex
from index.lexical import VIEWS, Postings
from index.milvus import Record
from index.milvus_schema import HEADS, LONGEST, LONGEST_PLACE, NOWHERE, PLACES, QUESTIONS, SENTENCES
from index.milvus_tables import Terms, blob_rows
from index.rows import dump_rows
from index.snapshot import Snapshot
from index.types import Floats, Ints
from index.views import View


@dataclass(frozen=True, slots=True)
class Weights:
    """The terms of each row: `dimensions[starts[n]:starts[n + 1]]`, int64, and what each weighs there, float32."""

    starts: Ints
    dimensions: Ints
    weights: Floats

    @classmethod
    def of(cls, view: View, terms: Mapping[str, Terms], size: int) -> Weights:
        """BM25 without the inverse document frequency, which is the question's half: tf / (tf + norm)."""
        found = [_transposed(view.lexical.views[name], terms[name]) for name in VIEWS]
        rows, dimensions, weights = (np.concatenate(x) for x in zip(*found, strict=True))
        order = np.argsort(rows, kind="stable")
        starts = np.searchsorted(rows[order], np.arange(size + 1))
        return cls(starts.astype(np.int64), dimensions[order], weights[order])

    def row(self, number: int) -> dict[int, float]:
        """The sparse vector of a row; never an empty one."""
        some = slice(*self.starts[number : number + 2].tolist())
        found = dict(zip(self.dimensions[some].tolist(), self.weights[some].tolist(), strict=True))
        return found or {NOWHERE: 1.0}


def _transposed(postings: Postings, terms: Terms) -> tuple[Ints, Ints, Floats]:
    """The row, the dimension and the weight of each posting."""
    counts = np.diff(postings.offsets)
    dimensions = np.repeat(terms.dimensions(list(postings.vocabulary)), counts)
    weights: Floats = (postings.impacts / np.repeat(postings.idf, counts)).astype(np.float32)
    return postings.rows.astype(np.int64), dimensions, weights


def terms_of(snapshot: Snapshot) -> dict[str, Terms]:
    """All terms by the view of lexical search, numbered through."""
    found: dict[str, Terms] = {}
    first = NOWHERE + 1
    for name in VIEWS:
        found[name] = Terms.of(
            name, first, *(_weights(x.lexical.views[name]) for x in (snapshot.plain, snapshot.expanded))
        )
        first += len(found[name].keys)
    return found


def _weights(postings: Postings) -> dict[str, float]:
    return {term: float(postings.idf[n]) for term, n in postings.vocabulary.items()}


class Rows:
    """All rows of a generation, passage by passage: the partition of each, and the row."""

    def __init__(self, snapshot: Snapshot, terms: Mapping[str, Terms]) -> None:
        self._snapshot = snapshot
        size = len(snapshot.rows)
        self._plain, self._expanded = (Weights.of(x, terms, size) for x in (snapshot.plain, snapshot.expanded))
        self._places = _places_of(snapshot)
        pieces = [int(x.pieces.starts[-1]) for x in (snapshot.plain, snapshot.expanded)]
        self.total = sum(pieces)
        """How many rows there are."""

    def of(self, number: int) -> Iterator[tuple[str, Record]]:
        """The rows of a passage, its head first."""
        snapshot = self._snapshot
        row = snapshot.rows[number]
        document = snapshot.documents[row.passage.document_id]
        shared: Record = {
            "row": number,
            "document": document.id,
            "year": document.year,
            "places": self._places[number],
            "enriched": bool(row.expansions),
        }
        empty: Record = {"record": "", "units": "", "asked": ""}
        nowhere = {NOWHERE: 1.0}
        record = dump_rows([row])
        head: Record = {
            "record": record.decode("utf-8") if len(record) <= LONGEST else "",
            "units": _packed(snapshot.plain.words, number),
            "asked": _packed(snapshot.expanded.words, number),
            "plain": self._plain.row(number),
            "expanded": self._expanded.row(number),
        }
        for partition, view, mark in ((SENTENCES, snapshot.plain, "s"), (QUESTIONS, snapshot.expanded, "q")):
            start, stop = view.pieces.starts[number : number + 2].tolist()
            for n, vector in enumerate(view.pieces.vectors(np.arange(start, stop))):
                is_head = view is snapshot.plain and n == 0
                own = head if is_head else {**empty, "plain": nowhere, "expanded": nowhere}
                name = row.passage.id if is_head else f"{row.passage.id}#{mark}{n}"
                yield HEADS if is_head else partition, {**shared, **own, "id": name, "piece": n, "dense": vector}

    def overlong(self, number: int) -> Iterator[Record]:
        """The rows of the tables that hold the record of a passage, where it is too long for a field."""
        record = dump_rows([self._snapshot.rows[number]])
        return blob_rows(f"record:{number}", record) if len(record) > LONGEST else iter(())


def _packed(words: InteractionIndex | None, number: int) -> str:
    """The distinct words of a row, as ids of the encoder."""
    if words is None:
        return ""
    units = words.units[words.terms[words.starts[number] : words.starts[number + 1]]]
    width = 4 if units.max(initial=0) < 1 << 31 else 8
    return f"{width}{b64encode(units.astype(f'<i{width}').tobytes()).decode('ascii')}"


def unpacked(text: str) -> Ints:
    """The ids that `_packed` gave, int64."""
    return np.frombuffer(b64decode(text[1:]), dtype=f"<i{text[:1] or 4}").astype(np.int64)


def _places_of(snapshot: Snapshot) -> Sequence[list[str]]:
    """The places of the corpus that each passage holds."""
    found: list[list[str]] = [[] for _ in snapshot.rows]
    for place in snapshot.names.places:
        if len(place.encode("utf-8")) <= LONGEST_PLACE:
            for n in np.flatnonzero(snapshot.plain.lexical.holding(place)).tolist():
                if len(found[n]) < PLACES:
                    found[n].append(place)
    return found
