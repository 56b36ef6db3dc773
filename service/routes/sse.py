"""Server-sent events (WHATWG HTML, 9.2) from a blocking iterator: paced, and ended when the client leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from service.routes.turns import turnstile_of
from service.threads import in_thread
from service.turnstile import Place

_PAUSE_SECONDS = 15.0
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


async def event_stream(request: Request, begin: Callable[[Place], Generator[str, None, None]]) -> StreamingResponse:
    """A response of whole events, each sent as soon as it is there; `begin` gives them, with a place for their turn.

    Raises:
        KewenError: `busy`, where there is no place, or what `begin` raises.
    """
    place = turnstile_of(request).enter()
    try:
        return _Events(await in_thread(lambda: begin(place)), place)
    except BaseException:
        place.leave()
        raise


class _Events(StreamingResponse):
    """The response. When the client leaves, its place is given back and the work ends, wherever it was."""

    def __init__(self, lines: Generator[str, None, None], place: Place) -> None:
        self._events = _paced(lines)
        super().__init__(self._events, media_type="text/event-stream", headers=_HEADERS)
        self._place = place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._place.leave()
            await self._events.aclose()  # at some time, Python would


async def _paced(lines: Generator[str, None, None]) -> AsyncGenerator[str, None]:
    """The lines, and a comment in each long wait, so that no proxy takes the stream for dead."""
    pending: asyncio.Task[Any] | None = None
    try:
        while True:
            pending = asyncio.ensure_future(in_thread(lambda: next(lines, None)))
            while not (await asyncio.wait({pending}, timeout=_PAUSE_SECONDS))[0]:
                yield ": keep-alive\n\n"
            line = pending.result()
            if line is None:
                return
            yield line
    finally:
        if pending is not None and not pending.done():
            pending.add_done_callback(lambda _: lines.close())  # it runs: a generator can't be closed meanwhile
        else:
            lines.close()
