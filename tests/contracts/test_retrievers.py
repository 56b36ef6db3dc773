"""The contract of `index.types.Retriever`, and its values against their definitions, one passage at a time."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from corpus.library import Library, shipped_folder
from index.build import build_index
from index.context import expansion_text, passage_text
from index.fusion import EXPANSION_SHARE, fuse
from index.generations import GenerationStore
from index.interaction import THRESHOLD
from index.lexical import K1, B
from index.milvus import Milvus
from index.milvus_arms import MilvusArms
from index.milvus_build import publish
from index.milvus_source import MilvusSource
from index.query import Query
from index.search import HybridRetriever
from index.segment import characters, words
from index.snapshot import Snapshot
from index.subjects import subjects
from index.types import MODES, Filters

QUERIES = (
    "宝山区有多少家生物医药企业？",
    "先投后股是什么",
    "which park works on medical robots?",
    "G60科创走廊",
    "松江 2022 科技节",
)
ODD = ("的", "𠮷野家", "zzzzqqq", "0", "1.5 2,000", "a" * 3000, "宝山" * 500)


class Averaged:
    """The bundled encoder without its words: what any sentence-transformers model offers."""

    def __init__(self, encoder):
        self._encoder = encoder
        self.name, self.dim, self.fingerprint = "averaged", encoder.dim, encoder.fingerprint + "-averaged"

    def encode_queries(self, texts):
        return self._encoder.encode_queries(texts)

    def encode_passages(self, texts):
        return self._encoder.encode_passages(texts)


@pytest.fixture(scope="session")
def averaged(bundled, tmp_path_factory) -> HybridRetriever:
    store, encoder = GenerationStore(tmp_path_factory.mktemp("averaged") / "index"), Averaged(bundled)
    build_index(Library(shipped_folder()), store, encoder)
    return HybridRetriever(Snapshot.load(store.open()[0]), encoder)


@pytest.fixture
def late(assistant) -> HybridRetriever:
    return assistant.retriever()


def in_milvus(retriever: HybridRetriever, folder: Path) -> HybridRetriever:
    """The same generation in Milvus Lite."""
    milvus = Milvus(str(folder / "milvus.db"))
    source = MilvusSource(milvus, publish(retriever.snapshot, milvus, "kewen").collection)
    return HybridRetriever(source, retriever.encoder, MilvusArms(source, retriever.encoder))


@pytest.fixture(scope="session")
def late_in_milvus(bundled, tmp_path_factory) -> HybridRetriever:
    folder = tmp_path_factory.mktemp("late")
    store = GenerationStore(folder / "index")
    build_index(Library(shipped_folder()), store, bundled)
    return in_milvus(HybridRetriever(Snapshot.load(store.open()[0]), bundled), folder)


@pytest.fixture(scope="session")
def averaged_in_milvus(averaged, tmp_path_factory) -> HybridRetriever:
    return in_milvus(averaged, tmp_path_factory.mktemp("averaged-in-milvus"))


RETRIEVERS = ("late", "averaged", "late_in_milvus", "averaged_in_milvus")


@pytest.fixture(params=RETRIEVERS)
def retriever(request) -> HybridRetriever:
    return request.getfixturevalue(request.param)


def each_asked(queries: tuple[str, ...]) -> list[tuple[str, str]]:
    """Every retriever with these questions, but Milvus Lite, which goes through all its rows each time, with a third."""
    return [(x, query) for x in RETRIEVERS for query in queries[:: 3 if x.endswith("_in_milvus") else 1]]


@pytest.fixture(scope="session")
def read(reports, passages) -> list[str]:
    """What an index reads of each passage, in its order."""
    return [passage_text(d.title, d.year, p) for name, d in reports.items() for p in passages[name]]


def asked(retriever, read) -> list[str]:
    """The same, with each passage's expansions."""
    rows = retriever.snapshot.rows
    return [f"{text}\n{expansion_text(row.expansions)}" for text, row in zip(read, rows, strict=True)]


