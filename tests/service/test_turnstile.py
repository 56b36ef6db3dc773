"""So many at work, so many waiting, the next is told to come back; and nobody else waits for them."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import httpx
import pytest

from service.app import create_app
from service.assistant import Assistant
from service.errors import KewenError
from service.llm import ChatModel
from service.settings import Settings, load_settings
from service.threads import in_turn
from service.turnstile import Place, Turnstile, turnstile_for
from tests.live import listen, running, serving

QUESTION = "宝山区有多少家生物医药企业？"
SECONDS = 20.0


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def refusal(call: Callable[[], object]) -> KewenError:
    with pytest.raises(KewenError) as raised:
        call()
    assert raised.value.code == "busy"
    return raised.value


class Hall:
    """A turnstile, and people who each stay at work until they are told to go."""

    def __init__(self, at_work: int, waiting: int) -> None:
        self.turnstile = Turnstile(at_work, waiting)
        self.order: list[str] = []
        self.go: dict[str, threading.Event] = {}
        self.pool = ThreadPoolExecutor(20)

    def comes(self, name: str) -> tuple[Place, Future[None]]:
        place, self.go[name] = self.turnstile.enter(), threading.Event()

        def work() -> None:
            with place:
                self.order.append(name)
                assert self.go[name].wait(SECONDS)

        future = self.pool.submit(work)
        until(lambda: place.is_at_work or place in self.turnstile._line)
        return place, future

    def goes(self, name: str) -> None:
        self.go[name].set()


@pytest.fixture
def hall() -> Iterator[Hall]:
    made = Hall(1, 2)
    yield made
    for event in made.go.values():
        event.set()
    made.pool.shutdown()


def test_who_comes_first_is_served_first_and_one_too_many_is_told_when_to_come_back(hall):
    futures = [hall.comes(name)[1] for name in "abc"]
    assert hall.order == ["a"]
    assert 1 <= refusal(hall.turnstile.enter).detail["retry_after"] <= 60
    for name, future in zip("abc", futures, strict=True):
        until(lambda name=name: name in hall.order)
        hall.goes(name)
        future.result(SECONDS)
    assert hall.order == ["a", "b", "c"]
    assert hall.turnstile._free == 1
    assert hall.turnstile._taken == 0


def test_the_seconds_to_wait_grow_with_how_long_turns_take():
    now = [0.0]
    turnstile = Turnstile(1, 9, lambda: now[0])
    for _ in range(60):
        with turnstile.enter():
            now[0] += 2.0
    for _ in range(10):
        turnstile.enter()
    assert 18 <= refusal(turnstile.enter).detail["retry_after"] <= 20


def test_who_leaves_the_line_is_not_served_and_makes_room(hall):
    hall.comes("a")
    place, future = hall.comes("b")
    hall.comes("c")
    refusal(hall.turnstile.enter)
    place.leave()
    place.leave()
    refusal(lambda: future.result(SECONDS))
    _, last = hall.comes("d")
    for name in "acd":
        hall.goes(name)
    last.result(SECONDS)
    assert hall.order == ["a", "c", "d"]


def test_who_leaves_at_work_has_its_place_until_the_work_is_done(hall):
    place, future = hall.comes("a")
    place.leave()
    refusal(place.check)
    assert hall.turnstile._taken == 1
    hall.goes("a")
    future.result(SECONDS)
    assert hall.turnstile._taken == 0


def test_who_has_left_does_not_begin(hall):
    place = hall.turnstile.enter()
    place.leave()
    refusal(place.__enter__)
    assert (hall.turnstile._free, hall.turnstile._taken) == (1, 0)


def test_who_waits_for_something_else_takes_no_place_and_has_its_turn_after(hall):
    aside = hall.turnstile.enter()
    aside.stand_aside()
    futures = [hall.comes(name)[1] for name in "abc"]

    def work() -> None:
        with aside:
            hall.order.append("aside")

    late = hall.pool.submit(work)
    for name in "abc":
        hall.goes(name)
    late.result(SECONDS)
    for future in futures:
        future.result(SECONDS)
    assert hall.order[-1] == "aside"
    assert hall.turnstile._taken == 0


def test_what_fails_gives_its_turn_back(hall):
    with pytest.raises(ZeroDivisionError), hall.turnstile.enter():
        _ = 1 / 0
    assert (hall.turnstile._free, hall.turnstile._taken) == (1, 0)


def test_a_closed_turnstile_sends_away_who_waits_and_who_comes_and_no_other(hall):
    _, at_work = hall.comes("a")
    _, waiting = hall.comes("b")
    early = hall.turnstile.enter()
    hall.turnstile.close()
    assert refusal(lambda: waiting.result(SECONDS)).detail["closing"]
    refusal(hall.turnstile.enter)
    refusal(early.__enter__)
    hall.goes("a")
    at_work.result(SECONDS)


def test_what_is_cancelled_while_it_waits_is_not_begun():
    turnstile = Turnstile(1, 1)
    begun = []

    async def run() -> None:
        with turnstile.enter():

            def work(place: Place) -> None:
                with place:
                    begun.append(place)

            waiting = asyncio.ensure_future(in_turn(turnstile, work))
            while not turnstile._line:
                await asyncio.sleep(0.005)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting

    asyncio.run(run())
    assert not begun
    assert (turnstile._free, turnstile._taken) == (1, 0)


@pytest.mark.parametrize(
    ("given", "at_work", "waiting"),
    [
        ({"concurrency": 4, "queue": 7}, 4, 7),
        ({"concurrency": 4, "queue": 7, "workers": 2}, 2, 3),
        ({"concurrency": 1, "queue": 0, "workers": 4}, 1, 0),
        ({"queue": 9, "workers": 3}, 2, 3),
    ],
)
def test_workers_share_what_may_be_done_at_once(tmp_path, given, at_work, waiting):
    turnstile = turnstile_for(load_settings({"home": tmp_path, **given}, {}))
    assert [turnstile.enter() for _ in range(at_work + waiting)]
    refusal(turnstile.enter)


# -- over HTTP --------------------------------------------------------------------------------------


class Slow(Assistant):
    """Searches until it is told to go on."""

    begun = 0
    go: threading.Event

    def retriever(self):
        retriever = super().retriever()
        outer = self

        class Blocked:
            def __getattr__(self, name):
                return getattr(retriever, name)

            def search(self, *given, **named):
                outer.begun += 1
                assert outer.go.wait(SECONDS)
                return retriever.search(*given, **named)

        return Blocked()

    def answerer(self):
        answerer = super().answerer()
        answerer.retriever = self.retriever()
        return answerer


@pytest.fixture
def slow(opened: Assistant, settings: Settings) -> Iterator[Slow]:
    made = Slow(replace(settings, concurrency=2, queue=3, mcp="on"))
    for name in ("_encoder", "_retriever", "_snapshot", "_version"):
        setattr(made, name, getattr(opened, name))
    made.go = threading.Event()
    yield made
    made.go.set()


@contextmanager
def full(slow: Slow) -> Iterator[tuple[str, list[Future[httpx.Response]]]]:
    """A service with two searches at work and three that wait, until the end of the block."""
    with watched(slow) as (base, turnstile), ThreadPoolExecutor(5) as pool:
        asked = [
            pool.submit(httpx.post, f"{base}/v1/search", json={"query": QUESTION}, timeout=SECONDS) for _ in range(5)
        ]
        try:
            until(lambda: len(turnstile._line) == 3)
            yield base, asked
        finally:
            slow.go.set()


@contextmanager
def watched(assistant: Assistant) -> Iterator[tuple[str, Turnstile]]:
    """A service and its turnstile."""
    app = create_app(assistant, assistant.settings)
    with running(app, listen()) as base:
        yield base, app.state.turnstile


def test_everything_else_goes_on_while_searches_hang(slow):
    with full(slow) as (base, asked):
        for path in ("/healthz", "/readyz", "/v1/documents", "/v1/models", "/", "/widget.js", "/openapi.json"):
            assert httpx.get(f"{base}{path}", timeout=SECONDS).status_code == 200, path
        text = httpx.get(f"{base}/v1/documents/baoshan-2026-innovation-plan/text?end=5", timeout=SECONDS).json()["text"]
        assert len(text) == 5
        assert slow.begun == 2
        assert not any(x.done() for x in asked)
        slow.go.set()
        assert [x.result().status_code for x in asked] == [200] * 5


REFUSALS = {
    "/v1/search": ({"query": "问"}, lambda x: x["error"]["code"]),
    "/v1/ask": ({"question": "问"}, lambda x: x["error"]["code"]),
    "/v1/ask#": ({"question": "问", "stream": True}, lambda x: x["error"]["code"]),
    "/v1/compare": ({"subject": "问"}, lambda x: x["error"]["code"]),
    "/tools/ask": ({"question": "问"}, lambda x: x["error"]["code"]),
    "/tools/search": ({"query": "问"}, lambda x: x["error"]["code"]),
    "/v1/chat/completions": (
        {"model": "kewen", "messages": [{"role": "user", "content": "问"}]},
        lambda x: x["error"]["code"] if x["error"]["type"] == "server_error" else None,
    ),
    "/v1/chat/completions#": (
        {"model": "kewen", "messages": [{"role": "user", "content": "问"}], "stream": True},
        lambda x: x["error"]["code"],
    ),
    "/v1/embeddings": ({"model": "kewen-embedding-query", "input": "问"}, lambda x: x["error"]["code"]),
    "/v1/rerank": ({"query": "问", "documents": ["答"]}, lambda x: x["error"]["code"]),
    "/retrieval": ({"knowledge_id": "kewen", "query": "问"}, lambda x: "busy" if x["error_code"] == 5030 else None),
}


def test_each_protocol_is_told_in_its_own_words_when_to_come_back(slow):
    with full(slow) as (base, _):
        for path, (body, code) in REFUSALS.items():
            response = httpx.post(f"{base}{path.rstrip('#')}", json=body, timeout=SECONDS)
            assert (response.status_code, code(response.json())) == (503, "busy"), path
            assert 1 <= int(response.headers["Retry-After"]) <= 60
            assert "再试" in response.text
        call = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": "ask", "arguments": {"question": "问"}},
        }
        accepts = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-11-25"}
        told = httpx.post(f"{base}/mcp", json=call, headers=accepts, timeout=SECONDS).json()["result"]
        assert told["isError"]
        assert "再试" in told["content"][0]["text"]


@pytest.mark.parametrize("is_stream", [False, True])
def test_a_client_that_leaves_the_line_makes_room(slow, is_stream):
    with watched(slow) as (base, turnstile), ThreadPoolExecutor(5) as pool:
        at_work = [
            pool.submit(httpx.post, f"{base}/v1/search", json={"query": QUESTION}, timeout=SECONDS) for _ in range(2)
        ]
        until(lambda: slow.begun == 2)
        waiting = [http.client.HTTPConnection(base.removeprefix("http://")) for _ in range(3)]
        body = json.dumps({"question": QUESTION, "stream": is_stream})
        for connection in waiting:
            connection.request("POST", "/v1/ask", body, {"Content-Type": "application/json"})
        until(lambda: len(turnstile._line) == 3)
        for connection in waiting:
            connection.close()
        until(lambda: not turnstile._line)
        assert turnstile._taken == 2
        slow.go.set()
        assert [x.result().status_code for x in at_work] == [200, 200]
        assert slow.begun == 2, "what was left is not searched"


def test_a_language_model_that_hangs_keeps_nobody_from_searching(settings, opened, hanging, monkeypatch):
    begun: list[object] = []
    hangs = ChatModel.stream
    monkeypatch.setattr(ChatModel, "stream", lambda *about: begun.append(about) or hangs(*about))
    given = replace(settings, concurrency=1, queue=0, llm_url="http://127.0.0.1:9/v1", llm_model="m")
    with serving(given, opened_with(opened, given)) as base, ThreadPoolExecutor(6) as pool:
        asks = [{"question": QUESTION, "mode": "generative", "history": history} for history in ([], ["宝山呢？"])]
        asked = []
        for body in [*asks, *asks]:  # one after the other, each until it waits for the model
            asked.append(pool.submit(httpx.post, f"{base}/v1/ask", json=body, timeout=SECONDS))
            until(lambda: len(begun) == len(asked))
            until(lambda: httpx.post(f"{base}/v1/search", json={"query": "问"}, timeout=SECONDS).status_code == 200)
        assert not any(x.done() for x in asked)
        found = httpx.post(f"{base}/v1/ask", json={"question": QUESTION}, timeout=SECONDS).json()
        assert "449 家" in found["answer"]
        hanging.set()
        assert {x.result().status_code for x in asked} <= {200, 503}
        assert sum(x.result().status_code == 200 for x in asked) >= 2


def opened_with(opened: Assistant, settings: Settings) -> Assistant:
    made = Assistant(settings)
    for name in ("_encoder", "_retriever", "_snapshot", "_version"):
        setattr(made, name, getattr(opened, name))
    return made
