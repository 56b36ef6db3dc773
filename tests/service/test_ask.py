"""`kewen ask` as a user reads it: the answer, then what it rests on; or why there is none, and the nearest passages."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import unicodedata

import pytest

from corpus.library import shipped_folder
from service.answer_render import answer_json, answer_text
from service.answers import NO_ANSWER
from service.assistant import Assistant
from service.errors import NOTHING, OK, USAGE
from service.links import Links
from service.render import bracket, colour
from service.settings import load_settings

QUESTION = "宝山区有多少家生物医药企业？"
NOT_SAID = "宝山区区长是谁？"
SIDES = "黄浦做金融科技，2022年和2025年的提法有什么不一样？"
FIELDS = [
    *("question", "resolved", "answer", "abstained", "reason", "confidence", "mode", "sentences", "citations"),
    *("notices", "readings", "generation", "took_ms", "hits"),
]


@pytest.fixture
def ready(kewen, shared_home, monkeypatch):
    """The command over a home whose index is built."""
    monkeypatch.setenv("KEWEN_HOME", str(shared_home))
    return kewen


def asked(ready, *arguments: str) -> dict:
    return json.loads(ready("ask", *arguments, "--json")[1])


# -- an answer ----------------------------------------------------------------------------------------


def test_the_answer_stands_first_then_its_numbers_then_what_it_rests_on(ready):
    code, out, err = ready("ask", SIDES)
    assert (code, err) == (OK, "")
    _understood, answer, head, *evidence = out.rstrip("\n").split("\n\n")
    *said, sure = answer.split("\n")
    assert [line[:5] for line in said] == ["2022年", "2025年"]
    assert [re.search(r" \[(\d)\]$", line)[1] for line in said] == ["1", "2"]
    assert re.fullmatch(r"（把握 \d{1,3}%）", sure)
    assert head == "依据："
    assert [block.split(" ")[0] for block in evidence] == ["[1]", "[2]"]
    for block, year in zip(evidence, (2022, 2025), strict=True):
        first, *body = block.split("\n")
        assert f"（{year}）" in first
        assert re.search(r"第\d+(?:–\d+)?行$", first)
        assert body
        assert all(line.startswith("    ") for line in body)


def test_json_of_an_answer_quotes_the_source(ready):
    answer = asked(ready, QUESTION, "-k", "2")
    assert list(answer) == FIELDS
    assert (answer["question"], answer["resolved"], answer["mode"]) == (QUESTION, QUESTION, "extractive")
    assert (answer["abstained"], answer["reason"], answer["notices"], len(answer["hits"])) == (False, None, [], 2)
    assert 0.5 < answer["confidence"] <= 1
    source = (shipped_folder() / "baoshan-2026-innovation-plan.txt").read_text(encoding="utf-8")
    (sentence,), (cited,) = answer["sentences"], answer["citations"]
    assert sentence["citations"] == [cited["number"]] == [1]
    assert sentence["text"] == cited["quote"] == "".join(source[s:e] for s, e in cited["spans"])
    assert any("449 家" in sentence["text"][s:e] for s, e in sentence["marks"])
    assert answer["answer"] == f"{sentence['text']}[1]"
    assert cited["passage_id"] == answer["hits"][0]["passage_id"]
    assert cited["label"].endswith("第78行")


def test_a_search_has_no_answer_and_an_answer_has_the_hits_of_the_search(ready):
    found = json.loads(ready("search", QUESTION, "--json")[1])
    assert found["hits"] == asked(ready, QUESTION)["hits"]
    assert "answer" not in found


def test_many_citations_are_shown_by_their_quotes_alone(ready):
    answer = asked(ready, "徐汇、长宁、闵行、宝山、嘉定2025年做了什么", "-k", "10")
    assert len(answer["citations"]) > 3
    evidence = ready("ask", answer["question"], "-k", "10")[1].rstrip("\n").partition("依据：\n\n")[2].split("\n\n")
    assert len(evidence) == len(answer["citations"])
    for block, cited in zip(evidence, answer["citations"], strict=True):
        assert block.count("\n") == 1
        assert re.sub(r"\W", "", block.split("\n")[1]) == re.sub(r"\W", "", cited["quote"])


def test_passages_alone(ready):
    code, out, _ = ready("ask", QUESTION, "--mode", "passages", "-k", "2")
    assert code == OK
    assert out == ready("search", QUESTION, "-k", "2")[1]
    answer = asked(ready, QUESTION, "--mode", "passages")
    assert (answer["mode"], answer["answer"], answer["sentences"], answer["citations"]) == ("passages", "", [], [])
    assert not answer["abstained"]


def test_the_mode_and_the_threshold_are_settings(ready, monkeypatch):
    assert ready("ask", QUESTION)[0] == OK
    monkeypatch.setenv("KEWEN_MIN_CONFIDENCE", "1")
    code, out, _ = ready("ask", QUESTION)
    assert (code, NO_ANSWER in out) == (NOTHING, True)
    monkeypatch.setenv("KEWEN_ANSWER_MODE", "passages")
    assert asked(ready, QUESTION)["mode"] == "passages"
    assert asked(ready, QUESTION, "--mode", "extractive")["mode"] == "extractive"


def test_filters_and_switches_hold_for_answers(ready):
    assert {x["year"] for x in asked(ready, "宝山的定位", "--year", "2022")["citations"]} <= {2022}
    answer = asked(ready, QUESTION, "--document", "baoshan-2026-innovation-plan", "--no-expansion")
    assert {x["document_id"] for x in answer["citations"]} == {"baoshan-2026-innovation-plan"}
    assert all(hit["expansion"] is None for hit in answer["hits"])
    assert asked(ready, QUESTION)["readings"]
    assert asked(ready, QUESTION, "--literal")["readings"] == []


# -- no answer ----------------------------------------------------------------------------------------


def test_what_the_reports_do_not_say_is_said_to_be_missing(ready):
    code, out, err = ready("ask", NOT_SAID, "-k", "10")
    assert (code, err) == (NOTHING, "")
    _understood, why, nearest, *passages = out.rstrip("\n").split("\n\n")
    assert re.fullmatch(rf"{NO_ANSWER}。有相近的段落，但其中没有所问的人名或职务。（把握 \d+%）", why)
    assert nearest == "以下只是相近的段落，不是答案："
    assert [block.split(" ")[0] for block in passages] == ["[1]", "[2]", "[3]"]
    assert "依据：" not in out
    answer = asked(ready, NOT_SAID, "-k", "10")
    assert (answer["abstained"], answer["sentences"], answer["citations"]) == (True, [], [])
    assert answer["reason"] == {"code": "no_figure", "message": "有相近的段落，但其中没有所问的人名或职务。"}
    assert answer["answer"] == f"{NO_ANSWER}。{answer['reason']['message']}"
    assert len(answer["hits"]) == 10


def test_where_nothing_is_found_no_passages_are_shown(ready):
    code, out, _ = ready("ask", "～～～")
    assert (code, out.count("\n"), "不是答案" in out) == (NOTHING, 1, False)
    assert asked(ready, "～～～")["reason"]["code"] == "no_passage"
    code, out, _ = ready("ask", "～～～", "--mode", "passages")
    assert (code, "没有找到相关段落" in out) == (NOTHING, True)


# -- a conversation -----------------------------------------------------------------------------------


def test_a_follow_up_is_asked_as_it_was_meant_and_shown_so(ready):
    _, out, _ = ready("ask", "那徐汇呢？", "--after", "宝山的主导产业是什么？")
    assert out.startswith("问的是：徐汇的主导产业是什么？\n\n")
    answer = asked(ready, "那徐汇呢？", "--after", "宝山的主导产业是什么？")
    assert (answer["question"], answer["resolved"]) == ("那徐汇呢？", "徐汇的主导产业是什么？")
    direct = asked(ready, answer["resolved"])
    assert [answer[x] for x in ("sentences", "citations", "hits")] == [
        direct[x] for x in ("sentences", "citations", "hits")
    ]


def test_the_last_question_counts_and_ten_are_enough(ready):
    before = ["--after", "嘉定的主导产业是什么？"] * 12 + ["--after", "2022年宝山的科创载体有多少？"]
    assert asked(ready, "那2025年呢？", *before)["resolved"] == "2025年宝山的科创载体有多少？"


def test_a_question_that_stands_by_itself_is_left_alone(ready):
    out = ready("ask", QUESTION, "--after", "徐汇的主导产业是什么？")[1]
    assert "问的是：" not in out
    assert out == ready("ask", QUESTION)[1]


# -- a batch ------------------------------------------------------------------------------------------


def test_a_batch_has_an_answer_a_line_and_a_fault_spoils_no_other(ready, tmp_path):
    file = tmp_path / "questions.jsonl"
    file.write_bytes(
        "\n".join(
            [
                json.dumps({"id": "a", "question": QUESTION}),
                "{",
                json.dumps({"id": "c", "question": "a\x1bb"}),
                json.dumps({"id": "d", "question": NOT_SAID}),
            ]
        ).encode()
    )
    code, out, _ = ready("ask", "--batch", str(file), "-k", "1")
    first, broken, refused, missing = (json.loads(line) for line in out.splitlines())
    assert code == USAGE
    single = asked(ready, QUESTION, "-k", "1")
    assert list(first) == ["id", *FIELDS]
    assert {**first, "took_ms": 0} == {"id": "a", **single, "took_ms": 0}
    assert (broken["id"], broken["error"]["code"]) == (None, "invalid_request")
    assert (refused["id"], refused["error"]["code"]) == ("c", "invalid_request")
    assert (missing["id"], missing["abstained"]) == ("d", True)


def test_a_batch_without_faults_ends_well_whether_there_are_answers_or_not(ready, tmp_path):
    file = tmp_path / "questions.jsonl"
    file.write_text("\n".join(json.dumps({"id": n, "question": NOT_SAID}) for n in range(2)), encoding="utf-8")
    code, out, _ = ready("ask", "--batch", str(file), "--after", QUESTION)
    assert code == OK
    assert [json.loads(line)["abstained"] for line in out.splitlines()] == [True, True]


# -- a terminal ---------------------------------------------------------------------------------------


def test_colour_stands_where_brackets_stood(assistant):
    for question in (QUESTION, SIDES, NOT_SAID):
        answer = assistant.ask(question)
        plain, coloured = answer_text(answer, bracket), answer_text(answer, colour)
        assert "\x1b[1;33m" in coloured
        assert coloured.replace("\x1b[1;33m", "【").replace("\x1b[0m", "】") == plain


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
@pytest.mark.parametrize("no_colour", ["", "1"])
def test_colour_is_for_terminals_and_can_be_refused(shared_home, no_colour):
    main, side = os.openpty()
    command = [sys.executable, "-m", "service.cli", "ask", QUESTION, "--home", str(shared_home)]
    environment = {**os.environ, "NO_COLOR": no_colour}
    run = subprocess.run(command, stdout=side, stderr=subprocess.PIPE, env=environment, check=False)
    os.close(side)
    out = b""
    try:
        while piece := os.read(main, 65536):
            out += piece
    except OSError:  # how Linux says that the other side is closed
        pass
    os.close(main)
    assert (run.returncode, run.stderr) == (OK, b"")
    text = out.decode("utf-8")
    assert ("\x1b[1;33m" in text) is not bool(no_colour)
    assert ("【" in text) is bool(no_colour)
    assert "449 家" in text


EVIL = "宝山区\x1b[31m有生物医药企业\x1b]0;evil\x07 449 家\x9b2J，\u202e其中\x08规上企业 74 家。\n园区共有 5 个\x7f，**面积** 3 平方公里。\n"


@pytest.fixture
def evil(kewen, make_folder, monkeypatch):
    """The command over a report that wants to command the terminal."""
    folder = make_folder({"a.txt": f"一、基\x1b[31m础\n\n{EVIL}"}, title="标\x1b[31m题\u202e")
    monkeypatch.setenv("KEWEN_REPORTS", str(folder))
    kewen("index", "build")
    return kewen


@pytest.mark.parametrize(
    "arguments",
    [
        ["宝山区有多少家生物医药企业"],
        ["园区有几个"],
        ["宝山区有多少家生物医药企业", "--mode", "passages"],
        ["宝山区区长的电话是多少"],
    ],
)
def test_nothing_in_a_report_reaches_the_terminal_as_a_command(evil, arguments):
    code, out, _ = evil("ask", *arguments)
    assert code in (OK, NOTHING)
    assert "标[31m题" in out, "the report is shown"
    assert not {c for c in out if unicodedata.category(c) in ("Cc", "Cf") and c != "\n"}


def test_what_a_terminal_is_not_shown_is_still_in_the_quote(evil):
    answer = json.loads(evil("ask", "宝山区有多少家生物医药企业", "--json")[1])
    (cited,) = answer["citations"]
    assert cited["quote"] == EVIL.split("\n")[0] == answer["sentences"][0]["text"]


def test_colour_is_the_only_command_that_a_terminal_gets(evil):
    assistant = Assistant(load_settings({}))
    for question in ("宝山区有多少家生物医药企业", "园区有几个"):
        text = answer_text(assistant.ask(question), colour)
        rest = text.replace("\x1b[1;33m", "").replace("\x1b[0m", "")
        assert rest != text
        assert not {c for c in rest if unicodedata.category(c) in ("Cc", "Cf") and c != "\n"}
        assert (
            json.loads(json.dumps(answer_json(assistant.ask(question), Links(assistant.settings).url)))["abstained"]
            is False
        )


@pytest.mark.parametrize(
    "question",
    ["徐汇区有多少家生物医药企业？", "长宁区一年办多少场科普活动？", "嘉定区有多少家生物医药企业？"],
)
def test_a_figure_of_another_place_is_no_answer(assistant, question):
    answer = assistant.ask(question)
    assert answer.abstained
    assert answer.reason.code == "no_place_year"


@pytest.mark.parametrize(
    "question", ["谢谢", "你好！", "好的，谢谢你", "Hello", "在吗？", "ok, thanks!", "你是谁？", "嗯嗯"]
)
def test_small_talk_gets_no_sentence_of_a_report(assistant, question):
    answer = assistant.ask(question)
    assert answer.abstained
    assert "不像是对报告的提问" in answer.text
    assert not answer.hits


@pytest.mark.parametrize("question", ["好园区有哪些？", "谢谢，那宝山区有多少家生物医药企业？"])
def test_courtesy_beside_a_question_is_no_small_talk(assistant, question):
    assert "不像是" not in assistant.ask(question).text
