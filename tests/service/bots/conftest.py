"""What the tests of all bots share: an assistant whose links others can open, a clock, and a stand-in for REST APIs."""

from __future__ import annotations

import json
import queue
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from websockets.exceptions import ConnectionClosedError
from websockets.sync.server import ServerConnection, serve

from service.assistant import Assistant
from service.bots.core import Desk
from service.links import Links
from service.settings import Settings, load_settings

SECONDS = 10.0
"""What is waited for at most, where something is wrong."""
QUESTION = "宝山区有多少家生物医药企业？"
FIGURE = "449 家"


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


class Rest:
    """A REST API on this machine: `routes` by method and path, `calls` as they came (path, headers, body)."""

    def __init__(self) -> None:
        self.routes: dict[str, Callable[[str, Any], tuple[int, Any]]] = {}
        self.calls: queue.Queue[tuple[str, dict[str, str], Any]] = queue.Queue()
        rest = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                body = json.loads(body) if body else None
                rest.calls.put((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                found = (x for prefix, x in rest.routes.items() if f"{self.command} {self.path}".startswith(prefix))
                status, answer = next(found, lambda path, body: (404, {}))(self.path, body)
                data = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                if 300 <= status < 400:
                    self.send_header("Location", answer["location"])
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def next_call(self, prefix: str) -> tuple[str, dict[str, str], Any]:
        """The next call of a path that begins so; others are passed over."""
        while True:
            call = self.calls.get(timeout=SECONDS)
            if call[0].startswith(prefix):
                return call

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def rest() -> Iterator[Rest]:
    server = Rest()
    yield server
    server.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def bot_settings(shared_home: Path) -> Settings:
    return load_settings({"home": shared_home, "public_url": "https://kewen.example.cn"}, {})


@pytest.fixture(scope="session")
def bot_assistant(bot_settings: Settings) -> Assistant:
    return Assistant(bot_settings)


@pytest.fixture(scope="session")
def links(bot_settings: Settings) -> Links:
    return Links(bot_settings)


@pytest.fixture
def make_desk(bot_assistant: Assistant, links: Links) -> Iterator[Callable[..., Desk]]:
    desks: list[Desk] = []

    def make(**options: Any) -> Desk:
        desks.append(Desk(bot_assistant, links, **options))
        return desks[-1]

    yield make
    for desk in desks:
        desk.close()


@pytest.fixture
def running() -> Iterator[Callable[[Any], str]]:
    """Serves an ASGI application on a free port; gives its address."""
    started: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(app: Any) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        started.append((server, thread))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for server, thread in started:
        server.should_exit = True
        thread.join()


class Sockets:
    """A WebSocket server on this machine: `opened` are its connections, `frames` what came over any of them."""

    def __init__(
        self, on_frame: Callable[[ServerConnection, str | bytes], None] = lambda connection, frame: None
    ) -> None:
        self.opened: queue.Queue[ServerConnection] = queue.Queue()
        self.frames: queue.Queue[str | bytes] = queue.Queue()
        self.paths: list[str] = []

        def handle(connection: ServerConnection) -> None:
            self.paths.append(connection.request.path if connection.request else "")
            self.opened.put(connection)
            with suppress(ConnectionClosedError):
                for frame in connection:
                    self.frames.put(frame)
                    on_frame(connection, frame)

        self._server = serve(handle, "127.0.0.1", 0)
        self.url = f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def next_connection(self) -> ServerConnection:
        return self.opened.get(timeout=SECONDS)

    def next_frame(self) -> str | bytes:
        return self.frames.get(timeout=SECONDS)

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()


@pytest.fixture
def sockets() -> Iterator[Sockets]:
    server = Sockets()
    yield server
    server.close()
