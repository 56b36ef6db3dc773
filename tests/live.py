"""Services that really listen on a port of this machine, for clients that speak to one."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import uvicorn

from service.app import create_app
from service.assistant import Assistant
from service.settings import Settings

_SECONDS = 20.0


def listen(port: int = 0) -> socket.socket:
    """A socket on a port, a free one by default. The protocol is named as `service.server` does, so that small answers go out at once."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(128)
    return listener


@contextmanager
def running(app: Any, listener: socket.socket) -> Iterator[str]:
    """An ASGI application behind a socket, until the end of the block; gives its base URL."""
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    end = time.monotonic() + _SECONDS
    while not server.started:
        assert thread.is_alive()
        assert time.monotonic() < end
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(_SECONDS)
        listener.close()


@contextmanager
def serving(settings: Settings, assistant: Assistant | None = None, port: int = 0) -> Iterator[str]:
    """The base URL of a kewen with these settings."""
    listener = listen(port)
    here = replace(settings, port=listener.getsockname()[1])
    with running(create_app(assistant or Assistant(here), here), listener) as url:
        yield url
