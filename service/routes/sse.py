"""Server-sent events (WHATWG HTML, 9.2) from a blocking iterator: paced, and ended when the client leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator
from typing import Any

from fastapi.responses import StreamingResponse

from service.threads import in_thread

_PAUSE_SECONDS = 15.0
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def event_stream(lines: Generator[str, None, None]) -> StreamingResponse:
    """A response of whole events, each sent as soon as it is there."""
    return StreamingResponse(_paced(lines), media_type="text/event-stream", headers=_HEADERS)


async def _paced(lines: Generator[str, None, None]) -> AsyncIterator[str]:
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
