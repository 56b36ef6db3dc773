"""A large index is mapped and not read when it is opened: whatever a disk did to it is told when it is met, and found."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from index import generations
from index.generations import _TABLES, GenerationStore
from index.storage import IndexProblem
from service import inspection
from service.app import create_app
from service.assistant import Assistant
from service.errors import DAMAGED, OK, KewenError
from service.inspection import inspect_beside

QUESTION = "甲区有企业多少家？"


@pytest.fixture
def assistant(small_library, tmp_path, monkeypatch) -> Assistant:
    """Of one small report, whose index is opened as a large one is."""
    monkeypatch.setattr(generations, "MAPPED", 0)
    return small_library(tmp_path)


def anew(assistant: Assistant, told: list[str] | None = None) -> Assistant:
    """As another process opens what is there."""
    other = Assistant(assistant.settings, [].append if told is None else told.append)
    other._encoder = assistant.encoder()
    return other


def folder(assistant: Assistant) -> Path:
    return assistant.store.folder / (assistant.store.current_name() or "")


def changed(path: Path, change: Callable[[bytearray], object]) -> bytes:
    """Change a file as a disk does, where it stands; what it held."""
    data = path.read_bytes()
    other = bytearray(data)
    change(other)
    path.write_bytes(other)
    return data


def flipped(data: bytearray) -> None:
    for n in range(len(data) // 2, len(data), 8):
        data[n] ^= 1


def refusal(call: Callable[[], object]) -> KewenError | None:
    try:
        call()
    except KewenError as error:
        return error
    return None


def test_sizes_and_what_is_parsed_are_checked_at_opening_and_all_else_by_verifying(assistant, kewen):
    store = assistant.store
    generation = store.open()[0]
    assert generation.mapped
    home = str(assistant.settings.home)
    verify = "index", "verify", "--home", home, "--reports", str(assistant.settings.reports)
    assert kewen(*verify)[0] == OK
    verified = 0
    for file in generation.files:
        path = generation.folder / file
        for harm in (lambda data: data.append(0), lambda data: data.clear() if not data else data.pop()):
            if path.stat().st_size or harm.__code__.co_names == ("append",):
                held = changed(path, harm)
                with pytest.raises(IndexProblem, match="已损坏") as error:
                    store.read(generation.name)
                assert error.value.code == "index_damaged"
                assert file in error.value.message
                path.write_bytes(held)
        path.rename(path.with_suffix(".gone"))
        with pytest.raises(IndexProblem, match="读不出来"):
            store.read(generation.name)
        path.with_suffix(".gone").rename(path)
        if not path.stat().st_size:
            continue
        held = changed(path, lambda data: data.__setitem__(-1, data[-1] ^ 1))
        if file.endswith(_TABLES):
            with pytest.raises(IndexProblem, match="已损坏"):
                store.check(store.read(generation.name))
        else:
            with pytest.raises(IndexProblem, match="已损坏"):
                store.read(generation.name)
        with pytest.raises(KewenError, match="已损坏") as error:
            assistant.verify()
        assert (error.value.code, file in error.value.message) == ("index_unavailable", True)
        path.write_bytes(held)
        verified += 1
    assert verified > 30
    changed(folder(assistant) / "000/plain/dense/vectors.npy", flipped)
    code, _, err = kewen(*verify)
    assert code == DAMAGED
    assert "vectors.npy" in err


def test_damage_to_the_generation_before_is_found_by_verifying(assistant):
    before = folder(assistant)
    text = assistant.settings.reports / "a.txt"
    text.write_text(text.read_text(encoding="utf-8") + "乙区有企业三家。\n", encoding="utf-8")
    assistant.build()
    assert assistant.verify()["faults"] == []
    changed(before / "000/passages.jsonl", flipped)
    assert "passages.jsonl" in "".join(assistant.verify()["faults"])


@pytest.mark.parametrize("file", ["passages.jsonl", "documents.jsonl", "texts.bin"])
def test_nothing_damaged_is_ever_shown_and_each_door_says_so(assistant, kewen, file):
    changed(folder(assistant) / "000" / file, flipped)
    told: list[str] = []
    other = anew(assistant, told)
    client = TestClient(create_app(other, other.settings), base_url="http://127.0.0.1", raise_server_exceptions=False)
    given = ["--home", str(assistant.settings.home), "--reports", str(assistant.settings.reports)]
    calls = {
        "search": lambda: other.search(QUESTION),
        "ask": lambda: other.ask(QUESTION),
        "documents": lambda: other.documents(),
        "document": lambda: other.document("a"),
        "text": lambda: other.document("a")[2].text("a"),
    }
    problems = {name: problem for name, call in calls.items() if (problem := refusal(call))}
    assert {x.code for x in problems.values()} == {"index_unavailable"}
    assert all("已损坏" in x.message for x in problems.values())
    expected = {
        "passages.jsonl": {"search", "ask", "document"},
        "documents.jsonl": {"documents", "document"},
        "texts.bin": {"text"},
    }[file]
    assert expected <= problems.keys()
    asked = {
        "/v1/search": client.post("/v1/search", json={"query": QUESTION}),
        "/v1/ask": client.post("/v1/ask", json={"question": QUESTION}),
        "/v1/ask stream": client.post("/v1/ask", json={"question": QUESTION, "stream": True}),
        "/v1/chat": client.post(
            "/v1/chat/completions", json={"model": "kewen", "messages": [{"role": "user", "content": QUESTION}]}
        ),
        "/v1/documents": client.get("/v1/documents"),
        "/v1/documents/a": client.get("/v1/documents/a"),
        "/d/a": client.get("/d/a"),
        "/v1/compare": client.post("/v1/compare", json={"subject": "甲区"}),
        "/v1/subjects": client.get("/v1/subjects"),
        "/retrieval": client.post(
            "/retrieval",
            json={"knowledge_id": "kewen", "query": QUESTION, "retrieval_setting": {"top_k": 3, "score_threshold": 0}},
        ),
    }
    statuses = {name: response.status_code for name, response in asked.items()}
    assert not [name for name, status in statuses.items() if status == 500], statuses
    assert 503 in statuses.values()
    for name, response in asked.items():
        if response.status_code == 503:
            assert "已损坏" in response.text, name
            assert "kewen index build" in response.text, name
    command = {"passages.jsonl": "search", "documents.jsonl": "docs show", "texts.bin": "index verify"}[file]
    code, _, err = kewen(*command.split(), *([] if "verify" in command else ["a"]), *given)
    assert (code, "已损坏" in err) == (DAMAGED, True)
    # What every message says does help.
    built = anew(assistant).build().generation
    assistant.store.check(assistant.store.read(built))
    assert other.search(QUESTION).generation == built
    assert other.ask(QUESTION).citations


def test_an_index_that_is_removed_while_it_serves_goes_on_serving(assistant, kewen):
    other = anew(assistant)
    expected = other.search(QUESTION).hits
    shutil.rmtree(folder(assistant))
    assert other.search(QUESTION).hits == expected
    assert other.document("a")[2].text("a").startswith("甲区报告")
    told: list[str] = []
    thread = inspect_beside(other, told.append)
    assert thread
    thread.join(20)
    assert told == []


def test_serving_finds_what_is_damaged_and_goes_back_to_what_is_sound(assistant):
    before = folder(assistant).name
    text = assistant.settings.reports / "a.txt"
    text.write_text(text.read_text(encoding="utf-8") + "乙区有企业三家。\n", encoding="utf-8")
    assistant.build()
    damaged = folder(assistant)
    changed(damaged / "000/plain/dense/vectors.npy", flipped)
    told: list[str] = []
    other = anew(assistant, told)
    assert other.search(QUESTION).generation == damaged.name
    thread = inspect_beside(other, told.append)
    assert thread
    assert thread.daemon
    thread.join(20)
    assert any("vectors.npy 已损坏" in line for line in told)
    assert other.search(QUESTION).generation == before
    assert any(f"现用 {before}" in line and "kewen index build" in line for line in told)
    # A newer one is taken up.
    newest = anew(assistant).build().generation
    assert other.search(QUESTION).generation == newest
    GenerationStore(assistant.store.folder).check(assistant.store.read(newest))


def test_where_there_is_nothing_to_go_back_to_it_says_what_to_do(assistant):
    changed(folder(assistant) / "000/plain/dense/vectors.npy", flipped)
    told: list[str] = []
    other = anew(assistant)
    thread = inspect_beside(other, told.append)
    assert thread
    thread.join(20)
    assert ["vectors.npy 已损坏" in told[0], "请尽快运行 kewen index build" in told[1]] == [True, True]
    assert other.search(QUESTION).hits


def test_a_sound_index_is_inspected_in_silence_and_a_small_one_not_at_all(assistant, monkeypatch):
    told: list[str] = []
    thread = inspect_beside(anew(assistant), told.append)
    assert thread
    thread.join(20)
    assert told == []
    monkeypatch.setattr(generations, "MAPPED", 1 << 20)
    monkeypatch.setattr(inspection.threading, "Thread", lambda **_: pytest.fail("it was read already"))
    assert inspect_beside(anew(assistant), told.append) is None
