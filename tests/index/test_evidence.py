"""Evidence: the candidates of hits, and what speaks for each."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index import evidence as module
from index.agreement import agreement, names_held
from index.evidence import Evidence, EvidenceReader, cuts, unit_spans
from index.query import Part, named_places
from index.types import Hit
from service.assistant import Assistant
from service.settings import load_settings

QUESTION = "宝山有多少家生物医药企业？"
EVERY_HIT = 40
texts = st.lists(
    st.sampled_from(
        ["。", "；", ";", "，", "、", "\n", "\n\n", "**", " ", "1,200", "甲乙丙丁戊己庚辛" * 4, "“引”", "- "]
    )
    | st.text(max_size=5),
    max_size=60,
).map("".join)


@pytest.fixture(scope="module")
def retriever(shared_home):
    return Assistant(load_settings({"home": shared_home}, {})).retriever()


@pytest.fixture(scope="module")
def reader(retriever, bundled) -> EvidenceReader:
    return EvidenceReader(retriever.snapshot, bundled)


def found(retriever, question: str, count: int = 8) -> tuple[Part, list[Hit]]:
    query = retriever.understand(question)
    return query.parts[-1], retriever.search(query, count)


def plain(evidence: Evidence) -> str:
    """All that was read, as text that can be compared."""
    shown = [
        (x.hit, x.start, x.end, x.meaning, x.asked, x.answers, x.fits, x.year, x.place, x.named, x.elsewhere)
        for x in evidence.candidates
    ]
    arrays = [x.matches.tolist() for x in (*evidence.candidates, *evidence.around)]
    around = [(x.asked, x.same) for x in evidence.around]
    rest = [
        evidence.weights.tolist(),
        evidence.focus.tolist(),
        evidence.wants.kind,
        evidence.wants.unit,
    ]
    return json.dumps([shown, arrays, around, rest], ensure_ascii=False)


# -- units ----------------------------------------------------------------------------------------


def check_units(text: str) -> None:
    spans = unit_spans(text)
    ends = [0, *(n for span in spans for n in span)]
    assert ends == sorted(ends)
    assert all(text[s:e].strip() and e - s <= 160 for s, e in spans)
    assert "".join("".join(text[s:e] for s, e in spans).split()) == "".join(text.split())


@settings(max_examples=80, deadline=None)
@given(texts)
def test_units_hold_every_character_once_in_order_and_are_short(text):
    check_units(text)


def test_units_of_the_reports_hold_every_character_and_cut_no_figure(passages):
    for passage in (p for many in passages.values() for p in many):
        check_units(passage.text)
        cuts = {end for _, end in unit_spans(passage.text)}
        assert not any(re.fullmatch(r"\d[,，.]?\d", passage.text[max(0, n - 1) : n + 1]) for n in cuts)


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("甲。乙。", ["甲。", "乙。"]),
        ("甲；乙。", ["甲；乙。"]),
        ("甲" * 60 + "；" + "乙" * 70 + "。", ["甲" * 60 + "；", "乙" * 70 + "。"]),
        ("甲" * 130 + "。", ["甲" * 130 + "。"]),
        ("甲" * 100 + "，" + "乙" * 100 + "。", ["甲" * 100 + "，", "乙" * 100 + "。"]),
        ("- 甲\n- 乙", ["- 甲", "- 乙"]),
        ("", []),
        (" \n ", []),
    ],
)
def test_units(text, units):
    assert [text[s:e] for s, e in unit_spans(text)] == units


def test_a_row_of_a_table_is_a_unit(passages):
    tables = [p for many in passages.values() for p in many if p.kind == "table"]
    assert tables
    for table in tables:
        assert [table.text[s:e] for s, e in unit_spans(table.text)] == [
            x.strip() for x in table.text.split("\n") if x.strip()
        ]


# -- candidates -----------------------------------------------------------------------------------


def check_evidence(evidence: Evidence, hits: list[Hit]) -> None:
    units = [(n, *span) for n, hit in enumerate(hits) for span in unit_spans(hit.passage.text)]
    assert [(x.hit, x.start, x.end) for x in evidence.candidates] == units
    words = len(evidence.weights)
    assert evidence.focus.shape == (words,)
    assert len(evidence.around) == len(hits)
    for x in evidence.candidates:
        assert all(0 <= value <= 1.00001 for value in (x.meaning, x.asked, x.fits, x.year, x.place, x.named))
        assert all(x.start <= start < end <= x.end for start, end in x.answers)
        assert x.matches.shape == (words,)
        assert bool(x.answers) == (x.asked > 0)
        assert x.asked <= evidence.around[x.hit].asked
    for x in evidence.around:
        assert x.matches.shape == (words,)
        assert all(0 <= value <= 1.00001 for value in (x.asked, x.same, *x.matches))
        assert x.same <= x.asked


@pytest.mark.parametrize(
    "question",
    [QUESTION, "“先租后股”是什么意思", "徐汇和长宁的人工智能", "How many incubators?", "？", "😀", "9", "a" * 300],
)
def test_candidates_are_all_units_of_the_hits_each_with_its_shares(retriever, reader, question):
    part, _ = found(retriever, question)
    hits = found(retriever, QUESTION)[1]
    check_evidence(reader.read(part, hits), hits)
    check_evidence(reader.read(part, hits, expansions=False), hits)


@settings(max_examples=20, deadline=None)
@given(st.text(min_size=1, max_size=30))
def test_any_question_gives_shares(retriever, reader, question):
    hits = found(retriever, QUESTION)[1]
    check_evidence(reader.read(Part(question), hits), hits)


def test_no_hits_give_no_candidates(reader):
    evidence = reader.read(Part(QUESTION), [])
    assert (evidence.candidates, evidence.around) == ((), ())


def test_a_sentence_that_is_the_question_has_all_its_meaning(retriever, reader):
    hits = found(retriever, QUESTION)[1]
    for n, hit in list(enumerate(hits))[::2]:
        for start, end in unit_spans(hit.passage.text)[:2]:
            evidence = reader.read(Part(hit.passage.text[start:end].replace("**", "")), hits)
            best = max(evidence.candidates, key=lambda x: x.meaning)
            own = next(x for x in evidence.candidates if (x.hit, x.start) == (n, start))
            assert own.meaning == pytest.approx(best.meaning, abs=1e-6)
            assert own.meaning > 0.95


def test_headings_above_a_sentence_count(retriever, reader):
    hits = [hit for hit in found(retriever, "长宁的人工智能", EVERY_HIT)[1] if "长宁区" in hit.passage.section]
    assert hits
    for x in reader.read(Part("长宁区"), hits).candidates:
        assert x.meaning >= 0.85


def test_focus_marks_words_about_the_one_that_asks(reader):
    evidence = reader.read(Part("松江2025年成立的仪创港公司，董事长是谁？"), [])
    assert 0 < int(evidence.focus.sum()) < len(evidence.focus)


# -- likeness -------------------------------------------------------------------------------------


def hit_of(retriever, row) -> Hit:
    return Hit(1, 1.0, {}, row.passage, retriever.snapshot.citation(row.passage))


def test_a_question_known_of_a_passage_is_found_with_all_its_answers(retriever, reader):
    checked = 0
    for row in retriever.snapshot.rows[::9]:
        hit = hit_of(retriever, row)
        for question in [x for x in row.expansions if x.kind == "question" and x.answers][:1]:
            evidence = reader.read(Part(question.text), [hit])
            best = max(evidence.candidates, key=lambda x: x.asked)
            assert best.asked > 0.95
            assert evidence.around[0].same == evidence.around[0].asked == best.asked
            pieces = [hit.passage.text[s:e] for x in evidence.candidates if x.asked == best.asked for s, e in x.answers]
            inside = "".join("".join(pieces).split())
            assert all("".join(x.split()) in inside for x in question.answers)
            checked += 1
    assert checked > 20


def test_likeness_falls_with_another_question(retriever, reader):
    row = next(x for x in retriever.snapshot.rows if any(e.kind == "question" and e.answers for e in x.expansions))
    question = next(e.text for e in row.expansions if e.kind == "question" and e.answers)
    hit = hit_of(retriever, row)

    def asked(text: str) -> float:
        return reader.read(Part(text), [hit]).around[0].asked

    assert asked(question) > asked(question[: len(question) // 2]) > asked("How does one cook pasta?")


def test_without_expansions_nobody_has_asked(retriever, reader):
    part, hits = found(retriever, QUESTION)
    with_them, without = reader.read(part, hits), reader.read(part, hits, expansions=False)
    assert max(x.asked for x in with_them.around) > 0.5
    assert {(x.asked, x.same) for x in without.around} == {(0.0, 0.0)}
    assert {(x.asked, x.answers) for x in without.candidates} == {(0.0, ())}
    assert [x.meaning for x in without.candidates] == pytest.approx([x.meaning for x in with_them.candidates])
    assert all((a.matches <= b.matches).all() for a, b in zip(without.around, with_them.around, strict=True))


def test_which_passages_have_questions(retriever, reader):
    for row in retriever.snapshot.rows[::20]:
        assert reader.has_questions(row.passage.id) is any(x.kind == "question" for x in row.expansions)


# -- year and place -------------------------------------------------------------------------------


def test_agreement_of_the_year(retriever, reader):
    _, hits = found(retriever, "众创空间 创新", EVERY_HIT)
    seen = set()
    for x in reader.read(Part("众创空间", years=(2022,)), hits).candidates:
        hit = hits[x.hit]
        expected = 1.0 if hit.citation.year == 2022 else 0.5 if "2022" in hit.passage.text else 0.0
        assert x.year == expected
        assert x.place == 1
        seen.add(expected)
    assert {0.0, 1.0} <= seen


def test_a_year_that_a_passage_mentions_agrees_by_half(retriever, reader):
    _, hits = found(retriever, "到2030年的目标", EVERY_HIT)
    by_year: dict[bool, set[float]] = {True: set(), False: set()}
    for x in reader.read(Part("目标", years=(2030,)), hits).candidates:
        by_year["2030" in hits[x.hit].passage.text].add(x.year)
    assert by_year == {True: {0.5}, False: {0.0}}


def test_agreement_of_the_place(retriever, reader):
    _, hits = found(retriever, "宝山 众创空间 人工智能", EVERY_HIT)
    names, seen = retriever.snapshot.names, set()
    for x in reader.read(Part("众创空间", places=("宝山",)), hits).candidates:
        hit = hits[x.hit]
        above = [hit.citation.title, *hit.passage.section, hit.passage.lead or "", hit.passage.text]
        places = named_places("\n".join(above), names)
        expected = 1.0 if "宝山" in places else 0.5 if not places else 0.0
        own = named_places(hit.passage.text[x.start : x.end], names)
        if own and "宝山" not in own | named_places("\n".join(above[:-1]), names):
            expected = 0.0  # the sentence speaks of another place
        assert x.place == expected
        assert x.year == 1
        seen.add(expected)
    assert {0.0, 1.0} <= seen


def test_a_question_without_year_and_place_agrees_with_all(retriever, reader):
    _, hits = found(retriever, "众创空间", EVERY_HIT)
    assert {(x.year, x.place) for x in reader.read(Part("众创空间"), hits).candidates} == {(1.0, 1.0)}


def test_one_of_two_places_agrees_by_half(retriever, reader):
    _, hits = found(retriever, "徐汇的人工智能", EVERY_HIT)
    evidence = reader.read(Part("人工智能", places=("徐汇", "奉贤")), hits)
    only = {
        n for n, hit in enumerate(hits) if hit.passage.section[-1:] == ("徐汇区",) and "奉贤" not in hit.passage.text
    }
    assert only
    assert {x.place for x in evidence.candidates if x.hit in only} == {0.5}


# -- what is kept ---------------------------------------------------------------------------------


def test_reading_again_gives_the_same(retriever, bundled):
    part, hits = found(retriever, QUESTION)
    fresh = plain(EvidenceReader(retriever.snapshot, bundled).read(part, hits))
    reader = EvidenceReader(retriever.snapshot, bundled)
    for question in ("众创空间", QUESTION, "人工智能"):
        reader.read(Part(question), hits, expansions=False)
    assert plain(reader.read(part, hits)) == fresh
    assert plain(reader.read(part, hits)) == fresh


def test_passages_read_last_are_kept_and_no_more(retriever, bundled, monkeypatch):
    part, hits = found(retriever, QUESTION, 12)
    whole = plain(EvidenceReader(retriever.snapshot, bundled).read(part, hits))
    monkeypatch.setattr(module, "_AT_HAND", 3)
    reader = EvidenceReader(retriever.snapshot, bundled)
    assert plain(reader.read(part, hits)) == whole
    assert list(reader._readings) == [hit.passage.id for hit in hits[-3:]]
    reader.read(part, hits[-3:-2])
    reader.read(part, hits[:1])
    assert list(reader._readings) == [hits[n].passage.id for n in (-1, -3, 0)]
    assert plain(reader.read(part, hits)) == whole


def test_order_of_the_hits_does_not_matter_to_a_candidate(retriever, reader):
    part, hits = found(retriever, QUESTION)

    def by_place(order: list[Hit]) -> dict:
        evidence = reader.read(part, order)
        return {(order[x.hit].passage.id, x.start): (x.meaning, x.asked, x.fits) for x in evidence.candidates}

    turned, straight = by_place(hits[::-1]), by_place(hits)
    assert turned.keys() == straight.keys()
    assert all(turned[key] == pytest.approx(straight[key], abs=1e-5) for key in straight)
    assert np.isfinite([value for values in straight.values() for value in values]).all()


# -- year, place, names -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "years", "read", "expected"),
    [
        ("宝山有多少家企业", (), "宝山有企业", (1.0, 1.0, False)),
        ("2022年宝山有多少家企业", (2022,), "宝山有企业", (1.0, 1.0, False)),
        ("2024年宝山有多少家企业", (2024,), "2024年度宝山有企业", (0.5, 1.0, False)),
        ("2024年宝山有多少家企业", (2024,), "宝山有企业2024家", (0.0, 1.0, False)),
        ("十四五期间宝山有多少家企业", (2024, 2025), "“十四五”以来宝山", (1.0, 1.0, False)),
        ("2017年宝山有多少家企业", (), "宝山有企业2017家", (0.0, 1.0, True)),
        ("2017年宝山有多少家企业", (), "到2017年底，宝山", (1.0, 1.0, False)),
        ("2030年宝山要有多少家企业", (), "宝山有企业", (0.5, 1.0, False)),
        ("2030年宝山要有多少家企业", (), "到 2030 年，宝山", (1.0, 1.0, False)),
        ("深圳有多少家企业", (), "宝山有企业", (1.0, 0.0, True)),
        ("深圳有多少家企业", (), "与深圳合作", (1.0, 1.0, False)),
    ],
)
def test_a_passage_is_of_the_year_and_the_place_asked_for_or_not(question, years, read, expected):
    assert agreement(Part(question, years), 2022, frozenset({"宝山"}), read) == expected


def test_a_passage_that_names_no_place_may_be_of_the_one_asked_for():
    part = Part("徐汇和宝山的企业", (), ("徐汇", "宝山"))
    assert agreement(part, 2022, frozenset(), "企业")[1] == 0.5
    assert agreement(part, 2022, frozenset({"徐汇"}), "徐汇企业")[1] == 0.5
    assert agreement(part, 2022, frozenset({"闵行"}), "闵行企业")[1] == 0.0
    assert agreement(part, 2022, frozenset({"徐汇", "宝山", "闵行"}), "")[1] == 1.0


@pytest.mark.parametrize(
    ("question", "read", "share"),
    [
        ("企业有多少", "", 1.0),
        ("“模速空间”在哪", "“模速空间”大模型创新生态社区", 1.0),
        ("模速空间和“零号湾”、VPP", "发展虚拟电厂（VPP）", 0.5),
        ("SLM Solutions落在哪里", "德国SLM Solutions集团", 1.0),
        ("SLM Solutions落在哪里", "石墨烯", 0.0),
        ("Where is SLM Solutions?", "石墨烯", 1.0),
    ],
)
def test_names_are_held_by_what_has_them(question, read, share):
    assert names_held(question, read) == share


@pytest.mark.parametrize("text", ["甲（乙，丙），丁", "甲《乙，丙》，丁", "甲“乙，丙”，丁", "甲1,200家，丁"])
def test_nothing_is_cut_inside_brackets_quotation_marks_or_numbers(text):
    assert [text[:n] for n in cuts(text, 0, len(text), "，,")] == [text[:-1]]
