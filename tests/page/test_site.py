"""What the page is made of: small, whole, from here alone, and served so that a new version is never mixed with an old."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from service import web
from service.app import create_app
from service.keys import KeyRing

FILES = sorted(x for x in web.PAGE.rglob("*") if x.is_file())
OWN = [x for x in FILES if "vendor" not in x.parts]
LARGEST = 300_000
CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture
def client(assistant, settings):
    return TestClient(create_app(assistant, settings), base_url="http://127.0.0.1:8765")


def test_the_whole_page_is_under_300_kb():
    assert sum(x.stat().st_size for x in FILES) < LARGEST


def test_each_file_is_text_that_a_reader_can_follow():
    for file in OWN:
        text = file.read_text(encoding="utf-8")
        assert text.count("\n") <= 350, file.name
        if file.suffix in (".js", ".css"):
            assert text.startswith("/*") or file.name == "source.css", f"{file.name} does not say what it is"


def test_nothing_is_loaded_from_outside():
    for file in OWN:
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"@import|url\(|https?://(?!www\.w3\.org/)|import\(\s*[^\"'\s]", text), file.name


def test_every_file_that_is_named_is_there_and_every_file_is_named():
    named = {"web/index.html", "web/source.css"}
    for file in FILES:
        text = file.read_text(encoding="utf-8")
        if file.suffix == ".js":
            for name in re.findall(r"""(?:from|import)\s*\(?["'](\.[^"']+)["']""", text):
                path = (file.parent / name).resolve()
                assert path.is_file(), f"{file.name} imports {name}"
                named.add("web/" + path.relative_to(web.PAGE.resolve()).as_posix())
        named |= set(re.findall(r'(?:href|src)="(web/[^"]+)"', text)) if file.suffix == ".html" else set()
    there = {"web/" + x.relative_to(web.PAGE).as_posix() for x in FILES if x.name != "LICENSE"}
    assert there == named


def test_what_is_not_ours_comes_with_its_licence():
    for folder in (web.PAGE / "vendor").iterdir():
        assert "Copyright" in (folder / "LICENSE").read_text(encoding="utf-8")


def test_every_word_is_in_both_languages():
    seen = 0
    for file in OWN:
        if file.suffix != ".js":
            continue
        text = file.read_text(encoding="utf-8")
        table = re.search(r"words\(\{(.*?)\}\);", text, re.DOTALL)
        for pair in re.findall(r'\[\s*("(?:[^"\\]|\\.)*")\s*,\s*("(?:[^"\\]|\\.)*"),?\s*\]', table[1] if table else ""):
            seen += 1
            assert not CHINESE.search(pair[1]) or "中文" in pair[1] or re.search("e\\.g\\.|such as", pair[1]), pair
            if pair[0] != '"{said}"':  # the service's own words, which are Chinese
                assert set(re.findall(r"\{\w+\}", pair[0])) == set(re.findall(r"\{\w+\}", pair[1])), pair
    assert seen > 100


def test_no_chinese_stands_outside_the_tables_of_words():
    for file in OWN:
        if file.suffix != ".js" or file.name == "words.js":
            continue
        text = re.sub(r"words\(\{.*?\}\);", "", file.read_text(encoding="utf-8"), flags=re.DOTALL)
        text = re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.DOTALL)
        text = re.sub(r'"[^"]*",\s*"[^"]*"', "", text)  # a pair of words in another table
        text = re.sub(r"const [A-Z]+ = \[.*?\];", "", text, flags=re.DOTALL)
        assert not CHINESE.search(text), (file.name, CHINESE.findall(text)[:10])


def test_a_browser_asks_for_each_file_anew_and_gets_it_only_where_it_has_changed(client):
    first = client.get("/web/main.js")
    assert first.headers["cache-control"] == "no-cache"
    again = client.get("/web/main.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_its_policy_lets_only_its_own_scripts_run(client):
    response = client.get("/")
    policy = response.headers["content-security-policy"]
    assert response.headers["content-type"].startswith("text/html")
    for part in ("default-src 'none'", "script-src 'self'", "connect-src 'self'", "require-trusted-types-for 'script'"):
        assert part in policy
    assert "unsafe" not in policy
    assert "<script>" not in response.text


def test_the_page_itself_is_open_and_what_it_shows_is_not(assistant, settings, tmp_path):
    here = replace(settings, home=tmp_path, allowed_hosts=("kewen.lan",))
    KeyRing(here).add("测试", "full")
    client = TestClient(create_app(assistant, here), base_url="http://127.0.0.1:8765")
    assert client.get("/").status_code == 200
    assert client.get("/web/vendor/lit-html/directives/ref.js").status_code == 200
    for path in ("/v1/documents", "/web/", "/web/vendor", "/web/%2e%2e/__init__.py"):
        assert client.get(path).status_code == 401, path


def test_nothing_beside_the_page_can_be_reached_through_it(client):
    for path in ("/web/%2e%2e/__init__.py", "/web/..%2f__init__.py", "/web/vendor/../../__init__.py", "/web/"):
        assert client.get(path).status_code == 404, path


def test_each_picture_of_the_page_is_shown_and_each_that_is_shown_is_there():
    folder = Path(__file__).parent.parent.parent / "docs/page"
    shown = re.findall(r"\((\S+\.png)\)", (folder / "README.md").read_text(encoding="utf-8"))
    assert sorted(shown) == sorted(x.name for x in folder.glob("*.png"))
