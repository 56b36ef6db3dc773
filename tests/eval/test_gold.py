"""The shipped gold questions are sound, and a bad file is named by line and field, all at once."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from eval.gold import SHIPPED, GoldFaults, load_gold
from eval.measures import carries, relevant_units
from eval.types import Question, Unit


@pytest.fixture(scope="module")
def texts(reports) -> dict[str, str]:
    return {name: document.text for name, document in reports.items()}


@pytest.fixture(scope="module")
def questions(texts) -> list[Question]:
    return load_gold(SHIPPED.read_bytes(), texts)


def test_shares_of_types(questions):
    shares = {k: n / len(questions) for k, n in Counter(q.type for q in questions).items()}
    assert len(questions) >= 200
    wanted = {
        "fact": 0.20,
        "paraphrase": 0.30,
        "temporal": 0.12,
        "list": 0.10,
        "multi": 0.10,
        "crosslingual": 0.08,
        "noisy": 0.04,
    }
    for name, share in wanted.items():
        assert shares[name] == pytest.approx(share, abs=0.02)
    assert shares["unanswerable"] >= 0.06
    assert len({q.question for q in questions}) == len(questions)


def test_halves_are_equal_and_share_no_passage(questions, passages):
    sizes = Counter(q.split for q in questions)
    assert sizes["dev"] == sizes["test"]
    units = [Unit(p.id, p.document_id, p.spans) for ps in passages.values() for p in ps]
    owned = {s: {u for q in questions if q.split == s for u in relevant_units(q, units)} for s in ("dev", "test")}
    assert not owned["dev"] & owned["test"]
    for name in {q.type for q in questions}:
        dev, test = (sum(q.type == name and q.split == s for q in questions) for s in ("dev", "test"))
        assert abs(dev - test) <= 2


def test_every_piece_of_evidence_stands_in_a_passage(questions, passages):
    units = [Unit(p.id, p.document_id, p.spans) for ps in passages.values() for p in ps]
    for question in questions:
        for piece in question.evidence:
            assert any(carries(u.spans, u.document_id, piece) for u in units), (question.id, piece.quote)


def test_every_district_and_every_park_is_asked_about(questions, passages):
    districts = [
        "浦东",
        "黄浦",
        "静安",
        "徐汇",
        "长宁",
        "普陀",
        "虹口",
        "杨浦",
        "宝山",
        "闵行",
        "嘉定",
        "金山",
        "松江",
        "青浦",
        "奉贤",
        "崇明",
    ]
    parks = {
        p.section[-1] for p in passages["shanghai-2024-zhangjiang-parks"] if p.section and p.section[-1].endswith("园")
    }
    assert len(parks) == 20
    asked = {}
    units = {p.id: p for ps in passages.values() for p in ps}
    listed = [Unit(p.id, p.document_id, p.spans) for p in units.values()]
    for question in questions:
        said = question.question + question.answer
        for name in relevant_units(question, listed):
            said += "".join(units[name].section) + units[name].text
        asked[question.id] = said
    for name in [*districts, *parks]:
        assert any(name in said for said in asked.values()), name


def test_every_chapter_is_asked_about(questions, passages):
    """But for paragraphs that only open a chapter whose parts are asked about."""
    units = [Unit(p.id, p.document_id, p.spans) for ps in passages.values() for p in ps]
    asked = {u for q in questions for u in relevant_units(q, units)}
    covered = {
        (p.document_id, p.section[:n])
        for ps in passages.values()
        for p in ps
        if p.id in asked
        for n in range(len(p.section) + 1)
    }
    assert {(p.document_id, p.section) for ps in passages.values() for p in ps} <= covered


GOOD = {
    "id": "q1",
    "split": "dev",
    "question": "多少家？",
    "type": "fact",
    "difficulty": "easy",
    "evidence": [{"document_id": "d", "quote": "449家"}],
    "need": "any",
    "answer": "449家",
}
TEXTS = {"d": "宝山区有企业449家。甲。甲。"}


def line(**changes) -> str:
    record = {**GOOD, **changes}
    return json.dumps({k: v for k, v in record.items() if v is not ...}, ensure_ascii=False)


def faults(data: str | bytes) -> list[tuple[int, str]]:
    with pytest.raises(GoldFaults) as error:
        load_gold(data if isinstance(data, bytes) else data.encode(), TEXTS)
    return [(x.line, x.field) for x in error.value.faults]


def test_a_good_file():
    (question,) = load_gold(line().encode(), TEXTS)
    assert question.evidence[0].span == (6, 10)
    assert TEXTS["d"][6:10] == "449家"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"answer": ...}, "answer"),
        ({"question": " "}, "question"),
        ({"id": "a b"}, "id"),
        ({"id": 5}, "id"),
        ({"type": "guess"}, "type"),
        ({"split": "train"}, "split"),
        ({"difficulty": None}, "difficulty"),
        ({"need": "some"}, "need"),
        ({"extra": 1}, "extra"),
        ({"evidence": {}}, "evidence"),
        ({"evidence": []}, "evidence"),
        ({"type": "unanswerable"}, "evidence"),
        ({"evidence": ["x"]}, "evidence[0]"),
        ({"evidence": [{"document_id": "x", "quote": "449家"}]}, "evidence[0].document_id"),
        ({"evidence": [{"document_id": "d", "quote": "450家"}]}, "evidence[0].quote"),
        ({"evidence": [{"document_id": "d", "quote": "甲。"}]}, "evidence[0].quote"),
        ({"evidence": [{"document_id": "d", "quote": ""}]}, "evidence[0].quote"),
    ],
)
def test_a_fault_is_named_by_line_and_field(changes, field):
    assert faults(line(id="q0") + "\n" + line(**changes)) == [(2, field)]


def test_all_faults_are_named_at_once():
    data = b"\xef\xbb\xbf" + "\r\n".join([line(), "{", "[1]", line(), line(id="q2", answer=...)]).encode() + b"\n\xff\n"
    found = faults(data)
    assert (1, "") in found
    assert [x for x in found if x[1]] == [(4, "id"), (5, "answer")]
    assert {n for n, field in found if not field} == {1, 2, 3, 4, 6}


@pytest.mark.parametrize("data", [b"", b"\n\n"])
def test_an_empty_file_is_a_fault(data):
    assert faults(data) == [(1, "")]


def test_the_command_names_faults_and_exits_with_two(kewen, tmp_path):
    file = tmp_path / "gold.jsonl"
    file.write_text(line() + "\n" + line(id="q2", need="x"), encoding="utf-8")
    code, out, err = kewen("eval", "check", str(file))
    assert code == 2
    assert "第 2 行 need：应为 any、all 之一。" in out
    assert "第 1 行 evidence[0].document_id" in out
    assert "2 处错误" in err
    assert json.loads(kewen("eval", "check", str(file), "--json")[1])["faults"][1]["field"] == "need"
    code, out, _ = kewen("eval", "check", str(SHIPPED))
    assert (code, "252 道题，没有错误" in out) == (0, True)
