"""The contract of `index.types.Retriever`, and its values against a brute-force oracle."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest

from index.context import dense_text, lexical_text
from index.fusion import lexical_weight
from index.lexical import K1, B
from index.search import HybridRetriever
from index.segment import characters, words
from index.types import MODES, Filters

QUERIES = (
    "宝山区有多少家生物医药企业？",
    "先投后股是什么",
    "which park works on medical robots?",
    "G60科创走廊",
    "松江 2022 科技节",
)


@pytest.fixture
def retriever(assistant) -> HybridRetriever:
    return assistant.retriever()


def brute_bm25(query: str, texts: list[str], terms) -> np.ndarray:
    """BM25 from its definition, one passage and one term at a time."""
    passages = [Counter(terms(text)) for text in texts]
    lengths = [sum(x.values()) for x in passages]
    mean = sum(lengths) / len(lengths)
    scores = []
    for passage, length in zip(passages, lengths, strict=True):
        score = 0.0
        for term in set(terms(query)):
            df = sum(term in x for x in passages)
            idf = math.log(1 + (len(texts) - df + 0.5) / (df + 0.5))
            tf = passage[term]
            score += idf * tf / (tf + K1 * (1 - B + B * length / mean)) if tf else 0.0
        scores.append(score)
    return np.array(scores)


def z(scores: np.ndarray) -> np.ndarray:
    return (scores - scores.mean()) / scores.std() if scores.std() else scores * 0


@pytest.mark.parametrize("query", QUERIES)
def test_lexical_scores_are_bm25(retriever, query):
    snapshot = retriever.snapshot
    texts = [
        lexical_text(
            snapshot.documents[r.passage.document_id].title, snapshot.documents[r.passage.document_id].year, r.passage
        )
        for r in snapshot.rows
    ]
    expected = brute_bm25(query, texts, characters) + brute_bm25(query, texts, words)
    hits = retriever.search(query, 20, "lexical")
    order = sorted(np.flatnonzero(expected > 1e-9), key=lambda n: (-np.float32(expected[n]), n))[:20]
    assert [round(h.score, 2) for h in hits] == [round(float(expected[n]), 2) for n in order]
    assert {h.passage.id for h in hits[:5]} == {snapshot.rows[n].passage.id for n in order[:5]}


@pytest.mark.parametrize("query", QUERIES)
def test_dense_scores_are_cosines(retriever, query):
    snapshot, encoder = retriever.snapshot, retriever.encoder
    vectors = encoder.encode_passages([dense_text(r.passage) for r in snapshot.rows])
    expected = vectors @ encoder.encode_queries([query])[0]
    hits = retriever.search(query, 10, "dense")
    assert [h.score for h in hits] == pytest.approx(sorted(expected, reverse=True)[:10], abs=1e-3)


@pytest.mark.parametrize("query", QUERIES)
def test_hybrid_is_the_weighted_sum_of_what_the_arms_say(retriever, query):
    lexical = {h.passage.id: h.score for h in retriever.search(query, 100, "lexical")}
    dense = {h.passage.id: h.score for h in retriever.search(query, 100, "dense")}
    ids = sorted(lexical.keys() | dense.keys())
    snapshot = retriever.snapshot
    full = snapshot.lexical.scores(query)
    row = {r.passage.id: n for n, r in enumerate(snapshot.rows)}
    weight = lexical_weight(snapshot.lexical.coverage(query))
    fused = weight * z(np.array([float(full[row[x]]) for x in ids])) + (1 - weight) * z(
        np.array([dense.get(x, min(dense.values())) for x in ids])
    )
    expected = sorted(fused, reverse=True)[:10]
    assert [h.score for h in retriever.search(query, 10)] == pytest.approx(expected, abs=5e-3)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("query", QUERIES)
def test_order_ranks_and_repeatability(retriever, mode, query):
    hits = retriever.search(query, 12, mode)
    assert [h.rank for h in hits] == list(range(1, len(hits) + 1))
    assert all(a.score >= b.score for a, b in itertools.pairwise(hits))
    assert len({h.passage.id for h in hits}) == len(hits)
    assert retriever.search(query, 12, mode) == hits
    assert retriever.search(query, 3, mode) == hits[:3]


@pytest.mark.parametrize("mode", MODES)
def test_filters_hold_and_lose_nothing(retriever, mode):
    for filters, holds in (
        (Filters(years=(2022, 2025)), lambda c: 2022 <= c.year <= 2025),
        (
            Filters(document_ids=frozenset({"shanghai-2025-districts"})),
            lambda c: c.document_id == "shanghai-2025-districts",
        ),
        (Filters(series=frozenset({"宝山区科技创新“十五五”规划"})), lambda c: c.year == 2026),
    ):
        hits = retriever.search("宝山区 科创中心 主阵地", 100, mode, filters)
        assert hits
        assert all(holds(h.citation) for h in hits)
    only = Filters(document_ids=frozenset({"shanghai-2025-districts"}))
    assert len(retriever.search("宝山区", 100, "dense", only)) == 17


def test_hits_carry_exact_citations_and_highlights(retriever):
    for query in QUERIES:
        for hit in retriever.search(query, 10):
            text = retriever.snapshot.text(hit.passage.document_id)
            assert "".join(text[s:e] for s, e in hit.citation.spans) == hit.passage.text == hit.citation.quote
            inside = {n for s, e in hit.passage.spans for n in range(s, e)}
            assert all(set(range(s, e)) <= inside for s, e in hit.highlights)


@pytest.mark.parametrize("query", ["？！。", "～～～", "\u200b"])
def test_a_query_without_words_finds_nothing(retriever, query):
    assert retriever.search(query, 5) == []


@pytest.mark.parametrize(("top_k", "mode"), [(0, "hybrid"), (-1, "dense"), (5, "fuzzy")])
def test_bad_arguments(retriever, top_k, mode):
    with pytest.raises(ValueError, match="must be"):
        retriever.search("宝山", top_k, mode)