def brute_shares(query: str, texts: list[str], terms) -> np.ndarray:
    """BM25 from its definition, one passage and one term at a time, by what the question's terms weigh."""
    passages = [Counter(terms(text)) for text in texts]
    mean = sum(sum(x.values()) for x in passages) / len(passages)
    scores, total = np.zeros(len(texts)), 0.0
    for term in set(terms(query)):
        df = sum(term in x for x in passages)
        idf = math.log(1 + (len(texts) - df + 0.5) / (df + 0.5))
        total += idf
        for n, passage in enumerate(passages):
            if tf := passage[term]:
                scores[n] += idf * tf / (tf + K1 * (1 - B + B * sum(passage.values()) / mean))
    return scores / total if total else scores


def lexical_shares(query: str, texts: list[str]) -> np.ndarray:
    return (brute_shares(query, texts, characters) + brute_shares(query, texts, words)) / 2


def brute_coverage(query: str, texts: list[str]) -> float:
    """The share of the query's characters, by weight, that the texts have at all."""
    known = [set(characters(text)) for text in texts]
    count = {term: sum(term in terms for terms in known) for term in set(characters(query))}
    weight = {term: np.log(1 + (len(texts) - n + 0.5) / (n + 0.5)) for term, n in count.items()}
    return sum(weight[term] for term, n in count.items() if n) / sum(weight.values())


def dense_shares(encoder, query: str, texts: list[str]) -> np.ndarray:
    """Late interaction from its definition, with vectors that were never stored."""
    (units,) = encoder.units([query])
    vectors, weights = encoder.unit_vectors(units), encoder.unit_weights(units)
    shares = []
    for found in encoder.units(texts):
        best = (vectors @ encoder.unit_vectors(found).T).max(axis=1)
        shares.append(float(weights @ np.maximum(best - THRESHOLD, 0) / (1 - THRESHOLD) / weights.sum()))
    return np.array(shares)


def originals(hits: list) -> list:
    """Hits that do not repeat a better one's text: those that do stand behind the others."""

    def copies(a: str, b: str) -> bool:
        x, y = (set(itertools.pairwise(text)) for text in (a, b))
        return len(x & y) >= 0.8 * len(x | y)

    return [h for h in hits if not any(copies(h.passage.text, o.passage.text) for o in hits if o.score > h.score)]


@pytest.mark.parametrize("query", QUERIES)
def test_lexical_scores_are_shares_of_bm25(late, read, query):
    expected = lexical_shares(query, read)
    lexical = late.snapshot.plain.lexical
    shares = lexical.shares(lexical.prepare(query), np.arange(lexical.size))
    assert shares == pytest.approx(expected, abs=1e-4)
    hits = late.search(query, 20, "lexical", expansions=False)
    row = {r.passage.id: n for n, r in enumerate(late.snapshot.rows)}
    assert all(hit.score == pytest.approx(expected[row[hit.passage.id]], abs=1e-4) for hit in hits)
    assert max((hit.score for hit in hits), default=0) == pytest.approx(expected.max(), abs=1e-4)
    assert len(hits) == min(20, np.count_nonzero(expected > 1e-9))


@pytest.mark.parametrize("query", QUERIES)
def test_dense_scores_are_those_of_late_interaction(late, read, query):
    expected = dense_shares(late.encoder, query, read)
    row = {r.passage.id: n for n, r in enumerate(late.snapshot.rows)}
    hits = late.search(query, 20, "dense", expansions=False)
    assert all(hit.score == pytest.approx(expected[row[hit.passage.id]], abs=0.01) for hit in hits)
    assert hits[0].score == pytest.approx(expected.max(), abs=0.01)


@pytest.mark.parametrize("query", QUERIES)
def test_hybrid_is_the_weighted_sum_of_what_the_arms_say(late, read, query):
    coverage = brute_coverage(query, read)
    expected = fuse(dense_shares(late.encoder, query, read), lexical_shares(query, read), coverage)
    row = {r.passage.id: n for n, r in enumerate(late.snapshot.rows)}
    hits = late.search(query, 5, expansions=False)
    assert all(hit.score == pytest.approx(expected[row[hit.passage.id]], abs=0.01) for hit in hits)
    assert originals(hits)[-1].score >= np.delete(expected, [row[hit.passage.id] for hit in hits]).max() - 0.01


