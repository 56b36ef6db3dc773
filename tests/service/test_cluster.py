"""The index in Milvus as people use it: from a second machine that has nothing, and when something is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from index.milvus import Milvus
from index.milvus_build import publish
from service.assistant import Assistant
from service.cli import main
from service.errors import CODES, KewenError
from service.settings import Settings, load_settings
from tests.milvus_proxy import Proxy, fails, version

QUESTIONS = ("宝山区有多少家生物医药企业？", "先投后股是什么", "徐汇和长宁的科创中心有什么不同", "2025年张江有哪些企业")


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cluster")


@pytest.fixture(scope="module")
def proxy(place) -> Proxy:
    proxy = Proxy(str(place / "behind.db"))
    yield proxy
    proxy.stop()


@pytest.fixture(scope="module")
def here(place) -> Assistant:
    """Who builds: with the reports, and an index of its own."""
    return Assistant(load_settings({"home": place / "home"}, {}))


@pytest.fixture(scope="module")
def published(here, proxy) -> Settings:
    here.build()
    settings = load_settings({"home": here.settings.home, "backend": "milvus", "milvus_uri": proxy.uri}, {})
    Assistant(settings).publish()
    return settings


@pytest.fixture
def there(published, tmp_path) -> Assistant:
    """Who asks: without reports, without an index."""
    given = {"backend": "milvus", "milvus_uri": published.milvus_uri, "reports": tmp_path / "none"}
    return Assistant(load_settings({"home": tmp_path / "elsewhere", **given}, {}))


@pytest.fixture(autouse=True)
def sound(proxy) -> None:
    proxy.faults.clear()


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    written = capsys.readouterr()
    return int(ended.value.code or 0), written.out, written.err


def test_a_machine_without_reports_has_the_same_hits_and_citations(here, there):
    for question in QUESTIONS:
        expected, found = here.search(question, 10), there.search(question, 10)
        assert [(x.passage, x.citation, x.highlights) for x in found.hits] == [
            (x.passage, x.citation, x.highlights) for x in expected.hits
        ]
        assert found.readings == expected.readings
    assert not (there.settings.home / "index").exists()


def test_answers_are_the_same_to_the_character(here, there):
    for question in QUESTIONS:
        expected, found = here.ask(question), there.ask(question)
        assert found.sentences == expected.sentences
        assert [x.citation for x in found.citations] == [x.citation for x in expected.citations]
        assert found.confidence == pytest.approx(expected.confidence, abs=0.01)


def test_the_years_of_a_place_are_compared_the_same(here, there):
    expected, found = here.compare("宝山", None), there.compare("宝山", None)
    assert [x.cells for x in found.columns] == [x.cells for x in expected.columns]
    assert found.citations == expected.citations
    assert there.subjects() == here.subjects()


def test_documents_and_their_texts_are_there(here, there):
    assert there.documents() == here.documents()
    for document, _ in here.documents():
        _, passages, source = there.document(document.id)
        assert passages == here.document(document.id)[1]
        assert source.text(document.id) == here.snapshot().text(document.id)


def test_why_a_passage_was_found_is_not_told_and_that_is_said(there):
    with pytest.raises(KewenError, match="explain") as caught:
        there.search(QUESTIONS[0], explain=True)
    assert caught.value.code == "backend_unsupported"


def test_the_commands(capsys, published, tmp_path):
    given = ("--backend", "milvus", "--uri", published.milvus_uri, "--home", str(tmp_path / "h"))
    code, out, _ = run(capsys, "index", "status", "--json", *given)
    assert code == 0
    assert json.loads(out)["generation"] == "kewen_1"
    code, out, _ = run(capsys, "search", "先投后股是什么", "--json", *given)
    assert code == 0
    assert json.loads(out)["hits"][0]["citation"]["document_id"] == "baoshan-2026-innovation-plan"


def test_doctor_looks_at_the_index_in_milvus(capsys, monkeypatch, published, tmp_path):
    monkeypatch.setenv("KEWEN_BACKEND", "milvus")
    monkeypatch.setenv("KEWEN_MILVUS_URI", published.milvus_uri)
    assert "Milvus 中的 kewen_1" in run(capsys, "doctor", "--home", str(tmp_path / "h"))[1]
    monkeypatch.setenv("KEWEN_MILVUS_URI", "http://127.0.0.1:1")
    code, out, _ = run(capsys, "doctor", "--home", str(tmp_path / "h"))
    assert code == CODES["backend_unavailable"][1]
    assert "连不上" in out


def test_building_again_sends_nothing_that_is_there(capsys, published, here):
    given = ("--backend", "milvus", "--uri", published.milvus_uri, "--home", str(here.settings.home))
    code, out, _ = run(capsys, "index", "build", "--json", *given)
    assert code == 0
    assert json.loads(out)["milvus"]["sent"] == 0


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        ({}, "invalid_setting", "--uri"),
        ({"milvus_uri": "http://127.0.0.1:1"}, "backend_unavailable", "127.0.0.1:1"),
        ({"milvus_uri": "here", "milvus_collection": "other"}, "index_unavailable", "别名 other"),
    ],
)
def test_what_is_wrong_is_one_chinese_line(capsys, monkeypatch, proxy, published, tmp_path, given, code, said):
    for name, value in {"backend": "milvus", **given}.items():
        monkeypatch.setenv(f"KEWEN_{name.upper()}", proxy.uri if value == "here" else value)
    ended, out, err = run(capsys, "search", "宝山", "--home", str(tmp_path / "h"))
    assert (ended, out) == (CODES[code][1], "")
    assert err.strip().splitlines()[-1].startswith(f"错误（{code}）：")
    assert said in err
    assert "Traceback" not in err


def test_a_token_is_never_shown(capsys, monkeypatch, proxy, tmp_path):
    monkeypatch.setenv("KEWEN_MILVUS_TOKEN", "root:geheim")
    monkeypatch.setenv("KEWEN_MILVUS_URI", proxy.uri)
    proxy.faults["GetVersion"] = version("2.4.0")
    code, out, err = run(capsys, "search", "宝山", "--backend", "milvus", "--home", str(tmp_path / "h"))
    assert code == CODES["backend_incompatible"][1]
    assert "geheim" not in out + err + repr(load_settings({}))


def test_another_encoder_than_the_one_of_the_index_is_told(there, monkeypatch):
    monkeypatch.setattr(there.encoder(), "fingerprint", "another")
    with pytest.raises(KewenError, match="编码器") as caught:
        there.retriever()
    assert caught.value.code == "model_mismatch"


def test_a_new_generation_is_read_from_then_on_and_a_lost_one_does_not_stop_what_serves(
    here, published, proxy, tmp_path, monkeypatch
):
    monkeypatch.setattr("service.cluster._LOOK_SECONDS", 0)
    heard: list[str] = []
    reader = Assistant(
        load_settings({"home": tmp_path, "backend": "milvus", "milvus_uri": proxy.uri}, {}), heard.append
    )
    first = reader.retriever()
    assert reader.retriever() is first
    milvus = Milvus(proxy.uri)
    snapshot = here.snapshot()
    object.__setattr__(snapshot, "description", {**snapshot.description, "files": {"another": "one"}})
    name = publish(snapshot, milvus, "kewen").collection
    assert reader.search("宝山").generation == name != first.snapshot.name
    proxy.faults["DescribeAlias"] = fails(2, "unavailable")
    assert reader.search("宝山").hits
    assert any("继续用" in line for line in heard)


@pytest.mark.parametrize("uri", ["ftp://host", "http://root:geheim@host:19530", "host:19530", "http://host/path?x=1"])
def test_an_address_that_will_not_do_is_refused(uri):
    with pytest.raises(KewenError, match="milvus_uri"):
        load_settings({"milvus_uri": uri}, {})


@pytest.mark.parametrize("name", ["", "1kewen", "ke wen", "科问", "k" * 101])
def test_a_name_that_will_not_do_is_refused(name):
    with pytest.raises(KewenError, match="milvus_collection"):
        load_settings({"milvus_collection": name}, {})
