"""Documents over HTTP: sent, named, refused, corrected, removed; who may; and what no request can do."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import quote

import httpx
import pytest
from fastapi.testclient import TestClient

from corpus.guess import clean_name
from index.generations import GenerationStore
from service.app import create_app
from service.assistant import Assistant
from service.keys import KeyRing
from service.routes import uploads
from service.settings import load_settings
from tests.faults.api_fuzz import KEY, Direct, Maker
from tests.live import serving

BASE = "http://127.0.0.1:8765"
FOLDER = "/v1/documents"
MARS = "一、基础\n\n火星区2025年有生物医药企业777家，园区5个。\n"


@pytest.fixture(scope="module")
def built(tmp_path_factory, bundled):
    """A home and a folder with one small report, to be copied."""
    folder = tmp_path_factory.mktemp("built")
    (folder / "reports").mkdir()
    (folder / "reports" / "bao.txt").write_text("一、基础\n\n宝山区有企业449家，园区5个。\n", encoding="utf-8")
    about = {"id": "bao", "file": "bao.txt", "title": "宝山年报", "series": "年报", "kind": "报告"}
    lines = [f'{name} = "{value}"' for name, value in about.items()]
    (folder / "reports" / "reports.toml").write_text(
        "\n".join(["[[document]]", "year = 2020", *lines]), encoding="utf-8"
    )
    return opened_at(folder, bundled)


def opened_at(folder, encoder):
    settings = load_settings({"home": folder / "home", "reports": folder / "reports", "max_upload": 20_000}, {})
    made = Assistant(settings)
    made._encoder = encoder
    made.retriever()
    return made


@pytest.fixture
def library(built, bundled, tmp_path):
    for name in ("home", "reports"):
        shutil.copytree(built.settings.home.parent / name, tmp_path / name)
    return opened_at(tmp_path, bundled)


@pytest.fixture
def settings(library):
    return library.settings


@pytest.fixture
def client(library, settings):
    return TestClient(create_app(library, settings), base_url=BASE, raise_server_exceptions=False)


@pytest.fixture(scope="module")
def still(built):
    """A client for requests that change nothing; where they do, another test of this module fails."""
    with TestClient(create_app(built, built.settings), base_url=BASE) as made:
        yield made
    assert built.store.current_name() == "gen-000001"


def form(*parts, boundary=b"xyz"):
    """A multipart body of `(name, filename or None, content)`, as bytes, and its headers."""
    body = b""
    for name, filename, content in parts:
        file = b"" if filename is None else b'; filename="%s"' % filename
        body += b'--%s\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n' % (boundary, name, file, content)
    return body + b"--%s--\r\n" % boundary, {"Content-Type": f"multipart/form-data; boundary={boundary.decode()}"}


def send(client, *parts, **headers):
    body, given = form(*parts)
    return client.post(FOLDER, content=body, headers={**given, **headers})


def files(*named):
    return [("file", (name, text.encode() if isinstance(text, str) else text)) for name, text in named]


def code(response):
    return response.status_code, response.json()["error"]["code"]


def found(client, text="777家"):
    """Whether any door still gives that text. The unit is part of it: an answer's random id may hold any digits."""
    question = "火星区有多少家生物医药企业？"
    chat = {"model": "kewen", "messages": [{"role": "user", "content": question}]}
    answers = [
        client.post("/v1/search", json={"query": question, "top_k": 100}),
        client.post("/v1/ask", json={"question": question}),
        client.post("/v1/chat/completions", json=chat),
        client.post("/retrieval", json={"knowledge_id": "kewen", "query": question}),
    ]
    assert {x.status_code for x in answers} == {200}
    return [text in x.text for x in answers]


# -- from the first to the last -----------------------------------------------------------------------


