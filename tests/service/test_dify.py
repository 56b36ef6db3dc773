"""Dify's External Knowledge API, request by request from its published contract; and its conditions against an oracle."""

from __future__ import annotations

import logging
from dataclasses import replace
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from corpus.library import shipped_folder
from index.types import DocumentInfo
from service.app import create_app
from service.assistant import Assistant
from service.conditions import DOCUMENT_FIELDS, FIELDS, OPERATORS, read_conditions
from service.errors import KewenError
from service.routes.dify import PREFIXES
from service.settings import load_settings
from tests.live import serving

QUESTION = "宝山区有多少家生物医药企业？"
PLAN = "baoshan-2026-innovation-plan"
ANNUAL = "上海科技创新年度报告"
KEY = "k" * 32
PATHS = [f"{prefix}{slash}retrieval" for prefix in PREFIXES for slash in ("/", "//")]


@pytest.fixture(scope="module")
def assistant(shared_home):
    return Assistant(load_settings({"home": shared_home}, {}))


@pytest.fixture(scope="module")
def client(assistant):
    app = create_app(assistant, assistant.settings)
    return TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False)


@pytest.fixture(scope="module")
def keyed(assistant):
    app = create_app(assistant, replace(assistant.settings, api_key=KEY))
    return TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False)


def request(**more):
    """What Dify sends."""
    return {
        "knowledge_id": "kewen",
        "query": QUESTION,
        "retrieval_setting": {"top_k": 4, "score_threshold": 0.0},
        "metadata_condition": None,
        **more,
    }


def where(*conditions, **more):
    """A request with conditions, each a name, an operator and perhaps a value."""
    listed = [dict(zip(("name", "comparison_operator", "value"), x, strict=False)) for x in conditions]
    return request(metadata_condition={"conditions": listed, **more})


def records(client, body):
    response = client.post("/retrieval", json=body)
    assert response.status_code == 200, response.text
    assert list(response.json()) == ["records"]
    return response.json()["records"]


def refusal(response, status, code):
    assert response.status_code == status
    body = response.json()
    assert list(body) == ["error_code", "error_msg"]
    assert body["error_code"] == code
    assert any("一" <= c <= "鿿" for c in body["error_msg"])
    assert len(body["error_msg"]) < 600
    return body["error_msg"]


# -- records --------------------------------------------------------------------------------------


def test_records_as_dify_reads_them(client):
    found = records(client, request())
    assert len(found) == 4
    for record in found:
        assert list(record) == ["content", "score", "title", "metadata"]
        assert 0 <= record["score"] <= 1
        assert record["score"] == round(record["score"], 4)
        metadata = record["metadata"]
        assert None not in metadata.values()
        assert all(isinstance(x, str | int) for x in metadata.values())
        assert {"document_id", "path", "year", "label", "lines", "url", "series", "passage_id"} <= metadata.keys()
        assert record["title"] == metadata["label"]
        source = (shipped_folder() / f"{metadata['document_id']}.txt").read_text(encoding="utf-8")
        piece = source[metadata["char_start"] : metadata["char_end"]]
        assert piece.startswith(record["content"][:20])
        assert piece.endswith(record["content"][-20:])
    assert "449 家" in found[0]["content"]
    scores = [x["score"] for x in found]
    assert scores == sorted(scores, reverse=True)


def test_the_best_score_is_the_calibrated_confidence(client, assistant):
    for question in (QUESTION, "上海有多少家火锅店？"):
        found = records(client, request(query=question))
        assert found[0]["score"] == pytest.approx(assistant.ask(question).confidence, abs=1e-3)


def test_what_the_reports_do_not_answer_stays_below_a_threshold(client):
    setting = {"top_k": 4, "score_threshold": 0.5}
    assert records(client, request(query="上海有多少家火锅店？", retrieval_setting=setting)) == []
    kept = records(client, request(retrieval_setting=setting))
    everything = records(client, request())
    assert kept
    assert kept == [x for x in everything if x["score"] >= 0.5]


