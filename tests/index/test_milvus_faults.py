"""What can be wrong with a Milvus server, and what is said and published then: nothing by half."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from dataclasses import replace

import grpc
import pytest

from corpus.library import Library
from index.build import build_index
from index.generations import GenerationStore
from index.milvus import FLOORS, Milvus
from index.milvus_build import publish
from index.milvus_schema import check_schema
from index.milvus_source import MilvusSource
from index.snapshot import Snapshot
from index.storage import IndexProblem
from tests.milvus_proxy import Proxy, aborts, fails, hangs, version

TEXT = "# 报告\n\n" + "".join(f"## 第{n}区\n\n第{n}区有{n}家生物医药企业，推进先投后股。\n\n" for n in range(1, 9))


@pytest.fixture
def proxy(tmp_path) -> Iterator[Proxy]:
    proxy = Proxy(str(tmp_path / "behind.db"))
    yield proxy
    proxy.stop()


@pytest.fixture
def snapshot(make_folder, tmp_path, bundled) -> Snapshot:
    store = GenerationStore(tmp_path / "index")
    build_index(Library(make_folder({"report.md": TEXT})), store, bundled)
    return Snapshot.load(store.open()[0])


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that takes connections and says nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def problem(uri: str, token: str = "", seconds: float = 10) -> IndexProblem:
    with pytest.raises(IndexProblem) as caught:
        Milvus(uri, token, seconds=seconds)
    return caught.value


def test_a_server_that_is_down_is_told_with_its_address():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    found = problem(f"http://127.0.0.1:{port}")
    assert found.code == "backend_unavailable"
    assert f"127.0.0.1:{port}" in found.message


def test_without_its_library_it_is_said_what_to_install(monkeypatch):
    for name in ("pymilvus", "pymilvus.exceptions", "grpc"):
        monkeypatch.setitem(sys.modules, name, None)  # as where it is not installed
    with pytest.raises(IndexProblem, match=r"kewen\[milvus\]") as raised:
        Milvus("http://127.0.0.1:1")
    assert raised.value.code == "missing_extra"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_server_that_says_nothing_is_given_up(silent, scheme):
    assert problem(f"{scheme}://127.0.0.1:{silent}", seconds=1).code == "backend_unavailable"


def test_a_plain_server_is_not_taken_for_one_with_tls(proxy):
    found = problem(proxy.uri.replace("http:", "https:"), seconds=2)
    assert found.code == "backend_unavailable"
    assert "https" in found.message


def test_a_folder_that_is_not_there_is_named(tmp_path):
    found = problem(str(tmp_path / "nowhere" / "m.db"))
    assert found.code == "backend_unavailable"
    assert "m.db" in found.message


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED])
@pytest.mark.parametrize("method", ["Connect", "GetVersion"])
def test_a_wrong_token_is_told_and_never_shown(proxy, caplog, method, code):
    proxy.faults[method] = aborts(code)
    found = problem(proxy.uri, "root:geheim", 2)
    assert found.code in ("backend_denied", "backend_unavailable")
    assert method == "Connect" or found.code == "backend_denied"
    assert "geheim" not in found.message + caplog.text


def test_the_token_goes_to_the_server_alone(proxy):
    Milvus(proxy.uri, "root:geheim")
    assert any("authorization" in x for x in proxy.metadata)
    assert not any("geheim" in value for x in proxy.metadata for value in x.values())


@pytest.mark.parametrize("text", ["2.4.23", "v2.5.26", "2.5.3-rc1", "2.6.9", "unknown", ""])
def test_a_version_in_which_authentication_can_be_passed_by_is_refused(proxy, text):
    proxy.faults["GetVersion"] = version(text)
    found = problem(proxy.uri)
    assert found.code == "backend_incompatible"
    assert "CVE-2026-26190" in found.message


@pytest.mark.parametrize("text", [*(".".join(map(str, x)) for x in FLOORS), "v2.6.11", "2.7.0", "3.0.1"])
def test_later_versions_are_taken(proxy, text):
    proxy.faults["GetVersion"] = version(text)
    assert not Milvus(proxy.uri).is_lite


def test_a_server_that_is_slow_to_answer_a_question_is_told(proxy, snapshot):
    milvus = Milvus(proxy.uri)
    publish(snapshot, milvus, "kewen")
    milvus._seconds = 0.3
    proxy.faults["Query"] = hangs(1.0)
    with pytest.raises(IndexProblem, match="应答") as caught:
        MilvusSource(milvus, "kewen_1").row(0)
    assert caught.value.code == "backend_unavailable"


FULL = [(3, "memory limit exceeded"), (7, "disk limit exceeded"), (9, "quota exceeded"), (65535, "quota exceeded[x]")]


@pytest.mark.parametrize(("code", "reason"), FULL)
@pytest.mark.parametrize("after", [0, 2])
def test_a_full_server_has_nothing_published(proxy, snapshot, monkeypatch, code, reason, after):
    monkeypatch.setattr("index.milvus_build._MOST", 4)
    proxy.faults["Upsert"] = fails(code, reason, after)
    milvus = Milvus(proxy.uri)
    with pytest.raises(IndexProblem, match="已满") as caught:
        publish(snapshot, milvus, "kewen")
    assert caught.value.code == "insufficient_storage"
    assert milvus.aim("kewen") is None
    del proxy.faults["Upsert"]
    published = publish(snapshot, milvus, "kewen")
    assert published.rows == milvus.count(published.collection)
    assert milvus.names() == [published.collection, f"{published.collection}_tables"]


def test_a_server_that_is_away_for_a_moment_is_written_to_again(proxy, snapshot, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    proxy.faults["Upsert"] = fails(2, "service unavailable", after=1, until=2)
    published = publish(snapshot, Milvus(proxy.uri), "kewen")
    assert published.sent == published.rows


def test_a_server_that_stays_away_ends_the_build_and_the_old_generation_is_read(proxy, snapshot, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    milvus = Milvus(proxy.uri)
    publish(snapshot, milvus, "kewen")
    proxy.faults["Upsert"] = fails(2, "service unavailable", after=proxy.calls["Upsert"] + 1)
    later = replace(snapshot, description={**snapshot.description, "files": {"another": "one"}})
    with pytest.raises(IndexProblem) as caught:
        publish(later, milvus, "kewen")
    assert caught.value.code == "backend_unavailable"
    assert milvus.aim("kewen") == "kewen_1"
    assert MilvusSource(milvus, "kewen_1").row(0) == snapshot.rows[0]


def test_a_collection_of_another_make_or_dimension_is_told(proxy, snapshot):
    milvus = Milvus(proxy.uri)
    publish(snapshot, milvus, "kewen")
    check_schema(milvus, "kewen_1", snapshot.plain.pieces.dim)
    with pytest.raises(IndexProblem, match="维") as caught:
        check_schema(milvus, "kewen_1", 32)
    assert caught.value.code == "backend_incompatible"
    with pytest.raises(IndexProblem, match="字段") as caught:
        check_schema(milvus, "kewen_1_tables", 32)
    assert caught.value.code == "backend_incompatible"


def test_a_collection_that_is_gone_is_told(proxy, snapshot):
    milvus = Milvus(proxy.uri)
    source = MilvusSource(milvus, publish(snapshot, milvus, "kewen").collection)
    milvus.drop("kewen_1")
    with pytest.raises(IndexProblem) as caught:
        source.row(0)
    assert caught.value.code == "index_missing"


def test_what_pymilvus_would_log_is_left_out(proxy, capfd, caplog):
    milvus = Milvus(proxy.uri)
    proxy.faults["ShowCollections"] = aborts(grpc.StatusCode.PERMISSION_DENIED)
    with pytest.raises(IndexProblem) as caught:
        milvus.names()
    assert caught.value.code == "backend_denied"
    assert "Traceback" not in capfd.readouterr().err
    assert not [x for x in caplog.records if x.name.startswith("pymilvus")]