def test_a_document_is_sent_found_fetched_corrected_and_removed(client, tmp_path):
    sent = client.post(FOLDER, files=files(("火星2025年报.txt", MARS)), data={"issuer": "火星区"})
    assert sent.status_code == 200
    [report] = sent.json()["documents"]
    assert (report["status"], report["id"], report["document"]["year"]) == ("ok", "火星2025年报", 2025)
    assert report["document"]["issuer"] == "火星区"
    assert found(client) == [True] * 4

    name = quote(report["id"])
    original = client.get(f"{FOLDER}/{name}/file")
    assert original.content == MARS.encode()
    assert original.headers["content-type"] == "application/octet-stream"
    assert original.headers["content-disposition"] == f"attachment; filename*=UTF-8''{name}.txt"
    assert original.headers["x-content-type-options"] == "nosniff"

    again = client.post(FOLDER, files=files(("火星2025年报.txt", MARS))).json()
    assert [x["status"] for x in again["documents"]] == ["unchanged"]
    assert again["generation"] == sent.json()["generation"]
    other = client.post(FOLDER, files=files(("别名.txt", MARS))).json()["documents"][0]
    assert other["status"] in ("unchanged", "duplicate_of")
    assert other["id"] == report["id"]

    changed = client.patch(f"{FOLDER}/{name}", json={"title": "火星区科技年报", "year": 2024})
    assert changed.status_code == 200
    assert changed.json()["documents"][0]["document"]["title"] == "火星区科技年报"
    hit = client.post("/v1/search", json={"query": "火星区企业"}).json()["hits"][0]
    assert hit["citation"]["label"].startswith("《火星区科技年报》（2024）")

    removed = client.delete(f"{FOLDER}/{name}")
    assert [x["status"] for x in removed.json()["documents"]] == ["removed"]
    assert found(client) == [False] * 4
    for path in (
        f"{FOLDER}/{name}",
        f"{FOLDER}/{name}/file",
        f"{FOLDER}/{name}/text",
        f"/v1/passages/{hit['passage_id']}",
    ):
        assert client.get(path).status_code == 404
    assert code(client.delete(f"{FOLDER}/{name}")) == (404, "not_found")
    kept = b"".join(x.read_bytes() for x in (tmp_path / "home").rglob("*") if x.is_file())
    assert "火星区".encode() not in kept


def test_a_file_that_fails_costs_the_others_nothing(client):
    sent = client.post(FOLDER, files=files(("火星.txt", MARS), ("坏.pdf", b"%PDF-1.7 broken"), ("空.txt", "")))
    assert sent.status_code == 200
    assert [x["status"] for x in sent.json()["documents"]] == ["ok", "corrupt", "empty"]
    assert [x["id"] for x in sent.json()["documents"]] == ["火星", None, None]
    assert all(found(client))


def test_where_all_fail_it_is_an_error_and_nothing_has_changed(client, library):
    before = library.store.current_name()
    refused = client.post(FOLDER, files=files(("坏.pdf", b"%PDF-1.7 broken"), ("x.bin", b"\x7fELF\0\0\1\2")))
    assert code(refused) == (422, "document_rejected")
    error = refused.json()["error"]
    assert [x["status"] for x in error["detail"]["documents"]] == ["corrupt", "unsupported"]
    assert "坏.pdf" in error["message"]
    assert "/" not in error["message"].replace("/v1", "")
    assert library.store.current_name() == before


def test_a_newer_version_takes_the_place_of_the_older(client):
    client.post(FOLDER, files=files(("火星.txt", MARS)))
    newer = client.post(FOLDER, files=files(("火星.txt", MARS.replace("777", "888"))))
    assert [(x["status"], x["id"]) for x in newer.json()["documents"]] == [("replaced", "火星")]
    assert found(client) == [False] * 4
    assert found(client, "888家") == [True] * 4
    assert len(client.get(FOLDER).json()["documents"]) == 2


