"""Several processes that make the segments of one build side by side."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corpus.library import Entry, Library
from index.making import Read
from index.storage import IndexProblem

_MOST_WORKERS = 16
_JOB_BYTES = 48 << 20
"""About what a full segment is made from: 130,000 passages of 130 characters."""

_LEAST_BYTES = 4 << 20
"""Of less, the workers would take longer to start than to work."""


@dataclass(frozen=True, slots=True)
class Workplace:
    """What the workers are told: where segments are put, what those depend on, and the name of the encoder."""

    building: Path
    made_by: Mapping[str, Any]
    encoder: str


def size_of(entry: Entry) -> int:
    """The bytes of an entry's file; 0 where it is not there."""
    try:
        return entry.path.stat().st_size
    except OSError:
        return 0


def workers_for(size: int) -> int:
    """How many processes are worth it for so many bytes of documents; 0 or 1: none beside our own."""
    return min(os.cpu_count() or 1, _MOST_WORKERS, size // _LEAST_BYTES)


def make_together(
    library: Library, entries: Sequence[Entry], place: Workplace, workers: int, heard: Callable[[Read], None]
) -> int:
    """Make segments of documents; how many pieces were embedded. `heard` is called with each document that is done, but not
    with one that a worker no longer finds in the library.

    Raises:
        IndexProblem: what a worker said; `storage_error`, where one ended without a word. Segments that are done stay.
    """
    jobs: queue.SimpleQueue[list[str]] = queue.SimpleQueue()
    for job in _jobs(entries, workers):
        jobs.put(job)
    told = threading.Lock()

    def hear(read: Read) -> None:
        with told:
            heard(read)

    crew = [_Worker(library, place, hear) for _ in range(workers)]
    with ThreadPoolExecutor(workers) as pool:
        running = [pool.submit(worker.run, jobs) for worker in crew]
        try:
            return sum(x.result() for x in as_completed(running))
        finally:
            for worker in crew:
                worker.stop()


def _jobs(entries: Sequence[Entry], workers: int) -> list[list[str]]:
    """Neighbours put together, as many bytes in each job, and several jobs a worker where there is much."""
    sizes = [size_of(entry) for entry in entries]
    total = sum(sizes)
    count = max(workers, -(-total // _JOB_BYTES))
    count = -(-count // workers) * workers
    jobs: list[list[str]] = [[]]
    done = 0
    for entry, size in zip(entries, sizes, strict=True):
        if jobs[-1] and done + size / 2 >= total * len(jobs) / count:
            jobs.append([])
        jobs[-1].append(entry.id)
        done += size
    return jobs


class _Worker:
    """One process, and the thread that listens to it."""

    def __init__(self, library: Library, place: Workplace, heard: Callable[[Read], None]) -> None:
        store = str(library.store.folder) if library.store else None
        self._first = {
            "reports": str(library.folder),
            "store": store,
            "building": str(place.building),
            "made_by": place.made_by,
            "encoder": place.encoder,
        }
        self._heard = heard
        self._process: subprocess.Popen[str] | None = None
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End the process, whatever it is doing; where it is not started yet, it will do nothing."""
        self._stopped.set()
        if self._process:
            self._process.kill()

    def run(self, jobs: queue.SimpleQueue[list[str]]) -> int:
        """Take jobs until there are none; how many pieces were embedded."""
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONSAFEPATH": "1"}
        environment["PYTHONPATH"] = os.pathsep.join(x for x in sys.path if x)
        embedded = 0
        with subprocess.Popen(
            [sys.executable, "-m", "index.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            encoding="utf-8",
        ) as self._process:
            process = self._process
            try:
                self._tell(process, self._first)
                while not self._stopped.is_set():
                    try:
                        job = jobs.get_nowait()
                    except queue.Empty:
                        break
                    embedded = self._do(process, job)
            finally:
                process.kill()
        return embedded

    def _do(self, process: subprocess.Popen[str], job: Sequence[str]) -> int:
        self._tell(process, list(job))
        for line in process.stdout or ():
            said = json.loads(line)
            if "problem" in said:
                raise IndexProblem(said["problem"], said["message"])
            if "id" in said:
                self._heard(Read(said["id"], said["passages"], said["message"], said["code"]))
            if "done" in said:
                return int(said["embedded"])
        if self._stopped.is_set():
            return 0
        raise IndexProblem(
            "storage_error",
            f"建索引的子进程意外结束（{process.wait()}），可能是内存不足。已完成的部分都保留着，再次运行 kewen index build 即接着做。",
        )

    def _tell(self, process: subprocess.Popen[str], about: object) -> None:
        if process.stdin:
            try:
                process.stdin.write(json.dumps(about) + "\n")
                process.stdin.flush()
            except OSError:  # it has died; that its output ends says so
                return
