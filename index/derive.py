"""What is searched of parts that were read: their pieces and vectors, their terms, their words, their names."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from index.context import expansion_text, passage_pieces, passage_text
from index.counts import Counting, Counts
from index.dense import Pieces
from index.interaction import Words
from index.lexical import VIEWS
from index.names import Mentions, mentions
from index.parts import Part
from index.rows import dump_rows
from index.shelf import Share, Shelf, dump_share
from index.snapshot import dump_document
from index.tables import starts_of
from index.types import Encoder, Floats, LateInteraction
from index.views import ViewTables

Progress = Callable[[int, int], None]
"""Called with how many pieces are done so far, and of how many."""

Keys = npt.NDArray[np.uint8]
_BATCH = 256


class Vectors:
    """Vectors of texts: those of earlier pieces where they have them, else new ones.

    `embedded` and `reused` count them; `reused` may start with what needs no look at all.
    """

    def __init__(self, encoder: Encoder, known: Sequence[Pieces], progress: Progress, reused: int) -> None:
        self.encoder = encoder
        self.embedded, self.reused = 0, reused
        self._known, self._progress = known, progress

    def of(self, texts: Sequence[str]) -> tuple[Floats, Keys]:
        """float32 `[len(texts), dim]`, and their keys, uint8 `[len(texts), 32]`."""
        digests = [hashlib.sha256(text.encode("utf-8")).digest() for text in texts]
        keys = np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(-1, 32)
        vectors = np.zeros((len(texts), self.encoder.dim), dtype=np.float32)
        known = self._find(keys)
        new = []
        for n, digest in enumerate(digests):
            if digest in known:
                table, piece = known[digest]
                vectors[n] = table.vectors[piece]
            else:
                new.append(n)
        self.reused += len(texts) - len(new)
        total = self.embedded + self.reused + len(new)
        for start in range(0, len(new), _BATCH):
            batch = new[start : start + _BATCH]
            vectors[batch] = self.encoder.encode_passages([texts[n] for n in batch])
            self.embedded += len(batch)
            self._progress(self.embedded + self.reused, total)
        return vectors, keys

    def _find(self, keys: Keys) -> dict[bytes, tuple[Pieces, int]]:
        """The earlier pieces that may have these keys; only such are looked at one by one."""
        wanted = np.unique(_heads(keys))
        found: dict[bytes, tuple[Pieces, int]] = {}
        for table in self._known if len(wanted) else ():
            heads = _heads(table.keys)
            places = np.minimum(np.searchsorted(wanted, heads), len(wanted) - 1)
            found |= {table.keys[n].tobytes(): (table, n) for n in np.flatnonzero(wanted[places] == heads).tolist()}
        return found


def _heads(keys: Keys) -> npt.NDArray[np.uint64]:
    """The first eight bytes of each key."""
    return keys.reshape(-1, 4, 8).view(np.uint64)[:, 0, 0]


def derive(parts: Sequence[Part], vectors: Vectors) -> Shelf:
    """All that is searched of parts, one behind the other."""
    late = vectors.encoder if isinstance(vectors.encoder, LateInteraction) else None
    plain, expanded = ({name: Counting() for name in VIEWS} for _ in range(2))
    read: list[str] = []
    asked: list[str] = []
    found: list[Mentions] = []
    for part in parts:
        texts = [passage_text(part.document.title, part.document.year, row.passage) for row in part.rows]
        found.append(mentions([row.passage for row in part.rows], texts))
        read += texts
        asked += [expansion_text(row.expansions) for row in part.rows]
    for text, more in zip(read, asked, strict=True):
        for name, terms in VIEWS.items():
            own = terms(text)
            plain[name].add(own)
            # A term never reaches over a line's end: those of both texts are those of each.
            expanded[name].add(own + terms(more) if more else own)
    rows = [row for part in parts for row in part.rows]
    pieces = [passage_pieces(row.passage) if late else [text] for row, text in zip(rows, read, strict=True)]
    questions = [[x.text for x in row.expansions] for row in rows]
    embedded, keys = vectors.of([text for group in (*pieces, *questions) for text in group])
    count = sum(map(len, pieces))
    lines = [dump_rows(part.rows) for part in parts]
    shares = [
        Share(x.id, x.part, len(part.rows), len(dumped), len(part.text), names.places, names.terms, part.note)
        for part, x, dumped, names in zip(parts, (part.document for part in parts), lines, found, strict=True)
    ]
    return Shelf.of(
        documents=[dump_document(part.document) for part in parts],
        records=[dump_share(share) for share in shares],
        passages=b"".join(lines),
        texts=b"".join(part.text for part in parts),
        plain=_tables(embedded[:count], keys[:count], pieces, plain, late, read),
        expanded=_tables(embedded[count:], keys[count:], questions, expanded, late, asked),
    )


def _tables(
    vectors: Floats,
    keys: Keys,
    pieces: Sequence[Sequence[str]],
    counting: dict[str, Counting],
    late: LateInteraction | None,
    texts: Sequence[str],
) -> ViewTables:
    starts = starts_of([np.array([len(x) for x in pieces], dtype=np.int64)])
    lexical: dict[str, Counts] = {name: x.counts() for name, x in counting.items()}
    return ViewTables(Pieces(vectors, starts, keys), lexical, Words.build(late, texts) if late else None)
