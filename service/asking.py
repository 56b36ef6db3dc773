"""A question in its conversation → what was understood, found, chosen and said. One retriever, one generation."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from dataclasses import dataclass, replace

from index.encoders import BundledEncoder
from index.evidence import Candidate, Evidence, EvidenceReader
from index.query import Part, Query
from index.search import HybridRetriever
from index.types import NO_FILTERS, Filters, Hit
from service.abstention import is_small_talk, no_passage, reason, small_talk
from service.answering import POOL, best_candidate, compose
from service.answers import Answer, AnswerMode, Said
from service.confidence import confidence, signals
from service.conversation import resolve
from service.generation import generate, rewrite
from service.llm import ChatModel
from service.turnstile import AT_ONCE, Turn
from service.verification import Verifier


@dataclass(frozen=True, slots=True)
class Asking:
    """How a question is to be answered.

    `history` are the earlier questions of the conversation, oldest first; `ignored` are readings to leave aside, by id or
    surface.
    """

    top_k: int
    mode: AnswerMode
    filters: Filters = NO_FILTERS
    history: Sequence[str] = ()
    expansions: bool = True
    literal: bool = False
    ignored: Collection[str] = frozenset()


class Answerer:
    """Answers over one retriever. Below the confidence `threshold`, 0 to 1, there is no answer."""

    def __init__(self, retriever: HybridRetriever, words: BundledEncoder, threshold: float) -> None:
        self.retriever = retriever
        self._words = words
        self._threshold = threshold
        self.reader = EvidenceReader(retriever.snapshot, words, words.fingerprint)

    def events(
        self,
        question: str,
        asking: Asking,
        model: ChatModel | None,
        seconds: float,
        notice: str = "",
        turn: Turn = AT_ONCE,
    ) -> Iterator[Event]:
        """Sentences and notices as they come, and last the whole answer; `seconds` limit what the `model` may take.

        `notice` is what the reader should know beforehand. Reports are searched when it is this one's `turn`.
        """
        started = time.perf_counter()
        resolved = self._resolved(question, asking, model, seconds, turn)
        with turn:
            answer, pool = self._extract(question, resolved, asking)
        if notice:
            yield notice
            answer = replace(answer, notices=(notice,))
        if model is None or answer.abstained:
            yield from _said(answer)
            yield replace(answer, took_ms=_since(started))
            return
        verifier = Verifier(self.retriever.snapshot.names, self._words)
        for event in generate(model, seconds, answer, pool, verifier):
            yield replace(event, took_ms=_since(started)) if isinstance(event, Answer) else event

    def signals(self, question: str, expansions: bool = True) -> dict[str, float]:
        """What the confidence in an answer is computed from."""
        query = self.retriever.understand(question)
        hits = self.retriever.search(query, POOL, expansions=expansions)
        evidence = self.reader.read(query.parts[-1], hits, expansions)
        return signals(evidence, best_candidate(evidence, hits))

    def _resolved(self, question: str, asking: Asking, model: ChatModel | None, seconds: float, turn: Turn) -> str:
        """The question as it stands by itself: by the model where there is one, else by rules."""
        if not asking.history:
            return question
        by_model = None
        if model:
            turn.stand_aside()
            by_model = rewrite(model, seconds, question, asking.history)
        return by_model or resolve(question, asking.history, self.retriever.snapshot.names)

    def _extract(self, question: str, resolved: str, asking: Asking) -> tuple[Answer, list[Hit]]:
        """The answer in the reports' own words, and the hits that it was chosen from."""
        understand = self.retriever.understand
        query = Query.literal(resolved) if asking.literal else understand(resolved, ignored=asking.ignored)
        count = max(asking.top_k, POOL)
        hits = self.retriever.search(query, count, "hybrid", asking.filters, asking.expansions)
        pool = hits[:POOL]
        answer = Answer(
            question=question,
            resolved=resolved,
            mode="passages" if asking.mode == "passages" else "extractive",
            sentences=(),
            citations=(),
            confidence=0.0,
            reason=None,
            hits=hits[: asking.top_k],
            generation=self.retriever.snapshot.name,
            took_ms=0.0,
            readings=query.readings,
        )
        if is_small_talk(resolved):
            return replace(answer, reason=small_talk(), hits=[]), []
        part = query.parts[-1]
        evidence = self.reader.read(part, pool, asking.expansions)
        if not evidence.candidates:
            return replace(answer, reason=no_passage()), pool
        best = best_candidate(evidence, pool)
        chance = self._chance(evidence, best, pool, asking.expansions)
        answer = replace(answer, confidence=chance)
        if asking.mode == "passages":
            return answer, pool
        if chance < self._threshold:
            return replace(answer, reason=reason(part, evidence, best, pool)), pool

        def read(part: Part, hits: Sequence[Hit]) -> Evidence:
            return self.reader.read(part, hits, asking.expansions)

        sentences, citations = compose(query, pool, evidence, read, self.retriever.snapshot)
        return replace(answer, sentences=sentences, citations=citations), pool

    def _chance(self, evidence: Evidence, best: Candidate, hits: Sequence[Hit], expansions: bool) -> float:
        is_expanded = expansions and self.reader.has_questions(hits[best.hit].passage.id)
        return round(confidence(evidence, best, is_expanded), 3)


Event = Said | str | Answer
"""A sentence as it is said, a notice for the reader, or last the whole answer, which alone counts."""


def final(events: Iterator[Event]) -> Answer:
    """The whole answer, with which events end."""
    *_, answer = events
    if not isinstance(answer, Answer):
        raise TypeError(f"events end with {type(answer).__name__}")
    return answer


def checked(events: Iterator[Event], checkpoint: Callable[[], object]) -> Iterator[Event]:
    """The events; `checkpoint` is called before each, and ends them by raising."""
    try:
        for event in events:
            checkpoint()
            yield event
    finally:
        if isinstance(events, Generator):  # ends the conversation with the language model now, not at some time
            events.close()


def _said(answer: Answer) -> Iterator[Said]:
    """An answer's sentences one by one, each with the citations that are new with it."""
    known: set[int] = set()
    for sentence in answer.sentences:
        new = tuple(x for x in answer.citations if x.number in sentence.citations and x.number not in known)
        known |= {x.number for x in new}
        yield Said(sentence, new)


def _since(started: float) -> float:
    """Milliseconds since a time of `time.perf_counter`."""
    return round((time.perf_counter() - started) * 1000, 2)