def test_the_reports_of_the_folder_have_no_original_and_keep_their_particulars(client):
    refused = client.get(f"{FOLDER}/bao/file")
    assert code(refused) == (404, "not_found")
    assert "/text" in refused.json()["error"]["message"]
    assert code(client.patch(f"{FOLDER}/bao", json={"title": "新"})) == (422, "invalid_request")
    assert code(client.delete(f"{FOLDER}/bao")) == (422, "invalid_request")  # it is the last
    client.post(FOLDER, files=files(("火星.txt", MARS)))
    removed = client.delete(f"{FOLDER}/bao").json()["documents"]
    assert [(x["id"], x["status"]) for x in removed] == [("bao", "removed")]


def test_a_report_of_the_folder_that_was_removed_is_named_and_can_be_brought_back(client):
    def listed():
        known = client.get(FOLDER).json()
        return {x["id"]: x["own"] for x in known["documents"]}, known["removed"]

    report = client.post(FOLDER, files=files(("火星.txt", MARS))).json()["documents"][0]
    assert report["document"]["own"]
    assert listed() == ({"bao": False, "火星": True}, [])
    assert client.get(f"{FOLDER}/bao").json()["document"]["own"] is False
    assert client.delete(f"{FOLDER}/bao").status_code == 200
    assert listed() == ({"火星": True}, [{"id": "bao", "title": "宝山年报", "year": 2020}])
    [back] = client.post(f"{FOLDER}/bao/restore", json={}).json()["documents"]
    assert (back["status"], back["document"]["own"]) == ("ok", False)
    assert listed() == ({"bao": False, "火星": True}, [])
    assert "449家" in client.post("/v1/search", json={"query": "宝山区企业"}).text
    for name in ("bao", "火星", "nowhere"):  # not removed, or for good
        assert code(client.post(f"{FOLDER}/{name}/restore", json={})) == (404, "not_found")


def test_a_damaged_original_is_no_answer(client, library):
    client.post(FOLDER, files=files(("火星.txt", MARS)))
    [path] = (library.settings.home / "library" / "objects").iterdir()
    path.write_bytes(b"x")
    assert code(client.get(f"{FOLDER}/火星/file")) == (503, "library_damaged")
    assert all(found(client))


@pytest.mark.parametrize(
    "body",
    [{"title": ""}, {"title": "\u202e\u200b"}, {"year": 1800}, {"year": "2024"}, {"year": True}, {"id": "x"}, {"x": 1}, [], {"title": "长" * 501}],
)  # fmt: skip
def test_bad_corrections(still, body):
    assert code(still.patch(f"{FOLDER}/bao", json=body)) == (422, "invalid_request")


# -- names --------------------------------------------------------------------------------------------

NAMES = [
    (b"../../etc/passwd", "passwd"), (b"..\\..\\x.txt", "x.txt"), (b"/etc/shadow", "shadow"), (b"C:\\a\\b.pdf", "b.pdf"),
    (b"\\\\host\\share\\c.txt", "c.txt"), (b"..", "未命名"), (b".", "未命名"), (b"", "未命名"), (b"/", "未命名"), (b"a/", "未命名"),
    (b" . . ", "未命名"), (b"a\0b.txt", "a b.txt"), (b"a\r\nb.txt", "a b.txt"), ("\u202etxt.exe".encode(), "txt.exe"),
    ("报告.txt".encode("gb18030"), "报告.txt"), ("报告.txt".encode(), "报告.txt"), (b"%E6%8A%A5%E5%91%8A.txt", "报告.txt"),
    (b"%2e%2e%2fx.txt", "%2e%2e%2fx.txt"), (b"%E6%8A%A5%2F..%2Fy.txt", "y.txt"), (b"100%.txt", "100%.txt"), (b"CON", "CON"),
    ("／etc／passwd".encode(), "／etc／passwd"), ("a\u2215b.txt".encode(), "a\u2215b.txt"), ("长".encode() * 300, "长" * 85),
    (b"\x1b[31mred.txt", "[31mred.txt"), ("e\u0301.txt".encode(), "\u00e9.txt"), (b"<script>.html", "<script>.html"),
    (b"-rf", "-rf"), (b"x" * 4000, "x" * 255), ("\ufeff\u200d表.txt".encode(), "表.txt"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "shown"), NAMES)
