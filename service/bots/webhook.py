"""The other way in: the platform calls us. One address on this machine, behind the organisation's own TLS proxy."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Callable, Mapping
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from service.bots.core import BotOptions
from service.errors import KewenError
from service.keeper import Notify
from service.settings import LOOPBACK_NAMES

_LOG = logging.getLogger("kewen")
_LONGEST_BODY = 1 << 20
_BODY_SECONDS = 10.0
_AT_ONCE = 64

Handler = Callable[[Mapping[str, str], Mapping[str, str], bytes], tuple[int, dict[str, Any] | str]]
"""Headers (names in lower case), query and body of a request → status, and JSON or plain text. It returns at once.

It raises KewenError where it refuses; what it says stays here: who isn't the platform learns nothing."""


def webhook_app(name: str, handle: Handler, has_get: bool = False) -> Starlette:
    """`POST /{name}` calls `handle`, and so does GET where the platform asks by it."""

    async def endpoint(request: Request) -> Response:
        try:
            body = await _body(request)
            status, answer = handle(request.headers, request.query_params, body)
        except KewenError as error:
            _LOG.warning("a request of %s was refused: %s", name, error.code)
            return JSONResponse({"error": error.code}, error.status)
        except ClientDisconnect:
            return JSONResponse({"error": "bad_request"}, 400)
        except Exception:
            _LOG.exception("a request of %s failed", name)
            return JSONResponse({"error": "internal_error"}, 500)
        return JSONResponse(answer, status) if isinstance(answer, dict) else PlainTextResponse(answer, status)

    return Starlette(routes=[Route(f"/{name}", endpoint, methods=["GET", "POST"] if has_get else ["POST"])])


def serve(name: str, handle: Handler, options: BotOptions, notify: Notify, has_get: bool = False) -> None:
    """Serve `webhook_app` until stopped.

    Raises:
        KewenError: `unsafe_configuration`, where others than this machine could reach it: signatures alone don't
            keep messages secret; `invalid_setting`, where the port can't be had.
    """
    if options.host not in LOOPBACK_NAMES:
        raise KewenError(
            "unsafe_configuration",
            "机器人的回调只在本机 127.0.0.1 监听。请让本单位的 HTTPS 反向代理转发到它，不要直接对外。",
        )
    with _listen(options.host, options.port) as listener:
        port = listener.getsockname()[1]
        notify(f"等候回调：http://{options.host}:{port}/{name}（请把公网的 HTTPS 地址转发到这里，按 Ctrl+C 停止）")
        config = uvicorn.Config(
            webhook_app(name, handle, has_get),
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=_AT_ONCE,
        )
        for number in (signal.SIGINT, signal.SIGTERM):
            # uvicorn raises the signal that stopped it once more when all requests are answered.
            signal.signal(number, lambda *_: None)
        uvicorn.Server(config).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise KewenError(
            "invalid_setting", f"不能监听 {host}:{port}（{error.strerror}）。可用 --port 另指一个端口。"
        ) from error


async def _body(request: Request) -> bytes:
    """The body, which may neither be too long nor come too slowly."""
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > _LONGEST_BODY:
                    raise KewenError("body_too_large", "回调的请求体太大。")
    except TimeoutError as error:
        raise KewenError("request_timeout", "回调的请求体没有及时到齐。") from error
    return bytes(body)
