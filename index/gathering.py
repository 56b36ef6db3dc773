"""What a build is made of: parts that are there already, and those that are read and indexed anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from corpus.library import Entry, Library
from index.crew import Workplace, make_together, size_of, workers_for
from index.dense import Pieces
from index.derive import Vectors
from index.described import load_document
from index.encoders import BUNDLED, BundledEncoder
from index.generations import GenerationStore
from index.making import Maker, Read
from index.parts import Part, code_fingerprint, part_fingerprint
from index.rows import load_rows
from index.segments import Segment, open_segments
from index.shelf import Shelf
from index.statuses import DocumentStatus
from index.storage import IndexProblem, storage_errors
from index.types import Encoder, LateInteraction
from index.unfinished import UnfinishedBuild

_GROWTH = {".txt": 8, ".text": 8, ".md": 8, ".markdown": 8}
"""So many times a file of text is what the index holds of it (measured: 10 in large libraries, more in small ones); files of
other kinds have no more text than a small part of their bytes."""

Stage = Literal["reading", "writing"]


class Progress(Protocol):
    """Told how much of a stage is done so far, and of how much: bytes of documents, while they are read and embedded, then
    documents whose segments are written."""

    def __call__(self, done: int, total: int, stage: Stage = "reading") -> None:
        """Called in the thread that builds."""


def unwatched(done: int, total: int, stage: Stage = "reading") -> None:
    """Where nobody asks how far it is."""


@dataclass(frozen=True, slots=True)
class Last:
    """The last sound generation: what can't be read anew is kept from it.

    `reusable`: what has not changed is copied. Otherwise what is kept is derived anew. `places`: (segment, number there).
    `is_checked`: every file of it is known to be sound; tables of one that is mapped need not be.
    """

    name: str
    segments: Sequence[Segment]
    places: Mapping[str, tuple[int, int]]
    same_encoder: bool
    reusable: bool
    is_checked: bool

    @classmethod
    def of(cls, store: GenerationStore, encoder: Encoder, fresh: bool) -> Last | None:
        """That of a store, if there is one; with `fresh` nothing of it is copied."""
        try:
            generation = store.newest_sound(whole=fresh)[0]
            segments = open_segments(generation)
        except IndexProblem:
            return None
        built = generation.manifest.get("encoder", {}).get("fingerprint")
        same_code = generation.manifest.get("code") == code_fingerprint()
        same_words = all((x.shelf.plain.words is not None) == isinstance(encoder, LateInteraction) for x in segments)
        same_encoder = built == encoder.fingerprint
        reusable = same_encoder and same_code and same_words and not fresh
        is_checked = fresh or not generation.mapped
        return cls(generation.name, segments, _places(segments), same_encoder, reusable, is_checked)

    def part(self, place: tuple[int, int]) -> Part:
        """A document as it was indexed, to be derived anew."""
        shelf, n = self.segments[place[0]].shelf, place[1]
        return Part(
            load_document(shelf.about(n)), bytes(shelf.text(n)), load_rows(shelf.rows_of(n)), shelf.made(n).note
        )

    @property
    def rewritten(self) -> int:
        """About how many bytes of it a build that adds to it writes anew: those of its small segments."""
        small = (x.files or {} for x in self.segments if x.is_small)
        return sum(file.size for files in small for file in files.values())


def _places(segments: Sequence[Segment]) -> dict[str, tuple[int, int]]:
    found = ((share.id, (m, n)) for m, x in enumerate(segments) for n, share in enumerate(x.shelf.shares))
    return dict(found)


class Build:
    """One build: `segments` that its documents are in, old and new; `picks`, where each is; `statuses`, how each fared.

    `embedded` and `reused` count pieces of passages, and expansions. `vectors` are tables of pieces that were embedded
    elsewhere.
    """

    def __init__(
        self,
        library: Library,
        encoder: Encoder,
        progress: Progress,
        last: Last | None,
        unfinished: UnfinishedBuild,
        vectors: Sequence[Pieces] = (),
    ) -> None:
        self.segments: list[Segment] = list(last.segments) if last and last.reusable else []
        self.picks: dict[str, tuple[int, int]] = {}
        self.statuses: dict[str, DocumentStatus] = {}
        self.embedded = self.reused = 0
        self._library, self._encoder, self._last, self._unfinished = library, encoder, last, unfinished
        self._wanted: dict[str, Entry] = {}
        self._kept: list[Part] = []
        self._progress = progress
        self._vectors = vectors
        self._done = self._read = self._total = 0

    def find(self, fresh: bool) -> None:
        """What is there already, in the last generation or from a build that was stopped; the rest is wanted."""
        if fresh:
            self._unfinished.clear()
        self.segments += self._unfinished.open()
        places = _places(self.segments)
        for entry in self._library:
            place = places.get(entry.id)
            if place is None or not self._is_unchanged(entry, place):
                self._wanted[entry.id] = entry

    def _is_unchanged(self, entry: Entry, place: tuple[int, int]) -> bool:
        shelf, n = self.segments[place[0]].shelf, place[1]
        made = shelf.made(n)
        if made.part == "" or made.part != part_fingerprint(self._library, entry):
            return False
        self.picks[entry.id] = place
        self.reused += shelf.pieces(n)
        passages = shelf.shares[n].passages
        self.statuses[entry.id] = DocumentStatus(entry.id, "ok", passages, message=made.note, reused=True)
        return True

    @property
    def room(self) -> int:
        """At least so many bytes of disk the build takes: for what it makes, and for what it copies of the last one."""
        copied = self._last.rewritten if self._last and self._last.reusable else 0
        return copied + sum(size_of(x) * _GROWTH.get(x.path.suffix.lower(), 1) for x in self._wanted.values())

    def make(self) -> None:
        """Read and index what is wanted, in this process or, where it is much, in several."""
        if not self._wanted:
            return
        wanted = list(self._wanted.values())
        self._total = sum(map(size_of, wanted))
        known = [segment.shelf for segment in self._last.segments] if self._last and self._last.same_encoder else []
        tables = [x for shelf in known for x in (shelf.plain.pieces, shelf.expanded.pieces)]
        vectors = Vectors(self._encoder, [*tables, *self._vectors], self._embedding)
        made: list[Shelf] = []
        keep: Callable[[Shelf], object] = self._unfinished.write  # there is more to come: what is done goes to disk
        maker = Maker(vectors, lambda shelf: keep(shelf), self._heard)
        workers = self._workers()
        if workers > 1:
            place = Workplace(self._unfinished.folder, self._unfinished.made_by, BUNDLED)
            self.embedded += make_together(self._library, wanted, place, workers, self._heard_from_afar)
        maker.read(self._library, [entry for entry in wanted if entry.id not in self.statuses])
        for part in self._kept:
            maker.add(part)
        keep = made.append
        maker.end()
        self._take([*self._unfinished.open(), *map(Segment, made)])
        self.embedded += vectors.embedded
        self.reused += vectors.reused
        self._progress(self._total, self._total)

    def _workers(self) -> int:
        """How many processes are worth it: none beside ours where another could not make the same."""
        is_ours = type(self._library) is Library and type(self._encoder) is BundledEncoder and self._encoder.is_shipped
        return workers_for(self._total) if is_ours and not self._vectors else 0

    def _take(self, made: Sequence[Segment]) -> None:
        """The places of what was made just now."""
        first = len(self.segments)
        self.segments += made
        for document_id, (segment, n) in _places(made).items():
            if document_id in self._wanted and document_id not in self.picks:
                self.picks[document_id] = (first + segment, n)
        if any(x.status == "ok" and x.id not in self.picks for x in self.statuses.values()):
            raise IndexProblem(
                "storage_error", "刚写下的索引读不回来，磁盘可能有问题。请检查后再次运行 kewen index build。"
            )

    def archive(self, archive: Callable[[str, bytes], None]) -> None:
        """Hand over the texts that are about to change."""
        for document_id, (segment, n) in self.picks.items():
            old = self._last.places.get(document_id) if self._last else None
            if self._last and old is not None and old != (segment, n):
                text = self._last.segments[old[0]].shelf.text(old[1])
                if text != self.segments[segment].shelf.text(n):
                    with storage_errors("保存报告的旧文"):
                        archive(document_id, bytes(text))

    def _heard(self, read: Read) -> None:
        """How a document fared; the last version of one that can't be read is kept."""
        self._read += size_of(self._wanted[read.id])
        self._progress(self._done, self._total)
        if not read.code:
            self.statuses[read.id] = DocumentStatus(read.id, "ok", read.passages, message=read.message)
            return
        place = self._last.places.get(read.id) if self._last else None
        if self._last is None or place is None:
            self.statuses[read.id] = DocumentStatus(read.id, "failed", 0, read.code, read.message)
            return
        if self._last.reusable:
            self.picks[read.id] = place
        else:
            self._kept.append(self._last.part(place))
        passages = self._last.segments[place[0]].shelf.shares[place[1]].passages
        self.statuses[read.id] = DocumentStatus(read.id, "kept", passages, read.code, read.message)

    def _heard_from_afar(self, read: Read) -> None:
        """As `_heard`, of a worker: it embeds what it reads beside us."""
        self._done = self._read + size_of(self._wanted[read.id])
        self._heard(read)

    def _embedding(self, done: int, total: int) -> None:
        """So many of the pieces of what was read last are embedded."""
        self._progress(self._done + (self._read - self._done) * done // max(total, 1), self._total)
        if done >= total:
            self._done = self._read
