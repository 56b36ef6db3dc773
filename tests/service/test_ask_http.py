"""`POST /v1/ask`: its shape, its stream, its errors."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.assistant import Assistant
from service.errors import KewenError
from service.settings import Settings, load_settings

QUESTION = "宝山区有多少家生物医药企业？"
NOT_SAID = "宝山区区长是谁？"
SIDES = "黄浦做金融科技，2022年和2025年的提法有什么不一样？"
MANY = "徐汇、长宁、闵行、宝山、嘉定2025年做了什么"


@pytest.fixture(scope="module")
def settings(shared_home) -> Settings:
    return load_settings({"home": shared_home}, {})


@pytest.fixture(scope="module")
def assistant(opened) -> Assistant:
    """One for all: what a test replaces of it is put back."""
    return copy.copy(opened)


@pytest.fixture(scope="module")
def client(assistant, settings) -> TestClient:
    return TestClient(create_app(assistant, settings), base_url="http://127.0.0.1", raise_server_exceptions=False)


def events(response) -> list[tuple[str, dict]]:
    """What was streamed, read by the rules of server-sent events."""
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["cache-control"] == "no-store"
    assert response.text.endswith("\n\n")
    found = []
    for block in response.text.removesuffix("\n\n").split("\n\n"):
        name, data = block.split("\n")
        assert name.startswith("event: ")
        assert data.startswith("data: ")
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


def error(response) -> dict:
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert list(body) == ["error"]
    assert list(body["error"]) == ["code", "message", "detail", "request_id"]
    assert body["error"]["request_id"] == response.headers["x-request-id"]
    assert re.search(r"[一-鿿]", body["error"]["message"])
    return body["error"]


# -- shape --------------------------------------------------------------------------------------------


def conforms(value: object, schema: dict, known: dict, where: str = "$") -> None:
    """Whether a value is as the OpenAPI schema says, and has no field that it doesn't name."""
    if "$ref" in schema:
        return conforms(value, known[schema["$ref"].rpartition("/")[2]], known, where)
    if "anyOf" in schema:
        if value is None:
            assert {"type": "null"} in schema["anyOf"], where
            return None
        (schema,) = (x for x in schema["anyOf"] if x != {"type": "null"})
        return conforms(value, schema, known, where)
    kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float)}
    assert isinstance(value, kinds[schema["type"]]), (where, value)
    assert schema["type"] not in ("integer", "number") or not isinstance(value, bool), where
    assert value in schema.get("enum", [value]), (where, value)
    assert "const" not in schema or value == schema["const"], where
    if isinstance(value, list):
        assert schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", 10**9), where
        for n, item in enumerate(value):
            conforms(item, schema["items"], known, f"{where}[{n}]")
    if isinstance(value, dict) and "properties" in schema:
        assert value.keys() == schema["properties"].keys(), where
        for name, part in value.items():
            conforms(part, schema["properties"][name], known, f"{where}.{name}")
    elif isinstance(value, dict):
        for name, part in value.items():
            conforms(part, schema["additionalProperties"], known, f"{where}.{name}")
    return None


@pytest.mark.parametrize(
    "body",
    [
        {"question": QUESTION},
        {"question": SIDES},
        {"question": NOT_SAID},
        {"question": "～～～"},
        {"question": QUESTION, "mode": "passages", "top_k": 2},
        {"question": "请问minhang和徐汇2022年搞药的公司"},
        {"question": "那徐汇呢？", "history": ["宝山的主导产业是什么？"]},
    ],
)
def test_answers_are_as_the_description_says(client, body):
    api = client.get("/openapi.json").json()
    described = api["paths"]["/v1/ask"]["post"]["responses"]["200"]["content"]
    assert set(described) == {"application/json", "text/event-stream"}
    response = client.post("/v1/ask", json=body)
    assert response.status_code == 200
    conforms(response.json(), described["application/json"]["schema"], api["components"]["schemas"])


def test_an_answer_that_is_not_as_described_is_told_apart(client):
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    answer = client.post("/v1/ask", json={"question": QUESTION}).json()
    conforms(answer, schemas["AskOut"], schemas)
    for broken in (
        {**answer, "colour": "red"},
        {**answer, "confidence": None},
        {**answer, "mode": "hybrid"},
        {**answer, "sentences": [{**answer["sentences"][0], "marks": [[1]]}]},
    ):
        with pytest.raises(AssertionError):
            conforms(broken, schemas["AskOut"], schemas)


