"""Run the HTTP service with uvicorn, in this process or in several."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import uvicorn
from fastapi import FastAPI

from service.app import create_app
from service.assistant import Assistant
from service.errors import OK, KewenError
from service.inspection import inspect_beside
from service.keeper import Notify
from service.keys import KeyRing, check_exposure
from service.links import Links
from service.settings import Settings
from service.threads import without_teams
from service.workers import run_workers

_LAST_SECONDS = 5
"""So long are answers that have begun waited for when the service is stopped."""
_BACKLOG = 1024
_LAST_CALL_SECONDS = 0.2
_POLL_SECONDS = 0.25
_MOST_SECONDS = 8.0
"""So many after it was told to, the process ends, whatever still hangs: a thread can't be interrupted, and a tool may wait for one."""


def run(settings: Settings, notify: Notify) -> int:
    """Serve until stopped; the index is opened (and built, if need be) before the first request.

    Raises:
        KewenError: `unsafe_configuration`, where others could reach the service without a key of theirs;
            `invalid_setting`, where the address or several processes can't be had; or what opening the index raises.
    """
    check_exposure(settings, KeyRing(settings).listed())
    Links(settings).prepare()
    with _listen(settings.host, settings.port) as listener:
        settings = replace(settings, port=listener.getsockname()[1])
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        line = f"科问已就绪：http://{host}:{settings.port}（用浏览器打开即是网页；接口说明 /docs；按 Ctrl+C 停止）"
        if settings.workers > 1:
            return run_workers(settings, listener, notify, lambda: notify(line))
        serve(settings, listener, notify, lambda: notify(line))
    return OK


def serve(settings: Settings, listener: socket.socket, notify: Notify, ready: Callable[[], None]) -> None:
    """Serve from a socket in this process until it is told to stop; `ready` is called when the index is open.

    Where something hangs when it has stopped, the process ends here.
    """
    without_teams()
    assistant = Assistant(settings, notify)
    assistant.retriever()
    assistant.ask("科技创新", mode="extractive")  # the first who asks need not wait for dictionaries
    app = create_app(assistant, settings)
    # Described once, and not in the event loop when the first one asks.
    threading.Thread(target=app.openapi, daemon=True).start()
    server = _Server(app, is_one_of_many=settings.workers > 1)
    for number in (signal.SIGINT, signal.SIGTERM):
        # From now on, and after uvicorn has raised the signal that stopped it once more when all requests are answered.
        signal.signal(number, server.handle_exit)
    ready()
    inspect_beside(assistant, notify)
    server.run(sockets=[listener])
    if any(x is not threading.current_thread() and not x.daemon for x in threading.enumerate()):
        # A thread still waits for a language model, and Python would wait for it. There is nothing left to lose.
        _end()


class _Server(uvicorn.Server):
    """uvicorn, told to send away who waits when it stops, and to end in time whatever hangs."""

    def __init__(self, app: FastAPI, is_one_of_many: bool) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_level="warning",
                server_header=False,
                timeout_graceful_shutdown=_LAST_SECONDS,
                backlog=1 if is_one_of_many else _BACKLOG,
            )
        )
        self._turnstile = app.state.turnstile
        # A signal's handler may start no thread and take no lock: it may have come while another did.
        threading.Thread(target=self._end_in_time, daemon=True).start()

    def _end_in_time(self) -> None:
        while not self.should_exit:
            time.sleep(_POLL_SECONDS)
        time.sleep(_MOST_SECONDS)
        _end()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """asyncio takes so many connections at a time as `backlog` says: one, lest the first process takes them all.

        That is how many may wait for all of them, too, until it is said anew.
        """
        await super().startup(sockets)
        for listener in sockets or ():
            listener.listen(_BACKLOG)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._turnstile.close()
        await asyncio.sleep(_LAST_CALL_SECONDS)  # who is at the door already is told so; a closed door says nothing
        await super().shutdown(sockets)


def _end() -> None:
    sys.stderr.flush()
    os._exit(OK)


def _listen(host: str, port: int) -> socket.socket:
    # The protocol is named because asyncio sends small answers at once (TCP_NODELAY) only where it is:
    # without it each answer waits 40 ms for the client's acknowledgement.
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise KewenError(
            "invalid_setting", f"不能监听 {host}:{port}（{error.strerror}）。可用 --port 另指一个端口。"
        ) from error
    return listener
