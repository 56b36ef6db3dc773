"""Pages of PDF documents over HTTP: every box holds the quote's own characters, or there is none; and who may see them."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from corpus.intake import Found
from corpus.readers import pictures, sandbox
from corpus.types import join_spans
from service.app import create_app
from service.assistant import Assistant
from service.librarian import Librarian
from service.links import Links, quote_hash
from service.pictures import _Kept, box_words
from service.settings import load_settings
from tests.corpus.hostile_pdf import hello, one_page, stream
from tests.corpus.test_pdf import FILES
from tests.corpus.test_pdf_pictures import centres, same
from tests.test_architecture import run_script

KEY = "k" * 40
NAMES = ("sample", "columns-shanghai-2024-zhangjiang-parks", "scan")


def add(assistant: Assistant, *files: Path | tuple[str, bytes]) -> None:
    found = [Found(x[0], data=x[1]) if isinstance(x, tuple) else Found(x.name, x) for x in files]
    report = Librarian(assistant).add(found)
    assert [x.status for x in report.documents] == ["ok"] * len(files)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, small_library: Callable[[Path], Assistant]) -> Assistant:
    """A plain text in a folder, and three PDFs of the user's own. No test changes it."""
    made = small_library(tmp_path_factory.mktemp("pictures"))
    add(made, *(FILES / f"{x}.pdf" for x in NAMES))
    return made


def client_of(assistant: Assistant, **settings: object) -> TestClient:
    changed = replace(assistant.settings, **settings)
    return TestClient(create_app(assistant, changed), base_url=changed.base_url)


@pytest.fixture(scope="module")
def client(filled: Assistant) -> TestClient:
    return client_of(filled)


def at(spans) -> str:
    return ",".join(f"{start}-{end}" for start, end in spans)


def boxed(client: TestClient, document: str, page: int, spans, quote: str = "") -> dict:
    digest = quote_hash(quote) if quote else ""
    answer = client.get(f"/v1/documents/{document}/pages/{page}", params={"at": at(spans), "h": digest})
    assert answer.status_code == 200, answer.text
    return answer.json()


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


@pytest.mark.parametrize("name", NAMES)
def test_the_boxes_of_every_passage_hold_its_characters_and_no_others(name, client, filled):
    document, passages, snapshot = filled.document(name)
    text, data = snapshot.text(name), (FILES / f"{name}.pdf").read_bytes()
    ends = [*document.page_starts[1:], len(text)]
    for page, (first, last) in enumerate(zip(document.page_starts, ends, strict=True), start=1):
        known = centres(data, page - 1)
        for passage in passages:
            found = boxed(client, name, page, passage.spans, passage.text)
            part = [(max(a, first), min(b, last)) for a, b in passage.spans if a < last and b > first]
            quoted = "".join(join_spans(text, part).split())
            assert found["is_exact"]
            inside = []
            for x, y, width, height in found["boxes"]:
                held = [(c, cx) for c, cx, cy in known if x <= cx <= x + width and y <= cy <= y + height]
                inside += [c for c, _ in sorted(held, key=lambda pair: pair[1])]
            assert len(inside) == len(quoted), (name, page, passage.id, "".join(inside))
            assert all(same(a, b) for a, b in zip(inside, quoted, strict=True)), (name, page, passage.id)


def test_no_box_reaches_over_words_between_two_places(client, filled):
    document, _, snapshot = filled.document("scan")
    text = snapshot.text("scan")
    first, last = document.page_starts[0], document.page_starts[1]
    lines = (n for n in range(first, last - 9) if text[n : n + 9].isalpha())
    start = next(n for n in lines if len(boxed(client, "scan", 1, [(n, n + 9)])["boxes"]) == 1)
    whole = boxed(client, "scan", 1, [(start, start + 9)])["boxes"][0]
    left, right = boxed(client, "scan", 1, [(start, start + 3), (start + 6, start + 9)])["boxes"]
    assert left[0] == whole[0]
    assert left[0] + left[2] < right[0]
    assert right[0] + right[2] == pytest.approx(whole[0] + whole[2], abs=0.05)


