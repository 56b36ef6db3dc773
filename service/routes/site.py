"""`GET /`: the page, and what it is made of at `/web`. The files are the same for all, hold no document, and are open."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from service import web


def add(app: FastAPI) -> None:
    """The page's routes."""

    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    def index() -> HTMLResponse:
        return HTMLResponse((web.PAGE / "index.html").read_bytes())

    app.mount("/web", StaticFiles(directory=web.PAGE))