@pytest.mark.parametrize("question", [QUESTION, SIDES, NOT_SAID])
def test_the_api_answers_as_the_command_does(client, kewen, shared_home, question):
    command = json.loads(kewen("ask", question, "-k", "3", "--json", "--home", str(shared_home))[1])
    body = client.post("/v1/ask", json={"question": question, "top_k": 3}).json()
    assert list(body) == list(command)
    assert body | {"took_ms": 0} == command | {"took_ms": 0}


def test_options_are_obeyed(client):
    def ask(**options) -> dict:
        return client.post("/v1/ask", json={"question": QUESTION, **options}).json()

    assert len(ask(top_k=2)["hits"]) == 2
    assert ask(mode="passages")["sentences"] == []
    assert {x["citation"]["year"] for x in ask(filters={"years": [2022, 2025]})["hits"]} <= {2022, 2024, 2025}
    assert ask(literal=True)["readings"] == []
    assert ask()["readings"]
    assert any(hit["expansion"] for hit in ask()["hits"])
    assert not any(hit["expansion"] for hit in ask(expansion=False)["hits"])
    followed = ask(question="那徐汇呢？", history=["嘉定有什么", "宝山的主导产业是什么？"])
    assert followed["resolved"] == "徐汇的主导产业是什么？"
    assert followed["question"] == "那徐汇呢？"


# -- the stream ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        {"question": QUESTION},
        {"question": SIDES},
        {"question": MANY, "top_k": 10},
        {"question": NOT_SAID},
        {"question": "～～～"},
        {"question": QUESTION, "mode": "passages"},
        {"question": "那徐汇呢？", "history": ["宝山的主导产业是什么？"]},
    ],
)
def test_a_stream_ends_with_the_answer_that_is_given_without_one(client, body):
    whole = client.post("/v1/ask", json={**body, "stream": False}).json()
    *said, (name, answer) = events(client.post("/v1/ask", json={**body, "stream": True}))
    assert name == "answer"
    assert list(answer) == list(whole)
    assert answer | {"took_ms": 0} == whole | {"took_ms": 0}
    assert [name for name, _ in said] == ["sentence"] * len(whole["sentences"])
    new = [x.pop("new_citations") for _, x in said]
    assert [x for _, x in said] == whole["sentences"]
    assert [x for part in new for x in part] == whole["citations"]
    for (_, sentence), part in zip(said, new, strict=True):
        assert {x["number"] for x in part} <= set(sentence["citations"])


def test_a_stream_is_one_line_of_data_an_event_whatever_a_report_says(kewen, make_folder, tmp_path, settings):
    from service.assistant import Assistant

    text = "一、基础\n\n宝山区有企业\u2028449家\u0085，\ndata: x\revent: y其中规上74家。\n"
    own = replace(settings, home=tmp_path / "h", reports=make_folder({"a.txt": text.encode()}))
    client = TestClient(create_app(Assistant(own), own), base_url="http://127.0.0.1")
    response = client.post("/v1/ask", json={"question": "宝山区有多少家企业", "stream": True})
    names = [line for line in re.split(r"\r\n|\r|\n", response.text) if line.startswith("event:")]
    assert names[-1] == "event: answer"
    assert set(names) == {"event: sentence", "event: answer"}
    assert "449家" in events(response)[-1][1]["answer"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"question": ""}, 422, "empty_query"),
        ({"question": " \n"}, 422, "empty_query"),
        ({"question": "长" * 2001}, 422, "query_too_long"),
        ({"question": "a\u0000b"}, 422, "invalid_request"),
        ({"question": 5}, 422, "invalid_request"),
        ({"query": "问"}, 422, "invalid_request"),
        ({"question": "问", "top_k": 0}, 422, "invalid_request"),
        ({"question": "问", "top_k": 101}, 422, "invalid_request"),
        ({"question": "问", "top_k": "5"}, 422, "invalid_request"),
        ({"question": "问", "top_k": True}, 422, "invalid_request"),
        ({"question": "问", "mode": "hybrid"}, 422, "unknown_mode"),
        ({"question": "问", "mode": "x" * 5000}, 422, "unknown_mode"),
        ({"question": "问", "mode": 1}, 422, "invalid_request"),
        ({"question": "问", "history": "宝山"}, 422, "invalid_request"),
        ({"question": "问", "history": [5]}, 422, "invalid_request"),
        ({"question": "问", "history": None}, 422, "invalid_request"),
        ({"question": "问", "history": [""]}, 422, "empty_query"),
        ({"question": "问", "history": ["a\u001b[31mb"]}, 422, "invalid_request"),
        ({"question": "问", "history": ["长" * 2001]}, 422, "query_too_long"),
        ({"question": "问", "history": ["问"] * 101}, 422, "invalid_request"),
        ({"question": "问", "filters": {"years": [1990, 1999]}}, 422, "unknown_year"),
        ({"question": "问", "filters": {"years": [2025, 2022]}}, 422, "unknown_year"),
        ({"question": "问", "filters": {"years": [2025]}}, 422, "invalid_request"),
        ({"question": "问", "filters": {"document_ids": ["nope"]}}, 422, "unknown_document"),
        ({"question": "问", "filters": {"series": "nope"}}, 422, "invalid_request"),
        ({"question": "问", "expansion": None}, 422, "invalid_request"),
        ({"question": "问", "literal": 1}, 422, "invalid_request"),
        ({"question": "问", "colour": "red"}, 422, "invalid_request"),
    ],
)
def test_bad_questions_are_refused_before_anything_is_streamed(client, body, status, code, stream):
    response = client.post("/v1/ask", json={**body, "stream": stream})
    assert (response.status_code, error(response)["code"]) == (status, code)
    assert len(response.text) < 1000


