"""The library: the reports of a folder with its manifest, and the user's own documents."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, fields
from importlib.resources import files
from pathlib import Path
from typing import Any

from corpus import readers
from corpus.catalogue import Catalogue, Record
from corpus.expansions import Expansion, expansions_path, match_expansions, read_expansions
from corpus.manifest import MANIFEST, Entry, LibraryError, read_manifest
from corpus.remembered import Memory
from corpus.store import DocumentStore
from corpus.types import Document, Passage

__all__ = ["Entry", "Library", "LibraryError", "shipped_folder"]

_OURS = (".txt", ".text", ".md", ".markdown")
_NESTED = ("editorial_headings", "versions")
"""Fields of an entry or a record that hold dataclasses."""
_NAMES = {kind: tuple(x.name for x in fields(kind)) for kind in (Entry, Record)}
_in_order = json.JSONEncoder(sort_keys=True).encode


class Library:
    """The documents of a folder as its `reports.toml` lists them, and then those of a store in the order they came."""

    def __init__(self, folder: Path, store: DocumentStore | None = None, memory: Memory | None = None) -> None:
        """Read the manifest and the catalogue. `warning` is what was wrong with the latter, in Chinese.

        `memory`: what is known of files that have not changed since. `remember` keeps it.

        Raises:
            LibraryError: `manifest_missing`, `manifest_invalid`, `catalogue_damaged` or `catalogue_incompatible`.
        """
        self.folder, self.store = folder, store
        self.catalogue, self.warning = store.catalogue() if store else (Catalogue(), "")
        self._memory = memory or Memory()
        self._memory.refresh()
        listed = read_manifest(folder, self._memory)
        self.hidden = [x for x in listed if x.id in self.catalogue.hidden]
        own = [_entry(store, x) for x in self.catalogue.documents.values()] if store else []
        taken = {x.id for x in own}
        self.entries = [x for x in listed if x.id not in self.catalogue.hidden and x.id not in taken] + own

    @property
    def state(self) -> str:
        """Changes whenever the user's own part of the library does."""
        own = [_record(x) for x in self.catalogue.documents.values()]
        content = _in_order([own, sorted(self.catalogue.hidden)])
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
        self._memory.correct(entry.path, sha256)
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
        about = _record(entry) | {"path": entry.path.name}
        try:
            if entry.is_own:
                record = self.catalogue.documents[entry.id]
                about |= {"read": record.reading, "file": record.file}
            else:
                about["read"] = self._memory.sha256(entry.path)
            expansions = expansions_path(entry.folder, entry.id)
            about["expansions"] = self._memory.sha256(expansions) if expansions.exists() else ""
        except OSError:
            return ""
        return hashlib.sha256(_in_order(about).encode("ascii")).hexdigest()

    def content(self, entry: Entry) -> str:
        """The sha256 of an entry's file: as its manifest gives it, else as it now is; empty where it can't be read."""
        try:
            return entry.sha256 or self._memory.sha256(entry.path)
        except OSError:
            return ""

    def is_changed(self, entry: Entry, sha256: str) -> bool:
        """Whether the file of an entry no longer has these bytes; a missing file counts as changed."""
        if entry.is_own:
            return entry.sha256 != sha256
        try:
            return self._memory.sha256(entry.path) != sha256
        except OSError:
            return True

    def remember(self) -> None:
        """Keep what is known of the folder's files for the next process, which need not read them again.

        Those that nobody asked for here, because other processes have read them, are read for it.
        """
        paths = [x.path for x in (*self.entries, *self.hidden) if not x.is_own]
        for path in paths:
            if not self._memory.knows(path):
                with suppress(OSError):
                    self._memory.sha256(path)
        if self._memory.is_changed:
            self._memory.save([*paths, *(expansions_path(x.folder, x.id) for x in self.entries)])

    def hash_again(self) -> None:
        """Trust nothing that is remembered of files: a disk that loses bits changes neither size nor time."""
        self._memory.forget_files()

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


def shipped_folder() -> Path:
    """The folder of the five reports that ship with kewen."""
    return Path(str(files("corpus"))) / "reports"


def _record(value: Entry | Record) -> dict[str, Any]:
    """As `asdict` gives it, which copies every value that it meets."""
    about = {name: getattr(value, name) for name in _NAMES[type(value)]}
    return about | {x: [asdict(y) for y in about[x]] for x in _NESTED if about.get(x)}


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
