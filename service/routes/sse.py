"""Server-sent events (WHATWG HTML, 9.2) from a blocking iterator: paced, and ended when the client leaves."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Generator
from typing import Any, TypeVar

import anyio.to_thread
from fastapi.responses import StreamingResponse

_PAUSE_SECONDS = 15.0
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
# A stream that waits for a language model holds a thread meanwhile; others are not to wait for it.
_MOST = 128
_T = TypeVar("_T")


def event_stream(lines: Generator[str, None, None]) -> StreamingResponse:
    """A response of whole events, each sent as soon as it is there."""
    return StreamingResponse(_paced(lines), media_type="text/event-stream", headers=_HEADERS)


async def _paced(lines: Generator[str, None, None]) -> AsyncIterator[str]:
    """The lines, and a comment in each long wait, so that no proxy takes the stream for dead."""
    take = functools.partial(anyio.to_thread.run_sync, next, lines, None, limiter=_limiter())
    pending: asyncio.Task[Any] | None = None
    try:
        while True:
            pending = asyncio.ensure_future(take())
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


async def in_thread(call: Callable[[], _T]) -> _T:
    """Run what may wait for a language model where only its like wait for it."""
    return await anyio.to_thread.run_sync(call, limiter=_limiter())


@functools.cache
def _limiter() -> anyio.CapacityLimiter:
    return anyio.CapacityLimiter(_MOST)
