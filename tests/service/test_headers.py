"""Headers: on every response of every route, whatever its status; and what browsers make of them."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from tests.live import listen, running
from tests.routes import routes

BASE = "http://127.0.0.1:8765"
ALWAYS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "x-robots-tag": "noindex",
}
KEPT = {"/widget.js": "max-age=3600", "/web/source.css": "no-cache"}
"""What a browser may keep: for an hour, or as long as it is still the same."""
SHARED = {"/widget.js", "/healthz"}
"""What pages of others load."""


@pytest.fixture
def app(assistant, settings):
    return create_app(assistant, settings)


def check(response, path):
    for name, value in ALWAYS.items():
        assert response.headers.get_list(name) == [value], (path, name)
    assert response.headers["cross-origin-resource-policy"] == ("cross-origin" if path in SHARED else "same-origin")
    kept = KEPT.get(path, "no-store") if response.is_success or path.startswith("/web/") else "no-store"
    assert response.headers["cache-control"] == kept
    policy = response.headers["content-security-policy"]
    assert policy.removeprefix("sandbox; ").startswith("default-src 'none'; ")
    for closed in ("base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"):
        assert closed in policy
    is_page = response.headers.get("content-type", "").startswith("text/html")
    assert ("script-src" in policy) == (is_page and (response.url.path == "/" or path.startswith("/docs")))
    assert len(response.headers["x-request-id"]) == 32
    assert "server" not in response.headers


def test_every_answer_of_every_route_bears_them(app):
    client = TestClient(app, base_url=BASE, raise_server_exceptions=False)
    seen = set()
    for path, methods in routes(app):
        for method in {*methods, "GET", "OPTIONS"}:
            response = client.request(method, path, json={} if method in ("POST", "PATCH") else None)
            check(response, path)
            seen.add(response.status_code)
    assert {200, 404, 405, 415, 422} <= seen


def test_refusals_and_defects_bear_them_too(app, assistant, monkeypatch):
    client = TestClient(app, base_url=BASE, raise_server_exceptions=False)
    for status, path, headers in (
        (421, "/v1/documents", {"Host": "evil.example"}),
        (403, "/v1/documents", {"Origin": "https://evil.example"}),
        (421, "/d/x", {"Host": "evil.example"}),
        (404, "/nothing", {}),
    ):
        response = client.get(path, headers=headers)
        assert response.status_code == status
        check(response, path)
    monkeypatch.setattr(assistant, "documents", lambda: 1 / 0)
    response = client.get("/v1/documents")
    assert response.status_code == 500
    check(response, "/v1/documents")


def test_a_browser_can_read_and_use_the_description_of_the_api(browser, assistant, settings):
    listener = listen()
    with running(create_app(assistant, settings), listener) as base:
        browser.open(f"{base}/docs")
        browser.wait(lambda: browser.run("return document.querySelectorAll('.opblock').length") > 10, "the operations")
        asked = browser.run(
            "const send = (url, options) => fetch(url, {method: 'POST', ...options}).then(x => x.status);"
            "const form = new FormData(); form.append('file', new Blob([]), 'a.txt');"
            "const json = {body: JSON.stringify({query: '宝山'}), headers: {'Content-Type': 'application/json'}};"
            "return Promise.all([send('/v1/search', json), send('/v1/documents', {body: form})])"
        )
        assert asked == [200, 422]  # what it sends itself, it may send: the empty file was looked at
        refused = [x for x in browser.messages() if "422" not in x]
        assert refused == []
