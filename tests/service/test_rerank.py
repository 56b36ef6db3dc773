"""Rerank by the convention of Jina and Cohere, as Open WebUI and Dify ask for it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from service.app import create_app
from service.assistant import Assistant
from service.routes.rerank import MODEL, PATHS
from service.settings import load_settings
from service.tokens import count

QUERY = "研发投入强度是多少？"
GOOD = "2023年，全社会研发经费投入强度达到4.4%左右。"
DOCUMENTS = ["街道举办科普讲座。", GOOD, "", "研发机构的投入方向。"]


@pytest.fixture(scope="module")
def client(shared_home):
    here = load_settings({"home": shared_home}, {})
    app = create_app(Assistant(here), here)
    return TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False)


def rerank(client, **body):
    return client.post("/v1/rerank", json={"model": MODEL, "query": QUERY, "documents": DOCUMENTS, **body})


def refusal(response, param, code="invalid_request", status=400):
    assert response.status_code == status
    error = response.json()["error"]
    assert sorted(error) == ["code", "message", "param", "type"]
    assert (error["param"], error["code"]) == (param, code)
    assert any("一" <= c <= "鿿" for c in error["message"])
    assert len(error["message"]) < 400


def test_best_first_and_in_range(client):
    body = rerank(client).json()
    assert list(body) == ["id", "model", "results", "usage"]
    assert body["id"].startswith("rr-")
    assert body["model"] == MODEL
    scores = [x["relevance_score"] for x in body["results"]]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= x <= 1 for x in scores)
    assert body["results"][0]["index"] == 1
    assert body["results"][-1] == {"index": 2, "relevance_score": 0.0}
    assert body["usage"] == {"total_tokens": count(QUERY) + sum(map(count, DOCUMENTS))}


@pytest.mark.parametrize("path", PATHS)
def test_every_path(client, path):
    body = {"query": QUERY, "documents": DOCUMENTS}
    response = client.post(path, json=body)
    assert response.status_code == 200
    assert response.json()["results"] == rerank(client).json()["results"]
    refused = client.post(path, json={**body, "documents": []})
    refusal(refused, "documents")


def test_documents_come_back_only_where_they_are_asked_for(client):
    documents = ["街道举办科普讲座。", {"text": GOOD, "id": 7}]
    results = rerank(client, documents=documents, return_documents=True).json()["results"]
    assert [x["document"] for x in results] == [{"text": GOOD}, {"text": documents[0]}]
    for switched_off in (False, None):
        results = rerank(client, documents=documents, return_documents=switched_off).json()["results"]
        assert all(list(x) == ["index", "relevance_score"] for x in results)


def test_as_open_webui_asks(client):
    """It sends `top_n` as the number of documents, sorts by `index` and reads each score."""
    results = rerank(client, top_n=len(DOCUMENTS)).json()["results"]
    by_index = sorted(results, key=lambda x: x["index"])
    assert [x["index"] for x in by_index] == list(range(len(DOCUMENTS)))
    assert all(isinstance(x["relevance_score"], float) for x in by_index)


@pytest.mark.parametrize(("top_n", "results"), [(1, 1), (3, 3), (4, 4), (5, 4), (10**20, 4), (None, 4)])
def test_exactly_as_many_as_asked(client, top_n, results):
    found = rerank(client, top_n=top_n).json()["results"]
    assert found == rerank(client).json()["results"][:results]


@given(
    st.lists(st.sampled_from([*DOCUMENTS, {"text": GOOD}]) | st.text(max_size=30), min_size=1, max_size=8), st.data()
)
@examples(max_examples=40, deadline=None)
def test_ties_are_in_the_order_given(client, documents, data):
    top_n = data.draw(st.integers(1, 10))
    response = rerank(client, documents=documents, top_n=top_n)
    assert response.status_code == 200
    results = response.json()["results"]
    assert len(results) == min(top_n, len(documents))
    assert len({x["index"] for x in results}) == len(results)
    keys = [(-x["relevance_score"], x["index"]) for x in results]
    assert keys == sorted(keys)


def test_a_thousand_documents_and_no_more(client):
    documents = [f"第{n}段：{DOCUMENTS[n % 2]}" for n in range(1000)]
    assert len(rerank(client, documents=documents).json()["results"]) == 1000
    refusal(rerank(client, documents=[*documents, "又一段"]), "documents")


def test_other_fields_mean_nothing(client):
    body = {
        "max_chunks_per_doc": 5,
        "max_tokens_per_doc": 4096,
        "rank_fields": ["text"],
        "user": "u",
        "truncate": "END",
    }
    assert rerank(client, **body).json()["results"] == rerank(client).json()["results"]


def test_text_cut_within_a_character(client):
    content = f'{{"query": "{QUERY}", "documents": ["宝山\\ud83d"], "return_documents": true}}'.encode()
    response = client.post("/v1/rerank", content=content, headers={"content-type": "application/json"})
    assert response.json()["results"][0]["document"] == {"text": "宝山\ufffd"}


@pytest.mark.parametrize(
    ("body", "param", "code", "status"),
    [
        ({"model": "rerank-v3.5"}, "model", "model_not_found", 404),
        ({"model": None}, "model", "invalid_request", 400),
        ({"query": ""}, "query", "empty_query", 400),
        ({"query": " \n"}, "query", "empty_query", 400),
        ({"query": "长" * 2001}, "query", "query_too_long", 400),
        ({"query": "a\u0000b"}, "query", "invalid_request", 400),
        ({"query": 5}, "query", "invalid_request", 400),
        ({"query": None}, "query", "invalid_request", 400),
        ({"documents": []}, "documents", "invalid_request", 400),
        ({"documents": None}, "documents", "invalid_request", 400),
        ({"documents": "一段"}, "documents", "invalid_request", 400),
        ({"documents": {"text": "一段"}}, "documents", "invalid_request", 400),
        ({"documents": ["一段", 5]}, "documents", "invalid_request", 400),
        ({"documents": ["一段", None]}, "documents", "invalid_request", 400),
        ({"documents": [{"content": "一段"}]}, "documents", "invalid_request", 400),
        ({"documents": [{"text": None}]}, "documents", "invalid_request", 400),
        ({"documents": [["一段"]]}, "documents", "invalid_request", 400),
        ({"top_n": 0}, "top_n", "invalid_request", 400),
        ({"top_n": -1}, "top_n", "invalid_request", 400),
        ({"top_n": 1.5}, "top_n", "invalid_request", 400),
        ({"top_n": "all"}, "top_n", "invalid_request", 400),
        ({"return_documents": "perhaps"}, "return_documents", "invalid_request", 400),
    ],
)
def test_what_is_refused(client, body, param, code, status):
    refusal(rerank(client, **body), param, code, status)


@pytest.mark.parametrize("missing", ["query", "documents"])
def test_fields_that_must_be_there(client, missing):
    body = {"model": MODEL, "query": QUERY, "documents": DOCUMENTS}
    del body[missing]
    refusal(client.post("/v1/rerank", json=body), missing)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"query": NaN, "documents": ["a"]}', b'{"query": "q", "documents": ["a"], "top_n": NaN}'],
)
def test_bodies_that_are_refused(client, content):
    response = client.post("/rerank", content=content, headers={"content-type": "application/json"})
    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"


def test_a_key_is_asked_for_on_every_path(assistant, settings):
    app = create_app(assistant, replace(settings, api_key="k" * 32))
    client = TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False)
    for path in PATHS:
        refused = client.post(path, json={"query": QUERY, "documents": DOCUMENTS})
        assert refused.status_code == 401
        assert refused.json()["error"]["code"] == "invalid_api_key"
