"""The user's own documents: added, replaced, described and removed, and the index brought up to date with them.

What is said here has happened: a change is reported once the library names it on disk and an index with it is published.
"""

from __future__ import annotations

import datetime
import hashlib
import os
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

from corpus.catalogue import Catalogue, Record
from corpus.guess import guess
from corpus.intake import About, Found, check_about
from corpus.library import Library
from corpus.readers import ReadError, sandbox
from corpus.readers.types import Step, silent
from index.build import BuildReport, write_index
from index.types import DocumentInfo
from service.assistant import Assistant
from service.errors import KewenError, echo, user_errors
from service.intake_plan import Arrival, Plan

DONE = ("ok", "unchanged", "updated", "replaced", "moved", "duplicate_of", "removed", "skipped")
"""Statuses of a document that nothing is wrong with; the others are those of `corpus.readers.types.STATUSES`."""
_READERS = max(1, min(4, os.cpu_count() or 1))
_WAIT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class DocumentReport:
    """How one file or document fared: `status`, in Chinese what else is to be known, and the document as it now is."""

    file: str
    status: str
    message: str = ""
    id: str | None = None
    document: DocumentInfo | None = None
    passages: int = 0
    is_own: bool = False

    @property
    def is_done(self) -> bool:
        return self.status in DONE


@dataclass(frozen=True, slots=True)
class LibraryReport:
    """What became of a change: a report for each file, in the order given, and the generation that holds the result."""

    documents: tuple[DocumentReport, ...]
    generation: str
    seconds: float

    @property
    def complete(self) -> bool:
        return all(x.is_done for x in self.documents)


