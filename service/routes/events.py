"""An answer as it comes, as kewen's own server-sent events."""

from __future__ import annotations

import json
import logging
from collections.abc import Generator, Iterator
from typing import Any

from service.answer_render import answer_json, said_json
from service.answers import Answer, Said
from service.asking import Event
from service.errors import KewenError
from service.links import Link

_LOG = logging.getLogger("kewen")


def stream(events: Iterator[Event], link: Link) -> Generator[str, None, None]:
    """The events as text; what goes wrong on the way is an `error` event."""
    try:
        for event in events:
            yield _event(event, link)
    except KewenError as error:
        yield _line("error", {"code": error.code, "message": error.message})
    except Exception:  # the status line is out already: all that is left is to say so
        _LOG.exception("a stream failed")
        yield _line("error", {"code": "internal_error", "message": "服务内部出错，已记入日志。"})


def _event(event: Event, link: Link) -> str:
    if isinstance(event, Said):
        return _line("sentence", said_json(event, link))
    if isinstance(event, Answer):
        return _line("answer", answer_json(event, link))
    return _line("notice", {"message": event})


def _line(name: str, content: dict[str, Any]) -> str:
    """JSON has no line breaks of its own, so one `data:` line holds it."""
    return f"event: {name}\ndata: {json.dumps(content, ensure_ascii=False)}\n\n"
