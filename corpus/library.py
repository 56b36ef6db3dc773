"""The library: the reports of a folder with its manifest, and the user's own documents."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path

from corpus import readers
from corpus.catalogue import Catalogue, Record
from corpus.expansions import Expansion, expansions_path, match_expansions, read_expansions
from corpus.manifest import MANIFEST, Entry, LibraryError, read_manifest
from corpus.store import DocumentStore
from corpus.types import Document, Passage

__all__ = ["Entry", "Library", "LibraryError", "shipped_folder"]

_OURS = (".txt", ".text", ".md", ".markdown")


class Library:
    """The documents of a folder as its `reports.toml` lists them, and then those of a store in the order they came."""

    def __init__(self, folder: Path, store: DocumentStore | None = None) -> None:
        """Read the manifest and the catalogue. `warning` is what was wrong with the latter, in Chinese.

        Raises:
            LibraryError: `manifest_missing`, `manifest_invalid`, `catalogue_damaged` or `catalogue_incompatible`.
        """
        self.folder, self.store = folder, store
        self.catalogue, self.warning = store.catalogue() if store else (Catalogue(), "")
        listed = read_manifest(folder)
        self.hidden = [x for x in listed if x.id in self.catalogue.hidden]
        own = [_entry(store, x) for x in self.catalogue.documents.values()] if store else []
        taken = {x.id for x in own}
        self.entries = [x for x in listed if x.id not in self.catalogue.hidden and x.id not in taken] + own

    @property
    def state(self) -> str:
        """Changes whenever the user's own part of the library does."""
        own = [asdict(x) for x in self.catalogue.documents.values()]
        content = json.dumps([own, sorted(self.catalogue.hidden)], sort_keys=True)
        return hashlib.sha256(content.encode("ascii")).hexdigest()

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def read(self, entry: Entry) -> Document:
        """The document of an entry: of the folder's, the bytes are checked against the manifest.

        Raises:
            LibraryError: `document_missing`, `document_changed`, `reading_damaged`, or what the reader says.
        """
        if entry.is_own and self.store:
            record = self.catalogue.documents[entry.id]
            return _document(entry, self.store.reading(record), record.sha256, record.file)
        data = _bytes(entry)
        sha256 = hashlib.sha256(data).hexdigest()
        if entry.sha256 and sha256 != entry.sha256:
            raise LibraryError(
                "document_changed",
                f"报告 {entry.id} 的内容与清单不符（sha256 应为 {entry.sha256[:12]}…，实为 {sha256[:12]}…）。"
                f"请恢复原文件；若确要采用新内容，请更新清单 {MANIFEST} 中的 sha256，再运行 kewen index build。",
                entry.id,
            )
        try:
            # Our own reader of plain text needs no process of its own: it knows no structure that could blow up.
            is_text = entry.path.suffix.lower() in _OURS
            reading = readers.read(entry.path.name, data) if is_text else _read_apart(entry.path.name, data)
        except readers.ReadError as error:
            raise LibraryError(error.code, f"报告 {entry.id}：{error.message}", entry.id) from error
        return _document(entry, reading, sha256, entry.path.name)

    def fingerprint(self, entry: Entry) -> str:
        """Changes whenever anything does that an entry's share of the index is made from; empty where it can't be known.

        Of the user's own documents no file is read for it but that of their expansions.
        """
        about = asdict(entry) | {"path": entry.path.name}
        try:
            if entry.is_own:
                record = self.catalogue.documents[entry.id]
                about |= {"read": record.reading, "file": record.file}
            else:
                about["read"] = hashlib.sha256(entry.path.read_bytes()).hexdigest()
            expansions = expansions_path(entry.folder, entry.id)
            about["expansions"] = hashlib.sha256(expansions.read_bytes()).hexdigest() if expansions.exists() else ""
        except OSError:
            return ""
        return hashlib.sha256(json.dumps(about, sort_keys=True).encode("ascii")).hexdigest()

    def expansions(self, entry: Entry, passages: Sequence[Passage]) -> tuple[list[tuple[Expansion, ...]], str]:
        """The expansions of each passage of an entry, and in Chinese what is wrong with their file, if anything.

        Expansions only help to find: whatever is wrong with them costs no passage.
        """
        path = expansions_path(entry.folder, entry.id)
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


def content_of(entry: Entry) -> str:
    """The sha256 of an entry's file: as its manifest gives it, else as the file now is; empty where it can't be read."""
    try:
        return entry.sha256 or hashlib.sha256(entry.path.read_bytes()).hexdigest()
    except OSError:
        return ""


def is_changed(entry: Entry, sha256: str) -> bool:
    """Whether the file of an entry no longer has these bytes; a missing file counts as changed."""
    if entry.is_own:
        return entry.sha256 != sha256
    try:
        return hashlib.sha256(entry.path.read_bytes()).hexdigest() != sha256
    except OSError:
        return True


def shipped_folder() -> Path:
    """The folder of the five reports that ship with kewen."""
    return Path(str(files("corpus"))) / "reports"


def _bytes(entry: Entry) -> bytes:
    try:
        return entry.path.read_bytes()
    except OSError as error:
        raise LibraryError(
            "document_missing",
            f"读不到报告 {entry.id} 的文件 {entry.path.name}（{error.strerror}）。请放回文件，或从清单中去掉它。",
            entry.id,
        ) from error


def _read_apart(name: str, data: bytes) -> readers.Reading:
    from corpus.readers import sandbox

    return sandbox.read(name, data)


def _entry(store: DocumentStore, record: Record) -> Entry:
    return Entry(
        id=record.id,
        path=store.object_path(record.sha256),
        title=record.title,
        year=record.year,
        series=record.series,
        kind=record.kind,
        sha256=record.sha256,
        issuer=record.issuer,
        year_basis=record.year_basis,
        editorial_headings=record.editorial_headings,
        title_basis=record.title_basis,
        is_own=True,
    )


def _document(entry: Entry, reading: readers.Reading, sha256: str, file: str) -> Document:
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
        title_basis=entry.title_basis,
        editorial_headings=entry.editorial_headings,
        heading_marks=reading.heading_marks,
        page_starts=reading.page_starts,
        notes=reading.notes,
        file=file,
    )
