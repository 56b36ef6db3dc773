"""Who may speak to the service: every route needs the key; a stranger's Host or Origin gets nothing."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.keys import KeyRing
from tests.routes import routes

BASE = "http://127.0.0.1:8765"
PORTAL = "https://portal.example.cn"
OPEN = {"/", "/healthz", "/widget.js", "/web/source.css"}
"""All that anyone may read without a key."""


@pytest.fixture
def plain(assistant, settings):
    return TestClient(create_app(assistant, settings), base_url=BASE)


@pytest.fixture
def guarded(assistant, settings, tmp_path):
    """A service for others: its client, and a key."""
    here = replace(
        settings, home=tmp_path, allowed_hosts=("kewen.lan",), allowed_origins=(PORTAL,), public_url="https://kewen.lan"
    )
    key = KeyRing(here).add("测试", "full")
    return TestClient(create_app(assistant, here), base_url=BASE), key, here


def test_every_route_needs_the_key(guarded):
    client, _, _ = guarded
    found = [(f"{BASE}{path}", path, method) for path, methods in routes(client.app) for method in methods]
    found += [
        (BASE + path, path, "GET") for path in ("/", "/nothing", "/docs/x", "/v1/documents/", "/healthz/", "/web/")
    ]
    assert len(found) > 45
    for address, path, method in found:
        for headers in (
            {},
            {"Authorization": "Bearer wrong"},
            {"Authorization": "Basic eDp5"},
            {"Authorization": "Bearer"},
            {"X-API-Key": "wrong", "Cookie": "key=wrong"},
        ):
            status = client.request(method, address, headers=headers).status_code
            expected = 200 if path in OPEN else 403 if path.endswith("/retrieval") else 401
            assert status == expected, (path, headers)


def test_no_verb_goes_round_the_key_and_none_is_a_defect(guarded, plain):
    client, _, _ = guarded
    for path, _ in routes(client.app):
        for verb in ("HEAD", "OPTIONS", "TRACE", "PUT", "PATCH", "DELETE", "PROPFIND", "X" * 300):
            refused = client.request(verb, BASE + path).status_code
            assert refused in ((200, 405, 415) if path in OPEN else (401, 403)), (verb, path)
            answered = plain.request(verb, BASE + path).status_code
            assert answered < 500, (verb, path)
            assert answered != 200 or verb in ("HEAD", "PATCH", "DELETE"), (verb, path)


@pytest.mark.parametrize(
    "path",
    [
        "/healthz/../v1/documents",
        "//v1/documents",
        "/v1/%2e%2e/v1/documents",
        "/d/x/../../v1/documents",
        "/healthz%2fx",
        "/web/../v1/documents",
        "/v1/documents/%2e%2e%2f%2e%2e%2fhealthz",
        "/./v1/documents",
        "/healthz?/v1/documents",
        "/healthz;/../v1/documents",
        "/V1/documents",
        "/v1/documents%00",
        "/v1/documents%0a",
    ],
)
def test_no_path_goes_round_the_key(guarded, path):
    client, _, _ = guarded
    response = client.get(path)
    assert response.status_code in (401, 404) or response.json().keys() == {"status", "version"}


def test_a_key_in_the_address_is_no_key(guarded):
    client, key, _ = guarded
    for path in ("/v1/documents", "/v1/models", "/mcp", "/docs", "/openapi.json", "/d/x"):
        for name in ("key", "api_key", "apikey", "token", "access_token", "Authorization", "authorization"):
            assert client.get(path, params={name: key}).status_code == 401
            assert client.get(path, params={name: f"Bearer {key}"}).status_code == 401


def test_the_key_opens(guarded):
    client, key, _ = guarded
    for scheme in ("Bearer", "bearer", "BEARER"):
        assert client.get("/v1/documents", headers={"Authorization": f"{scheme} {key}"}).status_code == 200


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "http://127.0.0.1:1",
        "http://127.0.0.1",
        "",
        "https://portal.example.cn.evil.example",
    ],
)
@pytest.mark.parametrize("path", ["/v1/search", "/v1/ask", "/v1/chat/completions", "/mcp", "/retrieval", "/"])
def test_a_foreign_origin_is_refused(plain, path, origin):
    response = plain.post(path, json={"query": "宝山"}, headers={"Origin": origin})
    assert response.status_code == 403
    assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize("origin", ["http://127.0.0.1:8765", "HTTP://127.0.0.1:8765"])
def test_its_own_origin_is_served(plain, origin):
    assert plain.post("/v1/search", json={"query": "宝山"}, headers={"Origin": origin}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "kewen.lan.evil.example", "evil/healthz?", "a b", "", "@127.0.0.1"],
)
def test_a_foreign_host_is_refused_with_and_without_a_key(plain, guarded, host):
    client, key, _ = guarded
    assert plain.get("/v1/documents", headers={"Host": host}).status_code == 421
    assert client.get("/v1/documents", headers={"Host": host, "Authorization": f"Bearer {key}"}).status_code == 421


def test_an_origin_that_is_none_and_two_of_them(plain):
    for origins in (["http://["], ["http://127.0.0.1:8765", "https://evil.example"]):
        response = plain.post("/v1/search", json={"query": "宝山"}, headers=[("Origin", x) for x in origins])
        assert (response.status_code, response.json()["error"]["code"]) == (403, "origin_forbidden")


def test_liveness_answers_a_head(plain):
    assert plain.head("/healthz").status_code == 200


def test_two_hosts_are_none(plain):
    response = plain.get("/v1/documents", headers=[("Host", "127.0.0.1"), ("Host", "evil.example")])
    assert response.status_code == 421


@pytest.mark.parametrize("host", ["kewen.lan", "KEWEN.lan:443", "kewen.lan.", "localhost:8765", "localhost:"])
def test_the_listed_hosts_are_served(guarded, host):
    client, key, _ = guarded
    assert client.get("/v1/documents", headers={"Host": host, "Authorization": f"Bearer {key}"}).status_code == 200


# -- CORS -----------------------------------------------------------------------------------------


def test_a_listed_origin_gets_cors_and_an_error_that_it_can_read(guarded):
    client, key, _ = guarded
    asked = client.options(
        "/v1/ask",
        headers={
            "Origin": PORTAL,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type",
        },
    )
    assert asked.status_code == 200
    assert asked.headers["access-control-allow-origin"] == PORTAL
    assert "authorization" in asked.headers["access-control-allow-headers"]
    refused = client.post("/v1/ask", json={"question": "宝山"}, headers={"Origin": PORTAL})
    assert refused.status_code == 401
    assert refused.headers["access-control-allow-origin"] == PORTAL
    answered = client.post(
        "/v1/ask", json={"question": "宝山"}, headers={"Origin": PORTAL, "Authorization": f"Bearer {key}"}
    )
    assert answered.status_code == 200
    assert answered.headers["access-control-allow-origin"] == PORTAL


def test_no_cors_for_anyone_else(plain):
    preflight = plain.options("/v1/ask", headers={"Origin": PORTAL, "Access-Control-Request-Method": "POST"})
    assert preflight.status_code == 403
    assert "access-control-allow-origin" not in plain.get("/v1/documents").headers


def test_a_widget_key_asks_from_a_page_and_does_nothing_else(guarded):
    client, _, here = guarded
    key = {"Authorization": f"Bearer {KeyRing(here).add('网页', 'widget')}"}
    question = {"question": "宝山区有多少家生物医药企业？"}
    assert client.post("/v1/ask", json=question, headers={**key, "Origin": PORTAL}).status_code == 200
    assert client.post("/v1/ask", json=question, headers=key).status_code == 401
    assert client.post("/v1/search", json={"query": "宝山"}, headers={**key, "Origin": PORTAL}).status_code == 401
    assert client.get("/v1/documents", headers={**key, "Origin": PORTAL}).status_code == 401
    assert client.post("/v1/ask", json=question, headers={**key, "Origin": "https://evil.example"}).status_code == 403


# -- links ----------------------------------------------------------------------------------------


def cited(client, key, **headers):
    asked = client.post(
        "/v1/ask",
        json={"question": "宝山区有多少家生物医药企业？"},
        headers={"Authorization": f"Bearer {key}", **headers},
    )
    return asked.json()["citations"][0]


def test_a_signed_link_opens_its_place_alone(guarded):
    client, key, _ = guarded
    url = cited(client, key)["url"]
    assert url.startswith("https://kewen.lan/d/baoshan-2026-innovation-plan?at=")
    path = url.removeprefix("https://kewen.lan").removesuffix("#quote")
    assert client.get(path).status_code == 200
    start = path.index("at=") + 3
    for forged in (
        path[:start] + "0-" + path[path.index("-", start) + 1 :],
        path.replace("/d/baoshan", "/d/shanghai"),
        path.replace("&until=", "&until=9"),
        path[:-1] + ("A" if path[-1] != "A" else "B"),
        path[: path.index("&sign=")],
        path + "&sign=",
        path.replace("/d/", "/v1/documents/"),
    ):
        assert client.get(forged).status_code in (401, 403, 404), forged


def test_a_link_expires(guarded, monkeypatch):
    client, key, _ = guarded
    url = cited(client, key)["url"]
    path = url.removeprefix("https://kewen.lan").removesuffix("#quote")
    import time

    now = time.time()
    monkeypatch.setattr("service.links.time.time", lambda: now + 29.9 * 86_400)
    assert client.get(path).status_code == 200
    monkeypatch.setattr("service.links.time.time", lambda: now + 31.1 * 86_400)
    late = client.get(path)
    assert (late.status_code, late.headers["content-type"]) == (403, "text/html; charset=utf-8")
    assert "过期" in late.text


def test_without_keys_a_link_is_not_signed(plain):
    hit = plain.post("/v1/search", json={"query": "宝山"}).json()["hits"][0]
    assert hit["citation"]["url"].startswith("http://127.0.0.1:8765/d/")
    assert "sign=" not in hit["citation"]["url"]


def test_public_url_is_what_links_begin_with(assistant, settings):
    client = TestClient(create_app(assistant, replace(settings, public_url="http://localhost/kewen")), base_url=BASE)
    hit = client.post("/v1/search", json={"query": "宝山"}).json()["hits"][0]
    assert hit["citation"]["url"].startswith("http://localhost/kewen/d/")


# -- what is never told ---------------------------------------------------------------------------


def test_no_key_and_no_question_is_logged(guarded, caplog):
    client, key, _ = guarded
    caplog.set_level(logging.DEBUG)
    for path in ("/v1/ask", "/v1/search", "/v1/chat/completions", "/retrieval", "/v1/embeddings", "/mcp"):
        for given in (key, f"{key}x"):
            client.post(
                path,
                json={"question": "金丝雀问题", "query": "金丝雀问题", "nonsense": 1},
                headers={"Authorization": f"Bearer {given}"},
            )
    ours = [x for x in caplog.records if x.name.startswith("kewen")]
    assert key not in caplog.text
    assert not any("金丝雀" in x.getMessage() for x in ours if x.levelno >= logging.INFO)
