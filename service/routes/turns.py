"""What the routes that search share: their turn, and answers that are whole before the event loop sees them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from fastapi import Request
from fastapi.responses import Response
from pydantic import BaseModel

from service.threads import in_turn
from service.turnstile import Place, Turnstile

_T = TypeVar("_T")


def turnstile_of(request: Request) -> Turnstile:
    """The turnstile of the application that was asked."""
    turnstile: Turnstile = request.app.state.turnstile
    return turnstile


async def in_turn_of(request: Request, call: Callable[[Place], _T]) -> _T:
    """Run a call in a thread, with a place for its turn that is given back when the client leaves.

    Raises:
        KewenError: `busy`, or whatever the call raises.
    """
    return await in_turn(turnstile_of(request), call, partial(_has_left, request))


async def _has_left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def rendered(model: type[BaseModel], content: dict[str, Any]) -> Response:
    """A result as JSON, checked against its model.

    FastAPI would write a route's result in the event loop, where a report of ten thousand passages stops everyone.
    """
    body = model.model_validate(content).model_dump_json(by_alias=True)
    return Response(body, media_type="application/json")
