"""The heart: questions in, hits and answers out. No HTTP, no argv."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from corpus.library import Entry, LibraryError
from corpus.types import Passage
from index.encoders import BundledEncoder
from index.query import Query, Reading
from index.ranking import Source
from index.reasons import Why
from index.subjects import Subject
from index.types import NO_FILTERS, DocumentInfo, Filters, Hit
from service.answers import Answer
from service.asking import Answerer, Asking, Event, final
from service.checks import (
    check_filters,
    checked_answer_mode,
    checked_history,
    checked_ignored,
    checked_mode,
    checked_per_year,
    checked_query,
    checked_top_k,
)
from service.comparing import Comparer
from service.comparisons import Comparing, Comparison
from service.errors import KewenError, echo, listed, user_errors
from service.keeper import IndexKeeper
from service.llm import ChatModel
from service.turnstile import AT_ONCE, Turn


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The hits of one question, all from one generation. `took_ms` is wall time in milliseconds."""

    query: str
    generation: str
    took_ms: float
    hits: Sequence[Hit]
    readings: Sequence[Reading] = ()
    """What was understood of the question beside its words."""
    whys: Sequence[Why] | None = None
    """Why each hit was found, where that was asked for."""


class Assistant(IndexKeeper):
    """Searches and answers over the newest sound generation."""

    _answers: Answerer | None = None
    _compared: Comparer | None = None

    # -- questions --------------------------------------------------------------------------------

    def search(
        self,
        query: str,
        top_k: int | None = None,
        mode: str = "hybrid",
        filters: Filters = NO_FILTERS,
        expansions: bool = True,
        literal: bool = False,
        ignored: Collection[str] = (),
        explain: bool = False,
    ) -> SearchResult:
        """The best passages for a question; with `explain`, why each was found.

        `expansions=False` leaves the expansions of passages aside; `literal` takes the question by its words alone;
        `ignored` are readings to leave aside, by id or surface.

        Raises:
            KewenError: `empty_query`, `query_too_long`, `invalid_request`, `unknown_mode`, `unknown_year`,
                `unknown_document`, or what opening the index raises.
        """
        query = checked_query(query, self.settings.max_question)
        top_k = checked_top_k(self.settings.top_k if top_k is None else top_k, self.settings.max_top_k)
        arm = checked_mode(mode)
        aside = checked_ignored(ignored)
        retriever = self.retriever()
        check_filters(retriever.snapshot, filters)
        started = time.perf_counter()
        question = Query.literal(query) if literal else retriever.understand(query, ignored=aside)
        whys = None
        if explain:
            with user_errors():
                hits, whys = retriever.explained(question, top_k, arm, filters, expansions)
        else:
            hits = retriever.search(question, top_k, arm, filters, expansions)
        took = round((time.perf_counter() - started) * 1000, 2)
        return SearchResult(query, retriever.snapshot.name, took, hits, question.readings, whys)

    def ask(
        self,
        question: str,
        top_k: int | None = None,
        mode: str | None = None,
        filters: Filters = NO_FILTERS,
        history: Sequence[str] = (),
        expansions: bool = True,
        literal: bool = False,
        ignored: Collection[str] = (),
    ) -> Answer:
        """The answer to a question: in the reports' own words, or in the mode `generative` in a language model's.

        `mode` is one of `answers.ANSWER_MODES`, the setting `answer_mode` by default; `history` are the earlier questions
        of the conversation, oldest first; `ignored` are readings to leave aside, by id or surface.

        Raises:
            KewenError: as `search`; a language model that can't be had is a notice, not an error.
        """
        return final(self.ask_events(question, top_k, mode, filters, history, expansions, literal, ignored))

    def ask_events(
        self,
        question: str,
        top_k: int | None = None,
        mode: str | None = None,
        filters: Filters = NO_FILTERS,
        history: Sequence[str] = (),
        expansions: bool = True,
        literal: bool = False,
        ignored: Collection[str] = (),
        turn: Turn = AT_ONCE,
    ) -> Iterator[Event]:
        """What `ask` answers, as it comes: sentences, notices, and last the whole answer.

        Reports are searched when it is this one's `turn`; a language model is waited for outside of it.

        Raises:
            KewenError: as `ask`, before anything is given.
        """
        settings = self.settings
        question = checked_query(question, settings.max_question)
        top_k = checked_top_k(settings.top_k if top_k is None else top_k, settings.max_top_k)
        arm = checked_answer_mode(settings.answer_mode if mode is None else mode)
        history = checked_history(history, settings.max_question)
        aside = checked_ignored(ignored)
        model, notice = self._chat_model() if arm == "generative" else (None, "")
        answerer = self.answerer()
        check_filters(answerer.retriever.snapshot, filters)
        asking = Asking(top_k, arm, filters, history, expansions, literal, aside)
        return answerer.events(question, asking, model, float(settings.llm_timeout), notice, turn)

    def _chat_model(self) -> tuple[ChatModel | None, str]:
        """The language model of the settings; where they won't do, none, and a notice that says why."""
        try:
            return ChatModel(self.settings.llm_url, self.settings.llm_model, self.settings.llm_key), ""
        except KewenError as error:
            return None, f"{error.message}以下改为摘录原文作答。"

    def answerer(self) -> Answerer:
        """What answers over the newest generation.

        Raises:
            KewenError: as opening the index.
        """
        retriever = self.retriever()
        answers = self._answers
        if answers is None or answers.retriever is not retriever:
            with user_errors():
                words = retriever.encoder if isinstance(retriever.encoder, BundledEncoder) else BundledEncoder()
            self._answers = answers = Answerer(retriever, words, self.settings.min_confidence)
        return answers

    # -- the years side by side -------------------------------------------------------------------

    def compare(
        self,
        subject: str,
        aspect: str | None = None,
        filters: Filters = NO_FILTERS,
        per_year: int = 4,
        expansions: bool = True,
    ) -> Comparison:
        """What the reports of each year say about a subject; where `aspect` is given, of that alone.

        Raises:
            KewenError: as `search`.
        """
        subject = checked_query(subject, self.settings.max_question, "对照的对象")
        aspect = aspect.strip() if aspect and aspect.strip() else None
        if aspect:
            checked_query(f"{subject} {aspect}", self.settings.max_question, "对照的对象与方面合起来")
        checked_per_year(per_year)
        comparer = self._comparer()
        check_filters(comparer.retriever.snapshot, filters)
        return comparer.compare(subject, aspect, Comparing(per_year, filters, expansions))

    def subjects(self) -> Sequence[Subject]:
        """The places that the years can be compared for, those that most years speak of first.

        Raises:
            KewenError: as opening the index.
        """
        return self._comparer().subjects

    def _comparer(self) -> Comparer:
        """What compares over the newest generation."""
        answerer = self.answerer()
        comparer = self._compared
        if comparer is None or comparer.retriever is not answerer.retriever:
            comparer = Comparer(answerer.retriever, answerer.reader, self.settings.min_confidence)
            self._compared = comparer
        return comparer

    # -- the library ------------------------------------------------------------------------------

    def documents(self) -> list[tuple[DocumentInfo, int]]:
        """The indexed documents, each with its number of passages."""
        snapshot = self.retriever().snapshot
        return [(document, len(snapshot.rows_of(document.id))) for document in snapshot.documents.values()]

    def own_documents(self) -> frozenset[str]:
        """The ids of the user's own documents; none where their catalogue is damaged, in which nothing can be changed."""
        with suppress(LibraryError):
            return frozenset(self.documents_store.catalogue()[0].documents)
        return frozenset()

    def removed_reports(self) -> list[Entry]:
        """The reports of the folder that were removed from view; none where the library can't be read."""
        with suppress(LibraryError):
            return self.library().hidden
        return []

    def document(self, document_id: str) -> tuple[DocumentInfo, list[Passage], Source]:
        """One document, its passages in reading order, and the snapshot they come from.

        Raises:
            KewenError: `not_found`.
        """
        snapshot = self.retriever().snapshot
        if document_id not in snapshot.documents:
            known = listed(snapshot.documents)
            raise KewenError("not_found", f"没有编号为 {echo(document_id)} 的报告。现有：{known}。")
        passages = [snapshot.rows[n].passage for n in snapshot.rows_of(document_id)]
        return snapshot.documents[document_id], passages, snapshot

    def passage(self, passage_id: str) -> tuple[Passage, Source]:
        """One passage by its id, and the snapshot it comes from.

        Raises:
            KewenError: `not_found`.
        """
        snapshot = self.retriever().snapshot
        passage = snapshot.passage(passage_id)
        if passage is None:
            raise KewenError("not_found", f"没有编号为 {echo(passage_id)} 的段落。")
        return passage, snapshot
