"""kewen's own arms over the same vectors and words, one piece a passage.

- `dense`: the index of pieces. `lexical`: the postings of one view, whose terms are the words given.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from data import TOP, Passages, Question

from index.counts import Counting, Counts
from index.dense import PieceIndex, Pieces
from index.lexical import Postings
from index.tables import whole


class System:
    def __init__(self, kind: str, questions: list[Question]) -> None:
        self.kind = kind

    def build(self, passages: Passages) -> None:
        if self.kind == "dense":
            self.pieces = _pieces(passages.vectors)
            self.index = PieceIndex(self.pieces)
        else:
            counting = Counting()
            for words in passages.words:
                counting.add(words.split())
            self.counts = counting.counts()
            self.postings = Postings.of(self.counts)

    def save(self, folder: Path) -> None:
        files = self.pieces.dump() if self.kind == "dense" else self.counts.dump()
        for name, content in files.items():
            (folder / name).write_bytes(whole(content))

    def load(self, folder: Path) -> None:
        files = {x.name: x.read_bytes() for x in folder.iterdir()}
        if self.kind == "dense":
            self.pieces = Pieces.load(files)
            self.index = PieceIndex(self.pieces)
        else:
            self.counts = Counts.load(files)
            self.postings = Postings.of(self.counts)

    def search(self, question: Question) -> list[int]:
        if self.kind == "dense":
            return self.index.search(question.vector, TOP).tolist()
        scores = self.postings.scores(question.words.split())
        best = np.argpartition(-scores, TOP)[:TOP]
        return best[np.argsort(-scores[best])].tolist()

    def add(self, passages: Passages) -> None:
        from index.tables import Run

        if self.kind == "dense":
            joined = Pieces.joined(both := [self.pieces, _pieces(passages.vectors)], _all(both, Run))
            self.pieces = Pieces.load({name: whole(content) for name, content in joined.items()})
            self.index = PieceIndex(self.pieces)
        else:
            counting = Counting()
            for words in passages.words:
                counting.add(words.split())
            self.counts = Counts.joined(both := [self.counts, counting.counts()], _all(both, Run))
            self.postings = Postings.of(self.counts)


def _all(tables: list, run: type) -> list:  # type: ignore[type-arg]
    return [run(n, 0, table.size) for n, table in enumerate(tables)]


def _pieces(vectors: np.ndarray) -> Pieces:
    return Pieces(vectors, np.arange(len(vectors) + 1), np.zeros((len(vectors), 32), dtype=np.uint8))
