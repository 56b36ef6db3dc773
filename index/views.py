"""One way to see the passages, as it is stored and as it is searched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from index.counts import Counts, dump_views, load_views
from index.dense import PieceIndex, Pieces
from index.interaction import InteractionIndex, Words
from index.lexical import VIEWS, LexicalIndex
from index.storage import Content
from index.tables import Run, beneath, under


@dataclass(frozen=True, slots=True)
class ViewTables:
    """A view as it is stored; see `View` for what its parts hold."""

    pieces: Pieces
    lexical: Mapping[str, Counts]
    words: Words | None

    @property
    def sizes(self) -> set[int]:
        """How many passages each part knows: one number, in a sound view."""
        lexical = {counts.size for counts in self.lexical.values()}
        return {self.pieces.size, *lexical, *({self.words.size} if self.words else set())}

    @classmethod
    def load(cls, files: Mapping[str, bytes]) -> ViewTables:
        """Of files as `joined` made them.

        Raises:
            KeyError or ValueError: they are no such files, or don't fit together.
        """
        words = under(files, "words/")
        return cls(
            Pieces.load(under(files, "dense/")),
            load_views(under(files, "lexical/"), tuple(VIEWS)),
            Words.load(words) if words else None,
        )

    @staticmethod
    def joined(tables: Sequence[ViewTables], runs: Sequence[Run]) -> dict[str, Content]:
        """The files of rows of several tables, one behind the other."""
        lexical = {name: Counts.joined([x.lexical[name] for x in tables], runs) for name in VIEWS}
        words = [x.words for x in tables if x.words is not None]
        return {
            **beneath("dense/", Pieces.joined([x.pieces for x in tables], runs)),
            **beneath("lexical/", dump_views(lexical)),
            **(beneath("words/", Words.joined(words, runs)) if words else {}),
        }


@dataclass(frozen=True, slots=True)
class View:
    """One way to see the passages: by their own text, or by their expansions too.

    `pieces` and `words` of the expanded view are those of the expansions alone; its `lexical` holds both texts.
    `words` is None where the encoder offers no late interaction.
    """

    pieces: PieceIndex
    lexical: LexicalIndex
    words: InteractionIndex | None

    @classmethod
    def of(cls, tables: ViewTables) -> View:
        """Ready to be searched."""
        words = InteractionIndex(tables.words) if tables.words else None
        return cls(PieceIndex(tables.pieces), LexicalIndex.of(tables.lexical), words)
