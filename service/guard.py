"""What every request passes before it is read: host and origin, key, rate, content type, size. Pure ASGI."""

from __future__ import annotations

import asyncio
import math
import re
import uuid
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import KewenError
from service.headers import secure
from service.keys import KeyRing
from service.limits import RateLimit
from service.problems import error_response, is_dify
from service.settings import Settings, host_of

_OPEN = re.compile(r"/|/healthz|/widget\.js|/web/(?:[a-z-]+/){0,3}[a-z-]+\.(?:css|js|svg)")
"""What anyone may read: that the service runs, and the files that its pages are made of."""
_SIGNED = re.compile(r"/d/[^/]+|/evaluation")
_ASK = "/v1/ask"
_LIBRARY = "/v1/documents"
_WITH_BODY = ("POST", "PUT", "PATCH")
_BODY_SECONDS = 30.0
UPLOADS = 5
"""A body of uploads is at most so many times as large as one of its files may be."""
_NO_KEY = "请在请求头中带上 Authorization: Bearer 密钥。"


class Doorkeeper:
    """Who may speak to the service at all: gives each request its id, and looks at its Host and Origin.

    Another name in `Host` is how a page of a stranger reaches a local service (DNS rebinding); another `Origin` is
    such a page. A service that looks at neither answers both.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = CORSMiddleware(
            app,
            allow_origins=settings.allowed_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["*"],
            expose_headers=["X-Request-ID", "Retry-After", "Mcp-Session-Id"],
        )
        self.settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                secure(headers, scope["path"])
            await send(message)

        try:
            self._check(Headers(scope=scope), _is_change(scope))
        except KewenError as error:
            await error_response(error, scope["path"], request_id)(scope, receive, send_with_id)
            return
        await self.app(scope, receive, send_with_id)

    def _check(self, headers: Headers, is_change: bool) -> None:
        """Raise KewenError `host_forbidden` or `origin_forbidden`.

        A page of another origin, though it is listed, may ask; it may not change the library. Uploads need no preflight
        (WHATWG Fetch, CORS-safelisted types), so that nothing but this stands between them and any page.
        """
        hosts = headers.getlist("host")
        if len(hosts) != 1 or host_of(hosts[0]) not in self.settings.hosts:
            raise KewenError(
                "host_forbidden", "本服务只应答发往本机，或发往 allowed_hosts 所列主机名的请求（见请求头 Host）。"
            )
        origins = headers.getlist("origin")
        is_foreign = any(_authority(x) != hosts[0].lower() for x in origins)
        if is_change and (is_foreign or headers.get("sec-fetch-site", "none") not in ("none", "same-origin")):
            raise KewenError("origin_forbidden", "资料只能在本服务自己的网页、命令行或程序里改动，不接受别的网页。")
        if not origins or (origins[0].lower() in self.settings.allowed_origins and len(origins) == 1):
            return
        if len(origins) > 1 or is_foreign:
            raise KewenError(
                "origin_forbidden", "不接受这个网页的请求。请管理员把它的来源（Origin）列入 allowed_origins。"
            )


class Guard:
    """What a request must bring: a key where keys are needed, no more often than it may, JSON of a bounded size."""

    def __init__(self, app: ASGIApp, settings: Settings, keys: KeyRing) -> None:
        self.app = app
        self.settings = settings
        self.keys = keys
        # Each worker process counts by itself. Limits are what all of them allow together; 0 is none.
        self.limit = RateLimit(-(-settings.rate_limit // settings.workers))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            self._check_key(scope)
            # The route writes an upload to disk as it comes.
            body = None if self._is_upload(scope) else await self._read(scope, receive)
        except KewenError as error:
            await error_response(error, scope["path"], scope["state"]["request_id"])(scope, receive, send)
            return
        await self.app(scope, receive if body is None else _replay(body, receive), send)

    def _check_key(self, scope: Scope) -> None:
        """Raise KewenError `auth_required`, `scope_forbidden` or `too_many_requests`."""
        path = scope["path"]
        if _OPEN.fullmatch(path) or self._is_signed(scope) or not self.keys.is_required:
            return
        scheme, _, given = Headers(scope=scope).get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not given.strip():
            raise KewenError("auth_required", _NO_KEY, {"reason": "format"})
        # A header is bytes; what was sent as UTF-8 is read as such.
        key = self.keys.find(given.strip().encode("latin-1").decode("utf-8", "replace"))
        if key is None:
            raise KewenError("auth_required", f"密钥不对，或已被撤销。{_NO_KEY}", {"reason": "key"})
        if key.scope == "widget" and not (path == _ASK and Headers(scope=scope).get("origin")):
            raise KewenError("auth_required", "这个密钥只供网页中的问答框使用。", {"reason": "key"})
        if key.scope == "read" and _is_change(scope):
            raise KewenError("scope_forbidden", "这个密钥只能读。改动资料请用全部接口的密钥（kewen keys add 名称）。")
        seconds = self.limit.wait(key.name)
        if seconds:
            raise KewenError(
                "too_many_requests",
                f"请求过于频繁：每个密钥每分钟至多 {self.settings.rate_limit} 次。请 {math.ceil(seconds)} 秒后再试。",
                {"retry_after": math.ceil(seconds)},
            )

    @staticmethod
    def _is_signed(scope: Scope) -> bool:
        """A link to a page may bear a signature in place of a key; the page that it opens judges it."""
        is_page = _SIGNED.fullmatch(scope["path"]) and scope["method"] in ("GET", "HEAD")
        return bool(is_page) and "sign" in QueryParams(scope["query_string"])

    def _is_upload(self, scope: Scope) -> bool:
        """Whether files are sent: the one request that is no JSON. KewenError `unsupported_type`, `body_too_large`."""
        if scope["method"] != "POST" or scope["path"] != _LIBRARY:
            return False
        if _media_type(scope) != "multipart/form-data":
            raise KewenError(
                "unsupported_type", "上传应为 multipart/form-data，每份文件一个名为 file 的部分。", {"param": "file"}
            )
        if _declared(scope) > self.settings.max_upload * UPLOADS:
            raise uploads_too_large(self.settings)
        return True

    async def _read(self, scope: Scope, receive: Receive) -> bytes:
        """The body, read no further than the limit; KewenError `unsupported_type`, `body_too_large`, `request_timeout`."""
        if scope["method"] not in _WITH_BODY:
            return b""
        limit = self.settings.max_body
        error = KewenError("body_too_large", f"请求体超过 {limit} 字节。请分几次发送，或请管理员调大 KEWEN_MAX_BODY。")
        if _declared(scope) > limit:
            raise error
        media_type = _media_type(scope)
        # Dify tries an endpoint without a body, hence without a type.
        if media_type != "application/json" and not (is_dify(scope["path"]) and not media_type):
            raise KewenError("unsupported_type", "请求体应为 JSON，请把 Content-Type 设为 application/json。")
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                return await _body(receive, limit, error)
        except TimeoutError as late:
            raise KewenError("request_timeout", f"等了 {_BODY_SECONDS:g} 秒，请求体还没有发完。") from late


def uploads_too_large(settings: Settings) -> KewenError:
    """What is said of a body of uploads beyond the limit."""
    most = settings.max_upload * UPLOADS
    message = f"一次上传共计不能超过 {most} 字节。请分几次，或请管理员调大 KEWEN_MAX_UPLOAD。"
    return KewenError("body_too_large", message, {"limit": most})


def _is_change(scope: Scope) -> bool:
    """Whether a request would change the library."""
    path = scope["path"]
    is_library = path == _LIBRARY or path.startswith(f"{_LIBRARY}/")
    return is_library and scope["method"] not in ("GET", "HEAD", "OPTIONS")


def _media_type(scope: Scope) -> str:
    return Headers(scope=scope).get("content-type", "").partition(";")[0].strip().lower()


def _declared(scope: Scope) -> int:
    """The Content-Length; 0 where there is none."""
    declared = Headers(scope=scope).get("content-length", "")
    return int(declared[:20]) if declared.isascii() and declared.isdigit() else 0


def _authority(origin: str) -> str:
    """Host and port of an origin; empty where it is none."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


async def _body(receive: Receive, limit: int, error: KewenError) -> bytes:
    body = bytearray()
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > limit:
            raise error
    return bytes(body)


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