def test_a_score_equal_to_the_threshold_is_kept(client):
    best = records(client, request())[0]["score"]
    setting = {"top_k": 1, "score_threshold": best}
    assert len(records(client, request(retrieval_setting=setting))) == 1


@pytest.mark.parametrize(("top_k", "count"), [(1, 1), (4, 4), (100, 100), (10**12, 100)])
def test_top_k(client, top_k, count):
    found = records(client, request(query="科创中心", retrieval_setting={"top_k": top_k}))
    assert len(found) == count
    assert len({x["metadata"]["passage_id"] for x in found}) == count


@pytest.mark.parametrize("setting", [None, {}, {"top_k": None, "score_threshold": None}])
def test_a_setting_may_be_left_out(client, setting):
    assert len(records(client, request(retrieval_setting=setting))) == 5


def test_the_link_opens_the_quoted_place(client):
    record = records(client, request())[0]
    link = urlsplit(record["metadata"]["url"])
    assert link.path == f"/d/{PLAN}"
    page = client.get(f"{link.path}?{link.query}")
    assert page.status_code == 200
    assert "449 家" in page.text


def test_a_key_signs_the_link(keyed):
    response = keyed.post("/retrieval", json=request(), headers={"authorization": f"Bearer {KEY}"})
    link = urlsplit(response.json()["records"][0]["metadata"]["url"])
    assert keyed.get(f"{link.path}?{link.query}").status_code == 200
    assert keyed.get(link.path).status_code == 401


def test_an_editorial_heading_shows_as_one(client):
    found = records(client, where(("section", "contains", "〔长宁区〕")) | {"query": "长宁区的科技创新"})
    assert found
    assert all("〔长宁区〕" in x["metadata"]["section"] for x in found)


# -- knowledge ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("knowledge", "years"),
    [("kewen", {2015, 2022, 2024, 2025, 2026}), (PLAN, {2026}), (ANNUAL, {2015, 2022, 2024, 2025})],
)
def test_a_knowledge_id_is_everything_a_report_or_a_series(client, assistant, knowledge, years):
    found = records(client, request(knowledge_id=knowledge, query="科技创新", retrieval_setting={"top_k": 100}))
    known = {x.id for x, _ in assistant.documents() if knowledge in ("kewen", x.id, x.series)}
    assert {x["metadata"]["document_id"] for x in found} == known
    assert {x["metadata"]["year"] for x in found} == years


@pytest.mark.parametrize("knowledge", ["nope", "", "KEWEN", "上海科技创新年度报告 "])
def test_an_unknown_knowledge_id(client, knowledge):
    message = refusal(client.post("/retrieval", json=request(knowledge_id=knowledge)), 404, 2001)
    assert PLAN in message


# -- the address ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS)
def test_every_address_that_a_user_may_type(client, path):
    assert records(client, request()) == client.post(f"http://127.0.0.1{path}", json=request()).json()["records"]


def test_two_slashes_over_a_real_socket(assistant):
    with serving(assistant.settings) as base:
        for path in ("/retrieval", "//retrieval", "/api/dify//retrieval"):
            response = httpx.post(f"{base}{path}", json=request(), headers={"authorization": f"Bearer {KEY}"})
            assert response.status_code == 200
            assert response.json()["records"][0]["metadata"]["url"].startswith(f"{base}/d/")


# -- keys -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS[:2] + PATHS[-2:])
def test_the_save_probe(keyed, path):
    """Dify posts the key alone: 403 tells its user that the key is wrong, 400 lets the endpoint be saved."""
    url = f"http://127.0.0.1{path}"
    refusal(keyed.post(url, headers={"authorization": f"Bearer {KEY}"}), 400, 4000)
    refusal(keyed.post(url, headers={"authorization": "Bearer wrong"}), 403, 1002)
    refusal(keyed.post(url), 403, 1001)


@pytest.mark.parametrize("header", [KEY, "Basic abc", "Bearer", "Bearer ", ""])
def test_a_malformed_authorization(keyed, header):
    refusal(keyed.post("/retrieval", json=request(), headers={"authorization": header}), 403, 1001)