def test_a_name_is_its_last_component_and_safe_to_show(given, shown):
    name = uploads.file_name(given.decode("latin-1"))
    assert name == shown
    assert clean_name(name) == name
    assert len(name.encode()) <= 255


def test_no_name_leads_out_of_the_home(client, tmp_path):
    """By one request: of one content all names are tried, and only the first file need be read."""
    client.post(FOLDER, files=files(("火星.txt", MARS)))
    before = {x for x in tmp_path.rglob("*") if x.is_file()}
    names = [x for x, _ in NAMES if b"\r" not in x]
    sent = send(client, *((b"file", name, MARS.encode()) for name in names))
    assert sent.status_code == 200
    assert [x["file"] for x in sent.json()["documents"]][:4] == ["passwd", "x.txt", "shadow", "b.pdf"]
    for path in {x for x in tmp_path.rglob("*") if x.is_file()} - before:
        home, part, *rest = path.relative_to(tmp_path).parts
        assert (home, part) in (("home", "index"), ("home", "library"))
        assert not any(shown in rest for _, shown in NAMES)


def test_an_id_that_comes_of_a_name_is_a_plain_one(client, tmp_path):
    sent = send(
        client,
        *((b"file", name, f"{MARS}{name!r}".encode()) for name in (b"../../x", b"..", "a\u2215b c:d.txt".encode())),
    )
    assert [x["id"] for x in sent.json()["documents"]] == ["x", "未命名", "a-b-c-d"]
    assert all(
        (tmp_path / "home") in x.parents
        for x in tmp_path.rglob("*")
        if MARS.encode() in (x.read_bytes() if x.is_file() else b"")
    )


# -- forms that won't do ------------------------------------------------------------------------------

FILE = (b"file", b"a.txt", MARS.encode())


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ([], "没有文件"),
        ([(b"file", None, b"text")], "file"),
        ([(b"files", b"a.txt", b"x")], "名为 file"),
        ([FILE, (b"colour", None, b"red")], "不认识的字段 colour"),
        ([FILE, (b"title", None, b"a"), (b"title", None, b"b")], "重复的字段 title"),
        ([FILE, (b"year", None, b"MMXXV")], "四位"),
        ([FILE, (b"year", None, b"1066")], "1900"),
        ([FILE, (b"year", None, "２０２５".encode())], "四位"),
        ([FILE, (b"reread", None, b"maybe")], "reread"),
        ([FILE, (b"id", None, b"a/b")], "编号"),
        ([FILE, (b"id", None, b"../x")], "编号"),
        ([FILE, FILE, (b"id", None, b"x")], "不能带 id"),
        ([FILE, FILE, (b"title", None, b"x")], "不能带 id 或 title"),
        ([FILE, (b"title", None, b"x" * 5000)], "格式有误"),
        ([FILE, (b"issuer", None, b"x" * 501)], "500"),
        ([FILE] * 51, "50"),
    ],
)
def test_bad_forms(still, parts, says):
    refused = send(still, *parts)
    assert code(refused) == (422, "invalid_request")
    assert says in refused.json()["error"]["message"]


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (b"", "multipart/form-data; boundary=xyz"),
        (b"--xyz", "multipart/form-data; boundary=xyz"),
        (form(FILE)[0][:-10], "multipart/form-data; boundary=xyz"),
        (form(FILE, FILE)[0][:-100], "multipart/form-data; boundary=xyz"),
        (form(FILE)[0].replace(b'name="file"; ', b"", 1), "multipart/form-data; boundary=xyz"),
        (b"--xyz\r\n" + b"X: y\r\n" * 99 + b"\r\n\r\n--xyz--", "multipart/form-data; boundary=xyz"),
        (form(FILE)[0], "multipart/form-data"),
        (form(FILE)[0], "multipart/form-data; boundary="),
        (form(FILE)[0], f"multipart/form-data; boundary={'x' * 71}"),
        (form(FILE)[0], 'multipart/form-data; boundary="a\\"b"'),
    ],
)
def test_a_broken_form_is_said_to_be_one(still, body, media_type):
    assert code(still.post(FOLDER, content=body, headers={"Content-Type": media_type})) == (422, "invalid_request")


