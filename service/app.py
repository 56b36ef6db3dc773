"""The HTTP service. `create_app` puts it together; nothing happens at import."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from starlette.routing import Route

from service import handlers
from service.assistant import Assistant
from service.errors import KewenError
from service.guard import Doorkeeper, Guard
from service.keys import KeyRing
from service.links import Links
from service.routes import (
    chat,
    compare,
    dify,
    embeddings,
    evaluation,
    library,
    native,
    pictures,
    rerank,
    site,
    source,
    tools,
    widget,
)
from service.settings import Settings
from service.turnstile import Turnstile, turnstile_for

if TYPE_CHECKING:
    from service.mcp_server import McpEndpoint

_DESCRIPTION = (
    "在上海科技创新报告中检索原文。每个命中的段落都带有可逐字回查的出处；位置一律按 Unicode 码位计。"
    '出错时响应为 `{"error": {"code", "message", "detail", "request_id"}}`。'
)
_ROUTERS = (native, compare, library, pictures, chat, embeddings, rerank, dify, tools, source, widget, evaluation)


def create_app(assistant: Assistant, settings: Settings) -> FastAPI:
    """The application over an assistant.

    Raises:
        KewenError: `missing_extra`, where MCP is to be served and its package is not installed.
    """
    links = Links(settings)
    turnstile = turnstile_for(settings)
    mcp = _mcp(assistant, links, settings, turnstile)
    app = FastAPIOffline(
        redoc_url=None,
        title="科问 kewen",
        version=native.VERSION,
        description=_DESCRIPTION,
        openapi_tags=native.TAGS,
        lifespan=mcp.running if mcp else None,
    )
    app.state.turnstile = turnstile
    for routes in _ROUTERS:
        app.include_router(routes.router(assistant, links))
    site.add(app)
    if mcp:
        app.router.routes.append(Route("/mcp", mcp))
    handlers.install(app)
    app.add_middleware(Guard, settings=settings, keys=KeyRing(settings))
    app.add_middleware(Doorkeeper, settings=settings)
    return app


def _mcp(assistant: Assistant, links: Links, settings: Settings, turnstile: Turnstile) -> McpEndpoint | None:
    """The MCP endpoint, where it is to be served and can be."""
    if not settings.serves_mcp:
        return None
    try:
        from service.mcp_server import McpEndpoint
    except ImportError as error:
        if settings.mcp == "auto":
            return None
        raise KewenError(
            "missing_extra", '设置 mcp 为 on，但没有装 MCP 组件。请运行：python -m pip install "kewen[mcp]"。'
        ) from error
    return McpEndpoint(assistant, links, settings, turnstile)
