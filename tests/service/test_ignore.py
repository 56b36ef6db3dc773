"""Undoing one thing that was understood: by the API, by the command, in a conversation."""

from __future__ import annotations

import json

import pytest
from fastapi.testclient import TestClient

from index.fusion import YEAR_BONUS
from service.app import create_app
from service.errors import USAGE, KewenError

MUCH = "请问minhang和徐汇2022年的大学"
KINDS = ["filler", "name", "year", "place", "place", "split"]


@pytest.fixture
def client(assistant, settings):
    with TestClient(create_app(assistant, settings), base_url="http://127.0.0.1:8765") as made:
        yield made


def test_what_is_ignored_is_not_among_the_readings_and_changes_what_is_found(client):
    found = client.post("/v1/search", json={"query": MUCH}).json()
    ids = [x["id"] for x in found["readings"]]
    assert ids == ["filler:请问", "name:minhang", "year:2022年", "place:闵行", "place:徐汇", "split"]
    assert [x["kind"] for x in found["readings"]] == KINDS
    less = client.post("/v1/search", json={"query": MUCH, "ignore": ["year:2022年"]}).json()
    assert [x["id"] for x in less["readings"]] == [x for x in ids if x != "year:2022年"]
    assert less["hits"] != found["hits"]


def test_a_year_ignored_is_preferred_no_more(client):
    body = {"query": "2022年的大学科技园", "top_k": 100}
    found = client.post("/v1/search", json=body).json()["hits"]
    less = client.post("/v1/search", json=body | {"ignore": ["year:2022年"]}).json()["hits"]
    scores = {x["passage_id"]: x["score"] for x in less}
    gains = {(x["citation"]["year"], round(x["score"] - scores[x["passage_id"]], 3)) for x in found}
    assert {gain for year, gain in gains if year == 2022} == {YEAR_BONUS}
    assert {gain for year, gain in gains if year != 2022} == {0}


def test_all_ids_ignored_is_the_question_taken_literally(client):
    ids = [x["id"] for x in client.post("/v1/search", json={"query": MUCH}).json()["readings"]]
    bare = client.post("/v1/search", json={"query": MUCH, "ignore": ids}).json()
    assert bare["readings"] == []
    literal = client.post("/v1/search", json={"query": MUCH, "literal": True}).json()
    assert bare["hits"] == literal["hits"]


def test_the_answer_to_a_question_follows_what_is_ignored(client):
    body = {"question": "徐汇和长宁有哪些大学"}
    both = client.post("/v1/ask", json=body).json()
    assert {x["label"] for x in both["sentences"]} == {"徐汇", "长宁"}
    one = client.post("/v1/ask", json=body | {"ignore": ["split"]}).json()
    assert {x["label"] for x in one["sentences"]} == {None}
    assert [x["kind"] for x in one["readings"]] == ["place", "place"]


def test_in_a_conversation_the_readings_are_those_of_the_resolved_question(client):
    body = {"question": "那徐汇呢？", "history": ["2022年长宁有什么举措"]}
    answer = client.post("/v1/ask", json=body).json()
    assert "徐汇" in answer["resolved"]
    assert "year:2022年" in {x["id"] for x in answer["readings"]}
    again = client.post("/v1/ask", json=body | {"ignore": ["year:2022年"]}).json()
    assert again["resolved"] == answer["resolved"]
    assert [x["id"] for x in again["readings"]] == ["place:徐汇"]


def test_a_streamed_answer_ignores_too(client):
    body = {"question": MUCH, "stream": True, "ignore": ["split", "name:minhang"]}
    last = client.post("/v1/ask", json=body).text.strip().split("\n\n")[-1]
    answer = json.loads(last.partition("data: ")[2])
    assert {"split", "name:minhang"}.isdisjoint(x["id"] for x in answer["readings"])


@pytest.mark.parametrize(
    "strange", ["", "year", "year:1900年", "split:", "\u202eplace:徐汇", "place:闵行区", "x" * 5000]
)
def test_an_unknown_id_does_no_harm(client, strange):
    body = {"query": MUCH}
    plain = client.post("/v1/search", json=body).json()
    ignoring = client.post("/v1/search", json=body | {"ignore": [strange]}).json()
    assert (ignoring["readings"], ignoring["hits"]) == (plain["readings"], plain["hits"])


@pytest.mark.parametrize("wrong", [["x"] * 21, "year:2022年", [1], None, {"year": 1}])
def test_what_is_no_short_list_of_ids_is_refused(client, wrong):
    for path, body in (("/v1/search", {"query": "问"}), ("/v1/ask", {"question": "问"})):
        response = client.post(path, json=body | {"ignore": wrong})
        assert (response.status_code, response.json()["error"]["code"]) == (422, "invalid_request")


def test_too_many_ids_are_refused_whoever_calls(assistant):
    with pytest.raises(KewenError, match="至多 20 项"):
        assistant.search("问", ignored=["x"] * 21)
    with pytest.raises(KewenError, match="至多 20 项"):
        assistant.ask_events("问", ignored=["x"] * 21)


@pytest.mark.parametrize("command", ["search", "ask"])
def test_the_command_ignores_and_says_how(kewen, shared_home, monkeypatch, command):
    monkeypatch.setenv("KEWEN_HOME", str(shared_home))
    first = kewen(command, MUCH)[1].splitlines()[0]
    assert "2022 年" in first
    assert "--ignore 徐汇" in first
    for year in ("2022年", "year:2022年"):
        less = kewen(command, MUCH, "--ignore", year, "--ignore", "split")[1].splitlines()[0]
        assert "2022" not in less
        assert "分成几问" not in less
        assert "优先讲闵行的段落" in less
    readings = json.loads(kewen(command, MUCH, "--json", "--ignore", "place:徐汇")[1])["readings"]
    assert [x["id"] for x in readings] == ["filler:请问", "name:minhang", "year:2022年", "place:闵行"]
    assert kewen(command, MUCH, *["--ignore", "x"] * 21)[0] == USAGE
