"""A kewen that really listens, for clients that speak to a port."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import uvicorn

from service.app import create_app
from service.assistant import Assistant
from service.settings import Settings


@contextmanager
def serving(settings: Settings, assistant: Assistant | None = None) -> Iterator[str]:
    """The base URL of a service with these settings, on a free port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        here = replace(settings, port=listener.getsockname()[1])
        app = create_app(assistant or Assistant(here), here)
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="on"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + 20
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.01)
        assert server.started
        try:
            yield f"http://127.0.0.1:{here.port}"
        finally:
            server.should_exit = True
            thread.join(20)
