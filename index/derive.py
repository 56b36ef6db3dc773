"""What is searched of parts that were read: their pieces and vectors, their terms, their words, their names."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from index.batches import Batch, Seen
from index.counting import Counting, Numbers
from index.dense import Pieces
from index.described import dump_document
from index.groups import Groups, distinct
from index.lexical import VIEWS
from index.parts import Part
from index.rows import dump_rows
from index.shelf import Made, Share, Shelf, bounds_of, dump_made
from index.tables import starts_of
from index.types import Encoder, Ints, LateInteraction
from index.views import ViewTables
from index.words import Words

T = TypeVar("T", bound=np.generic)
Halves = npt.NDArray[np.float16]
Keys = npt.NDArray[np.uint8]
_KEY_BYTES = 32
_BATCH = 2048
_WORDS = 1 << 14


class Vectors:
    """Vectors of texts: those of earlier pieces where they have them, else new ones.

    `embedded` and `reused` count them; `progress` hears how many of all are done.
    """

    def __init__(
        self,
        encoder: Encoder,
        known: Sequence[Pieces],
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        self.encoder = encoder
        self.embedded, self.reused = 0, 0
        self._known, self._progress = _Known(known), progress

    def of(self, seen: Seen) -> tuple[Halves, Keys]:
        """Of all pieces of some passages: float16 `[pieces, dim]`, and their keys, uint8 `[pieces, 32]`."""
        keys = keys_of(seen.texts)
        vectors, is_new = self._known.look_up(keys, self.encoder.dim)
        new = np.flatnonzero(is_new)
        self.reused += len(keys) - len(new)
        total = self.embedded + self.reused + len(new)
        if not isinstance(self.encoder, LateInteraction):  # a transformer pads each batch to its longest text
            new = new[np.argsort([-len(seen.texts[n].encode("utf-8")) for n in new.tolist()], kind="stable")]
        for start in range(0, len(new), seen.together):
            some = new[start : start + seen.together]
            vectors[some] = seen.encode(some)
            self.embedded += len(some)
            self._progress(self.embedded + self.reused, total)
        return vectors, keys


class _Known:
    """The pieces of several tables, by their keys."""

    def __init__(self, tables: Sequence[Pieces]) -> None:
        self._tables = [table for table in tables if len(table.keys)]
        self._starts = np.cumsum([0, *(len(table.keys) for table in self._tables)])
        self._bits = int(self._starts[-1]).bit_length()
        self._sorted: npt.NDArray[np.uint64] | None = None

    def look_up(self, keys: Keys, dim: int) -> tuple[Halves, npt.NDArray[np.bool_]]:
        """The vectors of pieces that have these keys, float16 `[len(keys), dim]`, and which keys no piece has."""
        vectors = np.zeros((len(keys), dim), dtype=np.float16)
        is_new = np.ones(len(keys), dtype=np.bool_)
        if self._tables and len(keys):
            wanted, pieces = self._candidates(keys)
            for table, start, end in zip(self._tables, self._starts, self._starts[1:], strict=False):
                here = np.flatnonzero((pieces >= start) & (pieces < end))
                places = pieces[here] - start
                same = (table.keys[places] == keys[wanted[here]]).all(axis=1)
                vectors[wanted[here[same]]] = table.vectors[places[same]]
                is_new[wanted[here[same]]] = False
        return vectors, is_new

    def _candidates(self, keys: Keys) -> tuple[Ints, Ints]:
        """Which keys begin as a piece's does, and the number of such a piece."""
        low = np.uint64((1 << self._bits) - 1)
        if self._sorted is None:
            # The first bits of a key above the number of its piece: sorted in place, and no order to keep beside it.
            heads = np.concatenate([_heads(table.keys) for table in self._tables])
            self._sorted = np.sort(heads & ~low | np.arange(len(heads), dtype=np.uint64))
        heads = _heads(keys) & ~low
        places = np.minimum(np.searchsorted(self._sorted, heads), len(self._sorted) - 1)
        found = self._sorted[places]
        wanted = np.flatnonzero(found & ~low == heads)
        return wanted, (found[wanted] & low).astype(np.int64)


def keys_of(texts: Sequence[str]) -> Keys:
    """What vectors are known by: the sha256 of each text, uint8 `[len(texts), 32]`."""
    digests = [hashlib.sha256(text.encode("utf-8")).digest() for text in texts]
    return np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(-1, _KEY_BYTES)


def _heads(keys: Keys) -> npt.NDArray[np.uint64]:
    """The first eight bytes of each key."""
    return keys.reshape(-1, 4, 8).view(np.uint64)[:, 0, 0]


def derive(parts: Sequence[Part], vectors: Vectors) -> Shelf:
    """All that is searched of parts, one behind the other."""
    deriving = Deriving(vectors)
    deriving.add(parts)
    return deriving.shelf()


