"""Recall of the exported encoder on public retrieval sets, beside BM25 and with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from index.encoders import BundledEncoder
from index.interaction import THRESHOLD
from index.lexical import build_postings, inverse_frequency
from index.segment import characters
from index.training.data import RetrievalSet
from index.types import Floats

INTERACTION_SHARE = 0.35
_ROUNDS, _QUESTIONS, _CHARACTERS = 5, 200, 300


class Recall(NamedTuple):
    """Share of questions with a relevant passage among the first one and the first ten."""

    at_1: float
    at_10: float


class Measured(NamedTuple):
    """One set measured four ways."""

    name: str
    questions: int
    passages: int
    interaction: Recall
    averaged: Recall
    lexical: Recall
    fused: Recall


class Speed(NamedTuple):
    """How fast exported files load, cut passages of up to 300 characters into words, and encode a question."""

    load_seconds: float
    passages_per_second: float
    question_seconds: float


def measure(encoder: BundledEncoder, retrieval: RetrievalSet) -> Measured:
    """Recall of `encoder` on one set: late interaction, averaged vectors, BM25, and the first with the third."""
    interaction, lexical = interaction_scores(encoder, retrieval), lexical_shares(retrieval)
    averaged = encoder.encode_queries(retrieval.questions) @ encoder.encode_passages(retrieval.passages).T
    fused = INTERACTION_SHARE * interaction + (1 - INTERACTION_SHARE) * lexical
    ways = (recall(scores, retrieval.relevant) for scores in (interaction, averaged, lexical, fused))
    return Measured(retrieval.name, len(retrieval.questions), len(retrieval.passages), *ways)


def measure_speed(folder: Path, retrieval: RetrievalSet) -> Speed:
    """Load and encode a few times and keep the best: other work on the machine only slows down."""
    passages = [text[:_CHARACTERS] for text in retrieval.passages]
    questions = retrieval.questions[:_QUESTIONS]

    def timed(action: Callable[[], object]) -> float:
        started = perf_counter()
        action()
        return perf_counter() - started

    encoder = BundledEncoder(folder)
    loads = [timed(lambda: BundledEncoder(folder)) for _ in range(_ROUNDS)]
    batches = [timed(lambda: encoder.units(passages)) for _ in range(_ROUNDS)]
    singles = [timed(lambda: [encoder.encode_queries([text]) for text in questions]) for _ in range(_ROUNDS)]
    return Speed(min(loads), len(passages) / min(batches), min(singles) / len(questions))


def interaction_scores(encoder: BundledEncoder, retrieval: RetrievalSet) -> Floats:
    """Late interaction of all questions with all passages, float32 `[questions, passages]`, 0 to 1."""
    bags = encoder.units(retrieval.passages)
    filled = np.flatnonzero([len(bag) for bag in bags])
    scores = np.zeros((len(retrieval.questions), len(bags)), dtype=np.float32)
    if not len(filled):
        return scores
    units, terms = np.unique(np.concatenate(bags), return_inverse=True)
    begins = np.cumsum([0, *(len(bags[row]) for row in filled)])[:-1]
    vectors = encoder.unit_vectors(units)
    for place, asked in enumerate(tqdm(encoder.units(retrieval.questions), desc=retrieval.name, leave=False)):
        if len(asked):
            weights = encoder.unit_weights(asked)
            cosines = encoder.unit_vectors(asked) @ vectors.T
            likeness = np.maximum(cosines - THRESHOLD, 0) / (1 - THRESHOLD)
            best = np.maximum.reduceat(np.take(likeness, terms, axis=1), begins, axis=1)
            scores[place, filled] = weights @ best / weights.sum()
    return scores


def lexical_shares(retrieval: RetrievalSet) -> Floats:
    """BM25 of Han unigrams, bigrams and whole other words, as a share of the most that a question could get.

    float32 `[questions, passages]`; an unknown term weighs most.
    """
    postings = build_postings([characters(text) for text in retrieval.passages])
    unknown = float(inverse_frequency(np.zeros(1), postings.size)[0])
    shares = np.zeros((len(retrieval.questions), postings.size), dtype=np.float32)
    for place, question in enumerate(retrieval.questions):
        terms = sorted(set(characters(question)))
        most = sum(postings.weight(term, unknown) for term in terms)
        if most > 0:
            shares[place] = postings.scores(terms) / most
    return shares


def recall(scores: Floats, relevant: Sequence[Sequence[int]]) -> Recall:
    """Recall at 1 and 10 of `scores` `[questions, passages]`; equal scores keep passage order."""
    order = np.argsort(-scores, axis=1, kind="stable")[:, :10]
    hits = np.array([np.isin(row, wanted) for row, wanted in zip(order, relevant, strict=True)])
    return Recall(float(hits[:, 0].mean()), float(hits.any(axis=1).mean()))
