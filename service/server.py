"""Run the HTTP service with uvicorn."""

from __future__ import annotations

import os
import signal
import socket
from dataclasses import replace

from service.app import create_app
from service.assistant import Assistant
from service.errors import OK, KewenError
from service.keeper import Notify
from service.keys import KeyRing, check_exposure
from service.settings import Settings


def run(settings: Settings, notify: Notify) -> int:
    """Serve until stopped; the index is opened (and built, if need be) before the first request.

    Raises:
        KewenError: `unsafe_configuration`, where others could reach the service without a key of theirs;
            `invalid_setting`, where the address can't be had; or what opening the index raises.
    """
    check_exposure(settings, KeyRing(settings).listed())
    import uvicorn

    with _listen(settings.host, settings.port) as listener:
        settings = replace(settings, port=listener.getsockname()[1])
        assistant = Assistant(settings, notify)
        assistant.retriever()
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        notify(f"科问已就绪：http://{host}:{settings.port}（接口说明 /docs，按 Ctrl+C 停止）")
        config = uvicorn.Config(create_app(assistant, settings), log_level="warning", server_header=False)
        for number in (signal.SIGINT, signal.SIGTERM):
            # uvicorn raises the signal that stopped it once more when all requests are answered.
            signal.signal(number, lambda *_: None)
        uvicorn.Server(config).run(sockets=[listener])
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
