"""The HTTP service. `create_app` puts it together; nothing happens at import."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from service import handlers
from service.assistant import Assistant
from service.guard import Doorkeeper, Guard
from service.keys import KeyRing
from service.links import Links
from service.routes import native, source
from service.settings import Settings

_DESCRIPTION = (
    "在上海科技创新报告中检索原文。每个命中的段落都带有可逐字回查的出处；位置一律按 Unicode 码位计。"
    '出错时响应为 `{"error": {"code", "message", "detail", "request_id"}}`。'
)
_ROUTERS = (native, source)


def create_app(assistant: Assistant, settings: Settings) -> FastAPI:
    """The application over an assistant."""
    app = FastAPIOffline(
        redoc_url=None, title="科问 kewen", version=native.VERSION, description=_DESCRIPTION, openapi_tags=native.TAGS
    )
    links = Links(settings)
    for routes in _ROUTERS:
        app.include_router(routes.router(assistant, links))
    handlers.install(app)
    app.add_middleware(Guard, settings=settings, keys=KeyRing(settings))
    app.add_middleware(Doorkeeper, settings=settings)
    return app
