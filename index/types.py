"""The nouns and protocols of the index. A passage is a fact; a hit is an opinion about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from corpus.expansions import Expansion
from corpus.types import Citation, Passage, Span

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Mode = Literal["hybrid", "dense", "lexical"]
MODES: tuple[Mode, ...] = ("hybrid", "dense", "lexical")


@dataclass(frozen=True, slots=True)
class Filters:
    """What may be found. None means: no restriction. `years` are the first and the last, both included.

    `passage_ids` name passages one by one, for those who know more about them than a filter can say.
    """

    document_ids: frozenset[str] | None = None
    years: tuple[int, int] | None = None
    series: frozenset[str] | None = None
    passage_ids: frozenset[str] | None = None


NO_FILTERS = Filters()


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found.

    `rank` counts from 1. `score` orders the hits of one part of a question and means little across questions. `signals`
    are what each arm said, as shares of the question from 0 to 1: `dense` by meaning, `lexical` by words; and
    `expansion`, what the passage's expansions added to its score. An arm that did not see the passage is absent.
    `highlights` are spans of the document that answer best. `expansion` is why the passage was found, where an
    expansion did it: retrieval-only text, never to be quoted or cited.
    """

    rank: int
    score: float
    signals: Mapping[str, float]
    passage: Passage
    citation: Citation
    highlights: tuple[Span, ...] = ()
    expansion: Expansion | None = None


@dataclass(frozen=True, slots=True)
class DocumentInfo:
    """What an index keeps of a document beside its text.

    `part` is the fingerprint of all that its share of the index was made from. The rest as in `Document`.
    """

    id: str
    title: str
    year: int
    series: str
    kind: str
    media_type: str
    sha256: str
    characters: int
    issuer: str | None = None
    year_basis: str | None = None
    title_basis: str | None = None
    file: str | None = None
    notes: tuple[str, ...] = ()
    page_starts: tuple[int, ...] = field(default=(), repr=False)
    part: str = field(default="", repr=False)
    sections: tuple[SectionInfo, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class SectionInfo:
    """A section by its path; `span` is all that stands under its heading, the heading included."""

    path: tuple[str, ...]
    restored: bool
    span: Span


class EncoderUnavailable(Exception):
    """An encoder can't be loaded; the message says in Chinese why and what to do."""


class Encoder(Protocol):
    """Texts → vectors.

    Both methods return float32 of shape `[len(texts), dim]`, one row a text in the given order; rows have
    length 1, or are all zero where the encoder knows nothing of the text. The same text always gives the
    same row, whatever it is encoded together with (to 1e-5). No text gives an empty array `[0, dim]`.
    """

    name: str
    dim: int
    fingerprint: str
    """Two encoders with one fingerprint give the same vectors; an index may only be searched with its own."""

    def encode_queries(self, texts: Sequence[str]) -> Floats: ...

    def encode_passages(self, texts: Sequence[str]) -> Floats: ...


@runtime_checkable
class LateInteraction(Protocol):
    """What an encoder may offer beside: the words of a text, each with a vector and a weight of its own."""

    dim: int

    def units(self, texts: Sequence[str]) -> list[Ints]:
        """The distinct words of each text as ids, int64, rising."""

    def unit_vectors(self, units: Ints) -> Floats:
        """float32 `[len(units), dim]`, rows of length 1."""

    def unit_weights(self, units: Ints) -> Floats:
        """What each word counts in a question, float32 `[len(units)]`, positive."""


class Retriever(Protocol):
    """Questions → hits."""

    def search(
        self,
        query: str,
        top_k: int = 5,
        mode: Mode = "hybrid",
        filters: Filters = NO_FILTERS,
        expansions: bool = True,
    ) -> list[Hit]:
        """At most `top_k` hits, best first; a question of several parts has the best hits of each in turn.

        Fewer, down to none, where the filters or the arms leave fewer: a passage that no arm sees
        anything in is no hit. The same call on the same index gives the same hits.

        Raises:
            ValueError: `top_k` is below 1 or `mode` is none of `MODES`.
        """