@pytest.mark.parametrize("charset", ["utf-8", "punycode", "zlib", "undefined", "idna", "no-such"])
def test_the_charset_of_a_form_changes_nothing(still, charset):
    body, _ = form((b"file", "报告.txt".encode(), b""))
    media_type = f"multipart/form-data; boundary=xyz; charset={charset}"
    refused = still.post(FOLDER, content=body, headers={"Content-Type": media_type})
    assert [x["file"] for x in refused.json()["error"]["detail"]["documents"]] == ["报告.txt"]


def test_empty_fields_of_a_form_say_nothing(client):
    fields = [(x, None, b"") for x in (b"title", b"year", b"id", b"series", b"reread")]
    assert send(client, FILE, *fields).json()["documents"][0]["document"]["year"] == 2025


@pytest.mark.parametrize("media_type", ["application/json", "application/x-www-form-urlencoded", "text/plain", ""])
def test_another_type_is_told_what_to_send(still, media_type):
    refused = still.post(FOLDER, content=b"{}", headers={"Content-Type": media_type})
    assert code(refused) == (415, "unsupported_type")
    assert "multipart/form-data" in refused.json()["error"]["message"]


def test_no_other_path_takes_a_form(still):
    body, headers = form(FILE)
    for path in ("/v1/search", "/v1/ask", "/tools/ask", "/retrieval", "/mcp", f"{FOLDER}/x"):
        method = "PATCH" if path.startswith(FOLDER) else "POST"
        assert still.request(method, path, content=body, headers=headers).status_code == 415


# -- sizes and times ----------------------------------------------------------------------------------


def test_a_file_beyond_the_limit_is_refused_by_name_and_the_others_are_not(client):
    sent = client.post(FOLDER, files=files(("大.txt", b"x" * 20_001), ("火星.txt", MARS)))
    assert [x["status"] for x in sent.json()["documents"]] == ["too_large", "ok"]


def test_a_body_beyond_the_limit_is_refused_before_it_is_read(still):
    refused = still.post(FOLDER, files=files(*((f"{n}.txt", b"x" * 19_000) for n in range(6))))
    assert code(refused) == (413, "body_too_large")
    assert "KEWEN_MAX_UPLOAD" in refused.json()["error"]["message"]


def test_an_endless_body_is_read_no_further_than_the_limit(library, settings):
    """Straight into the application, which must ask for no more."""
    given = 0

    async def receive():
        nonlocal given
        given += 10_000
        head = b'--xyz\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' if given == 10_000 else b""
        return {"type": "http.request", "body": head + b"x" * 10_000, "more_body": True}

    assert asked(library, settings, receive) == (413, "body_too_large")
    assert given <= 5 * 20_000 + 10_000


def test_a_body_that_does_not_come_is_given_up(library, settings, monkeypatch):
    monkeypatch.setattr(uploads, "_SECONDS", 0.1)

    async def receive():
        await asyncio.sleep(30)

    assert asked(library, settings, receive) == (408, "request_timeout")


