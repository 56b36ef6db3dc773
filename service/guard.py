"""What every request passes before it is read: host, key, content type, size. Pure ASGI."""

from __future__ import annotations

import hmac
import uuid
from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import KewenError
from service.settings import Settings

_OPEN = ("/healthz",)
_WITH_BODY = ("POST", "PUT", "PATCH")
_LOCAL_NAMES = ("127.0.0.1", "localhost", "[::1]")


def error_response(error: KewenError, request_id: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The one error shape of the API."""
    body = {"code": error.code, "message": error.message, "detail": dict(error.detail), "request_id": request_id}
    return JSONResponse({"error": body}, error.status, {**(headers or {}), "X-Request-ID": request_id})


class Guard:
    """Refuses what must not reach a route, and gives every request its id."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        try:
            self._check(scope)
            body = await self._read(scope, receive)
        except KewenError as error:
            headers = {"WWW-Authenticate": "Bearer"} if error.code == "auth_required" else {}
            await error_response(error, request_id, headers)(scope, receive, send_with_id)
            return
        await self.app(scope, _replay(body, receive), send_with_id)

    def _check(self, scope: Scope) -> None:
        """Raise KewenError `host_forbidden`, `auth_required` or `unsupported_type`."""
        headers = Headers(scope=scope)
        key = self.settings.api_key
        if key:
            scheme, _, given = headers.get("authorization", "").partition(" ")
            sound = scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode("latin-1"), key.encode())
            if not sound and scope["path"] not in _OPEN:
                raise KewenError("auth_required", "请在请求头中带上 Authorization: Bearer 密钥。")
        elif _host(headers.get("host", "")) not in _LOCAL_NAMES:
            raise KewenError("host_forbidden", "本服务只应答发往本机（127.0.0.1 或 localhost）的请求。")
        if scope["method"] in _WITH_BODY:
            media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
            if media_type != "application/json":
                raise KewenError("unsupported_type", "请求体应为 JSON，请把 Content-Type 设为 application/json。")

    async def _read(self, scope: Scope, receive: Receive) -> bytes:
        """The body, read no further than the limit; KewenError `body_too_large`."""
        if scope["method"] not in _WITH_BODY:
            return b""
        limit = self.settings.max_body
        error = KewenError("body_too_large", f"请求体超过 {limit} 字节。")
        declared = Headers(scope=scope).get("content-length", "0")
        if declared.isdigit() and int(declared) > limit:
            raise error
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > limit:
                raise error
        return body


def _host(header: str) -> str:
    """The host without its port."""
    host = header.rpartition(":")[0] if header.rpartition(":")[2].isdigit() else header
    return host.lower().removesuffix(".")


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body that was read, then goes on with the connection."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
