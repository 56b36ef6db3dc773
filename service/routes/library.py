"""What changes the library over HTTP: uploads, corrections, removals; and the originals."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import anyio
from fastapi import APIRouter, Request
from fastapi.responses import Response

from corpus.intake import About
from corpus.types import DOCX, PDF
from service.assistant import Assistant
from service.errors import KewenError
from service.librarian import Librarian, LibraryReport
from service.library_render import library_report_json
from service.links import Links
from service.routes.native import CHANGED, FOUND, SEARCHED, Responses
from service.routes.uploads import received
from service.schemas import LONGEST_TEXT, AboutIn, ErrorOut, LibraryReportOut
from service.threads import in_thread

_AT_ONCE = 4
"""So many uploads are received at a time, each up to the limit on disk; others wait before they are read."""
_FORM = {
    "type": "object",
    "properties": {
        "file": {
            "type": "array",
            "minItems": 1,
            "maxItems": 50,
            "items": {"type": "string", "format": "binary"},
            "description": "文件：PDF、DOCX、HTML、Markdown、纯文本；可以有几份",
        },
        "title": {"type": "string", "maxLength": LONGEST_TEXT, "description": "题名；只能用于一份文件；省略则依内容猜"},
        "year": {"type": "integer", "minimum": 1900, "maximum": 2100, "description": "所述年份；省略则猜"},
        "series": {"type": "string", "maxLength": LONGEST_TEXT, "description": "系列：各年同名的报告属于一个系列"},
        "kind": {"type": "string", "maxLength": LONGEST_TEXT, "description": "类别，如 年度报告、规划"},
        "issuer": {"type": "string", "maxLength": LONGEST_TEXT, "description": "发布机构"},
        "id": {"type": "string", "maxLength": 100, "description": "编号；只能用于一份文件；已有该编号时成为它的新版"},
        "reread": {"type": "boolean", "default": False, "description": "已有的也重新读取"},
    },
    "required": ["file"],
    "additionalProperties": False,
}
_BODY = {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _FORM}}}}
_UPLOADED: Responses = {
    **SEARCHED,
    **CHANGED,
    415: {"model": ErrorOut, "description": "Content-Type 不是 multipart/form-data"},
    422: {
        "model": ErrorOut,
        "description": "请求不合要求；document_rejected：没有一份文件能加入，缘由在 detail.documents",
    },
}
_DELETED: Responses = {**FOUND, **CHANGED}
_CORRECTED: Responses = {**SEARCHED, **FOUND, **CHANGED}
_ORIGINAL: Responses = {
    200: {"description": "原文件，逐字节不改", "content": {"application/octet-stream": {}, PDF: {}, DOCX: {}}},
    **FOUND,
}


def router(assistant: Assistant, links: Links) -> APIRouter:
    """The routes over an assistant; they cite nothing, so `links` stay unused."""
    routes = APIRouter(tags=["报告"])
    librarian = Librarian(assistant)
    uploads = anyio.CapacityLimiter(_AT_ONCE)
    # Changes of one service wait for each other; for those of another process the index waits, and then refuses.
    changes = anyio.CapacityLimiter(1)

    @routes.post(
        "/v1/documents",
        summary="加入资料",
        operation_id="add_documents",
        response_model=LibraryReportOut,
        responses=_UPLOADED,
        openapi_extra=_BODY,
    )
    async def add(request: Request) -> dict[str, Any]:
        """上传一份或几份文件，读取并编入索引；返回时即可检索。每份文件一个状态；有一份成功即为 200。

        同一内容再传是 `unchanged` 或 `duplicate_of`；同名的新内容成为新版（`replaced`），旧版的出处仍能打开。
        """
        async with uploads, received(request, assistant.settings) as upload:
            report = await in_thread(lambda: librarian.add(upload.files, upload.reread), changes)
        return _reported(report)

    @routes.patch(
        "/v1/documents/{document_id}",
        summary="更正资料",
        operation_id="change_document",
        response_model=LibraryReportOut,
        responses=_CORRECTED,
    )
    async def change(document_id: str, body: AboutIn) -> dict[str, Any]:
        """更正一份自有资料的题名、年份、系列、类别或发布机构；省略的不变。"""
        about = About(**body.model_dump())
        return library_report_json(await in_thread(lambda: librarian.change(document_id, about), changes))

    _removals(routes, librarian, changes)
    _originals(routes, assistant, librarian)
    return routes


def _removals(routes: APIRouter, librarian: Librarian, changes: anyio.CapacityLimiter) -> None:
    """The routes that take documents out, and bring back those that can be."""

    @routes.delete(
        "/v1/documents/{document_id}",
        summary="移除资料",
        operation_id="remove_document",
        response_model=LibraryReportOut,
        responses=_DELETED,
    )
    async def remove(document_id: str) -> dict[str, Any]:
        """移除一份资料：自有的连同文件与旧版；报告文件夹中的只是不再检索。返回之后不会再被检索到。"""
        return library_report_json(await in_thread(lambda: librarian.remove([document_id]), changes))

    @routes.post(
        "/v1/documents/{document_id}/restore",
        summary="恢复报告",
        operation_id="restore_document",
        response_model=LibraryReportOut,
        responses=_CORRECTED,
    )
    async def restore(document_id: str) -> dict[str, Any]:
        """恢复报告文件夹中一份已移除的报告，重新编入索引。"""
        return library_report_json(await in_thread(lambda: librarian.restore(document_id), changes))


def _originals(routes: APIRouter, assistant: Assistant, librarian: Librarian) -> None:
    """The route of the files themselves."""

    @routes.get(
        "/v1/documents/{document_id}/file",
        summary="原文件",
        operation_id="get_original",
        response_class=Response,
        responses=_ORIGINAL,
    )
    def original(document_id: str) -> Response:
        """一份自有资料的原文件，只供下载。报告文件夹中的报告没有，其文字见 `/v1/documents/{document_id}/text`。"""
        try:
            record, data = librarian.file(document_id)
        except KewenError as error:
            if error.code == "not_found" and document_id in assistant.retriever().snapshot.documents:
                message = "这份报告在报告文件夹中，不供下载；其文字可用 GET /v1/documents/编号/text 取。"
                raise KewenError("not_found", message) from error
            if error.code == "library_error":
                raise KewenError("library_damaged", error.message) from error
            raise
        except OSError as error:  # another has removed it at this moment
            raise KewenError("not_found", "这份资料已被移除。") from error
        # A browser shows what it knows: nothing that could hold a script is called by its name.
        media_type = record.media_type if record.media_type in (PDF, DOCX) else "application/octet-stream"
        name = f"attachment; filename*=UTF-8''{quote(record.file, safe='')}"
        return Response(data, media_type=media_type, headers={"Content-Disposition": name})


def _reported(report: LibraryReport) -> dict[str, Any]:
    body = library_report_json(report)
    if any(x.is_done for x in report.documents):
        return body
    first = report.documents[0]
    count = f"{len(report.documents)} 份文件都没有加入，如 " if len(report.documents) > 1 else "文件没有加入，"
    raise KewenError("document_rejected", f"{count}{first.status}：{first.message}", {"documents": body["documents"]})
