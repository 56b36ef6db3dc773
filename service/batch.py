"""Many questions at once: JSON Lines in, JSON Lines out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from service.errors import USAGE, KewenError


def answer_lines(lines: Iterable[bytes], answer: Callable[[str], dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """One record for each line `{"id", "question"}`; one that can't be answered holds `error` and spoils no other.

    Raises:
        KewenError: what concerns all lines alike, such as an index that can't be opened.
    """
    for number, raw in enumerate(lines, start=1):
        if not raw.strip():
            continue
        record: dict[str, Any] = {"id": None}
        try:
            line = _parse(raw, number)
            record["id"] = line.get("id")
            record |= answer(_question(line, number))
        except KewenError as error:
            if error.exit_code != USAGE:
                raise
            record["error"] = {"code": error.code, "message": error.message}
        yield record


def _parse(raw: bytes, number: int) -> dict[str, Any]:
    try:
        line = json.loads(raw.decode("utf-8-sig" if number == 1 else "utf-8"), parse_constant=_refuse)
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise KewenError("invalid_request", f"第 {number} 行：不是有效的 UTF-8 JSON。") from error
    if not isinstance(line, dict):
        raise KewenError("invalid_request", f"第 {number} 行：应为 JSON 对象。")
    if not isinstance(line.get("id"), str | int | None):
        raise KewenError("invalid_request", f"第 {number} 行：id 应为文字或整数。")
    return line


def _refuse(constant: str) -> float:
    """NaN and Infinity are no JSON."""
    raise ValueError(constant)


def _question(line: dict[str, Any], number: int) -> str:
    if not isinstance(line.get("question"), str):
        raise KewenError("invalid_request", f"第 {number} 行：缺少文字字段 question。")
    return str(line["question"])
