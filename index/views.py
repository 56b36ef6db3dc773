"""One way to see the passages, as it is stored segment by segment and as it is searched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from index.candidates import CandidateFinder
from index.counts import Counts, dump_views, load_views
from index.dense import PieceIndex, Pieces
from index.interaction import InteractionIndex
from index.lexical import VIEWS, LexicalIndex
from index.storage import Content, Data
from index.tables import Run, beneath, under
from index.words import Words


@dataclass(frozen=True, slots=True)
class ViewTables:
    """A view of one segment as it is stored; see `View` for what its parts hold."""

    pieces: Pieces
    lexical: Mapping[str, Counts]
    words: Words | None

    @property
    def sizes(self) -> set[int]:
        """How many passages each part knows: one number, in a sound view."""
        lexical = {counts.size for counts in self.lexical.values()}
        return {self.pieces.size, *lexical, *({self.words.size} if self.words else set())}

    @classmethod
    def load(cls, files: Mapping[str, Data]) -> ViewTables:
        """Of files as `joined_views` made them.

        Raises:
            KeyError or ValueError: they are no such files, or don't fit together.
        """
        words = under(files, "words/")
        return cls(
            Pieces.load(under(files, "dense/")),
            load_views(under(files, "lexical/"), tuple(VIEWS)),
            Words.load(words) if words else None,
        )


def joined_views(
    plain: Sequence[ViewTables], expanded: Sequence[ViewTables], runs: Sequence[Run]
) -> Iterator[tuple[str, Content]]:
    """The files of both views of rows of several segments, one behind the other.

    Each table is made when it is asked for: all of them at once are as large as the segment.
    """
    for name in VIEWS:
        yield from _joined_counts(name, plain, expanded, runs)
    for folder, tables in (("plain/", plain), ("expanded/", expanded)):
        words = [x.words for x in tables if x.words is not None]
        # Where late interaction finds its own candidates no index of the pieces is needed.
        pieces = Pieces.joined([x.pieces for x in tables], runs, has_ann=not words)
        yield from beneath(f"{folder}dense/", pieces).items()
        if words:
            yield from beneath(f"{folder}words/", Words.joined(words, runs)).items()


def _joined_counts(
    name: str, plain: Sequence[ViewTables], expanded: Sequence[ViewTables], runs: Sequence[Run]
) -> Iterator[tuple[str, Content]]:
    asked = Counts.joined([x.lexical[name] for x in expanded], runs)
    own = Counts.joined([x.lexical[name] for x in plain], runs).shared_with(asked)
    yield from beneath("expanded/lexical/", dump_views({name: asked})).items()
    yield from beneath("plain/lexical/", dump_views({name: own})).items()


@dataclass(frozen=True, slots=True)
class View:
    """One way to see the passages of all segments: by their own text, or by their expansions too.

    `pieces` and `words` of the expanded view are those of the expansions alone; its `lexical` holds both texts.
    `words` and `finder` are None where the encoder offers no late interaction.
    """

    pieces: PieceIndex
    lexical: LexicalIndex
    words: InteractionIndex | None = None
    finder: CandidateFinder | None = None

    @classmethod
    def plain(cls, tables: Sequence[ViewTables]) -> View:
        """By their own text, ready to be searched."""
        return cls._of(tables, LexicalIndex.of([x.lexical for x in tables]))

    @classmethod
    def expanded(cls, plain: Sequence[ViewTables], tables: Sequence[ViewTables]) -> View:
        """By their expansions too, ready to be searched."""
        return cls._of(tables, LexicalIndex.with_expansions([x.lexical for x in plain], [x.lexical for x in tables]))

    @classmethod
    def _of(cls, tables: Sequence[ViewTables], lexical: LexicalIndex) -> View:
        words = [x.words for x in tables if x.words is not None]
        pieces = PieceIndex([x.pieces for x in tables])
        return cls(pieces, lexical, InteractionIndex(words), CandidateFinder(words)) if words else cls(pieces, lexical)
