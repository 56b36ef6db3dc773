"""The tools that language models call, and the OpenAPI description that offers them."""

from __future__ import annotations

import copy
import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient

from corpus.citations import citation_label
from service import tools
from service.app import create_app
from service.assistant import Assistant
from service.errors import KewenError
from service.links import Links
from service.settings import Settings, load_settings
from service.tools import AskArguments, FetchArguments, SearchArguments, Tools, read_arguments, schema_of
from tests.live import serving

QUESTION = "宝山区有多少家生物医药企业？"
ABSENT = "深圳2024年的GDP是多少？"


@pytest.fixture(scope="module")
def settings(shared_home: Path) -> Settings:
    return load_settings({"home": shared_home}, {})


@pytest.fixture(scope="module")
def assistant(opened: Assistant) -> Assistant:
    """One for all: it is only asked."""
    return copy.copy(opened)


@pytest.fixture(scope="module")
def over(assistant: Assistant, settings: Settings) -> Tools:
    return Tools(assistant, Links(settings))


@pytest.fixture(scope="module")
def client(assistant: Assistant, settings: Settings) -> TestClient:
    return TestClient(create_app(assistant, settings), base_url="http://127.0.0.1", raise_server_exceptions=False)


# -- the three functions --------------------------------------------------------------------------


def test_search_gives_id_label_and_link_of_what_the_assistant_finds(over, assistant, settings):
    hits = assistant.search(QUESTION).hits
    links = Links(settings)
    assert over.search(SearchArguments(query=QUESTION)).model_dump() == {
        "results": [
            {"id": x.passage.id, "title": citation_label(x.citation), "url": links.url(x.citation)} for x in hits
        ]
    }
    assert len(hits) == settings.top_k


def test_each_passage_that_was_found_can_be_fetched_word_for_word(over, reports):
    for found in over.search(SearchArguments(query="创新型企业培育")).results:
        fetched = over.fetch(FetchArguments(id=f" {found.id} "))
        assert (fetched.id, fetched.title, fetched.url) == (found.id, found.title, found.url)
        known = fetched.metadata
        text = reports[known["document_id"]].text[int(known["char_start"]) : int(known["char_end"])]
        assert fetched.text in text or len(fetched.text) < len(text)  # joined across a page break
        assert fetched.text[:10] == text[:10]
        assert fetched.text[-10:] == text[-10:]


def test_metadata_are_words_and_leave_out_what_is_not_known(over, assistant):
    snapshot = assistant.retriever().snapshot
    kinds = {row.passage.kind: row.passage.id for row in snapshot.rows}
    for passage_id in kinds.values():
        metadata = over.fetch(FetchArguments(id=passage_id)).metadata
        assert all(isinstance(x, str) and x for x in metadata.values())
        assert "pages" not in metadata
    table = next(row.passage for row in snapshot.rows if row.passage.columns)
    assert over.fetch(FetchArguments(id=table.id)).metadata["columns"] == " | ".join(table.columns)
    restored = next(row.passage for row in snapshot.rows if any(row.passage.restored))
    assert "〔" in over.fetch(FetchArguments(id=restored.id)).metadata["section"]


def test_an_answer_has_its_quotes_and_passages(over, assistant, settings):
    asked = over.ask(AskArguments(question=QUESTION, top_k=3))
    answer = assistant.ask(QUESTION, top_k=3)
    assert asked.answer == answer.text
    assert "449 家" in asked.answer
    assert (asked.abstained, asked.reason, asked.notices) == (False, "", [])
    assert asked.confidence == answer.confidence
    assert [(x.number, x.quote, x.passage_id) for x in asked.citations] == [
        (x.number, x.citation.quote, x.passage_id) for x in answer.citations
    ]
    assert [x.url for x in asked.citations] == [Links(settings).url(x.citation) for x in answer.citations]
    assert [x.id for x in asked.passages] == [x.passage.id for x in answer.hits]
    assert asked.passages[0].text == answer.hits[0].passage.text


def test_an_abstention_says_so_and_why(over):
    asked = over.ask(AskArguments(question=ABSENT))
    assert asked.abstained
    assert asked.reason
    assert asked.answer.startswith("所收报告中没有找到依据")
    assert asked.citations == []