def test_a_language_model_that_is_not_set_up_is_a_notice_beside_the_extractive_answer(client):
    asked = {"question": "宝山区有多少家生物医药企业？"}
    response = client.post("/v1/ask", json={**asked, "mode": "generative"})
    assert response.status_code == 200
    given = response.json()
    assert given["mode"] == "extractive"
    assert given["sentences"] == client.post("/v1/ask", json=asked).json()["sentences"]
    assert "KEWEN_LLM_URL" in given["notices"][0]


def test_a_stream_that_is_no_switch_is_refused(client):
    for stream in (1, "true", None):
        response = client.post("/v1/ask", json={"question": "问", "stream": stream})
        assert (response.status_code, error(response)["code"]) == (422, "invalid_request")


def test_what_guards_the_other_routes_guards_this_one(client, assistant, settings):
    plain = client.post("/v1/ask", content=b'{"question": "q"}', headers={"content-type": "text/plain"})
    assert (plain.status_code, error(plain)["code"]) == (415, "unsupported_type")
    other = client.post("/v1/ask", json={"question": "问"}, headers={"host": "evil.example"})
    assert (other.status_code, error(other)["code"]) == (421, "host_forbidden")
    locked = TestClient(create_app(assistant, replace(settings, api_key="k")), base_url="http://127.0.0.1")
    refused = locked.post("/v1/ask", json={"question": "问", "stream": True})
    assert (refused.status_code, error(refused)["code"]) == (401, "auth_required")
    assert client.get("/v1/ask").status_code == 405


def test_an_index_that_is_gone_is_no_stream(client, assistant, monkeypatch):
    def gone() -> None:
        raise KewenError("index_unavailable", "没有可用的索引。")

    monkeypatch.setattr(assistant, "retriever", gone)
    for stream in (False, True):
        response = client.post("/v1/ask", json={"question": "问", "stream": stream})
        assert (response.status_code, error(response)["code"]) == (503, "index_unavailable")


def test_a_defect_is_a_500_that_shows_nothing(client, assistant, monkeypatch):
    def broken(*arguments, **options):
        raise RuntimeError("/secret/path")
        yield

    monkeypatch.setattr(assistant, "ask_events", broken)
    response = client.post("/v1/ask", json={"question": "问"})
    assert (response.status_code, error(response)["code"]) == (500, "internal_error")
    assert "secret" not in response.text


@pytest.mark.parametrize(
    ("fault", "code"),
    [(RuntimeError("/secret/path"), "internal_error"), (KewenError("not_found", "没有。"), "not_found")],
)
def test_what_goes_wrong_later_is_the_last_event(client, assistant, monkeypatch, fault, code):
    def broken(*arguments, **options):
        yield "先说一句"
        raise fault

    monkeypatch.setattr(assistant, "ask_events", broken)
    response = client.post("/v1/ask", json={"question": "问", "stream": True})
    (first, notice), (last, told) = events(response)
    assert (first, notice) == ("notice", {"message": "先说一句"})
    assert (last, told["code"]) == ("error", code)
    assert re.search(r"[一-鿿]", told["message"])
    assert "secret" not in response.text
