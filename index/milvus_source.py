"""A generation in Milvus, as a search reads it: what is known of all passages at once, the passages as they are asked for."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence, Set
from typing import Any, TypeVar, overload

import numpy as np

from corpus.citations import cite_part, cite_passage
from corpus.types import Citation, Passage
from index.described import load_document
from index.interaction import THRESHOLD, Bag, InteractionIndex
from index.milvus import MOST_ROWS, Milvus
from index.milvus_schema import FORMAT, HEADS, QUESTIONS, WORDS, tables_of
from index.milvus_tables import Tables, Weight
from index.names import Names
from index.rows import Row, load_row
from index.segment import characters
from index.snapshot import matches
from index.types import DocumentInfo, Filters, Floats, Ints, Mask

_ROWS, _TEXTS, _TERMS = 4096, 32, 100_000
_TOGETHER = 500
_AHEAD = 64
# So many words are near to one of a question, and so like: as on this machine.
_NEAR, _LEAST = 16, 0.1
_PAGE = 10_000
# So few passages have no more pieces together than a server gives at once.
_PIECES_OF = 256
_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


class _Recent(OrderedDict[_Key, _Value]):
    """The values that were used last; several threads may ask."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most
        self._lock = threading.Lock()

    def among(self, keys: Iterable[_Key], fetch: Callable[[list[_Key]], Mapping[_Key, _Value]]) -> dict[_Key, _Value]:
        """The values of keys; those that are not at hand are fetched together, and may be absent."""
        wanted = list(dict.fromkeys(keys))
        with self._lock:
            found = {key: self[key] for key in wanted if key in self}
            for key in found:
                self.move_to_end(key)
        missing = [key for key in wanted if key not in found]
        fetched = fetch(missing) if missing else {}
        with self._lock:
            self.update(fetched)
            while len(self) > self._most:
                self.popitem(last=False)
        return {**found, **fetched}


class _Rows(Sequence[Row]):
    """All passages, read some at a time."""

    def __init__(self, source: MilvusSource) -> None:
        self._source = source

    def __len__(self) -> int:
        return self._source.size

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | Sequence[Row]:
        numbers = range(len(self))[index]
        if isinstance(numbers, int):
            # Who asks for one goes on to the next: a document's passages, or all.
            self._source.ready(np.arange(numbers, min(numbers + _AHEAD, len(self))))
            return self._source.row(numbers)
        self._source.ready(np.array(numbers, dtype=np.int64))
        return [self._source.row(n) for n in numbers]


