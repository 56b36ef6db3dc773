"""A segment: the parts of many documents as files, opened without parsing what need not be, and put together anew.

A build holds several: those of the last generation, and what it has just read. Rows of all are copied; what is joined of
them is what a build of these documents at once would have made, byte for byte.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np

from index.rows import Row
from index.storage import Content, Data, IndexProblem
from index.tables import Array, array_content, load_array, runs_of, starts_of, under
from index.types import Ints
from index.views import ViewTables, joined_views


class Share(NamedTuple):
    """What an index knows of a document before anything of it is parsed: what a search asks of all documents, how many
    passages it has, of how many bytes their lines, its text and its lines in `documents.jsonl` and `parts.jsonl` are, and the
    CRC-32 of its text and of its line in `documents.jsonl`; the sha256 of its file."""

    id: str
    title: str
    year: int
    series: str
    passages: int
    lines: int
    text: int
    about: int
    made: int
    text_sum: int
    about_sum: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Made:
    """What a build knows of a document: `part` as in `DocumentInfo`, what it adds to the names, and in Chinese what is
    wrong with its expansions."""

    part: str
    places: tuple[tuple[str, str], ...] = ()
    terms: tuple[str, ...] = ()
    note: str = ""


_BYTES = ("passages", "lines", "text", "about", "made")


@dataclass(frozen=True, slots=True)
class Shelf:
    """Parts one behind the other, as in the files.

    `starts` int64 `[documents + 1, 5]`: where each one's passages, their lines, its text, its line of `documents` and that of
    `parts` begin. `lines` int64 `[passages + 1]`: where each passage's line begins; `sums` uint32 `[passages]`, the CRC-32 of
    each; `bounds` int32 `[passages, 2]`, where in its document each begins and ends.
    """

    shares: Sequence[Share]
    documents: Data
    parts: Data
    passages: Data
    texts: Data
    lines: Ints
    sums: Array
    bounds: Array
    plain: ViewTables
    expanded: ViewTables
    starts: Ints

    @classmethod
    def load(cls, files: Mapping[str, Data], name: str) -> Shelf:
        """Of the files of one segment; `name` is what an error calls it.

        Raises:
            IndexProblem: `index_damaged`, where its parts don't fit together.
        """
        try:
            columns = json.loads(bytes(files["shares.json"]))
            shares = [Share(*x) for x in zip(*(columns[field] for field in Share._fields), strict=True)]
            plain, expanded = (ViewTables.load(under(files, folder)) for folder in ("plain/", "expanded/"))
            shelf = cls.of(
                shares=shares,
                documents=files["documents.jsonl"],
                parts=files["parts.jsonl"],
                passages=files["passages.jsonl"],
                texts=files["texts.bin"],
                lines=load_array(files["lines.npy"]),
                sums=load_array(files["sums.npy"]),
                bounds=load_array(files["bounds.npy"]),
                plain=plain,
                expanded=expanded,
            )
            sound = shelf._fits()
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise IndexProblem("index_damaged", f"索引 {name} 的内容不完整（{type(error).__name__}）") from error
        if not sound:
            raise IndexProblem("index_damaged", f"索引 {name} 的各部分数目不符")
        return shelf

    @classmethod
    def of(
        cls,
        *,
        shares: Sequence[Share],
        documents: Data,
        parts: Data,
        passages: Data,
        texts: Data,
        lines: Ints,
        sums: Array,
        bounds: Array,
        plain: ViewTables,
        expanded: ViewTables,
    ) -> Shelf:
        sizes = np.zeros((len(shares) + 1, len(_BYTES)), dtype=np.int64)
        for n, share in enumerate(shares, start=1):
            sizes[n] = [getattr(share, field) for field in _BYTES]
        starts = np.cumsum(sizes, axis=0)
        return cls(shares, documents, parts, passages, texts, lines, sums, bounds, plain, expanded, starts)

    def _fits(self) -> bool:
        passages, *ends = self.starts[-1].tolist()
        blobs = [self.passages, self.texts, self.documents, self.parts]
        rows = {len(self.lines) - 1, len(self.sums), len(self.bounds), *self.plain.sizes, *self.expanded.sizes}
        return ends == [len(x) for x in blobs] and rows == {passages} and int(self.lines[-1]) == len(self.passages)

    @property
    def size(self) -> int:
        """How many passages."""
        return int(self.starts[-1, 0])

    def about(self, document: int) -> bytes:
        """A document's line of `documents.jsonl`."""
        return bytes(self.documents[self.starts[document, 3] : self.starts[document + 1, 3]])

    def made(self, document: int) -> Made:
        """What a build knows of a document; raises ValueError, KeyError or TypeError where it can't be read."""
        return load_made(bytes(self.parts[self.starts[document, 4] : self.starts[document + 1, 4]]))

    def pieces(self, document: int) -> int:
        """How many pieces a document's passages and their expansions have."""
        first, last = self.starts[document : document + 2, 0]
        return sum(int(x.pieces.starts[last] - x.pieces.starts[first]) for x in (self.plain, self.expanded))

    def text(self, document: int) -> memoryview:
        """The bytes of a document's text."""
        return memoryview(self.texts)[self.starts[document, 2] : self.starts[document + 1, 2]]

    def rows_of(self, document: int) -> bytes:
        """A document's passages as they are stored, one a line."""
        return bytes(self.passages[self.starts[document, 1] : self.starts[document + 1, 1]])


