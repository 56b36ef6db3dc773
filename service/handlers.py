"""What goes wrong in a route becomes an error body, and never more than that."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from service.errors import KewenError, echo
from service.headers import secure
from service.problems import error_response

_LOG = logging.getLogger("kewen")
_HTTP_ERRORS: Mapping[int, tuple[str, str]] = {
    HTTPStatus.BAD_REQUEST: ("bad_json", "请求体不是有效的 JSON。"),
    HTTPStatus.NOT_FOUND: ("not_found", "没有这个地址。接口说明见 /docs。"),
    HTTPStatus.METHOD_NOT_ALLOWED: ("method_not_allowed", "这个地址不接受这种请求方法。接口说明见 /docs。"),
}
_REASONS: Mapping[str, str] = {
    "missing": "缺少",
    "extra_forbidden": "不认识",
    "string_type": "应为文字",
    "int_type": "应为整数",
    "int_parsing": "应为整数",
    "list_type": "应为列表",
    "greater_than_equal": "太小，至少为 {ge}",
    "less_than_equal": "太大，至多为 {le}",
    "too_long": "太长，至多 {max_length} 项",
    "too_short": "太短，至少 {min_length} 项",
    "model_attributes_type": "应为对象",
    "model_type": "应为对象",
    "dict_type": "应为对象",
}


def install(app: FastAPI) -> None:
    """Answer every exception of an application's routes in the words of the protocol that was asked."""
    app.add_exception_handler(KewenError, _on_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Exception, _on_defect)


def _request_id(request: Request) -> str:
    return str(request.scope.get("state", {}).get("request_id", ""))


async def _on_error(request: Request, error: Exception) -> Response:
    return _answer(request, error if isinstance(error, KewenError) else _defect())


async def _on_invalid(request: Request, error: Exception) -> Response:
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    if any(x["type"] == "json_invalid" for x in problems):
        return _answer(request, KewenError("bad_json", _HTTP_ERRORS[400][1]))
    reasons = [_reason(x) for x in problems[:4]]
    names = [_name(x) for x in problems[:1] if len(x["loc"]) > 1]
    detail = {"fields": reasons, **({"param": names[0]} if names else {})}
    return _answer(request, KewenError("invalid_request", f"请求不合要求：{'；'.join(reasons)}。", detail))


async def _on_http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    code, message = _HTTP_ERRORS.get(status, ("not_found", "没有这个地址。接口说明见 /docs。"))
    headers = error.headers if isinstance(error, HTTPException) else None
    return _answer(request, KewenError(code, message), headers)


async def _on_defect(request: Request, error: Exception) -> Response:
    """A 500 is always a defect of ours: logged whole, shown without anything of it."""
    _LOG.error("request %s failed", _request_id(request), exc_info=error)
    response = _answer(request, _defect())
    secure(response.headers, request.scope["path"])  # it goes round the doorkeeper
    return response


def _answer(request: Request, error: KewenError, headers: Mapping[str, str] | None = None) -> Response:
    return error_response(error, request.scope["path"], _request_id(request), headers)


def _defect() -> KewenError:
    return KewenError("internal_error", "服务内部出错，已记入日志。请把 request_id 告诉维护者。")


def _reason(problem: Mapping[str, Any]) -> str:
    """`top_k 太大，至多为 100`."""
    template = _REASONS.get(problem["type"], "取值不合要求")
    return f"{_name(problem)} {template.format(**problem.get('ctx', {}))}"


def _name(problem: Mapping[str, Any]) -> str:
    where: Sequence[Any] = problem["loc"]
    return echo(".".join(str(x) for x in where[1:]), 40) or "请求体"
