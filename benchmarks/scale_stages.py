"""One stage of `scale.py`, in a process of its own: `python scale_stages.py STAGE ARGUMENTS`, which is JSON.

The last line that is printed is a JSON object with what was measured: seconds, milliseconds, megabytes.
"""

from __future__ import annotations

import json
import platform
import resource
import shutil
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from clock import Clock
from exhaustive import TOP, recall
from growing import MERGING, add_one
from texts import write_library

from corpus.library import Library
from eval.gold import SHIPPED
from index.build import build_index
from index.candidates import CandidateFinder
from index.encoders import BundledEncoder
from index.generations import GenerationStore
from index.lexical import LexicalIndex
from index.local import LocalArms
from index.search import HybridRetriever
from index.snapshot import Snapshot
from index.types import MODES, Mode
from service.threads import without_teams

CLIENTS = (1, 8, 32)
_SECONDS = 5.0
"""How long clients ask."""
_KINDS = {"lexical": "postings", "words": "words", "dense": "vectors"}
_TEXTS = ("passages.jsonl", "texts.bin", "documents.jsonl", "parts.jsonl", "lines.npy", "bounds.npy", "sums.npy")
_MB = 1e6

Measured = dict[str, Any]


def main() -> None:
    arguments = json.loads(sys.argv[2])
    stage: Callable[..., Measured] = {"library": library, "build": build, "query": query, "recall": exact, "add": add}[
        sys.argv[1]
    ]
    print(json.dumps(stage(**arguments)), flush=True)  # noqa: T201


def library(folder: str, passages: int, training: str | None) -> Measured:
    started = time.perf_counter()
    reports, characters = write_library(Path(folder), passages, Path(training) if training else None)
    return {"reports": reports, "characters": characters, "seconds": time.perf_counter() - started}


def build(folder: str, home: str) -> Measured:
    """From a folder of reports to a published index, the encoder's loading with it."""
    started = time.perf_counter()
    report = build_index(Library(Path(folder)), GenerationStore(Path(home) / "index"), BundledEncoder())
    seconds = time.perf_counter() - started
    own, workers = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    passages = sum(x.passages for x in report.documents)
    return {
        "seconds": seconds,
        "passages_per_second": passages / seconds,
        "cpu_s": own.ru_utime + own.ru_stime,
        "workers_cpu_s": workers.ru_utime + workers.ru_stime,
        "peak_mb": _peak(own.ru_maxrss),
        "largest_worker_peak_mb": _peak(workers.ru_maxrss),
        "embedded": report.embedded,
        "complete": report.complete,
    }


def query(home: str, rounds: int) -> Measured:
    """Everything that is asked of an index once it is open, and the memory when all has been asked."""
    without_teams()
    faiss.omp_set_num_threads(1)
    started = time.perf_counter()
    retriever, snapshot = opened(home)
    seconds = time.perf_counter() - started
    questions = gold()
    first = milliseconds(retriever, questions[0], "hybrid")
    times: dict[str, list[list[float]]] = {mode: [] for mode in MODES}
    for _ in range(rounds):
        for mode in MODES:
            times[mode].append([milliseconds(retriever, x, mode) for x in questions])
    measured = {
        "open_s": seconds,
        "first_query_ms": first,
        "first_round": spread(times["hybrid"][0]),
        **{mode: spread([x for one in times[mode] for x in one]) for mode in MODES},
        "profile": profile(retriever, questions),
        "throughput": {str(n): throughput(retriever, questions, n) for n in CLIENTS},
        "memory": memory(),
    }
    return {**measured, **about(snapshot), "disk_mb": disk(home), "asked": len(questions), "rounds": rounds}


