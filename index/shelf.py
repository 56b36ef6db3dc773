"""The parts of many documents as files: opened without parsing what need not be, and put together anew.

A build holds two shelves: the last generation, and what it has just read. Rows of both are copied; what is joined of
them is what a build of all documents at once would have made, byte for byte.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from index.generations import Generation
from index.names import Mentions, names_of
from index.storage import Content, IndexProblem
from index.tables import beneath, runs_of, under, whole
from index.types import Ints
from index.views import ViewTables


@dataclass(frozen=True, slots=True)
class Share:
    """What the index knows of a document's part beside the passages: how many they are, and what it adds to the names.

    `part` as in `DocumentInfo`: a build reads the shares alone. `lines` and `text` are the bytes of its passages as they
    are stored and of its text; `note` says in Chinese what is wrong with its expansions.
    """

    id: str
    part: str
    passages: int
    lines: int
    text: int
    places: tuple[tuple[str, str], ...] = ()
    terms: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Shelf:
    """Parts one behind the other: `documents` are their lines of `documents.jsonl`, `records` the shares', the rest as in
    the files.

    `starts` int64 `[documents + 1, 3]`: where each one's passages, their lines and its text begin.
    """

    documents: Sequence[bytes]
    records: Sequence[bytes]
    shares: Sequence[Share]
    passages: bytes
    texts: bytes
    plain: ViewTables
    expanded: ViewTables
    starts: Ints

    @classmethod
    def load(cls, generation: Generation) -> Shelf:
        """Of a verified generation.

        Raises:
            IndexProblem: `index_damaged`, where its parts don't fit together.
        """
        files = generation.files
        try:
            documents, records = (files[f"{x}.jsonl"].splitlines(keepends=True) for x in ("documents", "parts"))
            plain, expanded = (ViewTables.load(under(files, folder)) for folder in ("plain/", "expanded/"))
            shelf = cls.of(documents, records, files["passages.jsonl"], files["texts.bin"], plain, expanded)
        except (KeyError, ValueError, TypeError) as error:
            raise IndexProblem(
                "index_damaged", f"索引 {generation.name} 的内容不完整（{type(error).__name__}）"
            ) from error
        passages, lines, text = shelf.starts[-1].tolist()
        sizes = {len(documents) - len(records), len(shelf.passages) - lines, len(shelf.texts) - text}
        if sizes != {0} or plain.sizes | expanded.sizes != {passages}:
            raise IndexProblem("index_damaged", f"索引 {generation.name} 的各部分数目不符")
        return shelf

    @classmethod
    def of(
        cls,
        documents: Sequence[bytes],
        records: Sequence[bytes],
        passages: bytes,
        texts: bytes,
        plain: ViewTables,
        expanded: ViewTables,
    ) -> Shelf:
        """The records are read; raises ValueError, KeyError or TypeError where they are none."""
        shares = [_share(json.loads(record)) for record in records]
        sizes = [(0, 0, 0), *((x.passages, x.lines, x.text) for x in shares)]
        starts = np.cumsum(np.array(sizes, dtype=np.int64), axis=0)
        return cls(documents, records, shares, passages, texts, plain, expanded, starts)

    def text(self, document: int) -> memoryview:
        """The bytes of a document's text."""
        return memoryview(self.texts)[self.starts[document, 2] : self.starts[document + 1, 2]]

    def lines(self, document: int) -> bytes:
        """A document's passages as they are stored, one a line."""
        return self.passages[self.starts[document, 1] : self.starts[document + 1, 1]]


def join(shelves: Sequence[Shelf], picks: Sequence[tuple[int, int]]) -> dict[str, Content]:
    """File name → content of documents, each as (shelf, number there), in that order."""
    shares = [shelves[shelf].shares[n] for shelf, n in picks]

    def runs(column: int) -> list[tuple[int, int, int]]:
        starts = [shelf.starts[:, column].tolist() for shelf in shelves]
        return [(shelf, starts[shelf][n], starts[shelf][n + 1]) for shelf, n in picks]

    rows, lines, texts = (runs_of(runs(column)) for column in range(3))
    plain = ViewTables.joined([x.plain for x in shelves], rows)
    terms = whole(plain["lexical/characters.terms.txt"]).decode("utf-8").split("\n")
    found = [Mentions(x.places, x.terms) for x in shares]
    return {
        "documents.jsonl": b"".join(shelves[shelf].documents[n] for shelf, n in picks),
        "parts.jsonl": b"".join(shelves[shelf].records[n] for shelf, n in picks),
        "passages.jsonl": [memoryview(shelves[x.table].passages)[x.start : x.stop] for x in lines],
        "texts.bin": [memoryview(shelves[x.table].texts)[x.start : x.stop] for x in texts],
        "names.json": names_of(found, (term for term in terms if len(term) == 1)).dump(),
        **beneath("plain/", plain),
        **beneath("expanded/", ViewTables.joined([x.expanded for x in shelves], rows)),
    }


def dump_share(share: Share) -> bytes:
    """A line of `parts.jsonl`."""
    return (json.dumps(asdict(share), ensure_ascii=False) + "\n").encode("utf-8")


def _share(record: dict[str, Any]) -> Share:
    places, terms = record.pop("places"), record.pop("terms")
    return Share(places=tuple((a, b) for a, b in places), terms=tuple(terms), **record)
