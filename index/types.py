"""The nouns and protocols of the index. A passage is a fact; a hit is an opinion about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from corpus.types import Citation, Passage, Span

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Mode = Literal["hybrid", "dense", "lexical"]
MODES: tuple[Mode, ...] = ("hybrid", "dense", "lexical")


@dataclass(frozen=True, slots=True)
class Filters:
    """What may be found. None means: no restriction. `years` are the first and the last, both included."""

    document_ids: frozenset[str] | None = None
    years: tuple[int, int] | None = None
    series: frozenset[str] | None = None


NO_FILTERS = Filters()


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found.

    `rank` counts from 1. `score` orders hits of one search and means nothing across searches. `signals`
    are what each arm said: `dense` an inner product of unit vectors, `lexical` a BM25 score; an arm that
    did not see the passage is absent. `highlights` are spans of the document that answer best.
    """

    rank: int
    score: float
    signals: Mapping[str, float]
    passage: Passage
    citation: Citation
    highlights: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class DocumentInfo:
    """What an index keeps of a document beside its text."""

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
    sections: tuple[SectionInfo, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class SectionInfo:
    """A section by its path; `span` is all that stands under its heading, the heading included."""

    path: tuple[str, ...]
    restored: bool
    span: Span


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


class Retriever(Protocol):
    """Questions → hits."""

    def search(self, query: str, top_k: int = 5, mode: Mode = "hybrid", filters: Filters = NO_FILTERS) -> list[Hit]:
        """At most `top_k` hits by falling score; equal scores in the order of the passages.

        Fewer, down to none, where the filters or the arms leave fewer: a passage that no arm sees
        anything in is no hit. The same call on the same index gives the same hits.

        Raises:
            ValueError: `top_k` is below 1 or `mode` is none of `MODES`.
        """