def test_years_and_document_narrow_the_search(over):
    def years(**given) -> set[str]:
        return {re.search(r"（(\d{4})）", x.title)[1] for x in over.ask(AskArguments(**given)).passages}

    question = "科创中心建设的目标是什么？"
    assert years(question=question, top_k=50, year_from=2024, year_to=2025) == {"2024", "2025"}
    assert years(question=question, top_k=50, year_to=2015) == {"2015"}
    assert years(question=question, top_k=50, year_from=2026) == {"2026"}
    narrow = AskArguments(question=question, document_id="baoshan-2026-innovation-plan")
    assert {x.id.split(":")[0] for x in over.ask(narrow).passages} == {"baoshan-2026-innovation-plan"}


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        ({"question": " "}, "empty_query", "问题是空的"),
        ({"question": "问" * 2001}, "query_too_long", "超过 2000 字"),
        ({"question": "科普", "year_from": 2030}, "unknown_year", "没有 2030 年的报告"),
        ({"question": "科普", "year_to": 1999}, "unknown_year", "没有 1999 年的报告"),
        ({"question": "科普", "year_from": 2025, "year_to": 2022}, "unknown_year", "year_from 晚于 year_to"),
        ({"question": "科普", "document_id": "nowhere"}, "unknown_document", "nowhere"),
    ],
)
def test_what_cannot_be_asked_is_said_in_chinese(over, given, code, said):
    with pytest.raises(KewenError, match=said) as raised:
        over.ask(AskArguments(**given))
    assert raised.value.code == code


def test_an_unknown_id_is_an_error(over):
    with pytest.raises(KewenError) as raised:
        over.fetch(FetchArguments(id="x" * 5000))
    assert raised.value.code == "not_found"
    assert len(raised.value.message) < 300


def test_a_checkpoint_stops_an_answer_and_closes_it(over, assistant, monkeypatch):
    closed = []

    def events(*_: object, **__: object):
        try:
            while True:
                yield "一句"
        finally:
            closed.append(True)

    monkeypatch.setattr(assistant, "ask_events", events)
    seen = []

    def checkpoint() -> None:
        seen.append(True)
        if len(seen) == 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        over.ask(AskArguments(question=QUESTION), checkpoint)
    assert closed == [True]


# -- arguments and schemas ------------------------------------------------------------------------


def test_arguments_are_read_as_models_write_them():
    given = read_arguments(
        AskArguments, {"question": "问", "year_from": "2022", "year_to": None, "toolCallId": "call_1"}
    )
    assert (given.year_from, given.year_to, given.top_k) == (2022, None, None)
    assert read_arguments(SearchArguments, {"query": "问", "toolCallId": "call_1"}).model_dump() == {"query": "问"}


def test_arguments_that_were_not_understood_are_named(over):
    notices = over.ask(AskArguments(question=QUESTION, year=2026, **{"秘" * 300: 1})).notices
    assert len(notices) == 1
    assert "year" in notices[0]
    assert len(notices[0]) < 100


@pytest.mark.parametrize(
    ("model", "given", "said"),
    [
        (SearchArguments, {}, "query（完整的中文问句或关键词"),
        (SearchArguments, {"query": ["a"]}, "query（"),
        (FetchArguments, {"id": {"a": 1}}, "id（段落编号"),
        (AskArguments, {"question": "问", "top_k": 0}, "top_k（返回几个段落，1 到 100"),
        (AskArguments, {"question": "问", "year_from": "去年"}, "year_from（只查这一年及以后的报告"),
    ],
)
def test_wrong_arguments_are_told_what_they_should_be(model, given, said):
    with pytest.raises(KewenError) as raised:
        read_arguments(model, given)
    assert raised.value.code == "invalid_request"
    assert said in raised.value.message
    assert not re.search(r"[Ii]nput|pydantic", raised.value.message)


def test_the_inputs_of_search_and_fetch_are_exactly_the_convention():
    for model, name in ((SearchArguments, "query"), (FetchArguments, "id")):
        schema = schema_of(model)
        assert schema["required"] == [name]
        assert {x: y["type"] for x, y in schema["properties"].items()} == {name: "string"}
        assert "additionalProperties" not in schema