def test_words_that_stand_on_two_pages_are_boxed_on_each_of_them_and_on_no_other(client, filled):
    document, passages, _ = filled.document("scan")
    cut = next(x for x in passages if x.pages and x.pages[0] < x.pages[1])
    for page in range(1, len(document.page_starts) + 1):
        found = boxed(client, "scan", page, cut.spans, cut.text)
        assert found["is_exact"]
        assert bool(found["boxes"]) == (page in cut.pages)
        assert (found["page"], found["pages"]) == (page, len(document.page_starts))


def test_without_a_quote_there_is_nothing_to_box(client):
    found = client.get("/v1/documents/sample/pages/1").json()
    assert (found["boxes"], found["is_exact"]) == ([], True)
    assert (round(found["width"]), round(found["height"])) == (595, 842)


def test_a_quote_that_the_text_no_longer_has_is_boxed_nowhere(client, filled):
    passage = filled.document("sample")[1][0]
    page = passage.pages[0]
    assert boxed(client, "sample", page, passage.spans, passage.text)["boxes"]
    found = boxed(client, "sample", page, passage.spans, "当时所引的别的话")
    assert (found["boxes"], found["is_exact"]) == ([], False)


def test_words_of_a_page_that_is_read_otherwise_today_are_boxed_nowhere(client, filled, monkeypatch):
    passage = filled.document("sample")[1][1]
    page = passage.pages[0]
    real = pictures.find_places
    monkeypatch.setattr(pictures, "find_places", lambda name, data, n, text: real(name, data, n, text + "多"))
    fresh = client_of(filled)
    found = boxed(fresh, "sample", page, passage.spans, passage.text)
    assert (found["boxes"], found["is_exact"]) == ([], False)
    assert found["width"] > 500, "the page is shown all the same"


def test_white_space_alone_has_no_box_and_needs_none():
    assert box_words("甲 乙", (0, 3), [(1, 2)], None) == ()
    assert box_words("甲 乙", (0, 3), [(0, 1)], None) is None


def test_a_page_comes_as_a_picture_of_the_width_that_was_asked_for(client):
    for width in (200, 1200, 2000):
        answer = client.get("/v1/documents/sample/pages/2/image", params={"width": width})
        assert answer.headers["content-type"] == "image/webp"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert Image.open(io.BytesIO(answer.content)).size[0] == width


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("nothing/pages/1", (404, "not_found")),
        ("a/pages/1", (404, "not_found")),  # a plain text
        ("sample/pages/0", (404, "not_found")),
        ("sample/pages/-1", (404, "not_found")),
        ("sample/pages/7", (404, "not_found")),
        (f"sample/pages/{'9' * 4000}", (404, "not_found")),
        ("sample/pages/x", (422, "invalid_request")),
        ("sample/pages/1?at=5-3", (422, "invalid_request")),
        ("sample/pages/1?at=1-999999999", (422, "invalid_request")),
        ("nothing/pages/1/image", (404, "not_found")),
        ("a/pages/1/image", (404, "not_found")),
        ("sample/pages/7/image", (404, "not_found")),
        ("sample/pages/1/image?width=199", (422, "invalid_request")),
        ("sample/pages/1/image?width=2001", (422, "invalid_request")),
        ("sample/pages/1/image?width=wide", (422, "invalid_request")),
    ],
)
def test_what_is_not_there_is_refused_by_name(path, expected, client):
    refused = client.get(f"/v1/documents/{path}")
    assert code(refused) == expected
    assert len(refused.json()["error"]["message"]) < 200


def test_another_version_than_the_one_that_is_meant_is_neither_drawn_nor_boxed(client, filled):
    version = filled.document("sample")[0].sha256
    for path in ("/v1/documents/sample/pages/1", "/v1/documents/sample/pages/1/image"):
        assert client.get(path, params={"sha256": version}).status_code == 200
        refused = client.get(path, params={"sha256": version[::-1]})
        assert refused.status_code == 404
        assert "别的版本" in refused.json()["error"]["message"]


def test_a_page_that_was_seen_is_not_drawn_or_read_again(filled, monkeypatch):
    fresh = client_of(filled)
    passage = filled.document("sample")[1][2]
    asked = ("/v1/documents/sample/pages/2/image", f"/v1/documents/sample/pages/2?at={at(passage.spans)}")
    first = [fresh.get(x).content for x in asked]
    monkeypatch.setattr(sandbox, "run", lambda *_: pytest.fail("a process was started"))
    assert [fresh.get(x).content for x in asked] == first


