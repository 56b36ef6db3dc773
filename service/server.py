"""Run the HTTP service with uvicorn."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from dataclasses import replace

from service.app import create_app
from service.assistant import Assistant
from service.errors import OK, KewenError
from service.keeper import Notify
from service.keys import KeyRing, check_exposure
from service.links import Links
from service.settings import Settings

_LAST_SECONDS = 5
"""So long are answers that have begun waited for when the service is stopped."""


def run(settings: Settings, notify: Notify) -> int:
    """Serve until stopped; the index is opened (and built, if need be) before the first request.

    Raises:
        KewenError: `unsafe_configuration`, where others could reach the service without a key of theirs;
            `invalid_setting`, where the address can't be had; or what opening the index raises.
    """
    check_exposure(settings, KeyRing(settings).listed())
    Links(settings).prepare()
    import uvicorn

    with _listen(settings.host, settings.port) as listener:
        settings = replace(settings, port=listener.getsockname()[1])
        assistant = Assistant(settings, notify)
        assistant.retriever()
        assistant.ask("科技创新", mode="extractive")  # the first who asks need not wait for dictionaries
        app = create_app(assistant, settings)
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        notify(f"科问已就绪：http://{host}:{settings.port}（用浏览器打开即是网页；接口说明 /docs；按 Ctrl+C 停止）")
        config = uvicorn.Config(app, log_level="warning", server_header=False, timeout_graceful_shutdown=_LAST_SECONDS)
        for number in (signal.SIGINT, signal.SIGTERM):
            # uvicorn raises the signal that stopped it once more when all requests are answered.
            signal.signal(number, lambda *_: None)
        uvicorn.Server(config).run(sockets=[listener])
    if any(x is not threading.current_thread() and not x.daemon for x in threading.enumerate()):
        # A thread still waits for a language model, and Python would wait for it. There is nothing left to lose.
        sys.stderr.flush()
        os._exit(OK)
    return OK


def _listen(host: str, port: int) -> socket.socket:
    # The protocol is named because asyncio sends small answers at once (TCP_NODELAY) only where it is:
    # without it each answer waits 40 ms for the client's acknowledgement.
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise KewenError(
            "invalid_setting", f"不能监听 {host}:{port}（{error.strerror}）。可用 --port 另指一个端口。"
        ) from error
    return listener
