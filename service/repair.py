"""Bringing back what the documents hold: catalogue, readings, originals, and the index made anew from them."""

from __future__ import annotations

import datetime
import hashlib
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

from corpus.catalogue import Catalogue, Record, check_catalogue
from corpus.guess import clean_name, guess
from corpus.intake import Found
from corpus.library import Library
from corpus.manifest import LibraryError
from corpus.readers import ReadError, Reading, sandbox
from corpus.storage import storage_errors
from corpus.store import DocumentStore
from index.build import BuildReport, write_index
from index.generations import GenerationStore
from index.snapshot import Snapshot
from index.storage import IndexProblem
from index.types import DocumentInfo
from service.assistant import Assistant
from service.errors import user_errors
from service.intake_plan import Arrival, Plan
from service.settings import Settings


@dataclass(slots=True)
class RepairReport:
    """In Chinese, what was mended and what could not be; and the new index."""

    mended: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    built: BuildReport | None = None

    @property
    def complete(self) -> bool:
        return not self.lost and self.built is not None and self.built.complete


def repair(assistant: Assistant) -> RepairReport:
    """Mend the library as far as its files, its index and the places that they came from allow, and index it anew.

    Raises:
        KewenError: `index_locked`, `insufficient_storage`, `storage_error`, `library_error` or `invalid_setting`.
    """
    encoder = assistant.encoder()
    report = RepairReport()
    with user_errors(), assistant.store.writer():
        last = _last(assistant.store)
        store = assistant.documents_store
        catalogue = _mend_catalogue(store, last, assistant.settings, report)
        mended = [_mend(store, _mend_earlier(store, x, report), last, report) for x in catalogue.documents.values()]
        _drop_damaged_texts(store, report)
        if mended or report.mended:
            store.save(catalogue.with_records(mended))
        report.lost += store.check(catalogue.with_records(mended))
        report.built = write_index(
            assistant.library(), assistant.store, encoder, assistant.progress, fresh=True, archive=store.archive
        )
    return report


def _last(store: GenerationStore) -> Snapshot | None:
    try:
        return Snapshot.load(store.newest_sound()[0])
    except IndexProblem:
        return None


def _mend_catalogue(store: DocumentStore, last: Snapshot | None, settings: Settings, report: RepairReport) -> Catalogue:
    faults = check_catalogue(store.folder)
    try:
        catalogue, _ = store.catalogue()
    except LibraryError as error:
        if error.code != "catalogue_damaged":
            raise
        return _from_last(last, settings, report) if last else _from_files(store, settings, report)
    report.mended += [f"{x}，已依另一份恢复" for x in faults]
    return catalogue


def _from_last(last: Snapshot, settings: Settings, report: RepairReport) -> Catalogue:
    """The catalogue as far as the index knows it."""
    listed = {x.id for x in Library(settings.reports)}
    own = [x for x in last.documents.values() if x.id not in listed]
    report.mended.append(f"资料目录已依索引重建，含自有资料 {len(own)} 份")
    return Catalogue({x.id: _record(x) for x in own}, frozenset(listed - last.documents.keys()))


def _from_files(store: DocumentStore, settings: Settings, report: RepairReport) -> Catalogue:
    """The files that are there, each a document: neither a catalogue nor an index says what they are."""
    plan = Plan(Library(settings.reports), "")
    for sha256 in store.files():
        data, name = store.object_path(sha256).read_bytes(), sha256[:12]
        try:
            reading = sandbox.read(name, data)
        except ReadError:
            continue
        kept = store.keep_reading(reading)
        guessed = guess(name, reading, datetime.date.today().year)
        plan.take(Arrival(Found(name, data=data), sha256, len(data), kept, reading.media_type, guessed))
    count = len(plan.catalogue.documents)
    report.mended.append(
        f"资料目录与索引都已丢失，已依存下的文件重建，含自有资料 {count} 份；题名、年份请核对，旧版也在其中"
    )
    return plan.catalogue


def _record(document: DocumentInfo) -> Record:
    """A document's record as far as the index knows it; `_mend` finds its reading."""
    return Record(
        id=document.id,
        sha256=document.sha256,
        reading="",
        file=document.file or document.id,
        size=0,
        added="",
        media_type=document.media_type,
        title=document.title,
        title_basis=document.title_basis,
        year=document.year,
        year_basis=document.year_basis,
        series=document.series,
        kind=document.kind,
        issuer=document.issuer,
    )


def _mend(store: DocumentStore, record: Record, last: Snapshot | None, report: RepairReport) -> Record:
    """A document whose file and reading are there, as far as they can be had."""
    if not store.is_sound(record.sha256):
        data = _from_source(record)
        if data is not None:
            store.restore(data)
            report.mended.append(f"资料 {record.id} 的原文件已由 {clean_name(str(record.source))} 取回")
    try:
        store.reading(record)
        return record
    except LibraryError:
        reading = _read_again(store, record) or _from_index(record, last)
    if reading is None:
        return record
    kept = store.keep_reading(reading)
    size = record.size or (store.object_path(record.sha256).stat().st_size if store.is_sound(record.sha256) else 0)
    report.mended.append(f"资料 {record.id} 的文字已恢复")
    return replace(record, reading=kept, size=size)


def _mend_earlier(store: DocumentStore, record: Record, report: RepairReport) -> Record:
    """A document with those of its earlier versions whose files are there; damaged texts are read from them again."""
    kept = tuple(x for x in record.versions if store.is_sound(x.sha256))
    lost = (x for x in record.versions if x not in kept)
    report.lost += [f"资料 {record.id} 的一份旧版文件（{x.sha256[:12]}…）缺失或已损坏，不再保留" for x in lost]
    damaged = {x.stem for x in store.damaged_texts() if x.parent.name == record.id}
    for version in kept if damaged else ():
        reading = _read_again(store, replace(record, sha256=version.sha256))
        text = reading.text.encode("utf-8", "surrogatepass") if reading else b""
        if hashlib.sha256(text).hexdigest() in damaged:
            store.archive(record.id, text)
            report.mended.append(f"资料 {record.id} 的一份旧版原文已恢复")
    return replace(record, versions=kept)


def _drop_damaged_texts(store: DocumentStore, report: RepairReport) -> None:
    """What could not be read again is named once, and not kept."""
    with storage_errors("清理旧版原文"):
        for path in store.damaged_texts():
            report.lost.append(f"资料 {path.parent.name} 的一份旧版原文（{path.stem[:12]}…）已损坏，不再保留")
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def _from_source(record: Record) -> bytes | None:
    try:
        data = Path(record.source).read_bytes() if record.source else b""
    except OSError:
        return None
    return data if hashlib.sha256(data).hexdigest() == record.sha256 else None


def _read_again(store: DocumentStore, record: Record) -> Reading | None:
    if not store.is_sound(record.sha256):
        return None
    try:
        return sandbox.read(record.file, store.object_path(record.sha256).read_bytes())
    except ReadError:
        return None


def _from_index(record: Record, last: Snapshot | None) -> Reading | None:
    """The text as it was indexed. What the format marked as headings is not kept there."""
    document = last.documents.get(record.id) if last else None
    if last is None or document is None or document.sha256 != record.sha256:
        return None
    return Reading(
        last.text(record.id),
        record.media_type,
        page_starts=document.page_starts,
        notes=(*document.notes, "文字由索引恢复"),
    )