def test_a_disk_that_takes_nothing_is_said_to_be_one(library, settings, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    library.settings = replace(settings, max_upload=3_000_000)
    client = TestClient(create_app(library, library.settings), base_url=BASE)
    refused = client.post(FOLDER, files=files(("大.txt", b"x" * 2_000_000)))
    assert code(refused) == (507, "storage_error")
    assert str(tmp_path) not in refused.text


def test_a_client_that_leaves_is_no_defect(library, settings, caplog):
    async def receive():
        return {"type": "http.disconnect"}

    assert asked(library, settings, receive) == (422, "invalid_request")
    assert not caplog.records


def asked(library, settings, receive):
    """What an upload is answered whose body comes from `receive`."""
    scope = {
        "type": "http", "http_version": "1.1", "method": "POST", "scheme": "http", "path": FOLDER, "raw_path": FOLDER.encode(),
        "query_string": b"", "root_path": "", "client": None, "server": ("127.0.0.1", 8765), "asgi": {"version": "3.0"},
        "headers": [(b"host", b"127.0.0.1:8765"), (b"content-type", b"multipart/form-data; boundary=xyz")],
    }  # fmt: skip
    messages = []

    async def answered(message):
        messages.append(message)

    asyncio.run(create_app(library, settings)(scope, receive, answered))
    return messages[0]["status"], json.loads(messages[1]["body"])["error"]["code"]


# -- who may ------------------------------------------------------------------------------------------


def changes(client, **headers):
    """The statuses of each kind of change."""
    body, given = form(FILE)
    return {
        client.post(FOLDER, content=body, headers={**given, **headers}).status_code,
        client.patch(f"{FOLDER}/bao", json={}, headers=headers).status_code,
        client.delete(f"{FOLDER}/none", headers=headers).status_code,
    }


def test_keys_say_who_may_change_the_library(library, settings):
    here = replace(settings, allowed_hosts=("kewen.lan",), allowed_origins=("https://portal.example.cn",))
    ring = KeyRing(here)
    keys = {scope: {"Authorization": f"Bearer {ring.add(scope, scope)}"} for scope in ("full", "read", "widget")}
    client = TestClient(create_app(library, here), base_url=BASE)
    assert changes(client) == {401}
    assert changes(client, **keys["read"]) == {403}
    refused = client.delete(f"{FOLDER}/bao", headers=keys["read"])
    assert code(refused) == (403, "scope_forbidden")
    assert changes(client, **keys["widget"]) == {401}
    assert changes(client, **keys["widget"], Origin="https://portal.example.cn") == {403}
    assert changes(client, **keys["full"]) == {200, 404, 422}
    for path in ("/v1/documents", "/v1/documents/bao", "/v1/documents/a/file", "/openapi.json"):
        assert client.get(path, headers=keys["read"]).status_code == 200
    assert client.post("/v1/search", json={"query": "企业"}, headers=keys["read"]).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "https://portal.example.cn"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": BASE, "Sec-Fetch-Site": "cross-site"},
        {"Origin": "https://portal.example.cn", "Sec-Fetch-Site": "same-origin"},
    ],
)
@pytest.mark.parametrize("content", ["multipart/form-data; boundary=xyz", "text/plain", "application/json"])
def test_no_page_of_another_origin_changes_anything(built, headers, content):
    here = replace(built.settings, allowed_origins=("https://portal.example.cn",))
    client = TestClient(create_app(built, here), base_url=BASE)
    before = built.store.current_name()
    for method, path in (
        ("POST", FOLDER),
        ("PATCH", f"{FOLDER}/bao"),
        ("DELETE", f"{FOLDER}/bao"),
        ("PUT", f"{FOLDER}/bao"),
    ):
        refused = client.request(method, path, content=form(FILE)[0], headers={**headers, "Content-Type": content})
        assert code(refused) == (403, "origin_forbidden")
    assert built.store.current_name() == before


