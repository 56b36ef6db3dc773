"""The tools over the Model Context Protocol (revision 2026-07-28, and those with a handshake): stdio and HTTP.

Built on the SDK's `Server`, not on its `MCPServer`: that one answers an unknown tool as a failed call, puts English
before every error, offers prompts and resources that aren't there, and sets up the process's logging.
"""

from __future__ import annotations

import json
import logging
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Any

import anyio
from mcp.server import CacheHint, Server, ServerRequestContext
from mcp.server.stdio import stdio_server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from mcp.shared.exceptions import MCPError
from mcp_types import (
    HEADER_MISMATCH,
    INVALID_PARAMS,
    PROTOCOL_VERSION_META_KEY,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
    ToolAnnotations,
)
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from pydantic import BaseModel
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import Message, Receive, Scope, Send

from service import tools
from service.assistant import Assistant
from service.errors import KewenError, echo
from service.links import Links
from service.settings import Settings
from service.threads import in_turn
from service.turnstile import Place, Turnstile, turnstile_for

_LOG = logging.getLogger("kewen")
_HOUR = CacheHint(ttl_ms=3_600_000, scope="public")
_DEFECT = "服务内部出错，已记入日志。请稍后再试，或告诉维护者。"


@dataclass(frozen=True, slots=True)
class _Entry:
    """A tool as it is listed, what its arguments are read as, and what runs in a thread of its own."""

    listed: Tool
    arguments: type[BaseModel]
    run: Callable[[Any, Place], BaseModel]


