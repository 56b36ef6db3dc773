"""Why a passage was found: the words and meanings given are there, and add up to what the search computed."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from index.interaction import Bag
from index.lexical import VIEWS, TermView
from index.query import Query
from index.reasons import LIKE, Reasons, Why
from index.search import HybridRetriever
from index.segment import normalise, runs, words
from index.types import Hit

ROOT = Path(__file__).parents[2]
_GOLD = (ROOT / "eval" / "gold" / "questions.jsonl").read_text(encoding="utf-8").splitlines()
DEV = [x["question"] for x in map(json.loads, _GOLD) if x["split"] == "dev"]


@pytest.fixture
def retriever(assistant) -> HybridRetriever:
    return assistant.retriever()


@pytest.fixture(scope="session")
def explained(opened) -> list[tuple[str, Hit, Why]]:
    """The best hits of all gold dev questions, by their words alone, each with why."""
    retriever = opened.retriever()
    found = []
    for question in DEV:
        hits, whys = retriever.explained(Query.literal(question), 5)
        found += [(question, hit, why) for hit, why in zip(hits, whys, strict=True)]
    return found


def at(text: str, spans) -> str:
    return "".join(text[start:end] for start, end in spans)


def terms_of(text: str) -> set[str]:
    """The terms that a text may be matched as: a numeral is a number where something is counted."""
    folded = [normalise(text + counted).removesuffix(counted) for counted in ("", "家", "年")]
    return {term for one in folded for term in (one, *runs(one))}


def is_term(source: str, term: str) -> bool:
    """Whether a source is the term, once or again and again."""
    pieces = (source[: len(source) // times] for times in range(1, len(source) + 1) if len(source) % times == 0)
    return any(piece * (len(source) // len(piece)) == source and term in terms_of(piece) for piece in pieces)


# -- words --------------------------------------------------------------------------------------------


def test_the_places_of_a_word_are_the_word(explained, opened):
    snapshot = opened.retriever().snapshot
    found = [(hit, word) for _, hit, why in explained for word in why.words if word.spans]
    assert len(found) > 1000
    for hit, word in found:
        source = at(snapshot.text(hit.passage.document_id), word.spans)
        assert any(is_term(source, term) for term in terms_of(word.text)), (hit.passage.id, word, source)
        inside = {n for span in hit.passage.spans for n in range(*span)}
        assert inside.issuperset(n for span in word.spans for n in range(*span))


def test_every_word_that_stands_in_the_text_has_a_place(explained):
    assert all((word.where == "text") is bool(word.spans) for _, _, why in explained for word in why.words)


def share_of(view: TermView, terms: Iterable[str], row: int) -> float:
    """A passage's score as a share of what the terms weigh; one that no passage has weighs most."""
    unknown = math.log(1 + (view.size + 0.5) / 0.5)
    total = sum(view.weight(term, unknown) for term in set(terms))
    return float(view.scores(terms)[row]) / total if total else 0.0


def test_the_words_given_are_all_that_the_lexical_arm_saw(explained, opened):
    """Its signal is the mean of the shares by words and by characters, and the former are of these words alone."""
    snapshot = opened.retriever().snapshot
    views = snapshot.expanded.lexical.views
    for question, hit, why in explained:
        row = snapshot.row_of(hit.passage.id)
        terms = set(words(question))
        given = terms & {term for word in why.words for term in terms_of(word.text)}
        assert len(given) == len(why.words)
        assert float(views["words"].scores(given)[row]) == float(views["words"].scores(terms)[row])
        both = [share_of(views[name], cut(question), row) for name, cut in VIEWS.items()]
        assert hit.signals.get("lexical", 0) == pytest.approx(np.mean(both), abs=1e-4)
        weights = [word.weight for word in why.words]
        assert weights == sorted(weights, reverse=True)
        # BM25 gives a word no more than its weight.
        assert sum(weights) >= share_of(views["words"], terms, row) - 1e-6


def test_the_weights_of_all_words_of_a_question_are_one(retriever):
    for question in DEV:
        weights = Reasons(retriever.snapshot, retriever.encoder, question, "hybrid", True)._weights
        assert set(weights) == set(words(question))
        assert sum(weights.values()) == pytest.approx(1)


def test_where_a_word_stands(retriever):
    query = Query.literal("宝山搞药的公司一共有几家")
    (hit,), (why,) = retriever.explained(query, 1)
    where = {x.text: x.where for x in why.words}
    assert (where["宝山"], where["几家"]) == ("heading", "expansion")
    assert not any(word in hit.passage.text for word in ("宝山", "几家"))
    plain = retriever.explained(query, 20, expansions=False)[1]
    assert {x.where for why in plain for x in why.words} == {"heading", "text"}


# -- meanings -----------------------------------------------------------------------------------------


