"""The index as it is used: opened, checked against the library, renewed when a newer one is published, or built."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from corpus.catalogue import check_catalogue
from corpus.library import Library, LibraryError
from corpus.remembered import Memory
from corpus.store import DocumentStore
from index.build import BuildReport, Progress, unwatched, write_index
from index.bulk import read_vectors
from index.encoders import load_encoder
from index.generations import GenerationStore
from index.milvus_build import Published
from index.search import HybridRetriever
from index.snapshot import Snapshot
from index.storage import IndexProblem
from index.types import Encoder
from service.cluster import Cluster, check_fit
from service.differences import changed_reports, check_passages, differences
from service.errors import KewenError, user_error, user_errors
from service.settings import Settings

Notify = Callable[[str], None]
"""Called with one Chinese line that the user should see."""

_REBUILD = "请运行 kewen index build 重建。"
_WAIT_SECONDS = 60


class IndexKeeper:
    """Keeps the newest sound generation open, and swaps to a newer one when it is published.

    The index of the library is built at the first use. `notify` hears what a user should know: that the
    index is being built, that a damaged one was passed over, that a report has changed since.
    """

    def __init__(
        self, settings: Settings, notify: Notify = lambda line: None, progress: Progress | None = None
    ) -> None:
        self.settings = settings
        self.store = GenerationStore(settings.home / "index")
        self.documents_store = DocumentStore(settings.home / "library")
        self._memory = Memory(settings.home / "remembered.json")
        self._notify = notify
        self.progress = progress or unwatched
        self._encoder: Encoder | None = None
        self._retriever: HybridRetriever | None = None
        self._snapshot: Snapshot | None = None
        self.cluster = Cluster(settings, notify)
        self._version: tuple[int, int] | None = None
        self._swap = threading.Lock()

    def encoder(self) -> Encoder:
        """The encoder of the settings, loaded once.

        Raises:
            KewenError: `model_unavailable`.
        """
        if self._encoder is None:
            with user_errors():
                self._encoder = load_encoder(self.settings.encoder)
        return self._encoder

    def build(self, vectors: Path | None = None) -> BuildReport:
        """Build the index of the library anew; whatever is damaged of the last one is made again.

        `vectors`: a file or folder of vectors that were made elsewhere.

        Raises:
            KewenError: `library_error`, `model_unavailable`, `index_locked`, `insufficient_storage`,
                `storage_error`, or `invalid_request`, where the vectors are of no use.
        """
        encoder = self.encoder()
        archive = self.documents_store.archive
        with user_errors(), self.store.writer():  # the library is read within: others may be changing it just now
            known = read_vectors(vectors, encoder) if vectors else ()
            return write_index(self.library(), self.store, encoder, self.progress, self._is_damaged(), archive, known)

    def _is_damaged(self) -> bool:
        """Whether any file of the last generation is damaged, a mapped one's too."""
        try:
            self.store.check(self.store.newest_sound()[0])
        except IndexProblem as problem:
            return problem.code == "index_damaged"
        return False

    def library(self) -> Library:
        """The reports of the folder and the user's own documents, as they now are on disk.

        Raises:
            LibraryError: the manifest or the catalogue can't be used.
        """
        return Library(self.settings.reports, self.documents_store, self._memory)

    def is_behind(self, library: Library) -> bool:
        """Whether the newest index was built before the user's own documents last changed: a change was cut short."""
        try:
            return bool(self._current().description.get("library") != library.state)
        except IndexProblem:
            return True

    def _current(self) -> Snapshot:
        if self._snapshot and self._version == self.store.version():
            return self._snapshot
        return Snapshot.load(self.store.newest_sound()[0])

    def status(self) -> dict[str, Any]:
        """What is on disk or in Milvus: the generation in use, what it was built with, and what is wrong with others.

        Raises:
            KewenError: `index_unavailable`, or what `Cluster` raises.
        """
        if self.settings.backend == "milvus":
            return self.cluster.status()
        with user_errors():
            generation, problems = self.store.open()
        described = {key: generation.manifest[key] for key in ("created", "encoder", "documents", "passages")}
        return {
            "generation": generation.name,
            **described,
            "generations": self.store.names(),
            "problems": problems,
        }

    def verify(self) -> dict[str, Any]:
        """Check every file of the current generation, and every passage against its text, byte for byte.

        `faults` are what is wrong with the generation before, in Chinese. The files of all reports are hashed again, whatever
        is remembered of them, and `notify` hears which have changed since they were indexed.

        Raises:
            KewenError: `index_unavailable`, naming the first thing that is wrong with the current generation.
        """
        with user_errors():
            if not self.store.names():
                raise IndexProblem("index_missing", "还没有索引。请运行 kewen index build。")
            try:
                generation = self.store.read(self.store.current_name() or "CURRENT")
                self.store.check(generation)
                snapshot = Snapshot.load(generation)
            except IndexProblem as problem:
                raise IndexProblem(problem.code, f"{problem.message}。{_REBUILD}") from problem
            check_passages(snapshot, _REBUILD)
        self._hash_again(snapshot)
        checked = {"generation": generation.name, "files": len(generation.files), "citations": len(snapshot.rows)}
        return {**checked, "faults": self._faults_before(generation.name)}

    def _hash_again(self, snapshot: Snapshot) -> None:
        """Files that changed without a sign of it, as on a disk that loses bits, are found by nothing else."""
        with suppress(LibraryError):
            library = self.library()
            library.hash_again()
            for line in changed_reports(library, snapshot):
                self._notify(f"警告：{line}{_REBUILD}")
            library.remember()

    def _faults_before(self, current: str) -> list[str]:
        """What is wrong with the generations kept for going back to."""
        faults = []
        for name in self.store.names():
            try:
                if name != current:
                    self.store.check(self.store.read(name))
            except IndexProblem as problem:
                faults.append(problem.message)
        return faults

    def library_faults(self) -> list[str]:
        """What is damaged of the user's own documents, in Chinese."""
        store = self.documents_store
        try:
            catalogue, _ = store.catalogue()
        except LibraryError as error:
            return [error.message]
        return check_catalogue(store.folder) + store.check(catalogue)

    def retriever(self) -> HybridRetriever:
        """The retriever of the newest generation, here or in Milvus. One that is in use stays as it is.

        Raises:
            KewenError: `index_unavailable`, `model_mismatch`, what building raises, or what `Cluster` does.
        """
        if self.settings.backend == "milvus":
            return self.cluster.retriever(self.encoder())
        return self._local()[0]

    def snapshot(self) -> Snapshot:
        """The newest generation on this machine; raises as `retriever`."""
        return self._local()[1]

    def publish(self, progress: Callable[[int, int], None] = unwatched) -> Published:
        """Bring the newest generation on this machine to Milvus.

        Raises:
            KewenError: `index_unavailable`, or what `Cluster` raises.
        """
        with user_errors(), self.store.writer():
            snapshot = Snapshot.load(self.store.open()[0])
            return self.cluster.publish(snapshot, progress)

    def _local(self) -> tuple[HybridRetriever, Snapshot]:
        if self._retriever is None or self._version != self.store.version():
            with self._swap:
                if self._retriever is None or self._version != self.store.version():
                    self._renew()
        if self._retriever is None or self._snapshot is None:
            raise KewenError("index_unavailable", f"索引用不了。{_REBUILD}")
        return self._retriever, self._snapshot

    def distrust(self, name: str, why: str) -> None:
        """Serve from another generation than this one, which is damaged; `why` says so in Chinese."""
        self.store.distrusted[name] = why
        self._version = None
        self.snapshot()

    def _renew(self) -> None:
        """Open the newest generation. Where that fails, what was open goes on serving, and `notify` hears why."""
        version = self.store.version()
        try:
            with user_errors():
                snapshot = self._load_or_build()
                check_fit(snapshot.description, self.encoder(), _REBUILD)
                snapshot = self._brought_up_to_date(snapshot)
        except KewenError as error:
            if self._retriever is None:
                raise
            self._notify(f"警告：新的索引用不了，继续用 {self._retriever.snapshot.name}。{error.message}")
        else:
            if version is None:  # it was built just now
                version = self.store.version()
            self._retriever, self._snapshot = HybridRetriever(snapshot, self.encoder()), snapshot
        self._version = version

    def _load_or_build(self) -> Snapshot:
        try:
            return self._load()
        except IndexProblem as problem:
            if problem.code not in ("index_missing", "index_damaged", "index_incompatible"):
                raise
            first = problem.code == "index_missing"
            self._notify("首次使用，正在为报告建立索引……" if first else f"{problem.message} 正在自动重建……")
        try:
            self.build()
        except KewenError as error:
            if error.code != "index_locked":
                raise
            self._await_writer(error)
        return self._load()

    def _brought_up_to_date(self, snapshot: Snapshot) -> Snapshot:
        """As it is, or brought up to the library as it now is; `notify` hears how they differ."""
        finished = snapshot
        try:
            library = self.library()
            finished = self._finished(snapshot, library)
            self._report_changes(finished, library if finished is snapshot else self.library())
        except LibraryError as error:  # whatever is wrong with the library, the index answers
            self._notify(f"警告：{error.message}")
        return finished

    def _finished(self, snapshot: Snapshot, library: Library) -> Snapshot:
        """With a change of the library that was cut short brought to its end, unless another writer is at it."""
        if snapshot.description.get("library") == library.state:
            return snapshot
        try:
            if self._finish():
                self._notify("上次对资料的改动没有做完，已补编索引。")
            return self._load()
        except KewenError as error:
            if error.code != "index_locked":
                self._notify(f"警告：上次对资料的改动没有做完，补编索引也没有成功。{error.message}")
            return snapshot

    def _finish(self) -> bool:
        """Index the library as it is; False where another process has done so by now."""
        encoder, archive = self.encoder(), self.documents_store.archive
        with user_errors(), self.store.writer():
            library = self.library()
            if not self.is_behind(library):
                return False
            write_index(library, self.store, encoder, self.progress, archive=archive)
        return True

    def _await_writer(self, error: KewenError) -> None:
        """Another process builds the index that is missing here: wait for it rather than fail."""
        for _ in range(_WAIT_SECONDS * 10):
            time.sleep(0.1)
            with suppress(IndexProblem):
                self.store.newest_sound()
                return
        raise error

    def _load(self) -> Snapshot:
        generation, problems = self.store.open()
        for problem in problems:
            self._notify(f"警告：{problem}")
        return Snapshot.load(generation, user_error)

    def _report_changes(self, snapshot: Snapshot, library: Library) -> None:
        """Answers come from the text as it was indexed; say so where the files on disk have moved on."""
        if library.warning:
            self._notify(f"警告：{library.warning}")
        if snapshot.description.get("library") != library.state:  # it is being changed just now
            return
        if all(entry.id not in snapshot.documents for entry in library):
            raise KewenError(
                "index_unavailable",
                f"索引是为别的报告建的：其中没有 {self.settings.reports} 清单里的任何一份。"
                f"请带上原来的 --reports，或用 --home 另指一处，或{_REBUILD}",
            )
        for line in differences(library, snapshot):
            self._notify(f"警告：{line}{_REBUILD}")
        library.remember()