def mcp_server(assistant: Assistant, links: Links, turnstile: Turnstile) -> Server[Any]:
    """The MCP server of an assistant, for any transport; the order of its tools is always the same."""
    entries = {entry.listed.name: entry for entry in _entries(tools.Tools(assistant, links))}

    async def list_tools(_: ServerRequestContext[Any], __: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=[entry.listed for entry in entries.values()])

    async def call_tool(_: ServerRequestContext[Any], params: CallToolRequestParams) -> CallToolResult:
        entry = entries.get(params.name)
        if entry is None:
            raise MCPError(INVALID_PARAMS, f"没有名为 {echo(params.name, 60)} 的工具。可用：{'、'.join(entries)}。")
        return await _call(entry, params.arguments or {}, turnstile)

    return Server(
        "kewen",
        version=version("kewen"),
        title="科问",
        instructions=tools.INSTRUCTIONS,
        cache_hints={"server/discover": _HOUR, "tools/list": _HOUR},
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def _entries(over: tools.Tools) -> list[_Entry]:
    def search(given: tools.SearchArguments, place: Place) -> tools.Found:
        with place:
            return over.search(given)

    def fetch(given: tools.FetchArguments, _: Place) -> tools.Fetched:
        return over.fetch(given)

    def ask(given: tools.AskArguments, place: Place) -> tools.Asked:
        return over.ask(given, place.check, place)

    return [
        _entry("search", "检索段落", tools.SEARCH, tools.SearchArguments, tools.Found, search),
        _entry("fetch", "取原文", tools.FETCH, tools.FetchArguments, tools.Fetched, fetch),
        _entry("ask", "提问", tools.ASK, tools.AskArguments, tools.Asked, ask),
    ]


def _entry(
    name: str,
    title: str,
    description: str,
    arguments: type[BaseModel],
    result: type[BaseModel],
    run: Callable[[Any, Place], BaseModel],
) -> _Entry:
    listed = Tool(
        name=name,
        title=title,
        description=description,
        input_schema=tools.schema_of(arguments),
        output_schema=tools.schema_of(result),
        annotations=ToolAnnotations(
            title=title, read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
        ),
    )
    return _Entry(listed, arguments, run)


async def _call(entry: _Entry, arguments: Mapping[str, Any], turnstile: Turnstile) -> CallToolResult:
    """Run a tool; what goes wrong is a result that the model can read (MCP, server/tools: tool execution errors)."""
    try:
        given = tools.read_arguments(entry.arguments, arguments)
        result = await in_turn(turnstile, partial(entry.run, given))
    except KewenError as error:
        return CallToolResult(content=[TextContent(text=error.message)], is_error=True)
    except Exception:
        _LOG.exception("tool %s failed", entry.listed.name)
        return CallToolResult(content=[TextContent(text=_DEFECT)], is_error=True)
    structured = result.model_dump(mode="json")
    text = json.dumps(structured, ensure_ascii=False)
    return CallToolResult(content=[TextContent(text=text)], structured_content=structured)


# -- stdio ----------------------------------------------------------------------------------------


def run_stdio(assistant: Assistant, links: Links) -> None:
    """Serve one client over standard input and output until it closes them; nothing else may be written there.

    For the main thread of a process that does nothing else: Ctrl+C ends it at once.

    Raises:
        KewenError: what opening the index raises, before the first message is read.
    """
    assistant.retriever()
    if sys.stdin is None:  # closed before we began
        return
    # A thread that waits for a line can't be cancelled: left to asyncio, Ctrl+C would wait for it too.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        anyio.run(_serve_stdio, mcp_server(assistant, links, turnstile_for(assistant.settings)))
    except* BrokenPipeError:  # the client has gone without a word
        pass


async def _serve_stdio(server: Server[Any]) -> None:
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


# -- HTTP -----------------------------------------------------------------------------------------


class McpEndpoint:
    """Streamable HTTP without sessions, as an ASGI application for one route; it answers only while `running`.

    endpoint = McpEndpoint(assistant, links, settings, turnstile)
    FastAPI(lifespan=endpoint.running, routes=[Route("/mcp", endpoint)])
    """

    def __init__(self, assistant: Assistant, links: Links, settings: Settings, turnstile: Turnstile) -> None:
        self._server = mcp_server(assistant, links, turnstile)
        self._settings = settings
        self._manager: StreamableHTTPSessionManager | None = None

    @asynccontextmanager
    async def running(self, _: object = None) -> AsyncIterator[None]:
        """The application's lifespan."""
        # A manager runs once, an application may be started again.
        manager = StreamableHTTPSessionManager(
            self._server,
            json_response=True,
            stateless=True,
            # The doorkeeper in front has looked at Host and Origin; the SDK's own list knows no upper case.
            security_settings=TransportSecuritySettings(enable_dns_rebinding_protection=False),
            max_request_body_size=self._settings.max_body,
        )
        async with manager.run():
            self._manager = manager
            try:
                yield
            finally:
                self._manager = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        manager = self._manager
        if manager is None:
            raise RuntimeError("the MCP endpoint is not running: its `running` must be the application's lifespan")
        if scope["method"] != "POST":  # no streams of the server's own, and no sessions to end
            await Response(status_code=405, headers={"Allow": "POST"})(scope, receive, send)
            return
        body = await _body(receive)
        if body is None:
            return
        refusal = _header_mismatch(Headers(scope=scope), body)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        # In JSON mode the SDK doesn't look whether the client is still there.
        async with anyio.create_task_group() as group:
            group.start_soon(_cancel_when_gone, receive, group.cancel_scope)
            await manager.handle_request(scope, _replay(body), send)
            group.cancel_scope.cancel()


def _header_mismatch(headers: Headers, body: bytes) -> Response | None:
    """The refusal of a modern request whose version header is missing or names an older revision.

    The SDK goes by the header alone, and would take such a request for one of an older client. All other headers it
    compares itself (MCP 2026-07-28, transports, server validation).
    """
    try:
        message = json.loads(body)
        declared = message["params"]["_meta"][PROTOCOL_VERSION_META_KEY]
        request_id = message["id"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    given = headers.get("mcp-protocol-version")
    if given == declared or (given is not None and given not in HANDSHAKE_PROTOCOL_VERSIONS):
        return None
    error = {"code": HEADER_MISMATCH, "message": "请求头 MCP-Protocol-Version 缺失，或与请求体不一致。"}
    return JSONResponse({"jsonrpc": "2.0", "id": request_id, "error": error}, 400)


async def _body(receive: Receive) -> bytes | None:
    """The request's body; None where the client left before it was whole."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)


def _replay(body: bytes) -> Receive:
    """A `receive` that gives the body, and then nothing: whether the client is there is watched elsewhere."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            await anyio.sleep_forever()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


async def _cancel_when_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
