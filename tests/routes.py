"""Every path that an application answers at, as the application itself has them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from starlette.routing import Mount

_FILES = {"/static-offline-docs": "/swagger-ui.css", "/web": "/source.css"}


def routes(app: FastAPI) -> Iterator[tuple[str, set[str]]]:
    """`(path, methods)` of each route, its parameters filled in; one file of each folder that is served."""
    for path, methods in _found(app.router.routes):
        yield re.sub(r"\{[a-z_]+\}", "x", path), methods


def _found(found: list[Any]) -> Iterator[tuple[str, set[str]]]:
    for route in found:
        if hasattr(route, "effective_route_contexts"):  # FastAPI's own, of an included router
            yield from _found([*route.effective_route_contexts()])
        elif isinstance(route, Mount):
            yield route.path + _FILES[route.path], {"GET"}
        elif hasattr(route, "path"):
            yield route.path, set(route.methods or ("POST",))
        else:
            raise TypeError(f"a route that nobody enumerates: {route!r}")
