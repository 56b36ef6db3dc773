"""A folder of documents with its manifest: list them, read them, check them against their sha256."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path

from corpus import readers
from corpus.expansions import Expansion, expansions_path, match_expansions, read_expansions
from corpus.manifest import MANIFEST, Entry, LibraryError, read_manifest
from corpus.types import Document, Passage

__all__ = ["Entry", "Library", "LibraryError", "shipped_folder"]


class Library:
    """The documents of one folder, as its `reports.toml` lists them, in that order."""

    def __init__(self, folder: Path) -> None:
        """Read the manifest.

        Raises:
            LibraryError: `manifest_missing` or `manifest_invalid`.
        """
        self.entries = read_manifest(folder)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def read(self, entry: Entry) -> Document:
        """The document of an entry, its bytes checked against the manifest.

        Raises:
            LibraryError: `document_missing`, `document_changed`, or what the reader says: `decode_error`,
                `empty`, `unsupported`.
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
        try:
            reading = readers.read(entry.path.name, data)
        except readers.ReadError as error:
            raise LibraryError(error.code, f"报告 {entry.id}：{error.message}", entry.id) from error
        return Document(
            id=entry.id,
            text=reading.text,
            title=entry.title,
            year=entry.year,
            series=entry.series,
            kind=entry.kind,
            media_type=reading.media_type,
            sha256=sha256,
            issuer=entry.issuer,
            year_basis=entry.year_basis,
            editorial_headings=entry.editorial_headings,
        )

    def expansions(self, entry: Entry, passages: Sequence[Passage]) -> tuple[list[tuple[Expansion, ...]], str]:
        """The expansions of each passage of an entry, and in Chinese what is wrong with their file, if anything.

        Expansions only help to find: whatever is wrong with them costs no passage.
        """
        path = expansions_path(entry.path.parent, entry.id)
        try:
            known, broken = read_expansions(path)
        except OSError as error:
            return [()] * len(passages), f"扩展文件 {path.name} 读不了（{error.strerror}），未使用"
        matched, stale = match_expansions(passages, known)
        notes = [
            f"第 {'、'.join(map(str, broken[:5]))} 行读不了" if broken else "",
            f"{stale} 段的原文已变" if stale else "",
        ]
        note = "，".join(x for x in notes if x)
        return matched, f"扩展文件 {path.name} 有一部分未使用：{note}" if note else ""


def is_changed(entry: Entry, sha256: str) -> bool:
    """Whether the file of an entry no longer has these bytes; a missing file counts as changed."""
    try:
        return hashlib.sha256(entry.path.read_bytes()).hexdigest() != sha256
    except OSError:
        return True


def shipped_folder() -> Path:
    """The folder of the five reports that ship with kewen."""
    return Path(str(files("corpus"))) / "reports"