@pytest.mark.parametrize("query", QUERIES)
def test_expansions_add_their_share_of_what_they_bring(late, read, query):
    both = asked(late, read)
    coverage = brute_coverage(query, both)
    plain = fuse(dense_shares(late.encoder, query, read), lexical_shares(query, read), coverage)
    dense = np.maximum(dense_shares(late.encoder, query, both), dense_shares(late.encoder, query, read))
    expected = plain + EXPANSION_SHARE * np.maximum(fuse(dense, lexical_shares(query, both), coverage) - plain, 0)
    row = {r.passage.id: n for n, r in enumerate(late.snapshot.rows)}
    for hit in late.search(query, 30):
        assert hit.score == pytest.approx(expected[row[hit.passage.id]], abs=0.015)
        gain = hit.score - plain[row[hit.passage.id]]
        assert hit.signals.get("expansion", 0) == pytest.approx(gain, abs=0.015)


@pytest.mark.parametrize("query", QUERIES)
def test_an_encoder_without_words_finds_passages_by_their_nearest_sentence(averaged, query):
    snapshot, vector = averaged.snapshot, averaged.encoder.encode_queries([query])[0]
    cosines, _ = snapshot.plain.pieces.nearest(vector, np.arange(len(snapshot.rows)))
    best = snapshot.rows[int(np.argmax(cosines))].passage
    hits = averaged.search(query, 5, "dense", expansions=False)
    assert hits[0].passage == best
    assert {h.passage.id for h in hits} <= {snapshot.rows[n].passage.id for n in np.argsort(-cosines)[:15]}


@pytest.mark.parametrize("expansions", [True, False])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("retriever", "query"), each_asked(QUERIES), indirect=["retriever"])
def test_order_ranks_and_repeatability(retriever, mode, query, expansions):
    hits = retriever.search(query, 12, mode, expansions=expansions)
    assert [h.rank for h in hits] == list(range(1, len(hits) + 1))
    assert all(a.score >= b.score for a, b in itertools.pairwise(originals(hits)))
    assert len({h.passage.id for h in hits}) == len(hits)
    assert retriever.search(query, 12, mode, expansions=expansions) == hits
    assert retriever.search(query, 3, mode, expansions=expansions) == hits[:3]


def test_a_question_has_the_same_hits_whatever_was_asked_before(retriever):
    def anew() -> HybridRetriever:
        if isinstance(retriever.snapshot, Snapshot):
            return HybridRetriever(retriever.snapshot, retriever.encoder)
        source = MilvusSource(retriever.snapshot.milvus, retriever.snapshot.name)
        return HybridRetriever(source, retriever.encoder, MilvusArms(source, retriever.encoder))

    alone = {query: anew().search(query) for query in QUERIES}
    for query in reversed(QUERIES):
        assert retriever.search(query) == alone[query]


def test_a_plain_text_is_taken_literally(retriever):
    for query in QUERIES:
        assert retriever.search(query) == retriever.search(Query.literal(query))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("retriever", "query"), each_asked((*QUERIES, *ODD)), indirect=["retriever"])
def test_scores_and_signals_are_numbers(retriever, mode, query):
    for question in (Query.literal(query), retriever.understand(query)):
        for hit in retriever.search(question, 50, mode):
            assert hit.score >= 0
            assert all(math.isfinite(x) for x in (hit.score, *hit.signals.values()))
            assert set(hit.signals) <= {"dense", "lexical", "expansion"}
            assert all(0 <= hit.signals.get(arm, 0) <= 1 for arm in ("dense", "lexical"))
            assert mode == "hybrid" or set(hit.signals) <= {mode, "expansion"}


