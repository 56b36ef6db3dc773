"""Expansions: their file, and those that are shipped."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.expansions import (
    LONGEST,
    MOST,
    MOST_ANSWERS,
    Expansion,
    expansions_line,
    expansions_path,
    match_expansions,
    passage_key,
    read_expansions,
)
from corpus.library import Library, shipped_folder
from corpus.types import Passage
from index.segment import normalise

ASKED = Expansion("question", "zh", "宝山的药厂有几家？", "某模型依段落原文撰写，2026-11")


def passage(text: str, start: int = 0) -> Passage:
    return Passage("d", ("一、基础",), (), None, "text", ((start, start + len(text)),), text, (1, 1))


expansions = st.lists(
    st.builds(
        Expansion,
        st.sampled_from(["question", "keywords", "names"]),
        st.sampled_from(["zh", "en"]),
        st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=LONGEST),
        st.just("某模型"),
        st.lists(st.text(min_size=1, max_size=20).filter(str.strip), max_size=MOST_ANSWERS).map(tuple),
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.text(min_size=1, max_size=20), expansions), max_size=4, unique_by=lambda x: x[0]))
def test_what_is_written_is_read(tmp_path_factory, lines):
    path = expansions_path(tmp_path_factory.mktemp("x"), "d")
    path.write_bytes(b"".join(expansions_line(passage(text), found) for text, found in lines))
    known, broken = read_expansions(path)
    assert broken == []
    assert known == {passage_key(passage(text)): tuple(found) for text, found in lines}


def test_no_file_is_no_expansions(tmp_path):
    assert read_expansions(expansions_path(tmp_path, "d")) == ({}, [])
    assert expansions_path(tmp_path, "d").name == "d.expansions.jsonl"


def line(**fields) -> str:
    return json.dumps({"origin": "o", "text_sha256": "a", "expansions": [{"kind": "names", "language": "zh"} | fields]})


@pytest.mark.parametrize(
    "broken",
    [
        '{"passage_id": "d:0-3", "text_sha256": "ab',
        "[]",
        "5",
        "null",
        "{}",
        '{"origin": "o", "text_sha256": "a", "expansions": [5]}',
        '{"origin": "o", "text_sha256": "a", "expansions": {"x": "y"}}',
        "[" * 100_000,
        line(text=""),
        line(text="  "),
        line(text="长" * (LONGEST + 1)),
        line(text="问", kind="answer"),
        line(text="问", colour="red"),
        line(text=5),
        line(text=None),
        line(text="\ud800 x"),
        line(text="问", answers=[""]),
        line(text="问", answers=["甲", "  "]),
        line(text="问", answers=[5]),
        line(text="问", answers=5),
        line(text="问", answers=None),
        line(text="问", answers=["甲"] * (MOST_ANSWERS + 1)),
        json.dumps({"origin": "o", "text_sha256": "a", "expansions": [{"kind": "names", "language": "zh", "text": "x"}] * (MOST + 1)}),
    ],
)  # fmt: skip
def test_a_broken_line_costs_itself_and_no_other(tmp_path, broken):
    path = tmp_path / "d.expansions.jsonl"
    good = [expansions_line(passage(text), [ASKED]) for text in ("甲", "乙")]
    path.write_bytes(good[0] + broken.encode() + b"\n\n" + good[1])
    known, numbers = read_expansions(path)
    assert numbers == [2]
    assert known.keys() == {passage_key(passage("甲")), passage_key(passage("乙"))}


def test_bytes_that_are_no_text_are_a_broken_line(tmp_path):
    path = tmp_path / "d.expansions.jsonl"
    path.write_bytes(b"\xff\xfe\x00\n" + expansions_line(passage("甲"), [ASKED]))
    assert read_expansions(path)[1] == [1]
    assert len(read_expansions(path)[0]) == 1


def test_every_place_where_a_writer_can_be_killed_leaves_whole_lines(tmp_path):
    path, whole = tmp_path / "d.expansions.jsonl", b"".join(expansions_line(passage(x), [ASKED]) for x in "甲乙")
    first = len(expansions_line(passage("甲"), [ASKED]))
    for end in range(len(whole) + 1):
        path.write_bytes(whole[:end])
        known, broken = read_expansions(path)
        assert len(known) == (0 if end < first - 1 else 1 if end < len(whole) - 1 else 2)
        assert all(found == (ASKED,) for found in known.values())
        assert len(broken) <= 1


def test_expansions_follow_their_text_and_leave_it_when_it_changes():
    moved, changed = passage("甲文", 50), passage("乙文改")
    known = {passage_key(passage("甲文")): (ASKED,), passage_key(passage("乙文")): (ASKED,)}
    assert match_expansions([moved, changed], known) == ([(ASKED,), ()], 1)
    assert passage_key(moved) == passage_key(passage("甲文"))
    assert match_expansions([], {}) == ([], 0)


def test_an_answer_is_kept_where_it_stands_in_the_passage_exactly_once():
    text = "企业 449 家，\n园区 5 个，载体 5 个。"
    answers = ("企业 449 家", "5 个", "企业449家", "450 家", "家，\n园区")
    known = {passage_key(passage(text)): (replace(ASKED, answers=answers), ASKED)}
    ((first, second),), left = match_expansions([passage(text)], known)
    assert first == replace(ASKED, answers=("企业 449 家", "家，\n园区"))
    assert (second, left) == (ASKED, 0)


def test_an_answer_that_overlaps_itself_does_not_stand_once():
    text = "区园区园区"
    found, _ = match_expansions([passage(text)], {passage_key(passage(text)): (replace(ASKED, answers=("区园区",)),)})
    assert found[0][0].answers == ()


def test_a_file_without_answers_is_read_and_written_as_it_was(tmp_path):
    """Files of before have no `answers`, and what has none writes none."""
    old = expansions_line(passage("甲"), [ASKED])
    assert b"answers" not in old
    path = tmp_path / "d.expansions.jsonl"
    path.write_bytes(old)
    assert read_expansions(path) == ({passage_key(passage("甲")): (ASKED,)}, [])
    new = expansions_line(passage("甲"), [replace(ASKED, answers=("甲",)), ASKED])
    assert [x.get("answers") for x in json.loads(new)["expansions"]] == [["甲"], None]


@pytest.mark.parametrize(("field", "value"), [("kind", "answer"), ("text", ""), ("text", "x" * (LONGEST + 1))])
def test_what_is_no_expansion(field, value):
    with pytest.raises(ValueError, match=r"kind|characters"):
        replace(ASKED, **{field: value})


@pytest.mark.parametrize("answers", [("",), ("\n",), (5,), ("甲",) * (MOST_ANSWERS + 1)])
def test_what_is_no_answer(answers):
    with pytest.raises(ValueError, match="answers"):
        replace(ASKED, answers=answers)


# -- those that are shipped ---------------------------------------------------------------------------


def test_every_shipped_line_belongs_to_a_passage_of_today(passages):
    library = Library(shipped_folder())
    for entry in library:
        known, broken = read_expansions(expansions_path(entry.path.parent, entry.id))
        assert broken == []
        assert match_expansions(passages[entry.id], known)[1] == 0
        assert library.expansions(entry, passages[entry.id])[1] == ""


def test_every_passage_of_the_reports_can_be_asked_for(passages):
    library = Library(shipped_folder())
    for entry in library:
        for p, found in zip(passages[entry.id], library.expansions(entry, passages[entry.id])[0], strict=True):
            assert {x.kind for x in found} >= {"question", "keywords"}, p.id
            assert {x.language for x in found} == {"zh", "en"}, p.id
            assert len({normalise(x.text) for x in found}) == len(found), p.id
            assert all(x.origin and "原文" in x.origin for x in found), p.id


def test_passage_ids_in_the_shipped_files_are_those_of_today(passages):
    for entry in Library(shipped_folder()):
        ids = {passage_key(p): p.id for p in passages[entry.id]}
        for text in expansions_path(entry.path.parent, entry.id).read_text(encoding="utf-8").splitlines():
            record = json.loads(text)
            assert record["passage_id"] == ids[record["text_sha256"]]


def test_no_shipped_expansion_repeats_the_source(reports, passages):
    """What is not quoted must not be mistaken for the text: no expansion is a stretch of the report."""
    library = Library(shipped_folder())
    for entry in library:
        source = re.sub(r"\W", "", normalise(reports[entry.id].text))
        for found in library.expansions(entry, passages[entry.id])[0]:
            for x in found:
                folded = re.sub(r"\W", "", normalise(x.text))
                assert len(folded) < 8 or folded not in source, x.text


def test_no_shipped_expansion_has_a_figure_of_its_own(reports, passages):
    """A figure in digits stands in the passage or above it, in digits or in Chinese; a counting word may be counted."""
    library, number = Library(shipped_folder()), re.compile(r"\d+(?:\.\d+)?")
    alone = re.compile(r"(?<![A-Za-z\d.])\d+(?:\.\d+)?(?![A-Za-z\d])")  # 2D and G60 are names
    for entry in library:
        title = f"{reports[entry.id].title} {reports[entry.id].year}"
        for p, found in zip(passages[entry.id], library.expansions(entry, passages[entry.id])[0], strict=True):
            known = set(number.findall(normalise(" ".join([title, *p.section, p.lead or "", p.text]))))
            for x in found:
                assert set(alone.findall(unicodedata.normalize("NFKC", x.text))) <= known, (p.id, x.text)


def test_every_shipped_answer_stands_in_its_passage_exactly_once(passages):
    library = Library(shipped_folder())
    counted = 0
    for entry in library:
        known, _ = read_expansions(expansions_path(entry.path.parent, entry.id))
        matched, _ = match_expansions(passages[entry.id], known)
        for p, found in zip(passages[entry.id], matched, strict=True):
            assert found == known.get(passage_key(p), ()), (p.id, "an answer was dropped")
            assert all(x.kind == "question" for x in found if x.answers), p.id
            counted += sum(len(x.answers) for x in found)
    assert counted > 1000
