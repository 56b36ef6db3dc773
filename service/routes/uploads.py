"""Files sent as multipart/form-data (RFC 7578): streamed to disk, counted, named and described."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from corpus.guess import clean_name
from corpus.intake import About, Found, check_about
from corpus.storage import storage_errors
from service.errors import KewenError, echo, user_errors
from service.guard import uploads_too_large
from service.schemas import LONGEST_TEXT
from service.settings import Settings

_MOST_FILES = 50
_SECONDS = 120.0
_TEXTS = ("id", "title", "series", "kind", "issuer")
_FIELDS = (*_TEXTS, "year", "reread")
_SWITCH = {"true": True, "1": True, "false": False, "0": False}
_LONGEST = 4096
"""Bytes of a field."""
_BOUNDARY = re.compile(rb"[0-9A-Za-z'()+_,./:=?-]{1,70}")
_PERCENT = re.compile(rb"%[0-9A-Fa-f]{2}")
_BROKEN = f"读不懂这个上传：multipart/form-data 的格式有误，或多于 {_MOST_FILES} 份文件。"


@dataclass(frozen=True, slots=True)
class _Sent(Found):
    """A file that was sent; its bytes are on disk until they are read."""

    sent: UploadFile | None = None

    def read(self) -> bytes:
        if self.sent is None:
            return b""
        self.sent.file.seek(0)
        return self.sent.file.read()


class _Form(MultiPartParser):
    """Starlette's parser, told how much may come, and that a form ends with its last boundary or is none.

    What `_chunks` raises passes through the parser, which then closes the files that it has begun.
    """

    def __init__(self, request: Request, settings: Settings) -> None:
        chunks = self._chunks(request, settings)
        super().__init__(_headers(request), chunks, max_files=_MOST_FILES, max_fields=20, max_part_size=_LONGEST)
        self._is_whole = False

    def on_end(self) -> None:
        self._is_whole = True

    async def _chunks(self, request: Request, settings: Settings) -> AsyncGenerator[bytes, None]:
        error = uploads_too_large(settings)
        left = error.detail["limit"]
        async for chunk in request.stream():
            left -= len(chunk)
            if left < 0:
                raise error
            yield chunk
        if not self._is_whole:
            raise MultiPartException("the last boundary is missing")


@dataclass(frozen=True, slots=True)
class Upload:
    """What one request brings: files, and whether those that are known are to be read anew."""

    files: tuple[Found, ...]
    reread: bool


@asynccontextmanager
async def received(request: Request, settings: Settings) -> AsyncIterator[Upload]:
    """The files of a request, on disk until the end of the block.

    Raises:
        KewenError: `body_too_large`, `request_timeout`, `invalid_request`, `insufficient_storage` or `storage_error`.
    """
    with user_errors(), storage_errors("接收上传"):
        form = await _parsed(_Form(request, settings))
    try:
        yield _upload(form.multi_items(), settings)
    finally:
        await form.close()


async def _parsed(form: _Form) -> FormData:
    try:
        async with asyncio.timeout(_SECONDS):
            return await form.parse()
    except TimeoutError as late:
        raise KewenError("request_timeout", f"等了 {_SECONDS:g} 秒，上传还没有发完。") from late
    except MultiPartException as error:
        raise KewenError("invalid_request", _BROKEN) from error
    except ClientDisconnect as error:  # nobody hears this
        raise KewenError("invalid_request", "上传没有发完，连接就断了。") from error


def file_name(sent: str) -> str:
    """The last component of a name as it was sent, one character a byte, as text that is safe to show.

    Its bytes are UTF-8, else GB18030. Some clients send them percent-encoded (aiohttp, `quote_fields`).

    >>> file_name("C:\\\\报告\\\\2025.pdf".encode().decode("latin-1"))
    '2025.pdf'
    """
    data = sent.encode("latin-1", "replace")
    if data.isascii() and _PERCENT.search(data) and not (plain := unquote_to_bytes(data)).isascii():
        data = plain
    name = clean_name(re.split(r"[/\\]", _text(data))[-1])
    return name if name.strip(". ") else "未命名"


def _headers(request: Request) -> Headers:
    """The content type with its boundary alone: names are to come as bytes, in whatever charset it calls them.

    Raises:
        KewenError: `invalid_request`.
    """
    boundary = parse_options_header(request.headers.get("content-type"))[1].get(b"boundary", b"")
    if not _BOUNDARY.fullmatch(boundary):
        raise KewenError("invalid_request", "Content-Type 中缺少分隔符 boundary，或它不合规范。")
    return Headers({"Content-Type": f'multipart/form-data; boundary="{boundary.decode("ascii")}"; charset=latin-1'})


def _upload(items: Iterable[tuple[str, UploadFile | str]], settings: Settings) -> Upload:
    sent: list[UploadFile] = []
    fields: dict[str, str] = {}
    for name, value in items:
        if isinstance(value, UploadFile):
            if name != "file":
                raise _refused(f"文件应放在名为 file 的部分，不是 {echo(_text(name.encode('latin-1')), 40)}。", "file")
            sent.append(value)
        elif name not in _FIELDS or name in fields:
            what = "重复的" if name in fields else "不认识的"
            raise _refused(
                f"有{what}字段 {echo(_text(name.encode('latin-1')), 40)}。可用的有 {'、'.join(_FIELDS)}。", ""
            )
        else:
            fields[name] = _text(value.encode("latin-1")).strip()
    if not sent:
        raise _refused("没有文件：每份文件一个名为 file 的部分，并带文件名 filename。", "file")
    about = _about(fields)
    if len(sent) > 1 and (about.id or about.title):
        raise _refused("一次上传几份文件时，不能带 id 或 title。", "id" if about.id else "title")
    reread = _SWITCH.get(fields.get("reread", "").lower() or "false")
    if reread is None:
        raise _refused("reread 应为 true 或 false。", "reread")
    return Upload(tuple(_found(x, about, settings.max_upload) for x in sent), reread)


def _found(sent: UploadFile, about: About, most: int) -> Found:
    name = file_name(sent.filename or "")
    if (sent.size or 0) > most:
        return Found(name, problem=("too_large", f"{name} 超过 {most} 字节的上限。请拆成几份再加入。"))
    return _Sent(name, about=about, sent=sent)


def _about(fields: Mapping[str, str]) -> About:
    """What is said of the files; an empty field of a form says nothing."""
    given: dict[str, Any] = {name: fields[name] for name in _TEXTS if fields.get(name)}
    for name, text in given.items():
        if len(text) > LONGEST_TEXT:
            raise _refused(f"{name} 太长，至多 {LONGEST_TEXT} 字。", name)
    year = fields.get("year", "")
    if year and not re.fullmatch(r"[0-9]{4}", year):
        raise _refused("year 应为四位的年份，如 2025。", "year")
    try:
        return check_about(About(**given, year=int(year) if year else None))
    except ValueError as error:
        raise _refused(f"{error}。", "") from error


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("gb18030", "replace")


def _refused(message: str, name: str) -> KewenError:
    return KewenError("invalid_request", message, {"param": name} if name else {})