@pytest.mark.parametrize(
    ("mode", "expansions", "few"), [*((x, y, 0) for x in MODES for y in (True, False)), ("hybrid", True, 500)]
)
@pytest.mark.parametrize("encoder", ["late", "averaged"])
def test_milvus_gives_the_hits_of_this_machine(request, monkeypatch, encoder, mode, expansions, few):
    for arms in ("index.local._ALL", "index.milvus_arms._ALL"):  # with few, only what the arms find is a candidate
        monkeypatch.setattr(arms, few)
    here, there = (request.getfixturevalue(x) for x in (encoder, f"{encoder}_in_milvus"))
    questions = (*QUERIES, "徐汇和长宁2015年、2022年的科创中心", "历年的张江")
    some = [Filters(), Filters(years=(2022, 2025)), Filters(series=frozenset({"宝山区科技创新“十五五”规划"}))]
    if few or not expansions or mode != "hybrid":  # what differs then is told by fewer
        questions, some = questions[-3:], some[:2]
    for question in questions:
        asked = here.understand(question)
        assert there.understand(question) == asked
        for filters in some:
            expected = here.search(asked, 10, mode, filters, expansions)
            found = there.search(asked, 10, mode, filters, expansions)
            known = {x.passage.id: x for x in expected}
            ids = [x.passage.id for x in found]
            assert len(found) == len(expected)
            assert ids == list(known) if few else len(known.keys() & set(ids)) >= 0.9 * len(known)
            for x, y in ((x, known[x.passage.id]) for x in found if x.passage.id in known):
                assert (x.passage, x.citation, x.highlights, x.expansion) == (
                    y.passage,
                    y.citation,
                    y.highlights,
                    y.expansion,
                )
                assert x.score == pytest.approx(y.score, abs=2e-4)


def test_what_only_the_index_knows_is_the_same_in_milvus(late, late_in_milvus):
    here, there = late.snapshot, late_in_milvus.snapshot
    assert list(there.rows) == list(here.rows)
    assert there.documents == here.documents
    assert there.names == here.names
    assert subjects(there) == subjects(here)
    for name in here.documents:
        assert there.text(name) == here.text(name)
        assert there.rows_of(name) == here.rows_of(name)
    some = Filters(years=(2022, 2025), passage_ids=frozenset(x.passage.id for x in here.rows[20:60]))
    assert there.mask(some).tolist() == here.mask(some).tolist()
    assert there.found(here.rows[7].passage.id) == here.rows[7]
    assert there.found("no-such:1-2") is None
    for text in (*QUERIES, "zzzz", ""):
        assert there.coverage(text) == pytest.approx(here.coverage(text), abs=1e-5)
    for places in ((), ("宝山",), ("宝山", "张江")):
        assert there.years_of(places) == here.years_of(places)


@pytest.mark.parametrize("mode", MODES)
def test_filters_hold(retriever, mode):
    for filters, holds in (
        (Filters(years=(2022, 2025)), lambda c: 2022 <= c.year <= 2025),
        (
            Filters(document_ids=frozenset({"shanghai-2025-districts"})),
            lambda c: c.document_id == "shanghai-2025-districts",
        ),
        (Filters(series=frozenset({"宝山区科技创新“十五五”规划"})), lambda c: c.year == 2026),
    ):
        for question in ("宝山区 科创中心 主阵地", retriever.understand("徐汇和长宁2015年、2022年的科创中心")):
            hits = retriever.search(question, 100, mode, filters)
            assert hits or isinstance(question, Query)
            assert all(holds(h.citation) for h in hits)


@pytest.mark.parametrize("mode", MODES)
def test_filters_lose_nothing_and_change_no_score(late, mode):
    query, only = "宝山区 科创中心 主阵地", Filters(document_ids=frozenset({"shanghai-2025-districts"}))
    every = {h.passage.id: h.score for h in late.search(query, 100, mode) if h.citation.year == 2025}
    filtered = {h.passage.id: h.score for h in late.search(query, 100, mode, only)}
    assert every
    assert every.items() <= filtered.items()


def test_hits_carry_exact_citations_and_highlights(retriever):
    for query in QUERIES:
        for hit in retriever.search(query, 10):
            text = retriever.snapshot.text(hit.passage.document_id)
            assert "".join(text[s:e] for s, e in hit.citation.spans) == hit.passage.text == hit.citation.quote
            inside = {n for s, e in hit.passage.spans for n in range(s, e)}
            assert all(set(range(s, e)) <= inside for s, e in hit.highlights)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("query", ["？！。", "～～～", "\u200b"])
def test_a_query_without_words_finds_nothing(retriever, query, mode):
    assert retriever.search(query, 5, mode) == []
    assert retriever.search(retriever.understand(query), 5, mode) == []


@pytest.mark.parametrize(("top_k", "mode"), [(0, "hybrid"), (-1, "dense"), (5, "fuzzy")])
def test_bad_arguments(retriever, top_k, mode):
    with pytest.raises(ValueError, match="must be"):
        retriever.search("宝山", top_k, mode)
