"""The nouns of answering: an answer is sentences with citations, or an abstention with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from corpus.types import Citation, Span
from index.query import Reading
from index.types import Hit

AnswerMode = Literal["extractive", "generative", "passages"]
ANSWER_MODES: tuple[AnswerMode, ...] = ("extractive", "generative", "passages")
ReasonCode = Literal["no_passage", "no_place_year", "no_figure", "not_covered"]


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of an answer and the numbers of its citations.

    In extractive mode `text` is exactly the quote of its one citation. `marks` are the words that answer, as spans of
    `text`. `label` says which side of a comparison the sentence is about (`2022年 · 黄浦`); it is no source text.
    """

    text: str
    citations: tuple[int, ...]
    marks: tuple[Span, ...] = ()
    label: str | None = None


@dataclass(frozen=True, slots=True)
class NumberedCitation:
    """A citation of an answer: its quote is source text, byte for byte."""

    number: int
    citation: Citation
    passage_id: str


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence as it is said, and those of its citations that no sentence before it had."""

    sentence: Sentence
    citations: tuple[NumberedCitation, ...]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why there is no answer: a stable code, and a Chinese sentence."""

    code: ReasonCode
    message: str


NO_ANSWER = "所收报告中没有找到依据"


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered to a question.

    `resolved` is the question as it was understood in its conversation. `confidence`, 0 to 1, is the calibrated chance
    that the hits hold the answer. `reason` is given where there is none: then `sentences` is empty and `hits` are the
    nearest passages, which are no answer. `notices` are for the reader: what was left out, what failed.
    """

    question: str
    resolved: str
    mode: AnswerMode
    sentences: tuple[Sentence, ...]
    citations: tuple[NumberedCitation, ...]
    confidence: float
    reason: Reason | None
    hits: Sequence[Hit]
    generation: str
    took_ms: float
    readings: Sequence[Reading] = ()
    notices: tuple[str, ...] = ()

    @property
    def abstained(self) -> bool:
        return self.reason is not None

    @property
    def text(self) -> str:
        """The whole answer as one text, citation numbers in brackets."""
        if self.reason is not None:
            return f"{NO_ANSWER}。{self.reason.message}"
        return "\n".join(sentence_text(x) for x in self.sentences)


def sentence_text(sentence: Sentence) -> str:
    """A sentence with its label and its numbers: `2022年：……[1]`."""
    numbers = "".join(f"[{n}]" for n in sentence.citations)
    return f"{sentence.label}：{sentence.text}{numbers}" if sentence.label else f"{sentence.text}{numbers}"