def test_meanings_are_what_the_dense_arm_summed_up(retriever):
    """Without expansions its signal is the sum of likeness times weight over all words of the question."""
    late, table = retriever.encoder, retriever.snapshot.plain.words
    for question in DEV[::3]:
        hits, whys = retriever.explained(Query.literal(question), 5, "dense", expansions=False)
        bag = Bag.of(late, question)
        weights = bag.weights / bag.weights.sum()
        for hit, why in zip(hits, whys, strict=True):
            likeness = table.matches(bag, np.array([retriever.snapshot.row_of(hit.passage.id)]))[:, 0]
            assert hit.signals["dense"] == pytest.approx(float(weights @ likeness), abs=1e-4)
            for x in why.meanings:
                assert (np.isclose(likeness, x.likeness, atol=1e-4) & np.isclose(weights, x.weight)).any()
            assert sum(x.likeness * x.weight for x in why.meanings) <= hit.signals["dense"] + 1e-4
            near = likeness >= LIKE
            assert len(why.meanings) <= near.sum()
            assert len(why.meanings) >= (likeness > 0.99).sum()  # what is there itself, of all words


def test_the_places_of_a_meaning_are_the_word_found(explained, opened):
    snapshot = opened.retriever().snapshot
    checked = 0
    for question, hit, why in explained:
        text = snapshot.text(hit.passage.document_id)
        for meaning in why.meanings:
            assert LIKE <= meaning.likeness <= 1
            assert meaning.asked in question
            if meaning.where == "text":
                start, end = meaning.spans[0]
                assert text[start:end] == meaning.found[: end - start]
                checked += 1
            else:
                assert not meaning.spans
                assert normalise(meaning.found) in normalise(above(hit))
    assert checked > 200


def above(hit: Hit) -> str:
    passage, citation = hit.passage, hit.citation
    return "\n".join([f"{citation.title} {citation.year}年", *passage.section, passage.lead or "", *passage.columns])


def test_what_is_there_word_for_word_is_no_meaning(explained):
    for _, _, why in explained:
        own = {x.text for x in why.words if x.where != "expansion" and len(x.text) > 1}  # 三大 and 三个 are two words
        assert not {x.asked for x in why.meanings} & own


def test_a_likeness_of_meaning_is_found(retriever):
    whys = retriever.explained(Query.literal("搞药的公司宝山一共有几家"), 1)[1]
    pairs = {(x.asked, x.found) for x in whys[0].meanings}
    assert {("公司", "企业"), ("药", "生物医药")} <= pairs


def test_numbers_are_not_said_to_mean_other_numbers(explained):
    pairs = [(x.asked, x.found) for _, _, why in explained for x in why.meanings]
    assert not [pair for pair in pairs if pair[0].isdecimal() and normalise(pair[0]) not in terms_of(pair[1])]


# -- parts, modes, encoders ---------------------------------------------------------------------------


def test_the_hits_are_those_of_the_search(retriever):
    for question in ("徐汇和长宁有哪些大学", "先投后股", "宝山历年的定位", "没有这个词qqq"):
        query = retriever.understand(question)
        for mode in ("hybrid", "dense", "lexical"):
            hits, whys = retriever.explained(query, 7, mode)
            assert hits == retriever.search(query, 7, mode)
            assert len(whys) == len(hits)


def test_a_hit_of_one_part_is_explained_by_that_part(retriever):
    query = retriever.understand("徐汇和长宁有哪些大学")
    assert [part.place for part in query.parts] == ["徐汇", "长宁", None]
    whys = retriever.explained(query, 2)[1]
    assert [{"徐汇", "长宁"} & {x.text for x in why.words} for why in whys] == [{"徐汇"}, {"长宁"}]


def test_each_arm_gives_its_own_reasons(retriever):
    query = Query.literal("搞药的公司宝山一共有几家")
    assert all(why.words and not why.meanings for why in retriever.explained(query, 3, "lexical")[1])
    assert all(why.meanings and not why.words for why in retriever.explained(query, 3, "dense")[1])


def test_an_encoder_without_late_interaction_has_no_meanings_to_tell(retriever):
    class Averages:
        def __init__(self, encoder) -> None:
            self.name, self.dim, self.fingerprint = encoder.name, encoder.dim, encoder.fingerprint
            self.encode_queries = encoder.encode_queries

    other = HybridRetriever(retriever.snapshot, Averages(retriever.encoder))
    whys = other.explained(Query.literal("搞药的公司宝山一共有几家"), 5)[1]
    assert any(why.words for why in whys)
    assert all(not why.meanings for why in whys)


@pytest.mark.parametrize(
    "question", ["？！", "\u202e", "𠮷", " ", "的" * 2000, "（" * 500, "1,200 1，200 百分之", "ﬁ㈠①"]
)
def test_strange_questions_are_explained_without_fault(retriever, question):
    for mode in ("hybrid", "dense", "lexical"):
        hits, whys = retriever.explained(Query.literal(question), 3, mode)
        assert len(hits) == len(whys)


def test_words_located_are_the_units_of_the_text(bundled, retriever):
    for row in retriever.snapshot.rows[:80]:
        pieces = runs(normalise(row.passage.text))
        located = bundled.located(pieces)
        assert sorted({unit for run in located for unit, _ in run}) == bundled.units([row.passage.text])[0].tolist()
        assert all(0 <= s < e <= len(run) for run, found in zip(pieces, located, strict=True) for _, (s, e) in found)