class Deriving:
    """Makes a shelf of parts that come one after the other; of those that came it keeps nothing but bytes and numbers."""

    def __init__(self, vectors: Vectors) -> None:
        self._vectors = vectors
        self._numbers = Numbers()
        self._late = vectors.encoder if isinstance(vectors.encoder, LateInteraction) else None
        self._shares: list[Share] = []
        self._documents: list[bytes] = []
        self._made: list[bytes] = []
        self._lines: list[bytes] = []
        self._texts: list[bytes] = []
        self._bounds: list[tuple[int, int]] = []
        self._plain, self._expanded = (_View(self._numbers, self._late, vectors.encoder.dim) for _ in range(2))
        self.passages = 0
        """How many were added."""

    def add(self, parts: Iterable[Part]) -> None:
        """More parts. They are read some thousand passages at a time, a document as a whole."""
        some: list[Part] = []
        waiting = 0
        for part in parts:
            some.append(part)
            waiting += len(part.rows)
            if waiting >= _BATCH:
                self._add(some)
                some, waiting = [], 0
        if some:
            self._add(some)

    def shelf(self) -> Shelf:
        """All that was added, which is then no longer here."""
        passages, texts = b"".join(self._lines), b"".join(self._texts)
        self._lines, self._texts = [], []
        lines = passages.splitlines(keepends=True)
        return Shelf.of(
            shares=self._shares,
            documents=b"".join(self._documents),
            parts=b"".join(self._made),
            passages=passages,
            texts=texts,
            lines=starts_of([np.array([len(line) for line in lines], dtype=np.int64)]),
            sums=np.array([zlib.crc32(line) for line in lines], dtype=np.uint32),
            bounds=np.array(self._bounds, dtype=np.int32).reshape(-1, 2),
            plain=self._plain.tables(),
            expanded=self._expanded.tables(),
        )

    def _add(self, parts: Sequence[Part]) -> None:
        batch = Batch.of(parts, self._vectors.encoder, self._numbers)
        for part, names in zip(parts, batch.mentions, strict=True):
            lines, about = dump_rows(part.rows), dump_document(part.document)
            made = dump_made(Made(part.document.part, names.places, names.terms, part.note))
            x = part.document
            sizes = (len(part.rows), len(lines), len(part.text), len(about), len(made))
            self._shares.append(
                Share(x.id, x.title, x.year, x.series, *sizes, zlib.crc32(part.text), zlib.crc32(about), x.sha256)
            )
            self._documents.append(about)
            self._made.append(made)
            self._lines.append(lines)
            self._texts.append(part.text)
            self._bounds += bounds_of(part.rows)
        for view, seen in ((self._plain, batch.plain), (self._expanded, batch.expanded)):
            view.add(batch.terms, seen, *self._vectors.of(seen))
        self.passages += sum(len(part.rows) for part in parts)


class _View:
    """One view of what was added so far."""

    def __init__(self, numbers: Numbers, late: LateInteraction | None, dim: int) -> None:
        self._late = late
        self._counting = {name: Counting(numbers) for name in VIEWS}
        self._vectors: list[Halves] = [np.zeros((0, dim), dtype=np.float16)]
        self._keys: list[Keys] = [np.zeros((0, _KEY_BYTES), dtype=np.uint8)]
        self._pieces: list[Ints] = []
        self._units: list[npt.NDArray[np.int32]] = [np.zeros(0, dtype=np.int32)]
        self._words: list[Ints] = []

    def add(self, terms: dict[str, Groups], seen: Seen, vectors: Halves, keys: Keys) -> None:
        """More passages, and of all their pieces the vectors and keys; `terms` are those of lines."""
        for name, counting in self._counting.items():
            counting.add(terms[name], seen.lines)
        self._vectors.append(vectors)
        self._keys.append(keys)
        self._pieces.append(seen.pieces)
        self._units.append(seen.units.values.astype(np.int32))
        self._words.append(seen.units.lengths)

    def tables(self) -> ViewTables:
        """All that was added, which is then no longer here."""
        lexical = {name: counting.counts() for name, counting in self._counting.items()}
        pieces = Pieces(_together(self._vectors), starts_of(self._pieces), _together(self._keys))
        return ViewTables(pieces, lexical, self._interaction(self._late) if self._late else None)

    def _interaction(self, late: LateInteraction) -> Words:
        known = distinct(np.concatenate([distinct(units) for units in self._units])).astype(np.int64)
        vectors = np.zeros((len(known), late.dim), dtype=np.int8)
        scales = np.zeros(len(known), dtype=np.float32)
        for start in range(0, len(known), _WORDS):
            some = slice(start, start + _WORDS)
            exact = late.unit_vectors(known[some])
            largest = np.abs(exact).max(axis=1, initial=1e-12) / 127
            vectors[some], scales[some] = np.rint(exact / largest[:, None]).astype(np.int8), largest
        terms = _together(self._units)
        for start in range(0, len(terms), _WORDS):
            terms[start : start + _WORDS] = np.searchsorted(known, terms[start : start + _WORDS])
        return Words(known, vectors, scales, starts_of(self._words), terms)


def _together(parts: list[npt.NDArray[T]]) -> npt.NDArray[T]:
    """One array of at least one, which are let go."""
    whole = np.concatenate(parts)
    parts.clear()
    return whole