def test_every_field_is_a_plain_type_with_a_chinese_description():
    for model in (SearchArguments, FetchArguments, AskArguments, tools.Found, tools.Fetched, tools.Asked):
        schema = schema_of(model)
        for part in (schema, *schema.get("$defs", {}).values()):
            for field in part["properties"].values():
                assert isinstance(field["type"], str)  # Open WebUI reads no anyOf
                assert re.search(r"[一-鿿]", field["description"])
                assert "title" not in field


# -- the OpenAPI tool server ----------------------------------------------------------------------


def test_the_description_has_the_three_tools_and_nothing_else(client, settings):
    described = client.get("/tools/openapi.json").json()
    assert described["openapi"].startswith("3.")
    assert described["servers"] == [{"url": f"{settings.base_url}/tools"}]
    operations = {path: methods["post"] for path, methods in described["paths"].items()}
    assert {path: x["operationId"] for path, x in operations.items()} == {
        "/search": "search",
        "/fetch": "fetch",
        "/ask": "ask",
    }
    for operation in operations.values():
        assert len(re.findall(r"[一-鿿]", operation["description"])) > 20
        assert "HTTPValidationError" not in json.dumps(operation)
    assert not [path for path in client.get("/openapi.json").json()["paths"] if path.startswith("/tools")]


def test_each_reference_of_the_description_leads_somewhere(client):
    described = client.get("/tools/openapi.json").json()
    references = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(described)))
    assert references
    assert references <= set(described["components"]["schemas"])


def test_a_tool_server_is_called_as_its_description_says(client, over):
    described = client.get("/tools/openapi.json").json()
    paths = {x["post"]["operationId"]: f"/tools{path}" for path, x in described["paths"].items()}
    found = client.post(paths["search"], json={"query": QUESTION}).json()
    assert found == over.search(SearchArguments(query=QUESTION)).model_dump()
    fetched = client.post(paths["fetch"], json={"id": found["results"][0]["id"]}).json()
    assert "449 家" in fetched["text"]
    asked = client.post(paths["ask"], json={"question": QUESTION, "year_from": "2026", "top_k": None}).json()
    assert asked == over.ask(AskArguments(question=QUESTION, year_from=2026)).model_dump()


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("search", {"query": " "}, 422, "empty_query"),
        ("search", {}, 422, "invalid_request"),
        ("fetch", {"id": "nowhere:0-1"}, 404, "not_found"),
        ("ask", {"question": "问", "top_k": 101}, 422, "invalid_request"),
        ("ask", {"question": "问" * 2001}, 422, "query_too_long"),
        ("nothing", {}, 404, "not_found"),
    ],
)
def test_errors_of_the_tool_server_are_kewens_own(client, path, body, status, code):
    response = client.post(f"/tools/{path}", json=body)
    assert response.status_code == status
    error = response.json()["error"]
    assert error["code"] == code
    assert error["request_id"] == response.headers["x-request-id"]


def test_the_address_of_the_tool_server_is_the_one_that_readers_see(settings):
    settings = replace(settings, public_url="https://kewen.example.cn/base", api_key="secret")
    client = TestClient(create_app(Assistant(settings), settings), base_url="https://kewen.example.cn")
    assert client.get("/tools/openapi.json").status_code == 401
    described = client.get("/tools/openapi.json", headers={"Authorization": "Bearer secret"}).json()
    assert described["servers"] == [{"url": "https://kewen.example.cn/base/tools"}]


def test_a_model_that_hangs_holds_up_nothing_else(shared_home, hanging):
    given = {"home": shared_home, "llm_url": "http://127.0.0.1:9/v1", "llm_model": "m", "answer_mode": "generative"}
    asked = {"question": "宝山区有多少家生物医药企业？"}
    with serving(load_settings(given, {})) as url, httpx.Client(timeout=10) as http, ThreadPoolExecutor(45) as pool:
        try:
            waiting = [pool.submit(httpx.post, f"{url}/tools/ask", json=asked, timeout=30) for _ in range(45)]
            assert http.post(f"{url}/v1/search", json={"query": "宝山"}).status_code == 200
            assert not any(x.done() for x in waiting)
        finally:
            hanging.set()
        assert all(x.result().status_code == 200 for x in waiting)