def test_a_good_key(keyed):
    assert keyed.post("/retrieval", json=request(), headers={"authorization": f"Bearer {KEY}"}).status_code == 200


# -- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        request(query=""),
        request(query="  "),
        request(query=None),
        request(query=["问"]),
        request(query="长" * 2001),
        request(query="a\u0000b"),
        request(knowledge_id=None),
        request(knowledge_id=5),
        request(retrieval_setting=[]),
        request(retrieval_setting={"top_k": 0}),
        request(retrieval_setting={"top_k": -3}),
        request(retrieval_setting={"top_k": "many"}),
        request(retrieval_setting={"top_k": 2.5}),
        request(retrieval_setting={"score_threshold": -0.1}),
        request(retrieval_setting={"score_threshold": 1.1}),
        request(retrieval_setting={"score_threshold": "high"}),
        request(metadata_condition=[]),
        request(metadata_condition="year = 2025"),
        request(metadata_condition={"conditions": {}}),
        request(metadata_condition={"conditions": [[]]}),
        request(metadata_condition={"conditions": [None]}),
        where(("year", "=", "2025"), logical_operator="xor"),
        where(("year", "=", "2025"), logical_operator=["and"]),
        where(("nope", "=", "2025")),
        where((None, "=", "2025")),
        where((["year", "title"], "=", "2025")),
        where((["nope"], "=", "2025")),
        where(({}, "=", "2025")),
        where(("year", "like", "2025")),
        where(("year", None, "2025")),
        where(("year", ["="], "2025")),
        where(("year",)),
        where(("year", "=")),
        where(("year", "=", None)),
        where(("year", "=", "去年")),
        where(("year", "=", "1e400")),
        where(("year", ">", "")),
        where(("year", ">", [2020])),
        where(("year", ">", True)),
        where(("year", "in", ["2025", "x"])),
        where(("year", "in", None)),
        where(("title", ">", "a")),
        where(("title", "before", "2025")),
        where(("title", "contains", None)),
        where(("title", "contains", ["宝山"])),
        where(("title", "is", True)),
        where(("title", "in", [None])),
        {},
        [],
        None,
    ],
)
def test_bad_requests(client, body):
    refusal(client.post("/retrieval", json=body), 400, 4000)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff",
        b"[" * 100_000,
        b'{"knowledge_id": "kewen", "query": NaN}',
        b'{"knowledge_id": "kewen", "query": "q", "retrieval_setting": {"top_k": NaN}}',
        b'{"knowledge_id": "kewen", "query": "q", "retrieval_setting": {"top_k": Infinity}}',
        b'{"knowledge_id": "kewen", "query": "q", "retrieval_setting": {"score_threshold": NaN}}',
        b'{"knowledge_id": "kewen", "query": "q", "retrieval_setting": {"score_threshold": -Infinity}}',
        *(
            b'{"knowledge_id": "kewen", "query": "q", "metadata_condition": {"conditions": [{"name": "year", '
            b'"comparison_operator": "' + operator + b'", "value": ' + value + b"}]}}"
            for operator in (b"=", b">", b"in", b"contains")
            for value in (b"NaN", b"-Infinity", b"[NaN]")
        ),
        b'{"knowledge_id": "kewen", "query": "\\ud800"}',
    ],
)
def test_bad_bodies(client, content):
    response = client.post("/retrieval", content=content, headers={"content-type": "application/json"})
    refusal(response, 400, 4000)


def test_a_number_of_any_size_is_a_number(client):
    assert records(client, where(("year", "<", 10**400)))
    assert records(client, where(("year", "=", -(10**400)))) == []
    assert records(client, where(("year", "<", 1e300)))


def test_fields_that_are_not_known_mean_nothing(client):
    assert records(client, request(user="u", mode="hybrid")) == records(client, request())


@pytest.mark.parametrize(("method", "status"), [("GET", 405), ("PUT", 405), ("DELETE", 405), ("PATCH", 405)])
def test_other_methods(client, method, status):
    response = client.request(method, "/retrieval", headers={"content-type": "application/json"})
    refusal(response, status, status * 10)