def test_no_more_is_kept_than_there_is_room_for():
    kept, made = _Kept(100), []

    def ask(key: str, size: int) -> None:
        kept.get(key, lambda: (made.append(key), size))

    for key, size in (("a", 40), ("b", 40), ("a", 40), ("c", 40), ("a", 40), ("b", 40), ("big", 101), ("a", 40)):
        ask(key, size)
    assert made == ["a", "b", "c", "b", "big"]


def test_pages_need_a_key_where_the_service_does_and_a_signed_link_opens_none(filled):
    guarded = client_of(filled, api_key=KEY)
    passage = filled.document("sample")[1][0]
    link = Links(replace(filled.settings, api_key=KEY)).url(filled.document("sample")[2].citation(passage))
    signed = link.partition("?")[2].partition("#")[0]
    for path in ("/v1/documents/sample/pages/1", "/v1/documents/sample/pages/1/image"):
        assert code(guarded.get(path)) == (401, "auth_required")
        assert code(guarded.get(f"{path}?{signed}")) == (401, "auth_required")
        assert guarded.get(path, headers={"Authorization": f"Bearer {KEY}"}).status_code == 200


def test_a_pdf_of_a_reports_folder_is_shown_as_long_as_it_is_the_one_that_was_indexed(tmp_path, bundled):
    folder = tmp_path / "reports"
    folder.mkdir()
    manifest = '[[document]]\nid = "p"\nfile = "p.pdf"\ntitle = "甲区"\nyear = 2024\nseries = "甲"\nkind = "报告"\n'
    (folder / "reports.toml").write_text(manifest, encoding="utf-8")
    shutil.copy(FILES / "sample.pdf", folder / "p.pdf")
    assistant = Assistant(load_settings({"home": tmp_path / "home", "reports": folder}, {}))
    assistant._encoder = bundled
    assistant.build()
    client = client_of(assistant)
    passage = assistant.document("p")[1][0]
    assert boxed(client, "p", passage.pages[0], passage.spans, passage.text)["boxes"]
    assert client.get("/v1/documents/p/pages/1/image").status_code == 200
    (folder / "p.pdf").write_bytes(hello())
    assert code(client.get("/v1/documents/p/pages/2/image")) == (404, "not_found")
    (folder / "p.pdf").unlink()
    assert code(client.get("/v1/documents/p/pages/3")) == (404, "not_found")


def test_pages_of_a_document_that_was_removed_or_damaged_are_gone(tmp_path, small_library):
    assistant = small_library(tmp_path)
    tall = one_page(stream(b"BT /F 2 Tf 1 700 Td (A page as tall as a tower) Tj ET"), b"0 0 60 14400")
    add(assistant, FILES / "sample.pdf", ("高.pdf", tall))
    client = client_of(assistant)
    document = next(x for x, _ in assistant.documents() if x.file == "高.pdf")
    refused = client.get(f"/v1/documents/{document.id}/pages/1/image")
    assert code(refused) == (422, "document_rejected")
    assert refused.json()["error"]["detail"] == {"reason": "too_large"}
    path = assistant.documents_store.object_path(document.sha256)
    path.write_bytes(hello())
    assert code(client.get(f"/v1/documents/{document.id}/pages/1?at=0-1")) == (404, "not_found")
    assert client.get("/v1/documents/sample/pages/1/image").status_code == 200
    Librarian(assistant).remove(["sample"])
    assert code(client.get("/v1/documents/sample/pages/1/image")) == (404, "not_found")


def test_the_service_itself_parses_and_packs_nothing():
    printed = run_script(
        "import sys",
        "import service.app",
        "from corpus.readers import pictures",
        "from pathlib import Path",
        f"data = Path({str(FILES / 'sample.pdf')!r}).read_bytes()",
        "assert pictures.draw_page('a.pdf', data, 0, 300)",
        "assert pictures.find_places('a.pdf', data, 0, '').places is None",
        "print('PARSERS', sorted({'pypdfium2', 'pypdfium2.raw', 'PIL'} & set(sys.modules)))",
    )
    assert "PARSERS []" in printed
