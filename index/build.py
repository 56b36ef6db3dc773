"""Documents → a generation. The only writer of the index.

Each document is a part of the index. One whose fingerprint is that of the last generation is copied from there, or its
whole segment is linked; only the others are read, split, embedded and counted. Of a small library that gives, byte for byte,
what a build of all of them would give.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from corpus.library import Library
from index.dense import Pieces
from index.gathering import Build, Last, Progress, unwatched
from index.generations import GenerationStore
from index.names import Mentions, names_of
from index.parts import code_fingerprint, document_part
from index.segment import domain_words
from index.segments import JOINED, SEGMENT, Picks, Segment, arranged, segment_files
from index.statuses import DocumentStatus
from index.storage import Content, IndexProblem
from index.tables import load_array, whole
from index.terms import BITS, character_of
from index.types import Encoder, LateInteraction
from index.unfinished import UnfinishedBuild

__all__ = [
    "BuildReport",
    "DocumentStatus",
    "Progress",
    "build_index",
    "document_part",
    "index_fingerprint",
    "unwatched",
    "write_index",
]

Archive = Callable[[str, bytes], None]
"""Called with the id of a document whose text is about to change, and its old text in UTF-8."""


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build did. `embedded` and `reused` count pieces of passages, and expansions."""

    generation: str
    documents: tuple[DocumentStatus, ...]
    embedded: int
    reused: int
    seconds: float

    @property
    def complete(self) -> bool:
        """Every document is in the index as it is now."""
        return all(x.status == "ok" for x in self.documents)


def index_fingerprint(encoder: Encoder) -> dict[str, object]:
    """What an index depends on beside its documents: it may only be searched with the same."""
    terms = hashlib.sha256("\n".join(domain_words()).encode("utf-8")).hexdigest()
    return {
        "encoder": {"name": encoder.name, "dim": encoder.dim, "fingerprint": encoder.fingerprint},
        "terms": terms,
    }


def build_index(
    library: Library,
    store: GenerationStore,
    encoder: Encoder,
    progress: Progress = unwatched,
    fresh: bool = False,
    archive: Archive | None = None,
    vectors: Sequence[Pieces] = (),
) -> BuildReport:
    """Index the documents of the library and publish the result.

    A document that can't be read keeps its last indexed version, if there is one; the report says so. `fresh` reads
    every document anew, whatever its fingerprint says; vectors of unchanged pieces are reused all the same. `archive`
    is called before anything is published. `vectors`: pieces that were embedded elsewhere, as `index.bulk` reads them.
    What is copied from a damaged generation is found to be so, and then `fresh` is meant.

    Raises:
        IndexProblem: `no_documents`, `index_locked`, `insufficient_storage` or `storage_error`.
    """
    with store.writer():
        return write_index(library, store, encoder, progress, fresh, archive, vectors)


def write_index(
    library: Library,
    store: GenerationStore,
    encoder: Encoder,
    progress: Progress = unwatched,
    fresh: bool = False,
    archive: Archive | None = None,
    vectors: Sequence[Pieces] = (),
) -> BuildReport:
    """As `build_index`, for one that holds the writer's place already."""
    started = time.perf_counter()
    made_by = {**index_fingerprint(encoder), "code": code_fingerprint()}
    last = Last.of(store, encoder, fresh)
    unfinished = UnfinishedBuild(store.folder / "building", made_by)
    build = Build(library, encoder, progress, last, unfinished, vectors)
    build.find(fresh)
    store.check_space(build.room)
    build.make()
    picks = [build.picks[entry.id] for entry in library if entry.id in build.picks]
    if not picks:
        unfinished.clear()
        raise IndexProblem(
            "no_documents", "没有一份可用的报告，未建索引：" + "；".join(x.message for x in build.statuses.values())
        )
    sizes = [[share.passages for share in x.shelf.shares] for x in build.segments]
    # The index of an encoder's vectors is built in memory.
    plan = arranged(sizes, picks, JOINED if isinstance(encoder, LateInteraction) else SEGMENT)
    if last and not last.is_checked and not _are_sound(build.segments, plan):
        return write_index(library, store, encoder, progress, True, archive, vectors)
    if archive:
        build.archive(archive)
    description = {
        "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        **made_by,
        "library": library.state,
        "documents": len(picks),
        "passages": sum(sizes[segment][n] for segment, n in picks),
    }
    files = _files(build.segments, plan, progress)
    name = store.publish(files, description, keep=last.name if last else None)
    unfinished.clear()
    library.remember()
    statuses = tuple(build.statuses[entry.id] for entry in library)
    return BuildReport(name, statuses, build.embedded, build.reused, time.perf_counter() - started)


def _are_sound(segments: Sequence[Segment], plan: Sequence[tuple[bool, Picks]]) -> bool:
    """Whether what is copied is what was written: a copy has checksums of its own, and would hide any damage."""
    try:
        for number in {segment for is_whole, picks in plan if not is_whole for segment, _ in picks}:
            segments[number].check()
    except IndexProblem:
        return False
    return True


def _files(
    segments: Sequence[Segment], plan: Sequence[tuple[bool, Picks]], progress: Progress
) -> Iterator[tuple[str, Content]]:
    """The files of a generation, each made when it is asked for: all of them at once would not fit into memory."""
    found: list[Mentions] = []
    letters: set[str] = set()
    done, total = 0, sum(len(picks) for _, picks in plan)
    for number, (is_whole, picks) in enumerate(plan):
        first = segments[picks[0][0]].files or {}
        files = first.items() if first and is_whole else segment_files(segments, picks)
        for n, (name, content) in enumerate(files):
            progress(done + len(picks) * min(n, len(first)) // max(len(first), 1), total, "writing")
            yield f"{number:03d}/{name}", content
            if name == "plain/lexical/characters.keys.npy":
                keys = load_array(whole(content))
                letters.update(x for key in keys[keys < 1 << BITS].tolist() if (x := character_of(key)))
        for segment, n in picks:
            made = segments[segment].shelf.made(n)
            found.append(Mentions(made.places, made.terms))
        done += len(picks)
    yield "names.json", names_of(found, letters).dump()
    progress(total, total, "writing")
