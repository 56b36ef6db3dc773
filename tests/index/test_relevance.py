"""How well any text answers any question: on the reports' questions, and what must hold of every score."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.gold import SHIPPED, load_gold
from index.context import passage_text
from index.encoders import BundledEncoder, SentenceTransformerEncoder
from index.lexical import LexicalIndex
from index.relevance import relevance

QUESTION = "2023年的研发投入强度是多少？"
ANSWER = "2023年，全社会研发经费投入强度达到4.4%左右。"
BESIDE = "全年举办科普讲座二百余场，惠及居民十万人次。"
FILLER = "街道组织居民参观社区花园，志愿者讲解植物养护知识。"
TEXTS = st.lists(st.text(max_size=60) | st.sampled_from([ANSWER, BESIDE, FILLER, ""]), min_size=1, max_size=6)


@pytest.fixture(scope="module", params=["bundled", "sentence-transformers"])
def encoder(request, bundled):
    if request.param == "bundled":
        return bundled
    return SentenceTransformerEncoder(str(request.getfixturevalue("tiny_model")))


@pytest.mark.parametrize("in_context", [False, True])
def test_better_than_cosine_and_bm25_on_dev(bundled, reports, passages, in_context):
    """Each question's evidence among the 19 passages without evidence that BM25 likes best.

    As passages stand, and under their report's title, year and headings.
    """
    cut = [passage for found in passages.values() for passage in found]
    texts = [x.text for x in cut]
    if in_context:
        texts = [passage_text(reports[x.document_id].title, reports[x.document_id].year, x) for x in cut]
    lexical, vectors = LexicalIndex.build(texts), bundled.encode_passages(texts)
    first = dict.fromkeys(["relevance", "cosine", "bm25"], 0)
    for question in load_gold(SHIPPED.read_bytes(), {name: x.text for name, x in reports.items()}):
        if question.split != "dev" or not question.answerable:
            continue
        bm25 = lexical.shares(lexical.prepare(question.question), np.arange(lexical.size))
        best = [int(n) for n in np.argsort(-bm25, kind="stable")]
        gold = next(n for n in best if holds(cut[n], question))
        rows = sorted([gold, *[n for n in best if not holds(cut[n], question)][:19]])
        scores = {
            "relevance": relevance(bundled, question.question, [texts[n] for n in rows]),
            "cosine": vectors[rows] @ bundled.encode_queries([question.question])[0],
            "bm25": bm25[rows],
        }
        for name, x in scores.items():
            first[name] += rows[int(np.argmax(x))] == gold
    assert first["relevance"] > max(first["cosine"], first["bm25"]), first


def holds(passage, question):
    """Whether a passage has a piece of a question's evidence."""
    return any(
        passage.document_id == e.document_id and start < e.span[1] and e.span[0] < end
        for e in question.evidence
        for start, end in passage.spans
    )


def test_shape_bounds_and_order(encoder):
    scores = relevance(encoder, QUESTION, [BESIDE, ANSWER, "", FILLER])
    assert (scores.dtype, scores.shape) == (np.float32, (4,))
    assert (scores >= 0).all()
    assert (scores <= 1).all()
    assert scores.argmax() == 1
    assert scores[2] == 0


def test_nothing_to_rank_and_nothing_asked(encoder):
    assert relevance(encoder, QUESTION, []).shape == (0,)
    assert not relevance(encoder, QUESTION, ["", " \n"]).any()
    assert np.isfinite(relevance(encoder, "？！", [ANSWER, BESIDE])).all()


def test_a_question_without_words_matches_nothing(bundled):
    assert not relevance(bundled, "？！", [ANSWER, BESIDE]).any()


def test_one_text_alone_has_a_score(encoder):
    assert relevance(encoder, QUESTION, [ANSWER])[0] > 0


def test_texts_that_are_all_as_near_as_each_other_are_still_near():
    class Alike:
        name, dim, fingerprint = "alike", 2, "0" * 64

        def encode_queries(self, texts):
            return np.array([[1, 0]] * len(texts), dtype=np.float32)

        def encode_passages(self, texts):
            return np.array([[0.6, 0.8]] * len(texts), dtype=np.float32)

    assert relevance(Alike(), "abc", ["宝山", "科普"]) == pytest.approx([0.6, 0.6], abs=1e-5)


def test_the_question_itself_scores_best_and_high(bundled):
    scores = relevance(bundled, QUESTION, [ANSWER, QUESTION, BESIDE])
    assert scores.argmax() == 1
    assert scores[1] > 0.8


def test_a_question_in_english_finds_the_chinese_text(bundled):
    texts = [BESIDE, "全社会研发经费投入占地区生产总值的比例持续提高。", FILLER]
    assert relevance(bundled, "How much is spent on research and development?", texts).argmax() == 1


def test_a_number_does_not_outvote_what_a_question_in_english_means(bundled):
    texts = ["2025年，街道举办科普讲座。", "生物医药企业达到449家，其中上市企业1家。", FILLER]
    assert relevance(bundled, "How many biomedical companies were there in 2025?", texts).argmax() == 1


def test_a_long_text_has_no_advantage(bundled):
    """It has a word for everything."""
    everything = (
        (BESIDE + FILLER) * 12 + "研发工作有序推进。" + FILLER + "投入持续加大。" + FILLER + "强度2023年再创新高。"
    )
    assert relevance(bundled, QUESTION, [everything, ANSWER]).argmax() == 1


@pytest.mark.parametrize("before", [0, 7, 490, 990, 2500, 5003])
def test_an_answer_is_found_wherever_it_stands_in_a_long_text(bundled, before):
    """Each window that holds it whole says as much of it as any other."""
    filler = FILLER * 400
    text = filler[:before] + ANSWER + filler[:6000]
    scores = relevance(bundled, QUESTION, [filler[:6000], text, BESIDE])
    assert scores.argmax() == 1
    first = relevance(bundled, QUESTION, [filler[:6000], ANSWER + filler[:6000], BESIDE])
    assert scores[1] == pytest.approx(first[1], rel=0.1)


def test_characters_that_the_encoder_does_not_know_still_match(bundled):
    assert not bundled.units(["𠮷㐂"])[0].size
    scores = relevance(bundled, "𠮷㐂", ["街道居民", "店名叫𠮷㐂的地方"])
    assert scores[1] > 0
    assert scores[0] == 0


@given(TEXTS, st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_a_score_belongs_to_its_text_wherever_it_stands(texts, random):
    encoder = _bundled()
    scores = relevance(encoder, QUESTION, texts)
    assert ((scores >= 0) & (scores <= 1)).all()
    order = list(range(len(texts)))
    random.shuffle(order)
    assert np.allclose(relevance(encoder, QUESTION, [texts[n] for n in order]), scores[order], atol=1e-6)


def test_the_same_text_twice_scores_the_same(encoder):
    scores = relevance(encoder, QUESTION, [ANSWER, BESIDE, ANSWER])
    assert scores[0] == pytest.approx(scores[2], abs=1e-6)


_made: list[BundledEncoder] = []


def _bundled() -> BundledEncoder:
    """One for all examples: hypothesis takes no fixtures of a module."""
    if not _made:
        _made.append(BundledEncoder())
    return _made[0]
