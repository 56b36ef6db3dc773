"""The source page: the text exactly, the quote marked, nothing of it obeyed; and what a signature opens."""

from __future__ import annotations

import html
import re
import shutil
import time
from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from corpus.citations import citation_label, cite_spans
from service.app import create_app
from service.assistant import Assistant
from service.errors import KewenError
from service.links import Links, quote_hash
from service.quoted import Place, find_place
from service.settings import load_settings
from service.source_page import page
from tests.live import listen, running

ID = "baoshan-2026-innovation-plan"
QUESTION = "宝山区有多少家生物医药企业？"
KEY = "k" * 40
CHANGED = "这份报告在引用之后有过改动，标出的位置可能不是当时所引的原文"


class Reader(HTMLParser):
    """A page as a browser understands it: its elements, the text of `<main>` and of each `<mark>`."""

    VOID = ("meta", "link", "hr")

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.main = ""
        self.marks: list[str] = []
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag == "mark":
            self.marks.append("")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "main" in self.open:
            self.main += data
        if "mark" in self.open:
            self.marks[-1] += data

    def numbers(self) -> list[int]:
        return [int(attributes["data-n"]) for _, attributes in self.elements if "data-n" in attributes]


def document(**fields):
    """What the index knows of a document, without an index."""
    from index.types import DocumentInfo

    known = {"id": "d", "title": "标题", "year": 2025, "series": "系列", "kind": "报告", "media_type": "text/plain"}
    return DocumentInfo(sha256="0" * 64, characters=0, **{**known, **fields})


def at(spans) -> str:
    return ",".join(f"{start}-{end}" for start, end in spans)


# -- the page as a function ---------------------------------------------------------------------------

