"""Run the HTTP service with uvicorn."""

from __future__ import annotations

from service.app import create_app
from service.assistant import Assistant, Notify
from service.errors import OK, KewenError
from service.settings import Settings


def run(settings: Settings, notify: Notify) -> int:
    """Serve until stopped; the index is opened (and built, if need be) before the first request.

    Raises:
        KewenError: `unsafe_configuration`, where others could reach the service without a key; or what
            opening the index raises.
    """
    if not settings.is_local and not settings.api_key:
        raise KewenError(
            "unsafe_configuration",
            f"监听 {settings.host} 会让本机以外的人访问。请先设密钥 KEWEN_API_KEY，或只监听 127.0.0.1。",
        )
    import uvicorn

    assistant = Assistant(settings, notify)
    assistant.retriever()
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    notify(f"科问已就绪：http://{host}:{settings.port}（接口说明 /docs，按 Ctrl+C 停止）")
    uvicorn.run(
        create_app(assistant, settings),
        host=settings.host,
        port=settings.port,
        log_level="warning",
        server_header=False,
        h11_max_incomplete_event_size=65536,
    )
    return OK
