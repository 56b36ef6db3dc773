"""The HTTP API: contract, errors, limits; in process, and once over a real socket."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import replace

import httpx
import pytest
from fastapi.testclient import TestClient

from corpus.library import shipped_folder
from service.app import create_app
from service.assistant import Assistant
from service.errors import USAGE

QUESTION = "宝山区有多少家生物医药企业？"
ID = "baoshan-2026-innovation-plan"


@pytest.fixture
def client(assistant, settings) -> TestClient:
    return TestClient(create_app(assistant, settings), base_url="http://127.0.0.1", raise_server_exceptions=False)


def error(response) -> dict:
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert list(body) == ["error"]
    assert list(body["error"]) == ["code", "message", "detail", "request_id"]
    assert body["error"]["request_id"] == response.headers["x-request-id"]
    assert re.search(r"[一-鿿]", body["error"]["message"])
    assert "Traceback" not in response.text
    assert "/home" not in response.text
    return body["error"]


def test_search_is_the_same_as_the_command(client, kewen, shared_home):
    response = client.post("/v1/search", json={"query": QUESTION, "top_k": 3})
    assert response.status_code == 200
    command = json.loads(kewen("search", QUESTION, "-k", "3", "--json", "--home", str(shared_home))[1])
    body = response.json()
    assert body["hits"] == command["hits"]
    assert list(body) == list(command)


def test_filters_and_modes(client):
    body = {"query": "科创中心", "mode": "lexical", "top_k": 100, "filters": {"years": [2022, 2022]}}
    hits = client.post("/v1/search", json=body).json()["hits"]
    assert hits
    assert {hit["citation"]["year"] for hit in hits} == {2022}
    body["filters"] = {"document_ids": [ID], "series": "宝山区科技创新“十五五”规划"}
    assert {x["citation"]["document_id"] for x in client.post("/v1/search", json=body).json()["hits"]} == {ID}


def test_expansions_and_understanding_can_be_switched_off(client):
    body = {"query": "请问minhang和徐汇2022年搞药的公司", "top_k": 10}
    result = client.post("/v1/search", json=body).json()
    assert {x["kind"] for x in result["readings"]} == {"filler", "name", "year", "place", "split"}
    assert all(re.search(r"[一-鿿]", x["message"]) for x in result["readings"])
    assert any(hit["expansion"] for hit in result["hits"])
    for hit in result["hits"]:
        if hit["expansion"]:
            assert list(hit["expansion"]) == ["text", "kind", "origin"]
            assert hit["expansion"]["text"] not in hit["text"] + hit["citation"]["label"]
    plain = client.post("/v1/search", json=body | {"expansion": False}).json()
    assert plain["readings"] == result["readings"]
    assert all(hit["expansion"] is None and "expansion" not in hit["signals"] for hit in plain["hits"])
    literal = client.post("/v1/search", json=body | {"literal": True}).json()
    assert literal["readings"] == []
    assert literal["hits"] != result["hits"]


def test_switches_are_the_same_as_the_commands(client, kewen, shared_home):
    body = {"query": "minhang和徐汇的大学", "expansion": False, "literal": True}
    options = ["--no-expansion", "--literal", "--json", "--home", str(shared_home)]
    command = json.loads(kewen("search", body["query"], *options)[1])
    assert client.post("/v1/search", json=body).json()["hits"] == command["hits"]


def test_documents_passages_and_text(client):
    documents = client.get("/v1/documents").json()["documents"]
    assert [d["year"] for d in documents] == [2015, 2022, 2024, 2025, 2026]
    shown = client.get(f"/v1/documents/{ID}").json()
    passage = shown["passages"][10]
    assert client.get(f"/v1/passages/{passage['passage_id']}").json() == passage
    source = (shipped_folder() / f"{ID}.txt").read_text(encoding="utf-8")
    assert client.get(f"/v1/documents/{ID}/text").json()["text"] == source
    pieces = [
        client.get(f"/v1/documents/{ID}/text?start={s}&end={e}").json()["text"] for s, e in passage["citation"]["spans"]
    ]
    assert "".join(pieces) == passage["text"]


def test_health_and_readiness(client):
    assert client.get("/healthz").json()["status"] == "ok"
    assert client.get("/readyz").json() == {
        "status": "ready",
        "generation": "gen-000001",
        "documents": 5,
        "passages": 252,
    }


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"query": ""}, 422, "empty_query"),
        ({"query": " \n"}, 422, "empty_query"),
        ({"query": "长" * 2001}, 422, "query_too_long"),
        ({"query": "a\u0000b"}, 422, "invalid_request"),
        ({"query": "问", "top_k": 0}, 422, "invalid_request"),
        ({"query": "问", "top_k": 101}, 422, "invalid_request"),
        ({"query": "问", "top_k": 10**30}, 422, "invalid_request"),
        ({"query": "问", "top_k": "5"}, 422, "invalid_request"),
        ({"query": "问", "top_k": 1.5}, 422, "invalid_request"),
        ({"query": "问", "top_k": True}, 422, "invalid_request"),
        ({"query": "问", "mode": "fuzzy"}, 422, "unknown_mode"),
        ({"query": "问", "expansion": "no"}, 422, "invalid_request"),
        ({"query": "问", "expansion": None}, 422, "invalid_request"),
        ({"query": "问", "literal": 1}, 422, "invalid_request"),
        ({"query": "问", "filters": {"years": [1990, 1999]}}, 422, "unknown_year"),
        ({"query": "问", "filters": {"years": [2025, 2022]}}, 422, "unknown_year"),
        ({"query": "问", "filters": {"years": [2025]}}, 422, "invalid_request"),
        ({"query": "问", "filters": {"document_ids": ["nope"]}}, 422, "unknown_document"),
        ({"query": "问", "filters": {"series": "nope"}}, 422, "invalid_request"),
        ({"query": "问", "filters": []}, 422, "invalid_request"),
        ({"query": "问", "filters": {"document_ids": []}}, 422, "invalid_request"),
        ({"query": "问", "filters": {"series": ""}}, 422, "invalid_request"),
        ({"query": "问", "filters": {"years": [10**4000, 10**4000]}}, 422, "invalid_request"),
        ({"query": 5}, 422, "invalid_request"),
        ({"query": None}, 422, "invalid_request"),
        ({}, 422, "invalid_request"),
        ([], 422, "invalid_request"),
        ({"query": "问", "colour": "red"}, 422, "invalid_request"),
    ],
)
def test_bad_searches(client, body, status, code):
    response = client.post("/v1/search", json=body)
    assert response.status_code == status
    assert error(response)["code"] == code


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"{", 400, "bad_json"),
        (b"", 422, "invalid_request"),
        (b"\xff\xfe{}", 400, "bad_json"),
        ('{"query": "问"'.encode("gbk"), 400, "bad_json"),
        (b"[" * 100_000, 400, "bad_json"),
        (b'{"query": NaN}', 422, "invalid_request"),
        (b'{"query": "q", "top_k": NaN}', 422, "invalid_request"),
        (b'{"query": "q", "top_k": Infinity}', 422, "invalid_request"),
        (b'{"query": "\\ud800"}', 422, "invalid_request"),
        (b'{"query": "q", "top_k": ' + b"9" * 5000 + b"}", 400, "bad_json"),
        (b'{"query": "' + b"a" * 1_048_600 + b'"}', 413, "body_too_large"),
        (b'{"a":' * 100_000, 400, "bad_json"),
        (b'{"query": "\x00"}', 400, "bad_json"),
        (b'{"query": "\xff"}', 400, "bad_json"),
        (b'{"query": "q"}{"query": "q"}', 400, "bad_json"),
        (b'{"query": "q", "query": 5}', 422, "invalid_request"),
        (b'{"query": "q", "top_k": -0.0}', 422, "invalid_request"),
        (b'{"query": "q", "top_k": 1e400}', 422, "invalid_request"),
        (b'{"query": "q", "filters": ' + b"[" * 900 + b"]" * 900 + b"}", 422, "invalid_request"),
        (b'{"query": "q", "": 1}', 422, "invalid_request"),
        ("{“query”: “q”}".encode(), 400, "bad_json"),
    ],
)
def test_bad_bodies(client, content, status, code):
    response = client.post("/v1/search", content=content, headers={"content-type": "application/json"})
    assert (response.status_code, error(response)["code"]) == (status, code)


def test_a_body_without_a_length_is_read_no_further_than_the_limit(client):
    sent = 0

    def endless():
        nonlocal sent
        for _ in range(100):
            sent += 1
            yield b"a" * 100_000

    response = client.post("/v1/search", content=endless(), headers={"content-type": "application/json"})
    assert error(response)["code"] == "body_too_large"


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_json_under_another_name_is_refused(client, media_type):
    response = client.post("/v1/search", content=b'{"query": "q"}', headers={"content-type": media_type})
    assert (response.status_code, error(response)["code"]) == (415, "unsupported_type")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nope", 404, "not_found"),
        ("GET", "/v1/search", 405, "method_not_allowed"),
        ("GET", "/v1/documents/nope", 404, "not_found"),
        ("GET", "/v1/documents/..%2f..%2fetc%2fpasswd", 404, "not_found"),
        ("GET", "/v1/documents/nope/text", 404, "not_found"),
        ("GET", "/v1/passages/nope:1-2", 404, "not_found"),
        ("GET", f"/v1/documents/{ID}/text?start=-1", 422, "invalid_request"),
        ("GET", f"/v1/documents/{ID}/text?start=5&end=2", 422, "invalid_request"),
        ("GET", f"/v1/documents/{ID}/text?end=99999999", 422, "invalid_request"),
        ("GET", f"/v1/documents/{ID}/text?start=x", 422, "invalid_request"),
        ("DELETE", "/healthz", 405, "method_not_allowed"),
    ],
)
def test_bad_addresses(client, method, path, status, code):
    response = client.request(method, path)
    assert (response.status_code, error(response)["code"]) == (status, code)


def test_json_with_a_mark_of_its_order_or_a_name_twice_is_read_or_refused_and_nothing_else(client):
    for content in (
        b"\xef\xbb\xbf" + b'{"query": "q"}',
        '{"query": "q"}'.encode("utf-16"),
        '{"query": "q"}'.encode("utf-32"),
        b'{"query": 5, "query": "q"}',
    ):
        response = client.post("/v1/search", content=content, headers={"content-type": "application/json"})
        assert response.status_code in (200, 400)
        assert response.status_code == 200 or error(response)["code"] == "bad_json"


RAW = [
    (b"GET /healthz HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n", b"200"),
    (b"GET /healthz HTTP/1.0\r\n\r\n", b"421"),
    (b"GET /healthz HTTP/1.1\r\n\r\n", b"421 400"),
    (b"GET http://127.0.0.1/healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"200 404"),
    (b"GET http://evil.example/v1/documents HTTP/1.1\r\nHost: evil.example\r\n\r\n", b"421"),
    (b"GET http://127.0.0.1/healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n", b"421"),
    (b"GET /v1/documents HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n", b"421 400"),
    (b"GET //v1//documents HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"404"),
    (b"GET /v1/documents/%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"404"),
    (b"GET /d/../../etc/passwd HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"404"),
    (b"GET /%ff%fe HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"404"),
    (b"GET /\xff\xfe HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"404 400"),
    (b"TRACE / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"404 405"),
    (b"OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"404 400 405"),
    (b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n", b"400 404 405 421"),
    (b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"y" * 1_000_000 + b"\r\n\r\n", b"400 431 200"),
    (b"POST /v1/search HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}garbage", b"422"),
    (b"POST /v1/search HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n{}", b"413"),
    (b"POST /v1/search HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\nContent-Length: 5\r\n\r\n{}", b"400 415"),
    (b"POST /v1/search HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"400"),
    (b"nonsense\r\n\r\n", b"400"),
]  # fmt: skip


def test_raw_requests_are_answered_or_refused_and_the_service_lives(url):
    """Straight into a socket: what no client library sends."""
    address = url.removeprefix("http://").split(":")
    for request, expected in RAW:
        with socket.create_connection((address[0], int(address[1])), 10) as line:
            with suppress(ConnectionError):  # it may refuse before it has read all
                line.sendall(request)
            line.settimeout(10)
            with suppress(ConnectionError):
                head = line.recv(200)
                assert head.split()[1] in expected.split(), (request[:120], head)
        assert httpx.get(f"{url}/healthz").status_code == 200


def test_bodies_that_do_not_come_are_given_up_and_others_are_served_meanwhile(url, monkeypatch):
    monkeypatch.setattr("service.guard._BODY_SECONDS", 0.5)
    address = url.removeprefix("http://").split(":")
    head = (
        b"POST /v1/search HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    )
    with ExitStack() as stack:
        lines = [stack.enter_context(socket.create_connection((address[0], int(address[1])), 10)) for _ in range(100)]
        for line in lines:
            line.sendall(head)
        assert httpx.post(f"{url}/v1/search", json={"query": QUESTION}).status_code == 200
        assert {line.recv(200).split()[1] for line in lines} == {b"408"}


def test_a_range_of_a_thousand_parts_gets_the_whole(client):
    ranges = {"Range": "bytes=" + ",".join(f"{n}-{n + 1}" for n in range(1000))}
    for path in ("/widget.js", f"/v1/documents/{ID}/text"):
        whole = client.get(path)
        assert client.get(path, headers=ranges).content == whole.content
    for path in ("/static-offline-docs/swagger-ui.css", "/web/source.css"):
        assert client.get(path, headers=ranges).status_code in (200, 206, 416)


def test_input_comes_back_short(client):
    response = client.post("/v1/search", json={"query": "问", "mode": "x" * 5000})
    assert len(error(response)["message"]) < 400
    response = client.post("/v1/search", json={"query": "问", "y" * 5000: 1})
    assert len(error(response)["message"]) < 400


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "192.168.1.2", "testserver", ""])
def test_another_host_is_refused(client, host):
    response = client.get("/v1/documents", headers={"host": host})
    assert (response.status_code, error(response)["code"]) == (421, "host_forbidden")


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost", "LOCALHOST:1", "localhost.", "[::1]:8765"])
def test_this_machine_is_served(client, host):
    assert client.get("/v1/documents", headers={"host": host}).status_code == 200


def test_the_key_of_the_settings_opens(assistant, settings):
    client = TestClient(create_app(assistant, replace(settings, api_key="钥匙-1")), base_url="http://127.0.0.1")
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Basic x"}):
        response = client.get("/v1/documents", headers=headers)
        assert (response.status_code, error(response)["code"]) == (401, "auth_required")
    assert client.get("/healthz").status_code == 200
    key = {"authorization": "Bearer 钥匙-1".encode()}
    assert client.get("/v1/documents", headers=key).status_code == 200
    assert client.get("/v1/documents?key=钥匙-1").status_code == 401


def test_a_defect_shows_nothing_of_itself(client, assistant, monkeypatch):
    def broken(*arguments, **options):
        raise RuntimeError("/secret/path")

    monkeypatch.setattr(assistant, "search", broken)
    response = client.post("/v1/search", json={"query": "问"})
    assert response.status_code == 500
    assert error(response)["code"] == "internal_error"
    assert "secret" not in response.text


def test_an_unusable_index_is_503(tmp_path, settings, make_folder):
    empty = make_folder({"a.txt": b""})
    client = TestClient(
        create_app(Assistant(replace(settings, home=tmp_path / "h", reports=empty)), settings),
        base_url="http://127.0.0.1",
    )
    assert client.get("/healthz").status_code == 200
    response = client.get("/readyz")
    assert response.status_code in (500, 503)
    assert error(response)["code"] in ("library_error", "index_unavailable")


def test_a_new_generation_is_served_without_a_dropped_query(tmp_path, settings, make_folder):
    folder = make_folder({"a.txt": "一、基础\n\n宝山区有企业449家，园区5个。"})
    settings = replace(settings, home=tmp_path / "h", reports=folder)
    Assistant(settings).build()
    client = TestClient(create_app(Assistant(settings), settings), base_url="http://127.0.0.1")
    stop = threading.Event()
    seen: list[tuple[str, int]] = []

    def ask() -> None:
        while not stop.is_set():
            body = client.post("/v1/search", json={"query": "企业", "top_k": 100}).json()
            seen.append((body["generation"], len(body["hits"])))

    with ThreadPoolExecutor(2) as pool:
        workers = [pool.submit(ask) for _ in range(2)]
        for n in range(1, 4):
            texts = {f"{x}.txt": f"一、基础\n\n{x}区有企业{x}家，园区{x}个。" for x in range(n + 1)}
            make_folder({"a.txt": "一、基础\n\n宝山区有企业449家，园区5个。", **texts})
            Assistant(settings).build()
        stop.set()
        for worker in workers:
            worker.result()
    assert client.get("/readyz").json()["documents"] == 5
    sizes = {}
    for generation, hits in seen:
        assert sizes.setdefault(generation, hits) == hits, "an answer mixed two generations"


def test_a_new_index_that_cannot_be_used_leaves_the_old_one_serving(tmp_path, settings, make_folder):
    settings = replace(settings, home=tmp_path / "h", reports=make_folder({"a.txt": "宝山区有企业449家。"}))
    heard: list[str] = []
    serving = Assistant(settings, heard.append)
    before = serving.search("企业")
    files = dict(serving.store.open()[0].files)
    with serving.store.writer():
        serving.store.publish(files, {"encoder": {"name": "other", "dim": 3, "fingerprint": "x"}, "terms": ""})
    for _ in range(3):
        assert serving.search("企业").hits == before.hits
    assert [line for line in heard if "继续用 gen-000001" in line] == heard[-1:]
    Assistant(settings).build()
    assert serving.search("企业").generation == "gen-000003"


def test_an_index_folder_that_cannot_be_read_is_no_500(client, assistant, monkeypatch):
    import pathlib

    def refused(self):
        raise PermissionError(13, "Permission denied", str(self))

    assistant._retriever = None
    monkeypatch.setattr(pathlib.Path, "iterdir", refused)
    response = client.post("/v1/search", json={"query": "问"})
    assert (response.status_code, error(response)["code"]) == (507, "storage_error")


def test_many_unknown_fields_make_no_long_message(client):
    response = client.post("/v1/search", json={"query": "问", **{f"{'x' * 300}{n}": 1 for n in range(50)}})
    assert len(response.text) < 1000


def test_the_api_describes_itself_in_chinese_and_offline(client):
    api = client.get("/openapi.json").json()
    for path, methods in api["paths"].items():
        for method in methods.values():
            assert re.search(r"[一-鿿]", method["summary"]), path
            assert re.search(r"[一-鿿]", method["description"]), path
    for name, schema in api["components"]["schemas"].items():
        if name.endswith(("In", "Out")):
            for field, described in schema.get("properties", {}).items():
                assert "description" in described or "$ref" in str(described), f"{name}.{field}"
    page = client.get("/docs").text
    assert "http://" not in page
    assert "https://" not in page
    for address in re.findall(r'(?:src|href)="([^"]+)"', page):
        assert client.get(address).status_code == 200


def test_a_real_server_over_a_real_socket(shared_home):
    command = [sys.executable, "-m", "service.cli", "serve", "--port", "0", "--home", str(shared_home)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, encoding="utf-8") as server:
        try:
            assert server.stderr
            line = server.stderr.readline()
            address = re.search(r"http://127\.0\.0\.1:[1-9]\d*", line)
            assert address, line
            body = httpx.post(f"{address.group()}/v1/search", json={"query": QUESTION}, timeout=30).json()
            assert "449 家" in body["hits"][0]["text"]
            again = [*command[:-3], address.group().rpartition(":")[2], *command[-2:]]
            taken = subprocess.run(again, capture_output=True, text=True, encoding="utf-8", check=False)
            assert taken.returncode == USAGE
            assert "--port" in taken.stderr
        finally:
            server.terminate()
            assert server.wait(timeout=30) == 0
