"""Search over a snapshot: expansions, several parts, preferred years and places, copies."""

from __future__ import annotations

import itertools
import shutil

import pytest

from corpus.expansions import Expansion, expansions_line, expansions_path
from corpus.library import Library, shipped_folder
from index.build import build_index, document_part
from index.generations import GenerationStore
from index.search import HybridRetriever
from index.snapshot import Snapshot
from index.types import Filters

QUESTIONS = ("搞药的公司宝山一共有几家", "造船的在岛上有没有抱团的组织", "which district is into medical robots?")


@pytest.fixture
def build(make_folder, bundled, tmp_path):
    """A retriever over some texts by name; `asked` are the expansions of each passage of a document."""

    def make(texts: dict[str, str], asked: dict[str, list[str]]) -> HybridRetriever:
        folder = make_folder({f"{name}.txt": text for name, text in texts.items()})
        library = Library(folder)
        for entry in library:
            found = [Expansion("question", "zh", text, "测试依原文撰写") for text in asked.get(entry.id, [])]
            lines = [expansions_line(p, found) for p in document_part(library.read(entry))[1]]
            if found:
                expansions_path(folder, entry.id).write_bytes(b"".join(lines))
        store = GenerationStore(tmp_path / "index")
        build_index(library, store, bundled)
        return HybridRetriever(Snapshot.load(store.open()[0]), bundled)

    return make


@pytest.fixture
def shipped(assistant) -> HybridRetriever:
    return assistant.retriever()


# -- expansions ---------------------------------------------------------------------------------------

PLAIN = {
    "a": "宝山区有生物医药企业449家，其中规上企业74家。",
    "b": "嘉定区聚焦汽车新四化，打造世界级汽车产业中心。",
    "c": "金山区推进碳纤维基地建设，新材料集群加快成长。",
}


def test_an_expansion_finds_what_the_text_alone_does_not(build):
    retriever = build(PLAIN, {"a": ["造疫苗的厂子"], "b": ["车企"], "c": ["化工"]})
    with_, without = retriever.search("造疫苗的厂子"), retriever.search("造疫苗的厂子", expansions=False)
    assert with_[0].passage.document_id == "a"
    assert with_[0].expansion == Expansion("question", "zh", "造疫苗的厂子", "测试依原文撰写")
    assert with_[0].signals["expansion"] > 0
    assert "a" not in {hit.passage.document_id for hit in without if hit.signals.get("lexical", 0) > 0.5}
    assert all(hit.expansion is None and "expansion" not in hit.signals for hit in without)


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_reason_is_an_expansion_of_its_passage_and_no_part_of_what_is_cited(shipped, question):
    snapshot = shipped.snapshot
    asked = {row.passage.id: row.expansions for row in snapshot.rows}
    hits = shipped.search(question, 10)
    assert any(hit.expansion for hit in hits)
    for hit in hits:
        source = snapshot.text(hit.passage.document_id)
        assert hit.citation.quote == hit.passage.text == "".join(source[s:e] for s, e in hit.passage.spans)
        assert hit.citation == snapshot.citation(hit.passage)
        if hit.expansion:
            assert hit.expansion in asked[hit.passage.id]
            assert hit.expansion.text not in hit.passage.text
            assert hit.expansion.text not in " ".join([*hit.citation.section, hit.citation.lead or ""])


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
@pytest.mark.parametrize("question", QUESTIONS)
def test_expansions_change_the_hits_and_only_they_give_reasons(shipped, question, mode):
    on, off = shipped.search(question, 20, mode), shipped.search(question, 20, mode, expansions=False)
    assert [hit.passage.id for hit in on] != [hit.passage.id for hit in off]
    assert all(hit.expansion is None and "expansion" not in hit.signals for hit in off)
    for hit in on:
        assert hit.expansion is None or hit.signals["expansion"] > 0


def test_what_was_never_enriched_is_not_pushed_out(build):
    """All reports but one can be asked for in many ways; the one answers by its own words all the same."""
    asked = {name: ["这个区有多少家企业", "有多少企业", "how many companies"] for name in "bcde"}
    texts = PLAIN | {"d": "松江区建设G60科创走廊，引进企业。", "e": "青浦区建设长三角数字干线，服务企业。"}
    for question in ("生物医药企业有多少家", "宝山区有生物医药企业多少家", "规上企业74家"):
        assert build(texts, asked).search(question)[0].passage.document_id == "a"


def test_a_report_without_expansions_still_answers_among_enriched_ones(bundled, tmp_path, make_folder):
    folder = tmp_path / "shipped"
    shutil.copytree(shipped_folder(), folder)
    expansions_path(folder, "baoshan-2026-innovation-plan").unlink()
    store = GenerationStore(tmp_path / "index")
    build_index(Library(folder), store, bundled)
    retriever = HybridRetriever(Snapshot.load(store.open()[0]), bundled)
    hits = retriever.search("宝山区有多少家生物医药企业？", 3)
    assert any("449 家" in hit.passage.text for hit in hits)
    hits = retriever.search("先投后股是什么", 3)
    assert all("先投后股" in hit.passage.text for hit in hits[:1])


