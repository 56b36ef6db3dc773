"""A folder of documents with its manifest: list them, read them, check them against their sha256."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from corpus import readers
from corpus.types import Document, EditorialHeading

MANIFEST = "reports.toml"


class LibraryError(Exception):
    """A document or the manifest can't be used; `code` is stable, the message says what to do."""

    def __init__(self, code: str, message: str, document_id: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.document_id = document_id


@dataclass(frozen=True, slots=True)
class Entry:
    """One document as the manifest lists it."""

    id: str
    path: Path
    sha256: str | None
    fields: dict[str, Any]


class Library:
    """The documents of one folder, as its `reports.toml` lists them, in that order."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries = _read_manifest(folder)

    def read(self, entry: Entry) -> Document:
        """The document of an entry, its bytes checked against the manifest.

        Raises:
            LibraryError: `document_missing`, `document_changed`, `decode_error`, `unsupported_type` or
                `manifest_invalid`.
        """
        try:
            data = entry.path.read_bytes()
        except OSError as error:
            raise LibraryError(
                "document_missing",
                f"读不到报告 {entry.id} 的文件 {entry.path.name}（{error.strerror}）。请放回文件，或从清单中去掉它。",
                entry.id,
            ) from error
        sha256 = hashlib.sha256(data).hexdigest()
        if entry.sha256 and sha256 != entry.sha256:
            raise LibraryError(
                "document_changed",
                f"报告 {entry.id} 的内容与清单不符（sha256 应为 {entry.sha256[:12]}…，实为 {sha256[:12]}…）。"
                f"请恢复原文件；若确要采用新内容，请更新清单 {MANIFEST} 中的 sha256，再运行 kewen index build。",
                entry.id,
            )
        return _document(entry, data, sha256)

    def changed(self, entry: Entry, sha256: str) -> bool:
        """Whether the file of an entry no longer has these bytes (a missing file counts as changed)."""
        try:
            return hashlib.sha256(entry.path.read_bytes()).hexdigest() != sha256
        except OSError:
            return True

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)


def shipped_folder() -> Path:
    """The folder of the five reports that ship with kewen."""
    return Path(str(files("corpus"))) / "reports"


def _read_manifest(folder: Path) -> list[Entry]:
    path = folder / MANIFEST
    try:
        records = tomllib.loads(path.read_text(encoding="utf-8-sig")).get("document", [])
    except OSError as error:
        raise LibraryError("manifest_missing", f"读不到清单 {path}（{error.strerror}）。") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LibraryError("manifest_invalid", f"清单 {path} 不是有效的 TOML：{error}") from error
    entries = []
    for n, record in enumerate(records, start=1):
        missing = [key for key in ("id", "file", "title", "year", "series", "kind") if not record.get(key)]
        if missing:
            raise LibraryError("manifest_invalid", f"清单 {path} 第 {n} 份报告缺少字段：{'、'.join(missing)}。")
        file = folder / record["file"]
        if not file.resolve().is_relative_to(folder.resolve()):
            raise LibraryError("manifest_invalid", f"清单 {path} 第 {n} 份报告的 file 不在该文件夹内。", record["id"])
        entries.append(Entry(record["id"], file, record.get("sha256"), record))
    names = [entry.id for entry in entries]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise LibraryError("manifest_invalid", f"清单 {path} 中 id 重复：{'、'.join(twice)}。")
    return entries


def _document(entry: Entry, data: bytes, sha256: str) -> Document:
    fields = entry.fields
    try:
        reading = readers.read(entry.path.name, data)
    except readers.ReadError as error:
        raise LibraryError(error.code, f"报告 {entry.id}：{error.message}", entry.id) from error
    restored = [EditorialHeading(x["before"], x["heading"]) for x in fields.get("restored_headings", [])]
    misplaced = [
        EditorialHeading(x["before"], x["heading"], printed=True, level=x.get("level"))
        for x in fields.get("misplaced_headings", [])
    ]
    return Document(
        id=entry.id,
        text=reading.text,
        title=fields["title"],
        year=int(fields["year"]),
        series=fields["series"],
        kind=fields["kind"],
        media_type=reading.media_type,
        sha256=sha256,
        issuer=fields.get("issuer"),
        year_basis=fields.get("year_basis"),
        editorial_headings=(*restored, *misplaced),
    )