class Librarian:
    """Changes the library of an assistant. One change at a time, over all processes; others wait for a while."""

    def __init__(self, assistant: Assistant) -> None:
        self.assistant = assistant
        self.documents = assistant.documents_store

    def add(self, files: Sequence[Found], reread: bool = False, step: Step = silent) -> LibraryReport:
        """Add files, or replace what they are newer versions of. A file that can't be read costs the others nothing.

        `reread`: files that are known already are read anew. `step` hears of the files, of one file's pages.

        Raises:
            KewenError: `index_locked`, `insufficient_storage`, `storage_error`, or the library can't be used.
        """
        started = time.perf_counter()
        arrivals = self._read_all(files, reread, step)

        def change(library: Library) -> Plan:
            plan = Plan(library, _today())
            for arrival in arrivals:
                plan.take(self._as_of_now(arrival, plan, reread))
            return plan

        return self._commit(change, started)

    def change(self, document_id: str, about: About) -> LibraryReport:
        """Set what is known of one of the user's own documents.

        Raises:
            KewenError: `not_found`, `invalid_request`, or as `add`.
        """
        started = time.perf_counter()
        try:
            about = check_about(about)
        except ValueError as error:
            raise KewenError("invalid_request", f"{error}。") from error
        return self._commit(lambda library: Plan(library, _today()).describe(document_id, about), started)

    def remove(self, names: Iterable[str]) -> LibraryReport:
        """Remove documents: the user's own with their files and earlier versions, a report of the folder from view.

        Raises:
            KewenError: `not_found`, or `invalid_request` where nothing would be left, before anything is changed; or as
                `add`.
        """
        started = time.perf_counter()
        names = list(dict.fromkeys(names))

        def change(library: Library) -> Plan:
            plan = Plan(library, _today())
            for name in names:
                plan.remove(name)
            if {x.id for x in library.entries} <= set(names):
                raise KewenError("invalid_request", "至少要留一份资料，未作改动。要换掉全部资料，请先加入新的。")
            return plan

        return self._commit(change, started)

    def restore(self, document_id: str) -> LibraryReport:
        """Bring back a report of the folder that was removed from view.

        Raises:
            KewenError: `not_found`, or as `add`.
        """
        started = time.perf_counter()
        return self._commit(lambda library: Plan(library, _today()).restore(document_id), started)

    def verify(self) -> tuple[int, list[str]]:
        """How many documents of the user's there are, and in Chinese what is damaged.

        Raises:
            KewenError: `library_damaged`, where the catalogue can't be used.
        """
        with user_errors():
            catalogue, _ = self.documents.catalogue()
        return len(catalogue.documents), self.assistant.library_faults()

    def file(self, document_id: str) -> tuple[Record, bytes]:
        """The original of one of the user's own documents, byte for byte.

        Raises:
            KewenError: `not_found`, `library_error` where it is damaged.
        """
        with user_errors():
            catalogue, _ = self.documents.catalogue()
        record = catalogue.documents.get(document_id)
        if record is None:
            raise KewenError("not_found", f"没有编号为 {echo(document_id)} 的自有资料。")
        if not self.documents.is_sound(record.sha256):
            raise KewenError("library_error", f"{record.id} 的原文件缺失或已损坏。请运行 kewen docs verify。")
        return record, self.documents.object_path(record.sha256).read_bytes()

    # -- reading ----------------------------------------------------------------------------------

    def _read_all(self, files: Sequence[Found], reread: bool, step: Step) -> list[Arrival]:
        with user_errors():
            plan = Plan(self.assistant.library(), _today())
        step(0, len(files))
        arrivals = []
        with ThreadPoolExecutor(_READERS) as pool:
            pages = step if len(files) == 1 else silent
            read = partial(self._read, plan=None if reread else plan, step=pages)
            for n, arrival in enumerate(pool.map(read, files), start=1):
                arrivals.append(arrival)
                if len(files) > 1:
                    step(n, len(files))
        return arrivals

    def _read(self, found: Found, plan: Plan | None = None, step: Step = silent) -> Arrival:
        """A file that is read; one whose content the `plan` knows already is not."""
        if found.problem:
            return Arrival(found, problem=found.problem)
        try:
            data = found.read()
            sha256 = hashlib.sha256(data).hexdigest()
            same = plan and plan.known.get(sha256)
            if plan and same and self._is_whole(same, plan.catalogue):
                return Arrival(found, sha256, len(data))
            reading = sandbox.read(found.name, data, step)
        except ReadError as error:
            return Arrival(found, problem=(error.code, error.message))
        with user_errors():
            sha256, kept = self.documents.put(data, reading)
        guessed = guess(found.name, reading, datetime.date.today().year)
        return Arrival(found, sha256, len(data), kept, reading.media_type, guessed)

    def _is_whole(self, document_id: str, catalogue: Catalogue) -> bool:
        """Whether file and reading are there; what is damaged is mended by adding it again."""
        record = catalogue.documents.get(document_id)
        return record is None or self.documents.keeps(record.sha256, record.reading)

    def _as_of_now(self, arrival: Arrival, plan: Plan, reread: bool) -> Arrival:
        """A file as the library now sees it: others may have changed the library since the file was read."""
        if arrival.problem:
            return arrival
        same = plan.known.get(arrival.sha256)
        if same and not reread and (not arrival.reading or self._is_whole(same, plan.catalogue)):
            return replace(arrival, reading="", guess=None)
        if self.documents.keeps(arrival.sha256, arrival.reading):
            return arrival
        return self._read(arrival.found)

    # -- committing -------------------------------------------------------------------------------

    def _commit(self, change: Callable[[Library], Plan], started: float) -> LibraryReport:
        """Write the catalogue, publish an index with it; where that fails, the catalogue is as it was."""
        assistant = self.assistant
        assistant.encoder()  # before anything is written
        with user_errors(), assistant.store.writer(wait=_WAIT_SECONDS):
            before = assistant.library()
            plan = change(before)
            generation = assistant.store.current_name() or ""
            built: BuildReport | None = None
            if plan.catalogue != before.catalogue or assistant.is_behind(before):
                built = self._publish(before.catalogue, plan.catalogue)
                generation = built.generation
            if plan.removed:
                assistant.store.drop_previous()
            reports = {x.id for x in [*before.entries, *before.hidden] if not x.is_own}
            self.documents.clean(plan.catalogue, plan.dropped, reports)
        return LibraryReport(tuple(self._reports(plan, built)), generation, time.perf_counter() - started)

    def _publish(self, before: Catalogue, after: Catalogue) -> BuildReport:
        assistant = self.assistant
        assistant.store.check_space()
        try:
            if after != before:
                self.documents.save(after)
            built = write_index(
                assistant.library(),
                assistant.store,
                assistant.encoder(),
                assistant.progress,
                archive=self.documents.archive,
            )
        except BaseException:
            self.documents.save(before)
            raise
        failed = [x.id for x in built.documents if x.status != "ok"]
        now, _ = self.documents.catalogue()
        undone = {x: before.documents.get(x) for x in failed if now.documents.get(x) != before.documents.get(x)}
        if undone:  # they can't be indexed: what was there stays
            kept = now.with_records(x for x in undone.values() if x)
            self.documents.save(kept.without(name for name, x in undone.items() if x is None))
        return built

    def _reports(self, plan: Plan, built: BuildReport | None) -> Iterable[DocumentReport]:
        snapshot = self.assistant.snapshot()
        own = self.assistant.own_documents()
        failed = {x.id: x for x in built.documents if x.status != "ok"} if built else {}
        for outcome in plan.outcomes:
            report = DocumentReport(outcome.file, outcome.status, outcome.message, outcome.id)
            if outcome.id in failed:
                fault = failed[outcome.id]
                yield replace(report, status=fault.code, message=fault.message, id=None)
            elif outcome.id and outcome.id in snapshot.documents and outcome.status != "removed":
                count = len(snapshot.rows_of(outcome.id))
                message = report.message or ("" if count else "除标题外没有可检索的文字")
                yield replace(
                    report,
                    message=message,
                    document=snapshot.documents[outcome.id],
                    passages=count,
                    is_own=outcome.id in own,
                )
            else:
                yield report


def _today() -> str:
    return datetime.datetime.now().astimezone().isoformat(timespec="seconds")