def test_what_no_arm_sees_is_no_hit_whatever_others_gain(build):
    retriever = build(PLAIN | {"z": "zyxwvut qponmlk"}, {name: ["有几家药厂"] for name in "abc"})
    for question in ("有几家药厂", "生物医药企业449家"):
        seen = retriever.search(question, 9, "lexical", expansions=False)
        unseen = {"z"} - {hit.passage.document_id for hit in seen}
        found = {hit.passage.document_id for hit in retriever.search(question, 9, "lexical")}
        assert unseen == {"z"}
        assert not found & unseen


# -- several parts ------------------------------------------------------------------------------------


@pytest.mark.parametrize("places", [("徐汇", "长宁"), ("宝山", "嘉定", "青浦"), ("杨浦", "虹口")])
def test_each_place_that_is_asked_for_is_among_the_hits(shipped, places):
    question = shipped.understand(f"{'、'.join(places)}有哪些大学")
    hits = shipped.search(question, 5)
    for place in places:
        assert any(place in " ".join([*hit.passage.section, hit.passage.text]) for hit in hits[: len(places)])
    assert len({hit.passage.id for hit in hits}) == len(hits) == 5
    assert [hit.rank for hit in hits] == [1, 2, 3, 4, 5]


def test_each_year_that_is_asked_for_is_among_the_hits(shipped):
    hits = shipped.search(shipped.understand("2015年和2022年闵行的定位"), 4)
    assert {2015, 2022} <= {hit.citation.year for hit in hits[:2]}
    hits = shipped.search(shipped.understand("宝山历年的定位"), 8)
    assert {2015, 2022, 2025, 2026} <= {hit.citation.year for hit in hits}


def test_a_question_of_one_part_is_ordered_by_score(shipped):
    hits = shipped.search(shipped.understand("宝山区有多少家生物医药企业？"), 3)
    assert all(a.score >= b.score for a, b in itertools.pairwise(hits))


def test_the_year_asked_for_comes_first_among_equals(build):
    retriever = build({"a": PLAIN["a"], "b": PLAIN["a"].replace("449", "450")}, {})
    for year, document in ((2020, "a"), (2021, "b")):
        hits = retriever.search(retriever.understand(f"{year}年宝山区有生物医药企业几家"))
        assert hits[0].passage.document_id == document
        assert len(hits) == 2, "a preferred year excludes no other"


def test_a_literal_question_prefers_nothing(shipped):
    question = "minhang和徐汇2015年的大学"
    assert len(shipped.understand(question).parts) > 1
    assert shipped.understand(question).readings
    literal = shipped.search(question, 5)
    assert all(a.score >= b.score for a, b in itertools.pairwise(literal))
    assert literal != shipped.search(shipped.understand(question), 5)


# -- copies -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("copies", [2, 12])
def test_copies_stand_behind_other_passages_however_few_are_asked_for(build, copies):
    texts = {f"c{n:02}": PLAIN["a"] for n in range(copies)} | {"other": "宝山区的医药企业集聚在大学科技园。"}
    retriever = build(texts, {})
    for top_k in (2, 3, 20):
        hits = retriever.search("宝山区有生物医药企业多少家", top_k)
        assert [hit.passage.document_id == "other" for hit in hits[:3]] == [False, True, False][:top_k]
    assert len(hits) == copies + 1, "copies are put behind, not left out"


# -- candidates ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
@pytest.mark.parametrize("question", QUESTIONS)
def test_in_a_large_corpus_both_arms_propose_candidates_and_the_best_are_the_same(shipped, monkeypatch, question, mode):
    """Above a number of passages FAISS and BM25 choose what is scored in full: the first hits must be among them."""
    every = shipped.search(question, 20, mode)
    monkeypatch.setattr("index.local._ALL", 0)
    chosen = shipped.search(question, 20, mode)
    assert [hit.passage.id for hit in chosen[:3]] == [hit.passage.id for hit in every[:3]]
    assert [hit.score for hit in chosen[:3]] == pytest.approx([hit.score for hit in every[:3]], abs=1e-3)


def test_candidates_of_a_large_corpus_keep_to_the_filters(shipped, monkeypatch):
    monkeypatch.setattr("index.local._ALL", 0)
    hits = shipped.search("张江有哪些重点产业", 9, filters=Filters(years=(2024, 2025)))
    assert len(hits) == 9
    assert {hit.citation.year for hit in hits} <= {2024, 2025}


def test_without_candidates_of_the_dense_arm_meaning_is_not_found(shipped, monkeypatch):
    """What only FAISS can propose: an English question has no word of a passage that was never enriched."""
    monkeypatch.setattr("index.local._ALL", 0)
    question = "elderly housing"
    assert shipped.search(question, 5, "dense", expansions=False)
    assert not shipped.search(question, 5, "lexical", expansions=False)
