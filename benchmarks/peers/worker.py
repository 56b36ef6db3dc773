"""One stage of one system, in a process and a venv of its own: `python worker.py STAGE SYSTEM DATA INDEX`.

Stages: `build` and save; `query`, alone and by several clients; `cold`, from nothing to the first answer; `add`. The
last line that is printed is a JSON object with what was measured: seconds, milliseconds, megabytes.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import threading
import time
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from data import ADDED, Passages, Question, read_passages, read_questions

CLIENTS = (1, 8, 32)
_SECONDS = 3.0
"""How long clients ask."""
_PATIENCE = 60.0
"""How long one client goes through the questions, at least `_FEWEST` of them."""
_FEWEST = 20


class System(Protocol):
    """What a module `with_*.py` calls `System`; `kind` is which of its set-ups."""

    def __init__(self, kind: str, questions: list[Question]) -> None:
        """`questions` are those whose vectors can be asked for, where the library wants a model."""

    def build(self, passages: Passages) -> None:
        """Index them in memory."""

    def save(self, folder: Path) -> None:
        """Write all that a new process needs."""

    def load(self, folder: Path) -> None:
        """What `save` wrote."""

    def search(self, question: Question) -> list[int]:
        """The rows of the best ten, best first."""

    def add(self, passages: Passages) -> None:
        """More passages, which the next search can find."""


def main() -> None:
    stage, name, data, index = sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4])
    module, kind = name.split(":")
    questions = read_questions(data)
    base = memory()["RssAnon"]
    system: System = import_module(f"with_{module}").System(kind, questions)
    size = json.loads((data / "ready.json").read_text(encoding="utf-8"))["passages"]
    result = {"build": build, "query": query, "cold": cold, "add": add}[stage](system, questions, data, index, size)
    print(json.dumps(result | {"base_mb": base}), flush=True)  # noqa: T201
    os._exit(0)  # some libraries leave threads or take seconds to tear down


def build(system: System, _: list[Question], data: Path, index: Path, size: int) -> dict[str, Any]:
    passages = read_passages(data, 0, size)
    given = memory()["VmRSS"]
    started = time.perf_counter()
    system.build(passages)
    built = time.perf_counter()
    index.mkdir(parents=True)
    system.save(index)
    saved = time.perf_counter()
    disk = sum(x.stat().st_size for x in index.rglob("*") if x.is_file())
    return {
        "build_s": built - started,
        "save_s": saved - built,
        "disk_mb": disk / 1e6,
        "build_peak_mb": memory()["VmHWM"],
        "given_mb": given,
    }


def query(system: System, questions: list[Question], data: Path, index: Path, size: int) -> dict[str, Any]:
    started = time.perf_counter()
    system.load(index)
    loaded = time.perf_counter() - started
    system.search(questions[-1])
    exact = np.load(data / "exact.npy")
    times, recalls = [], []
    began = time.perf_counter()
    for question, best in zip(questions, exact, strict=True):
        started = time.perf_counter()
        rows = system.search(question)
        times.append((time.perf_counter() - started) * 1000)
        recalls.append(len(set(rows) & set(best.tolist())) / len(best))
        if time.perf_counter() - began > _PATIENCE and len(times) >= _FEWEST:
            break
    p50, p95, p99 = np.percentile(times, [50, 95, 99]).tolist()
    measured = {"load_s": loaded, "p50_ms": p50, "p95_ms": p95, "p99_ms": p99, "asked": len(times)}
    measured |= {f"per_second_{n}": throughput(system, questions, n) for n in CLIENTS}
    resident = memory()
    return measured | {
        "recall": statistics.mean(recalls),
        "resident_mb": resident["VmRSS"],
        "anonymous_mb": resident["RssAnon"],
    }


def throughput(system: System, questions: list[Question], clients: int) -> float:
    """Answers a second of so many threads that ask without pause."""
    numbers = count()
    done = [0] * clients
    begin = threading.Barrier(clients + 1)
    end = [0.0]

    def ask(client: int) -> None:
        begin.wait()
        while time.perf_counter() < end[0]:
            system.search(questions[next(numbers) % len(questions)])
            done[client] += 1

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(clients)]
    for thread in threads:
        thread.start()
    started = time.perf_counter()
    end[0] = started + _SECONDS
    begin.wait()
    for thread in threads:
        thread.join()
    return sum(done) / (time.perf_counter() - started)


def cold(system: System, questions: list[Question], _: Path, index: Path, __: int) -> dict[str, Any]:
    system.load(index)
    return {"found": len(system.search(questions[0]))}


def add(system: System, questions: list[Question], data: Path, index: Path, size: int) -> dict[str, Any]:
    system.load(index)
    system.search(questions[0])
    more = read_passages(data, size, size + ADDED)
    started = time.perf_counter()
    system.add(more)
    added = time.perf_counter()
    system.save(index)
    return {"add_s": added - started, "add_save_s": time.perf_counter() - added}


def memory() -> dict[str, float]:
    """Megabytes of this process as Linux counts them."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return {name: int(fields[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM", "RssAnon")}


if __name__ == "__main__":
    main()
