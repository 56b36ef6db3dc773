"""`kewen serve` as real processes: told to stop, it finishes what runs, sends away what waits, and ends in time."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from service.assistant import Assistant
from service.settings import load_settings

QUESTION = "宝山区有多少家生物医药企业？"
SECONDS = 60.0
IN_TIME = 10.0

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals")


class Service:
    """A `kewen serve`, its base URL, and what it says."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said: list[str] = []
        assert process.stderr
        for line in process.stderr:
            self.said.append(line)
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                self.url = found.group()
                break
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def _listen(self) -> None:
        with self.process.stderr as stream:
            self.said.extend(stream)

    def post(self, path: str, **body: object) -> httpx.Response:
        return httpx.post(f"{self.url}{path}", json=body, timeout=SECONDS)

    def children(self) -> list[int]:
        listed = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, text=True, check=False
        )
        return [int(x) for x in listed.stdout.split()]

    def end(self) -> None:
        self._listener.join(SECONDS)

    def stop(self) -> float:
        """Seconds from the signal to the end."""
        began = time.monotonic()
        self.process.terminate()
        assert self.process.wait(SECONDS) == 0
        return time.monotonic() - began


@contextmanager
def service(home: Path, *options: str, **settings: str) -> Iterator[Service]:
    command = [sys.executable, "-m", "service.cli", "serve", "--port", "0", "--home", str(home), *options]
    environment = {**os.environ, **{f"KEWEN_{name.upper()}": value for name, value in settings.items()}}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, encoding="utf-8", env=environment)
    made = Service(process)
    try:
        yield made
    finally:
        process.kill()
        process.wait()
        made.end()


@contextmanager
def mute() -> Iterator[str]:
    """The address of a language model that takes a question and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"


def half_sent(url: str) -> socket.socket:
    """A connection on which half of a request's head has come."""
    host, _, port = url.removeprefix("http://").partition(":")
    connection = socket.create_connection((host, int(port)))
    connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127")
    return connection


def until(condition) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_it_stops_in_time_whatever_hangs_and_answers_or_refuses_all_who_asked(shared_home):
    hung = {"concurrency": "2", "queue": "64", "mcp": "on", "answer_mode": "generative", "llm_model": "m"}
    with (
        mute() as model,
        service(shared_home, "--workers", "2", llm_url=model, **hung) as it,
        ThreadPoolExecutor(48) as pool,
    ):
        opened = half_sent(it.url)
        call = {"name": "ask", "arguments": {"question": QUESTION}}
        accepts = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-11-25"}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
        hanging = [
            pool.submit(it.post, "/v1/ask", question=QUESTION, stream=True),
            pool.submit(it.post, "/v1/ask", question=QUESTION),
            pool.submit(httpx.post, f"{it.url}/mcp", json=message, headers=accepts, timeout=SECONDS),
        ]
        time.sleep(0.5)
        asked = [pool.submit(it.post, "/v1/compare", subject="科技创新") for _ in range(40)]
        until(lambda: any(x.done() for x in asked))
        workers = it.children()
        seconds = it.stop()
        assert not any(alive(x) for x in workers)
        opened.close()
        statuses = {200: 0, 503: 0}
        for future in asked:
            if isinstance(future.exception(), httpx.TransportError):  # it was not yet taken when the door closed
                continue
            response = future.result()
            statuses[response.status_code] += 1
            if response.status_code == 503:
                assert response.json()["error"]["code"] == "busy"
                assert response.headers["connection"] == "close"
            else:
                assert response.json()["columns"]
        assert statuses[200] >= 1
        assert statuses[503] >= 1
        assert seconds < IN_TIME
        for future in hanging:
            assert future.exception() or future.result().status_code in (200, 500, 503)


def test_several_processes_serve_as_one_one_that_dies_is_started_again_and_none_outlives_their_keeper(tmp_path):
    home = tmp_path / "home"
    with service(home, "--workers", "2") as it:
        assert sum("科问已就绪" in x for x in it.said) == 1
        assert sum("建立索引" in x for x in it.said) == 1, "one of them builds, and says so"
        first = it.children()
        assert len(first) == 2
        assert "449 家" in it.post("/v1/ask", question=QUESTION).json()["answer"]
        os.kill(first[0], signal.SIGKILL)
        until(lambda: len(set(it.children()) - set(first)) == 1)
        assert it.post("/v1/search", query=QUESTION).status_code == 200
        assert any("意外结束" in x for x in it.said)
        before = it.post("/v1/search", query=QUESTION).json()["generation"]
        Assistant(load_settings({"home": home}, {})).build()
        answers = [it.post("/v1/search", query=QUESTION).json()["generation"] for _ in range(12)]
        assert before not in answers, "each sees a new index at once"
        workers = it.children()
        assert len(workers) == 2
        it.process.kill()
        it.process.wait()
        until(lambda: not any(alive(x) for x in workers))


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not (state.exists() and ") Z " in state.read_text(encoding="utf-8"))


def test_what_keeps_a_worker_from_being_ready_is_the_commands_own_error(shared_home, tmp_path):
    (tmp_path / "reports.toml").write_text("[[document]]\n", encoding="utf-8")
    given = ["--home", str(tmp_path / "home"), "--reports", str(tmp_path), "--workers", "2", "--port", "0"]
    command = [sys.executable, "-m", "service.cli", "serve", *given]
    ended = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False, timeout=SECONDS)
    alone = subprocess.run(
        [*command[:-4], "--port", "0"], capture_output=True, text=True, encoding="utf-8", check=False, timeout=SECONDS
    )
    assert ended.returncode == alone.returncode != 0
    assert ended.stderr == alone.stderr
    assert json.dumps(ended.stderr, ensure_ascii=False).count("错误") == 1
