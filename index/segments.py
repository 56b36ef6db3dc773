"""Segments of a generation: how they are opened, and which of them a build keeps, joins or writes anew.

As in Lucene, a large index is made of parts that are never changed: adding a report writes a small one and links the
others. A small index is one segment, in the library's order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from index.generations import Generation
from index.shelf import Shelf, join
from index.storage import Content, Linked, check_file
from index.tables import under

SEGMENT = 131_072
"""A segment that is made at once has no more passages, but for one document that alone has more."""

JOINED = 4 * SEGMENT
"""One that is put together has no more: what a question costs beside its postings is paid once a segment."""

_SEALED = 8_192
_TIERS = ((32_768, 6), (SEGMENT, 3))
"""Segments of at most so many passages are put together when there are more of them."""


@dataclass(frozen=True, slots=True)
class Segment:
    """An opened segment: its tables, and its files where they can be linked."""

    shelf: Shelf
    files: dict[str, Linked] | None = None

    @property
    def is_small(self) -> bool:
        """Whether a build puts it together with others."""
        return self.shelf.size <= _SEALED

    def check(self) -> None:
        """Check its files on disk.

        Raises:
            IndexProblem: `index_damaged`, naming the file.
        """
        for name, file in (self.files or {}).items():
            check_file(file.path, file.sha256, f"索引的 {name} ")


def load_segments(generation: Generation) -> list[Shelf]:
    """The segments of a verified generation, in order.

    Raises:
        IndexProblem: `index_damaged`, where its parts don't fit together.
    """
    return [segment.shelf for segment in open_segments(generation)]


def open_segments(generation: Generation) -> list[Segment]:
    """As `load_segments`, with the files by which a build links them."""
    names = sorted({file.partition("/")[0] for file in generation.files if "/" in file})
    sums, sizes = generation.manifest["files"], generation.manifest["sizes"]
    found = []
    for name in names:
        files = under(generation.files, f"{name}/")
        where = f"{name}/"
        linked = {x: Linked(generation.folder / name / x, sums[where + x], sizes[where + x]) for x in files}
        found.append(Segment(Shelf.load(files, generation.name), linked))
    return found


Picks = list[tuple[int, int]]


def arranged(sizes: Sequence[Sequence[int]], picks: Picks, most: int = JOINED) -> list[tuple[bool, Picks]]:
    """Which documents stand together in which segment, and whether a segment is one of the old ones as it is.

    `sizes` are how many passages each document of each old or new segment has, `picks` the wanted documents as (segment,
    number there) in the library's order. What is small is put together, in that order and up to `most` passages; what is
    large stays as it is, or is written anew where a document of it goes.

    >>> arranged([[3, 4], [5]], [(1, 0), (0, 0), (0, 1)])
    [(False, [(1, 0), (0, 0), (0, 1)])]
    >>> arranged([[9000, 4], [5]], [(1, 0), (0, 0), (0, 1)])
    [(True, [(0, 0), (0, 1)]), (False, [(1, 0)])]
    >>> arranged([[9000, 8000], [5]], [(0, 1)])
    [(False, [(0, 1)])]
    """
    kept: list[Picks] = [sorted(x for x in picks if x[0] == segment) for segment in range(len(sizes))]

    def count(some: Iterable[tuple[int, int]]) -> int:
        return sum(sizes[segment][n] for segment, n in some)

    large = {segment for segment in range(len(sizes)) if count(kept[segment]) > _SEALED}
    for size, number in _TIERS:
        alike = {x for x in large if count(kept[x]) <= size < most}
        if len(alike) > number:
            large -= alike
    together: list[Picks] = [[]]
    passages = 0
    for pick in picks:
        if pick[0] not in large:
            passages += count([pick])
            if passages > most and together[-1]:
                together.append([])
                passages = count([pick])
            together[-1].append(pick)
    first = {segment: n for n, (segment, _) in reversed(list(enumerate(picks)))}
    whole = [(len(kept[x]) == len(sizes[x]), kept[x]) for x in sorted(large, key=lambda x: first[x])]
    return whole + [(False, some) for some in together if some]


def segment_files(segments: Sequence[Segment], picks: Picks) -> Iterator[tuple[str, Content]]:
    """The files of a new segment of documents of others, made one after the other."""
    used = sorted({segment for segment, _ in picks})  # the others would be looked through for nothing
    numbers = {segment: n for n, segment in enumerate(used)}
    return join([segments[x].shelf for x in used], [(numbers[segment], n) for segment, n in picks])