ODD = [
    "\n",
    "\r",
    "\r\n",
    "\t",
    "\f",
    "\x0b",
    " ",
    "　",
    "<",
    ">",
    "&",
    "&lt;",
    "&#0;",
    "</main>",
    "<script>alert(1)</script>",
    "]]>",
    "<!--",
    "-->",
]
ODD += [
    '"onmouseover=alert(1) ',
    "'",
    "\u202e",
    "\u2066",
    "\u2069",
    "\u200f",
    "\u061c",
    "\ufeff",
    "\u0085",
    "\u2028",
    "𠮷",
    "报告",
    "a",
    "[1]",
    "**",
]
TEXTS = st.lists(
    st.one_of(st.sampled_from(ODD), st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
).map("".join)


@st.composite
def quoted(draw):
    """A text, and spans of it in order and apart."""
    text = draw(TEXTS.filter(bool))
    offsets = sorted(draw(st.sets(st.integers(0, len(text)), min_size=2, max_size=12)))
    return text, tuple(zip(offsets[::2], offsets[1::2], strict=False))


@given(quoted())
@limits(max_examples=300, deadline=None)
def test_the_page_holds_the_source_exactly_and_marks_the_quote_exactly(case):
    text, spans = case
    found = find_place(document(), [], text, at(spans), quote_hash("".join(text[s:e] for s, e in spans)))
    read = Reader(page(document(), text, found))
    assert read.main == text
    assert "".join(read.marks) == "".join(text[start:end] for start, end in spans)
    assert [x for tag, x in read.elements if x.get("id") == "quote"] == [{"id": "quote"}]
    assert next(tag for tag, x in read.elements if x.get("id") == "quote") == "mark"
    # Nothing in the text became an element or an attribute.
    inside = {(tag, *sorted(x)) for tag, x in read.elements}
    assert inside <= {
        *[(tag,) for tag in ("html", "head", "body", "header", "main", "section", "div", "p", "span", "title", "mark")],
        ("html", "lang"), ("meta", "charset"), ("meta", "content", "name"), ("link", "href", "rel"), ("p", "class"), ("h1", "class"),
        ("div", "class"), ("p", "title"), ("a", "href"), ("mark", "id"), ("div", "data-n"), ("bdi", "data-mark"),
    }  # fmt: skip


@given(quoted(), st.integers(0, 40))
@limits(max_examples=200, deadline=None)
def test_an_excerpt_holds_its_windows_and_nothing_else(case, context):
    text, spans = case
    windows = []
    for start, end in spans:
        start, end = max(start - context, 0), min(end + context, len(text))
        windows.append((max(start, windows[-1][1] if windows else 0), end))
    windows = [(start, end) for start, end in windows if start < end]
    read = Reader(
        page(
            document(), text, Place(cite_spans("d", "标题", 2025, text, spans), tuple(windows), False), is_excerpt=True
        )
    )
    assert read.main == "".join(text[start:end] for start, end in windows)
    assert "".join(read.marks) == "".join(text[start:end] for start, end in spans)
    cuts = sum(tag == "hr" for tag, _ in read.elements)
    assert cuts == sum(start > 0 for start, _ in windows) + (windows[-1][1] < len(text))


def test_lines_are_counted_as_an_editor_counts_them():
    text = "一\r\n二\n\n四\r五\f还是五\n六"
    read = Reader(page(document(), text))
    assert read.main == text
    assert read.numbers() == [1, 2, 4, 5, 6]
    place = find_place(document(), [], text, f"{text.index('四')}-{len(text)}", "")
    assert citation_label(place.citation) == "《标题》（2025），第4–6行"


def test_direction_marks_are_shown_and_turn_nothing_round():
    source = page(document(title="标\u202e题<script>"), "前\u202e后\0末", None)
    assert '前<bdi data-mark="U+202E">\u202e</bdi>后\ufffd末' in source
    assert "《标题&lt;script&gt;》" in source
    assert "\0" not in source


def test_a_changed_document_is_said_to_be_changed_and_nothing_is_marked():
    text = "第一句话。第二句话。"
    place = find_place(document(), [], text, "0-5", quote_hash("另一句话。"))
    source = page(document(), text, place)
    assert place.is_changed
    assert CHANGED in source
    assert "<mark" not in source
    assert source.index('id="quote"') < source.index(CHANGED)
    same = page(document(), text, find_place(document(), [], text, "0-5", quote_hash("第一句话。")))
    assert CHANGED not in same
    assert '<mark id="quote">第一句话。</mark>第二句话。' in same


BAD = [
    "x",
    "5",
    "1-",
    "-3",
    "5-5",
    "9-3",
    "0-3,2-5",
    "4-6,0-2",
    "0-99",
    "0-3,",
    ",",
    "0-3;4-5",
    "+0-3",
    "٠-٣",
    "0-1234567890",
]


@pytest.mark.parametrize("place", [*BAD, at([(2 * n, 2 * n + 1) for n in range(51)]), "1-2," * 100_000])
def test_a_place_that_will_not_do_is_refused(place):
    with pytest.raises(KewenError) as refused:
        find_place(document(), [], "十" * (11 if len(place) < 300 else 200), place, "")
    assert refused.value.code == "invalid_request"
    assert len(refused.value.message) < 200


def test_fifty_places_will_do():
    spans = tuple((2 * n, 2 * n + 1) for n in range(50))
    text = "十" * 100
    assert Reader(page(document(), text, find_place(document(), [], text, at(spans), ""))).marks == ["十"] * 50


def test_a_long_document_with_many_lines_takes_time_as_it_grows_and_no_faster():
    def measure(lines: int) -> float:
        text = "上海科技创新\n" * lines
        spans = tuple((n * 70, n * 70 + 9) for n in range(50))
        started = time.process_time()
        found = page(document(), text, find_place(document(), [], text, at(spans), ""))
        assert len(found) < 12 * len(text)
        return time.process_time() - started

    small = min(measure(5_000) for _ in range(3))
    assert measure(30_000) < 6 * 4 * small


# -- the route ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def assistant(shared_home):
    """One for all tests here, which only ask it."""
    return Assistant(load_settings({"home": shared_home}, {}))


@pytest.fixture
def client(assistant, settings) -> TestClient:
    return TestClient(create_app(assistant, settings), base_url="http://127.0.0.1")


@pytest.fixture
def locked(settings):
    return replace(settings, api_key=KEY)


@pytest.fixture
def stranger(assistant, locked) -> TestClient:
    """Whoever has a link and no key."""
    return TestClient(create_app(assistant, locked), base_url="http://127.0.0.1")


def path_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


def is_page(response, status: int) -> Reader:
    """A whole HTML page with every header that keeps it harmless."""
    assert response.status_code == status
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["content-security-policy"] == (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert response.headers["cache-control"] == "no-store"
    assert re.search(r"[一-鿿]", response.text)
    assert "<script" not in response.text
    return Reader(response.text)


def test_each_citation_of_an_answer_opens_at_its_words(client, assistant, settings):
    links = Links(settings)
    for question in (QUESTION, "徐汇、长宁、闵行、宝山、嘉定2025年做了什么"):
        answer = assistant.ask(question)
        assert answer.citations
        for numbered in answer.citations:
            citation = numbered.citation
            response = client.get(path_of(links.url(citation)))
            read = is_page(response, 200)
            assert read.main == assistant.retriever().snapshot.text(citation.document_id)
            assert "".join(read.marks) == citation.quote
            assert html.escape(citation_label(citation)) in response.text
            assert CHANGED not in response.text


def test_a_passage_in_several_pieces_is_marked_piece_by_piece(client, assistant, settings):
    _, passages, snapshot = assistant.document(ID)
    citation = next(snapshot.citation(x) for x in passages if len(x.spans) > 1 and x.section)
    response = client.get(path_of(Links(settings).url(citation)))
    assert "".join(is_page(response, 200).marks) == citation.quote
    assert html.escape(citation_label(citation)) in response.text


def test_a_restored_heading_stands_in_its_brackets(client, assistant, settings):
    _, passages, snapshot = assistant.document("shanghai-2022-districts")
    citation = next(snapshot.citation(x) for x in passages if any(x.restored))
    assert "〔" in citation_label(citation)
    assert citation_label(citation) in client.get(path_of(Links(settings).url(citation))).text


def test_without_a_place_the_whole_document_is_shown(client, assistant):
    read = is_page(client.get(f"/d/{ID}"), 200)
    assert read.main == assistant.retriever().snapshot.text(ID)
    assert read.marks == []
    assert client.head(f"/d/{ID}").status_code == 200


def test_what_will_not_do_is_a_page_too(client):
    assert "没有编号为" in client.get("/d/nowhere").text
    is_page(client.get("/d/nowhere"), 404)
    is_page(client.get(f"/d/{ID}?at=5-3"), 422)
    is_page(client.get(f"/d/{ID}?at=0-99999999"), 422)
    response = client.get("/d/%3Cscript%3Ealert(1)%3C%2Fscript%3E" + "x" * 1000)
    is_page(client.get("/d/%3Cscript%3Ealert(1)"), 404)
    assert "<script" not in response.text
    assert "x" * 200 not in response.text


def test_the_style_is_served_and_asks_for_nothing_from_outside(client):
    response = client.get("/web/source.css")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/css")
    assert "url(" not in response.text
    assert "@import" not in response.text


def test_a_signed_link_opens_its_place_and_no_more(stranger, assistant, locked):
    citation = assistant.ask(QUESTION).citations[0].citation
    text = assistant.retriever().snapshot.text(ID)
    link = path_of(Links(locked).url(citation))
    read = is_page(stranger.get(link), 200)
    assert "".join(read.marks) == citation.quote
    assert read.main in text
    start = text.index(read.main)
    _, passages, _ = assistant.document(ID)
    passage = next(x for x in passages if x.spans[0][0] <= citation.spans[0][0] < x.spans[-1][1])
    assert start == passage.spans[0][0] - 300
    assert start + len(read.main) == passage.spans[-1][1] + 300
    # Nothing on the page leads to the rest.
    assert [x["href"] for _, x in read.elements if "href" in x] == ["data:,", "../web/source.css"]


def test_a_signature_is_good_for_nothing_else(stranger, assistant, locked):
    citation = assistant.ask(QUESTION).citations[0].citation
    query = {k: v[0] for k, v in parse_qs(urlsplit(Links(locked).url(citation)).query).items()}
    text = assistant.retriever().snapshot.text(ID)
    secret = text[:40].strip()

    def refused(document_id: str, **changes: str) -> None:
        response = stranger.get(f"/d/{document_id}?{urlencode({**query, **changes})}")
        is_page(response, 403)
        assert secret not in response.text

    refused(ID, at="0-100")
    refused(ID, at=query["at"] + ",20000-20100")
    refused(ID, h="00000000")
    refused(ID, until=str(int(query["until"]) + 86_400))
    refused(ID, sign=query["sign"][:-1] + ("A" if query["sign"][-1] != "A" else "B"))
    refused(ID, sign="")
    refused("shanghai-2022-districts")
    assert stranger.get(f"/d/{ID}").status_code == 401
    del query["sign"]
    assert stranger.get(f"/d/{ID}?{urlencode(query)}").status_code == 401


def test_a_name_given_twice_is_read_as_the_guard_reads_it(stranger, assistant, locked):
    link = path_of(Links(locked).url(assistant.ask(QUESTION).citations[0].citation))
    path, query = link.split("?")
    whole = f"at=0-{len(assistant.retriever().snapshot.text(ID))}"
    is_page(stranger.get(f"{path}?{query}&{whole}"), 403)
    first = is_page(stranger.get(f"{path}?{whole}&{query}"), 200)
    assert len(first.main) < 2000


def test_a_signature_past_its_day_is_refused(stranger, assistant, locked, monkeypatch):
    link = path_of(Links(locked).url(assistant.ask(QUESTION).citations[0].citation))
    now = time.time()
    monkeypatch.setattr("service.links.time.time", lambda: now + 32 * 86_400)
    response = stranger.get(link)
    is_page(response, 403)
    assert "已经过期" in response.text
    # A key makes a link no better: it says what it opens.
    is_page(stranger.get(link, headers={"Authorization": f"Bearer {KEY}"}), 403)


def test_a_signed_link_whose_document_has_changed_says_so(make_folder, tmp_path):
    def serve(text: str, name: str = "bao.txt"):
        folder = make_folder({name: text}, title="年报")
        settings = load_settings({"home": tmp_path / "own", "reports": folder, "api_key": KEY}, {})
        assistant = Assistant(settings)
        assistant.build()
        return assistant, settings, TestClient(create_app(assistant, settings), base_url="http://127.0.0.1")

    before = "一、总体情况\n\n全市有企业449家，比上年增加了二十家，研发投入持续增长。\n"
    assistant, settings, _ = serve(before)
    _, passages, snapshot = assistant.document("bao")
    link = path_of(Links(settings).url(snapshot.citation(passages[0])))
    _, _, client = serve(before.replace("449", "448"))
    assert "旧版原文；" in client.get(link).text  # of a report of the folder nobody knows since when
    old = tmp_path / "own" / "library" / "old"
    shutil.rmtree(old)
    response = client.get(link)
    assert is_page(response, 200).marks == []
    assert CHANGED in response.text
    _, _, client = serve("一、短\n\n只剩这句。\n")
    shutil.rmtree(old)
    is_page(client.get(link), 422)
    _, _, client = serve(before, "secret.txt")
    is_page(client.get(link), 404)
    assert "这份资料已被移除" in client.get(link).text
    assert "secret" not in client.get(link).text


# -- earlier versions ---------------------------------------------------------------------------------

FIRST = "一、总体情况\n\n火星区2025年有企业449家，比上年增加了二十家，研发投入持续增长。\n"
LATER = "一、总体情况\n\n截至年底，火星区2025年有企业612家，比上年增加了一百家，研发投入持续增长。\n二、其他\n\n另有园区九个。\n"


@pytest.fixture
def changing(make_folder, tmp_path, bundled):
    """A library whose document `火星` has been replaced: a client, its links, and the citation of the first version."""

    def make(key: str = ""):
        folder = make_folder({"bao.txt": "一、基础\n\n宝山区有企业5家。\n"})
        own = load_settings({"home": tmp_path / "own", "reports": folder, "api_key": key}, {})
        assistant = Assistant(own)
        assistant._encoder = bundled
        assistant.build()
        client = TestClient(
            create_app(assistant, own), base_url="http://127.0.0.1", headers={"Authorization": f"Bearer {key}"}
        )
        send = [("file", ("火星.txt", FIRST.encode()))]
        assert client.post("/v1/documents", files=send).status_code == 200
        _, passages, snapshot = assistant.document("火星")
        link = path_of(Links(own).url(snapshot.citation(passages[0])))
        send = [("file", ("火星.txt", LATER.encode()))]
        assert client.post("/v1/documents", files=send).json()["documents"][0]["status"] == "replaced"
        return client, link, snapshot.citation(passages[0])

    return make


def test_a_link_to_an_earlier_version_opens_that_version_and_says_so(changing):
    client, link, citation = changing()
    response = client.get(link)
    read = is_page(response, 200)
    assert read.main == FIRST
    assert "".join(read.marks) == citation.quote
    assert re.search(r"这是旧版原文（已于 \d{4}-\d\d-\d\d 更新）", response.text)
    [way] = [x["href"] for tag, x in read.elements if tag == "a" and x["href"] != "#quote"]
    now = client.get(f"/d/{way}")
    assert is_page(now, 200).main == LATER
    assert "旧版" not in now.text
    # A place that stands in neither is said to have changed, and a hash that is none opens nothing else.
    other = client.get(link.replace("h=", "h=0")[: len(link)])
    assert CHANGED in other.text
    assert is_page(other, 200).main == LATER
    client.delete("/v1/documents/火星")
    gone = client.get(link)
    is_page(gone, 404)
    assert "可能已被移除" in gone.text
    assert "449" not in gone.text


def test_a_signed_link_to_an_earlier_version_opens_its_place_there(changing):
    client, link, citation = changing(KEY)
    del client.headers["Authorization"]
    response = client.get(link)
    read = is_page(response, 200)
    assert "".join(read.marks) == citation.quote
    assert "旧版原文" in response.text
    assert "612" not in response.text
    assert [x["href"] for _, x in read.elements if "href" in x] == ["data:,", "../web/source.css"]
    assert client.get(link[:-1] + ("A" if link[-1] != "A" else "B")).status_code == 403


def test_pages_stand_in_the_place_of_lines_where_there_are_pages():
    text = "第一页的字。\n第二页的字。\n第三页的字。\n"
    info = document(page_starts=(0, 7, 14))
    place = find_place(info, [], text, "8-12,15-18", "")
    assert citation_label(place.citation) == "《标题》（2025），第2–3页"
    assert "第2–3页" in page(info, text, place)
    assert citation_label(find_place(info, [], text, "0-3", "").citation) == "《标题》（2025），第1页"


# -- in a browser -------------------------------------------------------------------------------------

HOSTILE = """一、总体<script>document.title = 'taken'</script>

这一句里有<img src=x onerror="document.title='taken'">和"onmouseover="document.title='taken'，还有\u202e颠倒\u202c与控制\x07字符，全市共有企业449家。

\t甲\t乙\t丙
<style>*{display:none}</style></main></div><a href="javascript:document.title='taken'">点我</a>
"""


def test_a_browser_opens_the_quote_in_view_and_copies_the_source(browser, assistant, settings, tmp_path):
    listener = listen()
    own = replace(settings, port=listener.getsockname()[1])
    with running(create_app(assistant, own), listener):
        citation = assistant.ask("环上大科技园", mode="passages").hits[0].citation
        browser.open(Links(own).url(citation))
        shown = browser.run(
            "const box = document.querySelector('#quote').getBoundingClientRect();"
            "const head = document.querySelector('.cite').getBoundingClientRect();"
            "return [scrollY, box.top, head.bottom, innerHeight, box.height]"
        )
        assert shown[0] > 0
        assert shown[2] <= shown[1] < shown[3]
        assert shown[4] > 0
        copied = browser.run(
            "getSelection().selectAllChildren(document.querySelector('main')); return String(getSelection())"
        )
        assert (
            re.sub(r"\s+", "\n", copied).strip()
            == re.sub(r"\s+", "\n", assistant.retriever().snapshot.text(citation.document_id)).strip()
        )
        browser.run("getSelection().removeAllRanges(); scrollTo(0, 0)")
        box = browser.run("return document.querySelector('.cite p').getBoundingClientRect().toJSON()")
        browser.click(box["x"] + 60, box["y"] + 5)
        assert browser.run("return String(getSelection())").strip() == citation_label(citation)
        assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
        assert browser.messages() == []


def test_in_a_browser_a_hostile_document_is_text(browser, make_folder, tmp_path):
    listener = listen()
    folder = make_folder({"evil.txt": HOSTILE}, title="</title><script>document.title='taken'</script>\u202e恶")
    own = load_settings({"home": tmp_path / "own", "reports": folder, "port": listener.getsockname()[1]}, {})
    assistant = Assistant(own)
    assistant.build()
    with running(create_app(assistant, own), listener) as base:
        browser.open(f"{base}/d/evil")
        assert browser.run("return document.querySelector('main').textContent") == assistant.retriever().snapshot.text(
            "evil"
        )
        assert browser.driver.title == "《</title><script>document.title='taken'</script>恶》 · 科问"
        assert browser.run("return document.scripts.length + document.images.length + document.links.length") == 0
        assert browser.run("return document.querySelectorAll('style, [onmouseover], [onerror]').length") == 0
        # The override ends where it stands: what follows runs on from left to right.
        places = browser.run(
            "const nodes = [...document.querySelectorAll('main div')].flatMap(x => [...x.childNodes]);"
            "return ['颠', '倒'].map(text => {"
            "  const node = nodes.find(x => x.data?.includes(text)), range = document.createRange();"
            "  range.setStart(node, node.data.indexOf(text)); range.setEnd(node, node.data.indexOf(text) + 1);"
            "  const box = range.getBoundingClientRect(); return [box.y, box.x]; })"
        )
        assert places == sorted(places)
        assert browser.messages() == []