def join(shelves: Sequence[Shelf], picks: Sequence[tuple[int, int]]) -> Iterator[tuple[str, Content]]:
    """The files of one segment of documents, each as (shelf, number there), in that order; made one after the other."""
    shares = [shelves[shelf].shares[n] for shelf, n in picks]

    def runs(column: int) -> list[tuple[int, int, int]]:
        starts = [shelf.starts[:, column].tolist() for shelf in shelves]
        return [(shelf, starts[shelf][n], starts[shelf][n + 1]) for shelf, n in picks]

    def copied(column: int, blobs: Sequence[Data]) -> Content:
        return [memoryview(blobs[x.table])[x.start : x.stop] for x in runs_of(runs(column))]

    rows = runs_of(runs(0))
    lengths = [np.diff(shelves[x.table].lines[x.start : x.stop + 1]) for x in rows]
    columns = {field: [share[n] for share in shares] for n, field in enumerate(Share._fields)}
    yield from {
        "shares.json": json.dumps(columns, ensure_ascii=False).encode("utf-8"),
        "documents.jsonl": copied(3, [x.documents for x in shelves]),
        "parts.jsonl": copied(4, [x.parts for x in shelves]),
        "passages.jsonl": copied(1, [x.passages for x in shelves]),
        "texts.bin": copied(2, [x.texts for x in shelves]),
        "lines.npy": array_content(starts_of(lengths)),
        "sums.npy": array_content(np.zeros(0, np.uint32), *(shelves[x.table].sums[x.start : x.stop] for x in rows)),
        "bounds.npy": array_content(
            np.zeros((0, 2), np.int32), *(shelves[x.table].bounds[x.start : x.stop] for x in rows)
        ),
    }.items()
    yield from joined_views([x.plain for x in shelves], [x.expanded for x in shelves], rows)


def dump_made(made: Made) -> bytes:
    """A line of `parts.jsonl`."""
    return (json.dumps(asdict(made), ensure_ascii=False) + "\n").encode("utf-8")


def load_made(line: bytes) -> Made:
    """Of a line as `dump_made` gave it."""
    record = json.loads(line)
    places, terms = record.pop("places"), record.pop("terms")
    return Made(places=tuple((a, b) for a, b in places), terms=tuple(terms), **record)


def bounds_of(rows: Sequence[Row]) -> list[tuple[int, int]]:
    """Where in its document each passage begins and ends, by which its id names it."""
    return [(row.passage.spans[0][0], row.passage.spans[-1][1]) for row in rows]
