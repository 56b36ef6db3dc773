"""The nouns of evaluation: questions with their evidence, and what a system returned for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from corpus.types import Span

TYPES = ("fact", "paraphrase", "temporal", "list", "multi", "crosslingual", "noisy", "unanswerable")
DIFFICULTIES = ("easy", "medium", "hard")
SPLITS = ("dev", "test")
NEEDS = ("any", "all")


@dataclass(frozen=True, slots=True)
class Evidence:
    """A piece of text that answers: `span` is where it stands in the document, in code points."""

    document_id: str
    quote: str
    span: Span


@dataclass(frozen=True, slots=True)
class Question:
    """A gold question. `need`: one piece of evidence is enough (`any`), or all are needed (`all`)."""

    id: str
    split: str
    question: str
    type: str
    difficulty: str
    evidence: tuple[Evidence, ...]
    need: str
    answer: str

    @property
    def answerable(self) -> bool:
        return bool(self.evidence)


@dataclass(frozen=True, slots=True)
class Unit:
    """A retrievable unit of a system: its passage, whatever its size."""

    id: str
    document_id: str
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """One result: a unit, its score, and the text and label that the system showed for it."""

    unit: Unit
    score: float
    text: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a system returned for one question, best first, and how long it took in milliseconds."""

    question_id: str
    found: tuple[Found, ...]
    took_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Cited:
    """One citation of an answer: spans of a document, in code points, and the quote shown for them."""

    document_id: str
    spans: tuple[Span, ...]
    quote: str


@dataclass(frozen=True, slots=True)
class Said:
    """One sentence of an answer and what it cites."""

    text: str
    cited: tuple[Cited, ...]


@dataclass(frozen=True, slots=True)
class Answered:
    """What a system answered; no sentences where it abstained.

    `confidence` is 0..1, or None where the system gives none; `took_ms` is in milliseconds.
    """

    question_id: str
    abstained: bool
    confidence: float | None
    said: tuple[Said, ...]
    took_ms: float | None = None


class System(Protocol):
    """Anything that answers questions with passages."""

    def describe(self) -> dict[str, Any]:
        """What it is: enough to tell two runs of different systems apart."""

    def units(self) -> Sequence[Unit] | None:
        """All that it can return, or None where it can't say."""

    def search(self, question: str, top_k: int) -> Outcome:
        """At most `top_k` results, best first; `question_id` is left empty."""


class AnsweringSystem(Protocol):
    """Anything that answers questions with cited sentences, or abstains."""

    def ask(self, question: str) -> Answered:
        """What it answers; `question_id` is left empty."""
