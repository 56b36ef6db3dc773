"""Citations of any words, in the forms that people paste; and the text a piece at a time."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from corpus.citations import cite_spans, line_of
from corpus.lines import line_starts, page_range
from service.app import create_app
from service.assistant import Assistant
from service.references import footnote, markdown, plain_text
from service.settings import load_settings

ID = "baoshan-2026-innovation-plan"
PDFS = Path(__file__).parents[1] / "files" / "pdf"
HERE = "http://127.0.0.1:8765/d/x?at=0-3&h=00000000#quote"
ELSEWHERE = "https://kewen.example.cn/d/x?at=0-3&h=00000000#quote"


@pytest.fixture
def client(assistant, settings) -> TestClient:
    return TestClient(create_app(assistant, settings), base_url="http://127.0.0.1")


def cited(text: str = "全市有企业449家。", pages=(), **fields):
    whole = cite_spans("x", "年度报告", 2025, text, [(0, len(text))], pages)
    return replace(whole, **fields)


def at(spans) -> str:
    return ",".join(f"{start}-{end}" for start, end in spans)


# -- the forms ----------------------------------------------------------------------------------------


def test_a_footnote_is_as_the_standard_has_it():
    section = {"section": ("一、基础", "宝山区"), "restored": ("宝山区",)}
    assert footnote(cited(**section), "上海市科学技术委员会", HERE) == (
        "上海市科学技术委员会. 年度报告[R]. [2025]：一、基础 › 〔宝山区〕，第1行."
    )
    assert footnote(cited(), None, HERE) == "年度报告[R]. [2025]：第1行."
    assert footnote(cited(pages=(0,), **section), None, HERE) == "年度报告[R]. [2025]：1."
    assert footnote(cited("一" * 30, pages=(0, 10, 20)), None, ELSEWHERE) == (
        f"年度报告[R/OL]. [2025]：1-3. {ELSEWHERE}."
    )
    for local in ("http://localhost/d/x", "http://[::1]:8765/d/x", HERE):
        assert "http" not in footnote(cited(), None, local)


def test_text_and_markdown_hold_the_quote_and_the_label():
    citation = cited("第一行。\n第二行\t𠮷👨‍👩‍👧。\n")
    assert plain_text(citation) == "“第一行。\n第二行\t𠮷👨‍👩‍👧。”（《年度报告》（2025），第1–2行）"
    assert markdown(citation, HERE) == (
        f"> 第一行。\n>\n> 第二行\t𠮷👨‍👩‍👧。\n>\n> —— [《年度报告》（2025），第1–2行]({HERE})"
    )


def test_what_a_document_says_turns_nothing_round_and_is_no_markup():
    bad = "**粗**\u202e反\u2066转\0<script>alert(1)</script>\r\n# 标题\n> 引\n- [x](http://a.example)\n```\n    代码"
    citation = cited(bad, title="题\u202e名\n[x](y)<b>", section=("节\u200f\n一",))
    for form in (plain_text(citation), footnote(citation, "机构\u202e\n甲", HERE), markdown(citation, HERE)):
        assert not set(form) & set("\u202e\u2066\u200f\0")
    assert "\n" not in footnote(citation, "机构\n甲", HERE)
    tokens = MarkdownIt("commonmark").parse(markdown(citation, HERE))
    inside = [x.type for token in tokens for x in (token.children or [])]
    assert inside.count("link_open") == 1
    assert {x.type for x in tokens} == {
        "blockquote_open", "blockquote_close", "paragraph_open", "paragraph_close", "inline",
    }  # fmt: skip
    assert "html_inline" not in inside


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60))
def test_markdown_of_any_quote_is_one_block_with_one_link(text):
    tokens = MarkdownIt("commonmark").parse(markdown(cited(text, title=text[:20] or "题"), HERE))
    assert [x.type for x in tokens].count("blockquote_open") == 1
    assert {x.type for x in tokens} <= {
        "blockquote_open", "blockquote_close", "paragraph_open", "paragraph_close", "inline",
    }  # fmt: skip
    links = [x.attrs["href"] for token in tokens for x in (token.children or []) if x.type == "link_open"]
    assert links == [HERE]


# -- the route of citations ---------------------------------------------------------------------------


def test_the_citation_of_an_answer_is_the_one_that_the_answer_gave(client):
    for question in ("宝山区有多少家生物医药企业？", "徐汇、长宁、闵行、宝山、嘉定2025年做了什么"):
        for answered in client.post("/v1/ask", json={"question": question}).json()["citations"]:
            found = client.get(f"/v1/documents/{answered['document_id']}/citation?at={at(answered['spans'])}").json()
            shared = answered.keys() - {"number", "passage_id"}
            assert {x: found[x] for x in shared} == {x: answered[x] for x in shared}
            assert found["is_changed"] is False
            assert found["text"] == f"“{answered['quote'].replace('**', '').strip()}”（{answered['label']}）"


def test_every_passage_is_cited_as_its_hit_is(client):
    for document in client.get("/v1/documents").json()["documents"]:
        for passage in client.get(f"/v1/documents/{document['id']}").json()["passages"]:
            hit = passage["citation"]
            found = client.get(f"/v1/documents/{document['id']}/citation?at={at(hit['spans'])}").json()
            assert found["quote"] == passage["text"]
            assert {x: found[x] for x in hit} == hit


def test_a_reader_may_cite_what_crosses_passages_and_sections(client, assistant):
    text = assistant.retriever().snapshot.text(ID)
    start, end = text.index("科技企业发展量质齐升"), text.index("（五）区域创新生态") + 9
    found = client.get(f"/v1/documents/{ID}/citation?at={start}-{end}").json()
    assert found["quote"] == text[start:end]
    assert found["section"][-1].startswith("（四）")
    assert found["lines"][0] < found["lines"][1]
    heading = text.index("（五）区域创新生态")
    assert (
        client.get(f"/v1/documents/{ID}/citation?at={heading}-{heading + 5}").json()["section"][-1].startswith("（五）")
    )


@pytest.mark.parametrize("place", ["x", "5-3", "0-99999999", "0-3,2-5", "", ",", "1-2," * 60])
def test_a_place_that_will_not_do_is_refused(client, place):
    for digest in ("", "00000000"):
        response = client.get(f"/v1/documents/{ID}/citation", params={"at": place, "h": digest})
        assert response.status_code == 422
        assert response.json()["error"]["code"] == "invalid_request"


def test_what_is_not_there_is_not_found(client):
    assert client.get("/v1/documents/nowhere/citation?at=0-3").json()["error"]["code"] == "not_found"
    assert client.get(f"/v1/documents/{ID}/citation").status_code == 422


def test_of_a_report_changed_since_the_earlier_text_is_cited(make_folder, tmp_path):
    before = "一、总体情况\n\n全市有企业449家，比上年增加了二十家，研发投入持续增长。\n\n二、其他\n\n园区建设加快，共十二个。\n"

    def serve(text: str) -> TestClient:
        folder = make_folder({"bao.txt": text}, title="年报")
        settings = load_settings({"home": tmp_path / "own", "reports": folder}, {})
        assistant = Assistant(settings)
        assistant.build()
        return TestClient(create_app(assistant, settings), base_url="http://127.0.0.1")

    client = serve(before)
    start = before.index("园区")
    path = f"/v1/documents/bao/citation?at={start}-{start + 6}"
    old = client.get(path).json()
    digest = old["url"].partition("h=")[2][:8]
    for now in (before.replace("园区", "工厂"), before[: start - 12]):  # other words there; no words there
        client = serve(now)
        found = client.get(f"{path}&h={digest}").json()
        assert found["is_changed"] is True
        assert found["quote"] == old["quote"] == "园区建设加快"
        assert found["url"] == old["url"]
        assert found["text"].startswith("“园区建设加快”")
        assert "园区建设加快" in client.get(found["url"].partition("127.0.0.1:8765")[2]).text
    # Of a text that was never there nothing is made up.
    client = serve(before)
    found = client.get(f"{path}&h=12345678").json()
    assert found["is_changed"] is True
    assert [found[x] for x in ("quote", "text", "footnote", "markdown")] == [None] * 4


def test_behind_keys_the_link_of_a_citation_is_signed_and_stands_in_the_footnote(assistant, settings):
    key = "k" * 40
    public = replace(settings, api_key=key, public_url="https://kewen.example.cn")
    client = TestClient(create_app(assistant, public), base_url="https://kewen.example.cn")
    path = f"/v1/documents/{ID}/citation?at=100-120"
    assert client.get(path).status_code == 401
    found = client.get(path, headers={"Authorization": f"Bearer {key}"}).json()
    assert "sign=" in found["url"]
    assert "[R/OL]. [2026]：" in found["footnote"]
    assert found["footnote"].endswith(f". {found['url']}.")


# -- the text a piece at a time -----------------------------------------------------------------------


@given(st.text(st.sampled_from("甲𠮷\r\n\f\u2028x"), max_size=30))
def test_lines_are_counted_alike_wherever_a_piece_begins(text):
    starts = line_starts(text)
    for offset in range(len(text) + 1):
        assert line_of(text, offset) == bisect_right(starts, offset)


def test_pieces_know_their_lines_and_pages(client, assistant):
    text = assistant.retriever().snapshot.text(ID)
    starts = line_starts(text)
    for start in range(0, len(text), 997):
        piece = client.get(f"/v1/documents/{ID}/text?start={start}&end={min(start + 500, len(text))}").json()
        assert piece["text"] == text[start : start + 500]
        assert piece["line"] == bisect_right(starts, start)
        assert piece["pages"] is None
    whole = client.get(f"/v1/documents/{ID}/text").json()
    assert (whole["text"], whole["line"], whole["end"]) == (text, 1, len(text))


def test_pages_of_a_pdf_are_those_that_the_piece_touches(tmp_path, make_folder):
    folder = make_folder({"plan.pdf": (PDFS / "office-baoshan-2026-innovation-plan.pdf").read_bytes()})
    settings = load_settings({"home": tmp_path / "own", "reports": folder}, {})
    assistant = Assistant(settings)
    assistant.build()
    client = TestClient(create_app(assistant, settings), base_url="http://127.0.0.1")
    known, _, _ = assistant.document("plan")
    pages = known.page_starts
    assert len(pages) > 5
    spots = [*range(0, known.characters - 700, 701), pages[3], pages[3] - 1, pages[4]]
    for start in spots:
        for end in (start, start + 1, start + 700):
            found = client.get(f"/v1/documents/plan/text?start={start}&end={end}").json()["pages"]
            first, last = page_range(pages, start, max(end, start + 1))
            assert found == [[n, pages[n - 1]] for n in range(first, last + 1)]
    cited_pages = client.get(f"/v1/documents/plan/citation?at={pages[3]}-{pages[3] + 9}").json()
    assert cited_pages["pages"][0] == 4
    assert cited_pages["footnote"].endswith("：4.")


def test_the_outline_can_be_had_without_the_passages(client):
    whole = client.get(f"/v1/documents/{ID}").json()
    short = client.get(f"/v1/documents/{ID}?passages=false").json()
    assert short == {**whole, "passages": None}
    assert whole["passages"]
    assert client.get(f"/v1/documents/{quote('火星')}?passages=false").status_code == 404