@pytest.mark.parametrize(
    "headers", [{"Origin": BASE}, {"Origin": BASE, "Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}]
)
def test_a_page_of_its_own_may(client, headers):
    assert changes(client, **headers) == {200, 404, 422}


def test_no_preflight_allows_a_change_to_others(library, settings):
    client = TestClient(
        create_app(library, replace(settings, allowed_origins=("https://portal.example.cn",))), base_url=BASE
    )
    for method in ("PATCH", "DELETE", "PUT"):
        asked = {"Origin": "https://portal.example.cn", "Access-Control-Request-Method": method}
        assert client.options(f"{FOLDER}/bao", headers=asked).status_code == 400


# -- at once ------------------------------------------------------------------------------------------


def test_of_one_file_from_eight_at_once_there_is_one_document(library, settings):
    with serving(settings, library) as url, httpx.Client(base_url=url, timeout=60) as client:

        def upload(_):
            return client.post(FOLDER, files=files(("火星.txt", MARS))).json()["documents"][0]["status"]

        with ThreadPoolExecutor(8) as pool:
            statuses = sorted(pool.map(upload, range(8)))
        assert statuses == ["ok", *["unchanged"] * 7]
        assert len(client.get(FOLDER).json()["documents"]) == 2


def test_one_is_removed_while_it_is_asked_about(library, settings):
    with serving(settings, library) as url, httpx.Client(base_url=url, timeout=60) as client:
        client.post(FOLDER, files=files(("火星.txt", MARS)))
        gone, stop, late, statuses = threading.Event(), threading.Event(), [], set()

        def ask():
            while not stop.is_set():
                acknowledged = gone.is_set()
                answer = client.post("/v1/search", json={"query": "火星区企业"})
                statuses.add(answer.status_code)
                if acknowledged:
                    late.append("777家" in answer.text)
                    if len(late) >= 60:
                        return

        with ThreadPoolExecutor(3) as pool:
            asking = [pool.submit(ask) for _ in range(3)]
            assert client.delete(f"{FOLDER}/火星").status_code == 200
            gone.set()
            for worker in asking:
                worker.result(timeout=60)
        assert statuses == {200}
        assert late
        assert not any(late)


def test_two_services_on_one_home_show_the_same(client, settings, bundled):
    other = Assistant(settings)
    other._encoder = bundled
    second = TestClient(create_app(other, settings), base_url=BASE)
    assert found(second) == [False] * 4
    client.post(FOLDER, files=files(("火星.txt", MARS)))
    assert found(second) == [True] * 4
    second.delete(f"{FOLDER}/火星")
    assert found(client) == [False] * 4


def test_while_another_process_writes_a_change_is_refused(client, settings, monkeypatch):
    monkeypatch.setattr("service.librarian._WAIT_SECONDS", 0.1)
    with writing(settings):
        refused = client.post(FOLDER, files=files(("火星.txt", MARS)))
        assert code(refused) == (409, "index_locked")
        assert str(os.getpid()) in refused.json()["error"]["message"]
        assert code(client.delete(f"{FOLDER}/none")) == (409, "index_locked")
        assert client.post("/v1/search", json={"query": "企业"}).status_code == 200
    assert client.post(FOLDER, files=files(("火星.txt", MARS))).status_code == 200


@contextmanager
def writing(settings):
    with GenerationStore(settings.home / "index").writer():
        yield


# -- what is never told -------------------------------------------------------------------------------


def test_nothing_of_a_document_is_logged(client, caplog):
    caplog.set_level(logging.DEBUG)
    client.post(FOLDER, files=files(("金丝雀文件.txt", "金丝雀正文，2025年。")), data={"title": "金丝雀题名"})
    client.post(FOLDER, files=files(("金丝雀坏.pdf", b"%PDF-1.4 \xe9\x87\x91")))
    client.patch(f"{FOLDER}/金丝雀文件", json={"title": "金丝雀新名"})
    client.delete(f"{FOLDER}/金丝雀文件")
    assert not any("金丝雀" in x.getMessage() for x in caplog.records if x.levelno >= logging.INFO)


# -- anything at all ----------------------------------------------------------------------------------


def test_of_some_hundred_odd_requests_none_meets_a_defect(library, settings):
    """What `tests/faults/api_fuzz.py` does for as long as one likes."""
    apps = [create_app(library, settings), create_app(library, replace(settings, api_key=KEY))]
    sender = Direct(apps, Maker(seed=5, changes=0.0))
    assert asyncio.run(sender.run(lambda count: count >= 320)) == 320
    assert sender.failures == []
    assert {200, 401, 404, 415, 422} <= sender.statuses.keys()