class MilvusSource:
    """See `index.ranking.Source` for the contract. A generation is never changed, so that what was read stays true."""

    def __init__(self, milvus: Milvus, name: str) -> None:
        """`name`: the collection.

        Raises what `Milvus` does, and the problems `index_damaged` and `backend_incompatible`.
        """
        self.milvus = milvus
        self.name = name
        self._tables = Tables(milvus, name)
        if milvus.is_lite:  # a server keeps collections loaded
            for collection in (name, tables_of(name)):
                milvus.load(collection)
        try:
            head = json.loads(self._tables.blob("head"))
            is_known = head["format"] == FORMAT
            self.description: Mapping[str, Any] = head["description"]
            self._bits: Mapping[str, int] = head["bits"]
            self.unknown: Sequence[Mapping[str, float]] = head["unknown"]
            """What a term weighs that no passage has, by view of lexical search: in the text, and with expansions."""
            self.names = Names.load(self._tables.blob("names"))
            found = [load_document(line) for line in self._tables.blob("documents").splitlines()]
            self.documents: Mapping[str, DocumentInfo] = {x.id: x for x in found}
            counts = np.array(head["counts"], dtype=np.int64)
            self.years: Ints = np.repeat(np.array([x.year for x in found], dtype=np.int64), counts)
        except (ValueError, KeyError, TypeError) as error:
            is_known = False
            raise self._strange() from error
        if not is_known:
            raise self._strange()
        ends = np.cumsum(counts).tolist()
        self.ranges = {x.id: range(end - n, end) for x, n, end in zip(found, counts.tolist(), ends, strict=True)}
        self._rows: _Recent[int, Row] = _Recent(_ROWS)
        self._texts: _Recent[str, str] = _Recent(_TEXTS)
        self._terms: dict[str, _Recent[str, Weight | None]] = {view: _Recent(_TERMS) for view in self._bits}
        self._near: _Recent[int, dict[int, float]] = _Recent(_TERMS // 10)
        self._years: _Recent[tuple[str, ...], list[int]] = _Recent(_TEXTS * _TEXTS)

    @property
    def size(self) -> int:
        """How many passages."""
        return len(self.years)

    @property
    def rows(self) -> Sequence[Row]:
        """All passages with their expansions, by their numbers."""
        return _Rows(self)

    @property
    def words(self) -> InteractionIndex | None:
        """None: the vectors of words stay with the encoder."""
        return None

    def _strange(self) -> Exception:
        return self.milvus.problem(
            "backend_incompatible",
            f"Milvus（{self.milvus.place}）的集合 {self.name} 由别的版本所建。请运行 kewen index build --backend milvus 重建。",
        )

    # -- passages ---------------------------------------------------------------------------------

    def row(self, number: int) -> Row:
        """A passage with its expansions, by its number."""
        return self._found([number])[number]

    def ready(self, rows: Ints) -> None:
        """Have passages at hand that are about to be asked for."""
        self._found(rows.tolist())

    def rows_of(self, document_id: str) -> range:
        """The rows of a document's passages; none of one that is not here."""
        return self.ranges.get(document_id, range(0))

    def found(self, passage_id: str) -> Row | None:
        """A passage with its expansions, by its id; None where there is none."""
        numbers = self.numbers([passage_id])
        return self.row(numbers[0]) if numbers else None

    def passage(self, passage_id: str) -> Passage | None:
        """A passage by its id, or None."""
        row = self.found(passage_id)
        return row.passage if row else None

    def text(self, document_id: str) -> str:
        """The document's text exactly as it was indexed."""

        def fetch(missing: list[str]) -> dict[str, str]:
            return {x: self._tables.blob(f"text:{x}").decode("utf-8") for x in missing}

        return self._texts.among([document_id], fetch)[document_id]

    def citation(self, passage: Passage, start: int = 0, end: int | None = None) -> Citation:
        """The citation of a passage, or of `[start, end)` of its text."""
        document = self.documents[passage.document_id]
        whole = cite_passage(document.title, document.year, passage)
        if (start, end) in ((0, None), (0, len(passage.text))):
            return whole
        end = len(passage.text) if end is None else end
        return cite_part(whole, self.text(passage.document_id), start, end, document.page_starts)

    def _found(self, numbers: Sequence[int]) -> dict[int, Row]:
        def fetch(missing: list[int]) -> dict[int, Row]:
            found: dict[int, Row] = {}
            for n in range(0, len(missing), _TOGETHER):
                where = f"row in {missing[n : n + _TOGETHER]}"
                for x in self.milvus.query(self.name, where, ["row", "record"], [HEADS]):
                    line = x["record"] or self._tables.blob(f"record:{x['row']}")
                    found[x["row"]] = load_row(line if isinstance(line, bytes) else line.encode("utf-8"))
            if len(found) < len(missing):
                raise self._strange()
            return found

        return self._rows.among(numbers, fetch)

    # -- what terms weigh -------------------------------------------------------------------------

    def terms(self, view: str, terms: Collection[str]) -> dict[str, Weight | None]:
        """What terms of one view of lexical search weigh; None for those that no passage has."""

        def fetch(missing: list[str]) -> dict[str, Weight | None]:
            found = self._tables.weights(view, self._bits[view], missing)
            return {term: found.get(term) for term in missing}

        return self._terms[view].among(terms, fetch)

    def reports(self) -> Iterable[tuple[str, int]]:
        """The title and the year of each document."""
        return ((x.title, x.year) for x in self.documents.values())

    def series(self) -> Set[str]:
        """The series that the documents belong to."""
        return {x.series for x in self.documents.values()}

    def weights(self, terms: Collection[str]) -> dict[str, float]:
        """The inverse document frequency of terms of the view `characters` in the passages' own text; 0 where it has none."""
        return {term: found.plain if found else 0.0 for term, found in self.terms("characters", terms).items()}

    def coverage(self, text: str, expanded: bool = False) -> float:
        """How much of a text the passages' own words can see at all, 0 (another language) to 1; or with expansions."""
        found = self.terms("characters", set(characters(text)))
        weights = [(x.expanded if expanded else x.plain) if x else 0.0 for x in found.values()]
        known = sum(weights)
        total = known + weights.count(0.0) * self.unknown[expanded]["characters"]
        return known / total if total else 0.0

    # -- what only the server can tell ------------------------------------------------------------

    def holding(self, place: str) -> Ints:
        """The passages that hold all characters of one of `names.places`, two by two: int64, rising."""
        found: list[int] = []
        for first in range(0, self.size, _PAGE):  # a server gives no more than MOST_ROWS at once
            where = f"row >= {first} and row < {first + _PAGE} and {holding([place])}"
            found += [x["row"] for x in self.milvus.query(self.name, where, ["row"], [HEADS])]
        return np.array(sorted(found), dtype=np.int64)

    def mask(self, filters: Filters) -> Mask | None:
        """bool `[passages]`: which may be found; None where all may."""
        if filters == Filters():
            return None
        mask = np.zeros(self.size, dtype=np.bool_)
        for document in self.documents.values():
            rows = self.rows_of(document.id)
            mask[rows.start : rows.stop] = matches(document, filters)
        if filters.passage_ids is not None:
            named = np.zeros(self.size, dtype=np.bool_)
            named[self.numbers(filters.passage_ids)] = True
            mask &= named
        return mask

    def numbers(self, passage_ids: Collection[str]) -> list[int]:
        """The numbers of passages by their ids, rising; those that are none are left out."""
        wanted, found = sorted(passage_ids), []
        for n in range(0, len(wanted), _TOGETHER):
            where = f"id in {json.dumps(wanted[n : n + _TOGETHER], ensure_ascii=False)}"
            found += [x["row"] for x in self.milvus.query(self.name, where, ["row"], [HEADS])]
        return sorted(found)

    def years_of(self, places: Collection[str]) -> list[int]:
        """The years of the reports with a passage that holds all the places, rising."""
        every = [int(year) for year in np.unique(self.years)]
        if not places:
            return every

        def fetch(missing: list[tuple[str, ...]]) -> dict[tuple[str, ...], list[int]]:
            return {x: [year for year in every if self._is_held(x, year)] for x in missing}

        asked = tuple(sorted(places))
        return self._years.among([asked], fetch)[asked]

    def _is_held(self, places: Sequence[str], year: int) -> bool:
        where = f"year == {year} and {holding(places)}"
        return bool(self.milvus.query(self.name, where, ["row"], [HEADS], limit=1))

    def nearest_expansions(self, vector: Floats, rows: Ints) -> Ints:
        """Which expansion of each passage is nearest to a vector `[dim]`, int64 `[rows]`; -1 for one that has none."""
        which = {row: piece for row, (_, piece) in self.nearest(vector, rows, [QUESTIONS]).items()}
        return np.array([which.get(row, -1) for row in rows.tolist()], dtype=np.int64)

    def nearest(self, vector: Floats, rows: Ints, partitions: Sequence[str]) -> dict[int, tuple[float, int]]:
        """For passages that have pieces in the partitions the cosine of the nearest piece, and which of its pieces it is."""
        found: dict[int, tuple[float, int]] = {}
        for n in range(0, len(rows), _PIECES_OF):
            where = f"row in {rows[n : n + _PIECES_OF].tolist()}"
            hits = self.milvus.search(self.name, "dense", vector, MOST_ROWS, ["row", "piece"], where, partitions)
            for x, cosine in sorted(hits, key=lambda hit: (-hit[1], hit[0]["piece"])):
                found.setdefault(x["row"], (cosine, x["piece"]))
        return found

    def near_words(self, bag: Bag) -> dict[int, float]:
        """The words of the passages that are nearest to those of a question, and what each can add to a text's score.

        As `index.candidates.CandidateFinder` has it: the more a question's word counts and the liker it is, the more.
        """
        vectors = dict(zip(bag.units.tolist(), bag.vectors, strict=True))

        def fetch(missing: list[int]) -> dict[int, dict[int, float]]:
            asked = [vectors[unit] for unit in missing]
            found = self.milvus.searches(self.name, "dense", asked, _NEAR, ["piece"], partitions=[WORDS])
            likeness = [{x["piece"]: (cosine - THRESHOLD) / (1 - THRESHOLD) for x, cosine in hits} for hits in found]
            return {
                unit: {x: value for x, value in {**own, unit: 1.0}.items() if value > _LEAST}
                for unit, own in zip(missing, likeness, strict=True)
            }

        near = self._near.among(vectors, fetch)
        worth: dict[int, float] = {}
        for unit, weight in zip(bag.units.tolist(), bag.weights.tolist(), strict=True):
            for word, value in near[unit].items():
                worth[word] = worth.get(word, 0.0) + weight * value
        return worth


def holding(places: Sequence[str]) -> str:
    """The filter for passages that hold all the places."""
    return f"ARRAY_CONTAINS_ALL(places, {json.dumps(list(places), ensure_ascii=False)})"
