"""kewen's own arms over the same vectors and words, and the whole of it.

- `dense`: the index of pieces, one a passage, float16, with its approximate index where they are many.
- `lexical`: the postings of one view, whose terms are the words given, searched as `index.lexical` does.
- `hybrid`: the two, ten each, by reciprocal rank fusion as in `with_limit.py`.
- `product`: what a user of kewen has. It is built from the reports, which it reads, cuts into sentences and embeds itself,
  and asked in plain text: a question is read for years and places, cut, encoded and searched in both arms with late
  interaction, and its hits come with marks and citations. Its library has up to a tenth more passages than the others'.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from data import TOP, Passages, Question

from index.counting import count
from index.counts import Counts
from index.dense import PieceIndex, Pieces
from index.lexical import TermView
from index.maxscore import Terms, best_rows
from index.postings import Lists
from index.storage import Content
from index.tables import Run, whole


class System:
    """An arm, or several."""

    def __init__(self, kind: str, questions: list[Question]) -> None:
        arms = {"dense": [Dense()], "lexical": [Lexical()], "hybrid": [Dense(), Lexical()], "product": [Product()]}
        self.arms = arms[kind]

    def build(self, passages: Passages) -> None:
        for arm in self.arms:
            arm.build(passages)

    def save(self, folder: Path) -> None:
        for arm in self.arms:
            arm.save(folder)

    def load(self, folder: Path) -> None:
        for arm in self.arms:
            arm.load(folder)

    def search(self, question: Question) -> list[int]:
        found = [arm.search(question) for arm in self.arms]
        return found[0] if len(found) == 1 else fused(*found)

    def add(self, passages: Passages) -> None:
        for arm in self.arms:
            arm.add(passages)


class Dense:
    def build(self, passages: Passages) -> None:
        self._open(_bytes(_pieces(passages.vectors).dump()))

    def save(self, folder: Path) -> None:
        _write(self.files, folder / "dense")

    def load(self, folder: Path) -> None:
        self._open(_read(folder / "dense"))

    def search(self, question: Question) -> list[int]:
        return self.index.search(question.vector, TOP).tolist()

    def add(self, passages: Passages) -> None:
        both = [self.pieces, _pieces(passages.vectors)]
        self._open(_bytes(Pieces.joined(both, [Run(n, 0, x.size) for n, x in enumerate(both)])))

    def _open(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.pieces = Pieces.load(files)
        self.index = PieceIndex([self.pieces])


class Lexical:
    def build(self, passages: Passages) -> None:
        self._open(_counts(passages))

    def save(self, folder: Path) -> None:
        _write(_bytes(self.counts.dump()), folder / "lexical")

    def load(self, folder: Path) -> None:
        self._open(Counts.load(_read(folder / "lexical")))

    def search(self, question: Question) -> list[int]:
        idf, number, spans = self.view.look_up(sorted(set(question.words.split())))
        known = np.flatnonzero(number)
        known = known[np.argsort(number[known], kind="stable")]
        terms = Terms(number[known], idf[known], [np.arange(len(known))])
        pairs = zip(self.view.tables, spans, strict=True)
        lists = [[Lists(table, a[known], b[known], idf[known])] for table, (a, b) in pairs]
        return best_rows(lists, terms, TOP, None).tolist()

    def add(self, passages: Passages) -> None:
        both = [self.counts, _counts(passages)]
        self._open(Counts.joined(both, [Run(n, 0, x.size) for n, x in enumerate(both)]))

    def _open(self, counts: Counts) -> None:
        self.counts = counts
        self.view = TermView.of([[(counts, None)]])


class Product:
    # Its modules are imported where they are used: a cold start of a bare arm is without them.

    def build(self, passages: Passages) -> None:
        from index.build import build_index
        from index.encoders import BundledEncoder

        self.home = _library().parent / "product-home"
        shutil.rmtree(self.home, ignore_errors=True)
        build_index(_reports(_library()), _store(self.home), BundledEncoder())

    def save(self, folder: Path) -> None:
        """It is on disk as soon as it is built."""
        if self.home != folder:
            shutil.move(self.home / "index", folder / "index")
            shutil.rmtree(self.home)

    def load(self, folder: Path) -> None:
        from index.encoders import BundledEncoder
        from index.search import HybridRetriever
        from index.snapshot import Snapshot

        self.home = folder
        snapshot = Snapshot.load(_store(folder).open()[0])
        self.retriever = HybridRetriever(snapshot, BundledEncoder())

    def search(self, question: Question) -> list[int]:
        """Places in its list instead of rows: in its own library passages have other numbers."""
        hits = self.retriever.search(self.retriever.understand(question.text), TOP)
        return [hit.rank for hit in hits]

    def add(self, passages: Passages) -> None:
        """A report of about as many passages: published, opened, and in the next search."""
        sys.path.append(str(Path(__file__).parents[1]))
        from growing import add_report, link_all

        from index.build import build_index

        with tempfile.TemporaryDirectory(dir=self.home.parent) as folder:
            more = Path(folder) / "library"
            link_all(_library(), more)
            add_report(more)
            build_index(_reports(more), _store(self.home), self.retriever.encoder)
        self.load(self.home)


def fused(*lists: list[int]) -> list[int]:
    """Reciprocal rank fusion, as `with_limit.fused`, whose module imports what is not installed here."""
    scores: dict[int, float] = {}
    for rows in lists:
        for rank, row in enumerate(rows, start=1):
            scores[row] = scores.get(row, 0.0) + 1 / (60 + rank)
    return sorted(scores, key=lambda row: -scores[row])[:TOP]


def _library() -> Path:
    """The reports that the passages are of, beside them in the folder that `worker.py` is given."""
    return Path(sys.argv[3]).resolve() / "library"


def _reports(folder: Path):  # type: ignore[no-untyped-def] # noqa: ANN202 - imported where it is used
    from corpus.library import Library

    return Library(folder)


def _store(home: Path):  # type: ignore[no-untyped-def] # noqa: ANN202
    from index.generations import GenerationStore

    return GenerationStore(home / "index")


def _pieces(vectors: np.ndarray) -> Pieces:
    halves = vectors.astype(np.float16)
    return Pieces(halves, np.arange(len(vectors) + 1), np.zeros((len(vectors), 32), dtype=np.uint8))


def _counts(passages: Passages) -> Counts:
    return count([words.split() for words in passages.words])


def _bytes(files: dict[str, Content]) -> dict[str, bytes]:
    return {name: bytes(whole(content)) for name, content in files.items()}


def _write(files: dict[str, bytes], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def _read(folder: Path) -> dict[str, bytes]:
    return {x.name: x.read_bytes() for x in folder.iterdir()}