def test_every_refusal_is_logged_without_the_question(keyed, caplog):
    with caplog.at_level(logging.WARNING, logger="kewen"):
        keyed.post("/retrieval", json=request(query="机密之问"))
        for body in (request(query="机密之问" * 600), request(query="机密之问", knowledge_id="nope"), None):
            keyed.post("/retrieval", json=body, headers={"authorization": f"Bearer {KEY}"})
    lines = [x.getMessage() for x in caplog.records if x.levelno == logging.WARNING]
    assert [part for line in lines for part in ("403", "400", "404") if part in line] == ["403", "400", "404", "400"]
    assert "机密" not in caplog.text


# -- conditions -----------------------------------------------------------------------------------


def found_years(client, *conditions, **more):
    body = where(*conditions, **more) | {"query": "科技创新", "retrieval_setting": {"top_k": 100}}
    return {x["metadata"]["year"] for x in records(client, body)}


@pytest.mark.parametrize(
    ("operator", "value", "years"),
    [
        ("=", "2025", {2025}),
        ("=", 2025, {2025}),
        ("=", 2025.0, {2025}),
        ("is", "2025.0", {2025}),
        ("is", "2025年", {2025}),
        ("≠", "2025", {2015, 2022, 2024, 2026}),
        ("is not", 2025, {2015, 2022, 2024, 2026}),
        (">", "2024", {2025, 2026}),
        ("<", "2022", {2015}),
        ("≥", "2024", {2024, 2025, 2026}),
        ("≤", "2022", {2015, 2022}),
        (">=", "2024.5", {2025, 2026}),
        ("<=", 2022, {2015, 2022}),
        ("before", "2022", {2015}),
        ("after", 2025, {2026}),
        ("in", "2015, 2026", {2015, 2026}),
        ("in", ["2015", 2026], {2015, 2026}),
        ("in", [], set()),
        ("not in", [], {2015, 2022, 2024, 2025, 2026}),
        ("not in", "2015,2022,2024", {2025, 2026}),
        ("contains", "201", {2015}),
        ("not contains", "202", {2015}),
        ("start with", 202, {2022, 2024, 2025, 2026}),
        ("end with", "5", {2015, 2025}),
        ("=", "1999", set()),
    ],
)
def test_every_operator_on_a_number(client, operator, value, years):
    assert found_years(client, ("year", operator, value)) == years


@pytest.mark.parametrize("operator", ["empty", "not empty"])
def test_operators_without_a_value(client, assistant, operator):
    without = {x.id for x, _ in assistant.documents() if not x.issuer}
    body = where(("issuer", operator)) | {"query": "科技创新", "retrieval_setting": {"top_k": 100}}
    found = {x["metadata"]["document_id"] for x in records(client, body)}
    everything = {x.id for x, _ in assistant.documents()}
    assert found == (without if operator == "empty" else everything - without)
    assert all(("issuer" in x["metadata"]) == (operator == "not empty") for x in records(client, body))


def test_several_conditions(client):
    recent, plan = ("year", "≥", "2025"), ("document_id", "start with", "baoshan")
    assert found_years(client, recent, plan) == {2026}
    assert found_years(client, recent, plan, logical_operator="and") == {2026}
    assert found_years(client, ("year", "=", 2015), plan, logical_operator="or") == {2015, 2026}
    assert found_years(client, ("year", "=", 2015), plan, logic="or") == {2015, 2026}
    assert found_years(client, ("year", "=", 2015), plan, logical_operator=None) == set()


@pytest.mark.parametrize("condition", [None, {}, {"conditions": None}, {"conditions": []}, {"logical_operator": "or"}])
def test_no_condition(client, condition):
    assert records(client, request(metadata_condition=condition)) == records(client, request())


def test_conditions_narrow_a_knowledge_and_never_widen_it(client):
    body = where(("year", "=", "2022")) | {"knowledge_id": PLAN}
    assert records(client, body) == []
    body = where(("year", "=", "2022"), ("section", "contains", "基础"), logical_operator="or") | {"knowledge_id": PLAN}
    assert {x["metadata"]["document_id"] for x in records(client, body)} == {PLAN}


