"""What became of documents, as JSON and as text for people."""

from __future__ import annotations

from typing import Any

from service.librarian import DocumentReport, LibraryReport
from service.render import clean, document_json

_STATES = {
    "ok": "已加入",
    "updated": "已更正",
    "replaced": "已更新",
    "moved": "已改记位置",
    "unchanged": "没有变化",
    "duplicate_of": "重复",
    "removed": "已移除",
    "skipped": "略过",
    "empty": "没有文字",
    "no_text_layer": "没有文字层",
    "encrypted": "已加密",
    "corrupt": "读不了",
    "unsupported": "格式不支持",
    "too_large": "过大",
    "too_many_pages": "页数过多",
    "timeout": "超时",
    "memory_limit": "超出内存",
    "decode_error": "编码不明",
    "parser_crashed": "解析中止",
    "not_found": "找不到",
}


def library_report_json(report: LibraryReport) -> dict[str, Any]:
    """`{"documents": [{"file", "status", "message", "id", "document"}], "generation", "seconds"}`."""
    return {
        "documents": [report_json(x) for x in report.documents],
        "generation": report.generation,
        "seconds": round(report.seconds, 3),
    }


def report_json(report: DocumentReport) -> dict[str, Any]:
    """One file or document."""
    return {
        "file": report.file,
        "status": report.status,
        "message": report.message,
        "id": report.id,
        "document": document_json(report.document, report.passages, report.is_own) if report.document else None,
    }


def library_report_text(report: LibraryReport) -> str:
    """A line or two for each document, those that failed at the end, and a sum."""
    done = [_text(x) for x in report.documents if x.is_done]
    failed = [f"未加入（{x.status}）{clean(x.file)}：{clean(x.message)}" for x in report.documents if not x.is_done]
    counted = f"共 {len(report.documents)} 份：成功 {len(done)}，失败 {len(failed)}，用时 {report.seconds:.1f} 秒。"
    return "\n".join([*done, *failed, counted])


def _text(report: DocumentReport) -> str:
    state = _STATES.get(report.status, report.status)
    note = f"，{clean(report.message)}" if report.message else ""
    document = report.document
    if document is None or report.status in ("unchanged", "duplicate_of", "moved", "removed", "skipped"):
        return f"{state}：{clean(report.file)}" + (f" → {report.id}" if report.id else "") + note
    pages = f"{len(document.page_starts)} 页，" if document.page_starts else ""
    lines = [
        f"{state}：{clean(report.file)} → {document.id}{note}",
        f"    《{clean(document.title)}》{_ground(document.title_basis)}，"
        f"{document.year} 年{_ground(document.year_basis)}，{clean(document.kind)}；{pages}{report.passages} 段",
    ]
    return "\n".join([*lines, *(f"    {clean(x)}" for x in document.notes)])


def _ground(basis: str | None) -> str:
    return f"（{clean(basis)}）" if basis else ""
