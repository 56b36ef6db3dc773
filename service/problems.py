"""What is wrong, in the words of the protocol that was asked: kewen's own, OpenAI's or Dify's error body, or a page."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any

from starlette.responses import HTMLResponse, JSONResponse, Response

from service.errors import KewenError, echo
from service.source_page import error_page

_LOG = logging.getLogger("kewen")
_OWN = re.compile(r"/v1/(?:search|ask|compare|subjects|documents|passages|evaluation)(?:/|$)")
_OPENAI = re.compile(r"/v1(?:/|$)|/(?:v2/)?rerank/?$")
_PAGES = re.compile(r"/d/|/evaluation$")
_DIFY = re.compile(r"/retrieval/?$")


def is_dify(path: str) -> bool:
    """Dify appends `/retrieval` to whatever its user has typed."""
    return _DIFY.search(path) is not None


def error_response(error: KewenError, path: str, request_id: str, headers: Mapping[str, str] | None = None) -> Response:
    """The error as the client of that path reads it; a page's is a page."""
    given = {**(headers or {}), "X-Request-ID": request_id}
    if error.code == "auth_required":
        given["WWW-Authenticate"] = "Bearer"
    if "retry_after" in error.detail:
        given["Retry-After"] = str(error.detail["retry_after"])
    if error.detail.get("closing"):
        given["Connection"] = "close"
    if _PAGES.match(path):
        what = "评测报告" if path == "/evaluation" else "原文"
        return HTMLResponse(error_page(error, what), error.status, given)
    if is_dify(path):
        status, body = _dify(error)
        # Dify takes any refusal for an empty result and shows nothing: the log is where one finds out.
        _LOG.warning("dify: %s refused with %d (%s)", echo(path, 80), status, error.code)
    elif _OPENAI.match(path) and not _OWN.match(path):
        status, body = _openai(error)
    else:
        status, body = error.status, _own(error, request_id)
    return JSONResponse(body, status, given)


def openai_error(error: KewenError) -> dict[str, Any]:
    """OpenAI's error object (its OpenAPI description, `ErrorResponse`)."""
    return _openai(error)[1]


def _own(error: KewenError, request_id: str) -> dict[str, Any]:
    body = {"code": error.code, "message": error.message, "detail": dict(error.detail), "request_id": request_id}
    return {"error": body}


def _openai(error: KewenError) -> tuple[int, dict[str, Any]]:
    """What we call 422 is a 400 to OpenAI's clients, and a wrong key has their own code."""
    status = 400 if error.status == 422 else error.status
    kind = {429: "rate_limit_error", 401: "authentication_error"}.get(status, "invalid_request_error")
    code = "invalid_api_key" if error.code == "auth_required" else error.code
    body = {
        "message": error.message,
        "type": "server_error" if status >= 500 else kind,
        "param": error.detail.get("param"),
        "code": code,
    }
    return status, {"error": body}


def _dify(error: KewenError) -> tuple[int, dict[str, Any]]:
    """Dify's numbers (External Knowledge API): 1001 and 1002 for the key, 2001 for the knowledge; else ten times the status.

    Dify saves an endpoint unless it answers 502, 404 or 403, so a wrong key is a 403: its user sees it at once.
    """
    if error.code == "auth_required":
        return 403, {"error_code": 1001 if error.detail.get("reason") == "format" else 1002, "error_msg": error.message}
    if error.code == "unknown_knowledge":
        return 404, {"error_code": 2001, "error_msg": error.message}
    status = 400 if error.status == 422 else error.status
    return status, {"error_code": status * 10, "error_msg": error.message}