def test_conditions_on_passages(client):
    found = records(client, where(("section", "contains", "科普")) | {"query": "举办多少场活动"})
    assert found
    assert all("科普" in x["metadata"]["section"] for x in found)
    few = where(("section", "contains", "科普")) | {"query": "举办多少场活动", "retrieval_setting": {"top_k": 1}}
    assert records(client, few) == found[:1]
    one = found[0]["metadata"]["passage_id"]
    body = where(("passage_id", "is", one)) | {"query": "举办多少场活动"}
    assert [x["metadata"]["passage_id"] for x in records(client, body)] == [one]


def test_a_passage_or_a_report(client):
    body = where(("section", "contains", "科普"), ("year", "=", 2015), logical_operator="or")
    found = records(client, body | {"query": "科普活动", "retrieval_setting": {"top_k": 50}})
    held = [("科普" in x["metadata"].get("section", ""), x["metadata"]["year"] == 2015) for x in found]
    assert all(any(x) for x in held)
    assert {True} == {any(x[0] for x in held), any(x[1] for x in held)}


def test_a_name_in_a_list_as_the_documentation_has_it(client):
    assert found_years(client, (["year"], "=", "2025")) == {2025}


# -- conditions against an oracle ------------------------------------------------------------------

WORDS = ["", "宝山", "宝山区规划", "规划", "A", "a", "2025", "2,025", "年度 报告"]
DOCUMENTS = st.builds(
    DocumentInfo,
    id=st.sampled_from(["宝山", "a", "A"]),
    title=st.sampled_from(WORDS),
    year=st.integers(2014, 2027),
    series=st.sampled_from(WORDS),
    kind=st.sampled_from(WORDS),
    media_type=st.just("text/plain"),
    sha256=st.just("0"),
    characters=st.just(1),
    issuer=st.none() | st.sampled_from(WORDS),
)
YEARS = st.integers(2013, 2028)
ONE = {"name": st.just("year"), "value": YEARS | YEARS.map(str) | YEARS.map(float) | YEARS.map("{} 年".format)}
NUMBER = {"is", "=", "==", "is not", "≠", "!=", "<", ">", "≤", "≥", "<=", ">=", "before", "after"}
TEXT = {"is", "=", "is not", "≠", "contains", "not contains", "start with", "end with"}
CONDITIONS = st.one_of(
    st.fixed_dictionaries({**ONE, "comparison_operator": st.sampled_from(sorted(NUMBER))}),
    st.fixed_dictionaries(
        {
            "name": st.sampled_from(["document_id", "title", "series", "kind", "issuer"]),
            "comparison_operator": st.sampled_from(sorted(TEXT)),
            "value": st.sampled_from(WORDS),
        }
    ),
    st.fixed_dictionaries(
        {
            "name": st.sampled_from(["title", "issuer", "year"]),
            "comparison_operator": st.sampled_from(["empty", "not empty"]),
        }
    ),
    st.fixed_dictionaries(
        {
            "name": st.sampled_from(["title", "issuer", "kind"]),
            "comparison_operator": st.sampled_from(["in", "not in"]),
            "value": st.lists(st.sampled_from(WORDS)),
        }
    ),
    st.fixed_dictionaries(
        {"name": st.just("year"), "comparison_operator": st.sampled_from(["in", "not in"]), "value": st.lists(YEARS)}
    ),
)


def oracle(document, condition):
    """What a condition means, said as plainly as Python can."""
    known = {name: getattr(document, "id" if name == "document_id" else name) for name in DOCUMENT_FIELDS}
    value, given = known[condition["name"]], condition.get("value")
    if condition["name"] == "year" and not isinstance(given, list | None):
        given = float(str(given).removesuffix("年"))
    missing = value is None
    return {
        "empty": lambda: missing or value == "",
        "not empty": lambda: not (missing or value == ""),
        "contains": lambda: not missing and given in value,
        "not contains": lambda: missing or given not in value,
        "start with": lambda: not missing and value.startswith(given),
        "end with": lambda: not missing and value.endswith(given),
        "in": lambda: value in given,
        "not in": lambda: value not in given,
        "is": lambda: value == given,
        "is not": lambda: value != given,
        "<": lambda: value < given,
        ">": lambda: value > given,
        "≤": lambda: value <= given,
        "≥": lambda: value >= given,
    }[
        {
            "=": "is",
            "==": "is",
            "≠": "is not",
            "!=": "is not",
            "before": "<",
            "after": ">",
            "<=": "≤",
            ">=": "≥",
        }.get(condition["comparison_operator"], condition["comparison_operator"])
    ]()