def exact(home: str, questions: int) -> Measured:
    without_teams()
    asked = gold()
    step = max(1, len(asked) // questions)
    started = time.perf_counter()
    found = recall(opened(home)[0], asked[::step][:questions])
    return {"recall": found, "seconds": time.perf_counter() - started}


def add(folder: str, home: str, work: str) -> Measured:
    shutil.rmtree(work, ignore_errors=True)
    try:
        seconds, report, _ = add_one(Path(folder), Path(home), Path(work))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    rest = 2 * seconds["whole"] - sum(seconds.values()) + seconds[MERGING]
    peak = _peak(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return {"stages_s": seconds | {"the rest": rest}, "passages": report.documents[-1].passages, "peak_mb": peak}


# -- an opened index ------------------------------------------------------------------------------


def opened(home: str) -> tuple[HybridRetriever, Snapshot]:
    snapshot = Snapshot.load(GenerationStore(Path(home) / "index").open()[0])
    return HybridRetriever(snapshot, BundledEncoder()), snapshot


def gold() -> list[str]:
    """The gold questions of `dev`."""
    records = map(json.loads, SHIPPED.read_text(encoding="utf-8").splitlines())
    return [x["question"] for x in records if x["split"] == "dev"]


def search(retriever: HybridRetriever, question: str, mode: Mode = "hybrid") -> None:
    retriever.search(retriever.understand(question), TOP, mode)


def milliseconds(retriever: HybridRetriever, question: str, mode: Mode) -> float:
    started = time.perf_counter()
    search(retriever, question, mode)
    return (time.perf_counter() - started) * 1000


def spread(times: Sequence[float]) -> dict[str, float]:
    """Milliseconds."""
    return dict(zip(("p50", "p95", "p99"), np.percentile(times, [50, 95, 99]).tolist(), strict=True))


def profile(retriever: HybridRetriever, questions: Sequence[str]) -> dict[str, float]:
    """Where the time of the questions goes, as shares of all of it."""
    clock = Clock()
    clock.watch(HybridRetriever, "understand", "understanding the question")
    clock.watch(LexicalIndex, "best", "best passages by words")
    clock.watch(CandidateFinder, "find", "candidates by meaning")
    clock.watch(LocalArms, "_promising", "which are worth matching")
    clock.watch(LocalArms, "_lexical", "shares by words")
    clock.watch(LocalArms, "_dense", "word matches")
    clock.watch(HybridRetriever, "_choose", "reading the best, copies behind")
    clock.watch(HybridRetriever, "_hits", "hits: marks, reasons, citations")
    started = time.perf_counter()
    for question in questions:
        search(retriever, question)
    whole = time.perf_counter() - started
    clock.stop()
    shares = {name: seconds / whole for name, seconds in clock.seconds.items()}
    return shares | {"the rest": 1 - sum(shares.values())}


def throughput(retriever: HybridRetriever, questions: Sequence[str], clients: int) -> dict[str, float]:
    """Answers a second of so many threads that ask without pause, and the 99th percentile of their milliseconds."""
    numbers = count()
    times: dict[int, list[float]] = defaultdict(list)
    begin = threading.Barrier(clients + 1)
    end = [0.0]

    def ask(client: int) -> None:
        faiss.omp_set_num_threads(1)  # OpenMP keeps this number for each thread that sets it
        begin.wait()
        while time.perf_counter() < end[0]:
            times[client].append(milliseconds(retriever, questions[next(numbers) % len(questions)], "hybrid"))

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(clients)]
    for thread in threads:
        thread.start()
    started = time.perf_counter()
    end[0] = started + _SECONDS
    begin.wait()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - started
    every = [x for own in times.values() for x in own]
    return {"per_second": len(every) / seconds, "p99_ms": spread(every)["p99"]}


# -- what it is and takes -------------------------------------------------------------------------


def memory() -> dict[str, float]:
    """Megabytes of this process: resident, and what of it is no mapped file. Empty where Linux doesn't say."""
    path = Path("/proc/self/smaps_rollup")
    if not path.exists():
        return {}
    lines = (line.split() for line in path.read_text(encoding="ascii").splitlines()[1:])
    sizes = {name.rstrip(":"): int(size) * 1024 / _MB for name, size, *_ in lines}
    return {"resident_mb": sizes["Rss"], "anonymous_mb": sizes["Anonymous"]}


def disk(home: str) -> dict[str, float]:
    """Megabytes of the generation's files by what they hold."""
    manifest = GenerationStore(Path(home) / "index").open()[0].manifest
    sizes: dict[str, float] = defaultdict(float)
    for name, size in manifest["sizes"].items():
        parts = name.split("/")
        kind = "text" if parts[-1] in _TEXTS else next((_KINDS[x] for x in parts if x in _KINDS), "other")
        sizes[kind] += size / _MB
    return {"whole": sum(sizes.values()), **sizes}


def about(snapshot: Snapshot) -> Measured:
    packages = {x: version(x) for x in ("numpy", "faiss-cpu", "tokenizers", "rjieba")}
    return {
        "passages": len(snapshot.rows),
        "documents": len(snapshot.ranges),
        "segments": len({x.partition("/")[0] for x in snapshot.description["files"] if "/" in x}),
        "versions": {"python": platform.python_version(), "platform": platform.platform(), **packages},
    }


def _peak(maxrss: int) -> float:
    """Megabytes of `ru_maxrss`: kilobytes, but bytes on macOS."""
    return maxrss * (1 if sys.platform == "darwin" else 1024) / _MB


if __name__ == "__main__":
    main()