@given(st.lists(DOCUMENTS, max_size=5), st.lists(CONDITIONS, max_size=4), st.sampled_from(["and", "or", "AND", None]))
def test_conditions_mean_what_the_oracle_says(documents, conditions, logic):
    read = read_conditions({"logical_operator": logic, "conditions": conditions})
    join = any if logic == "or" and conditions else all
    expected = {x.id for x in documents if join(oracle(x, c) for c in conditions)}
    assert read.documents(documents) == expected


@given(st.lists(DOCUMENTS, max_size=4), st.lists(CONDITIONS, max_size=3), st.sampled_from(["and", "or"]), st.data())
def test_no_report_is_left_out_that_has_a_passage_that_holds(documents, conditions, logic, data):
    """With a condition on passages, reports are narrowed only as far as is certain."""
    section = {"name": "section", "comparison_operator": "contains", "value": "科普"}
    read = read_conditions({"logic": logic, "conditions": [*conditions, section]})
    for document in documents:
        known = {name: getattr(document, "id" if name == "document_id" else name) for name in DOCUMENT_FIELDS}
        passage = {"section": data.draw(st.sampled_from(["科普工作", "概况", ""])), "label": "", "passage_id": "x:1-2"}
        held = [oracle(document, x) for x in conditions] + ["科普" in passage["section"]]
        expected = any(held) if logic == "or" else all(held)
        assert read.holds({**known, **passage}) == expected
        assert not expected or document.id in read.documents([document])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(
    JSON
    | st.fixed_dictionaries(
        {
            "logical_operator": JSON | st.sampled_from(["and", "or"]),
            "conditions": st.lists(
                st.fixed_dictionaries(
                    {
                        "name": JSON | st.sampled_from(FIELDS),
                        "comparison_operator": JSON | st.sampled_from(OPERATORS),
                        "value": JSON,
                    }
                ),
                max_size=3,
            ),
        }
    )
)
def test_whatever_is_sent_is_read_or_refused(sent):
    fields = {name: "宝山" for name in FIELDS} | {"year": 2025, "issuer": None}
    try:
        read = read_conditions(sent)
    except KewenError as error:
        refused = error
    else:
        assert read.holds(fields) in (True, False)
        return
    assert refused.code in ("invalid_request", "unknown_field", "unknown_operator")
    assert len(refused.message) < 600


def test_a_condition_on_passages_is_looked_at_before_they_are_ranked(assistant, settings):
    client = TestClient(create_app(assistant, settings), base_url="http://127.0.0.1")
    rows = assistant.retriever().snapshot.rows

    def retrieved(query, name, operator, value, top_k=100):
        condition = {"conditions": [{"name": name, "comparison_operator": operator, "value": value}]}
        body = {
            "knowledge_id": "kewen",
            "query": query,
            "retrieval_setting": {"top_k": top_k, "score_threshold": 0},
            "metadata_condition": condition,
        }
        return client.post("/retrieval", json=body).json()["records"]

    for row in rows[::40]:
        found = retrieved("有哪些重点产业？", "passage_id", "is", row.passage.id)
        assert [x["metadata"]["passage_id"] for x in found] == [row.passage.id]
    there = [x for x in rows if any("长宁" in name for name in x.passage.section)]
    assert len(retrieved("有哪些重点产业？", "section", "contains", "长宁")) == len(there) > 1
    beside = retrieved("宝山区有多少家生物医药企业？", "section", "contains", "黄浦")
    assert all(x["score"] < 0.25 for x in beside), "the confidence is of what may be found"
