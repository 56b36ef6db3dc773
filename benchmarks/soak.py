"""How `kewen serve` bears work that goes on and on: `python benchmarks/soak.py [--minutes 10] [--workers 1]`.

First its capacity: clients that ask one question after the other, more of them at each step. Its rate with the most clients
whose 95th percentile is at most `--degraded` times that of one client is the capacity: one alone never makes it wait. Then questions come at 80 % of that
rate, at fixed times, whether or not the earlier ones are answered (an open loop: an answer's time counts from when its
question was due, so that a pause is seen by all who fell into it). Questions are the gold ones, over HTTP. Client and service
share the machine's cores. Memory, threads and open files are those of all processes of the service, by /proc (Linux).
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eval.gold import SHIPPED

_SHARE = 0.8
_SENDERS = 96
"""Threads that send in the open loop: more than can wait at the service."""
_SAMPLE_SECONDS = 5.0
_WARM_SHARE = 0.2
"""Of the soak, before memory is looked at: caches fill up first."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question: seconds since the start when it was due, seconds until its answer, and the HTTP status (0: none)."""

    due: float
    took: float
    status: int


class Client:
    """One connection that is kept. `path` is `/v1/ask` or `/v1/search`."""

    def __init__(self, address: str, path: str) -> None:
        self._address = address
        self._path = path
        self._field = "question" if path.endswith("ask") else "query"
        self._connection = http.client.HTTPConnection(address, timeout=60)

    def ask(self, question: str) -> int:
        """The HTTP status; 0 where there was none."""
        try:
            try:
                return self._post(question)
            except (http.client.RemoteDisconnected, ConnectionError):
                # A connection that rests for five seconds is closed, as any server may: the next is a new one.
                self._connection.close()
                return self._post(question)
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return 0

    def _post(self, question: str) -> int:
        body = json.dumps({self._field: question})
        self._connection.request("POST", self._path, body, {"Content-Type": "application/json"})
        response = self._connection.getresponse()
        response.read()
        return response.status


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--home", help="a home with an index; by default one is made of the shipped reports")
    parser.add_argument("--reports", help="the folder of reports of that home")
    parser.add_argument("--path", default="/v1/ask", choices=["/v1/ask", "/v1/search"])
    parser.add_argument("--steps", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32])
    parser.add_argument("--seconds", type=float, default=10, help="of each step")
    parser.add_argument("--degraded", type=float, default=3.0)
    options = parser.parse_args()
    lines = SHIPPED.read_text(encoding="utf-8").splitlines()
    questions = [json.loads(x)["question"] for x in lines if x.strip()]
    random.Random(1).shuffle(questions)  # noqa: S311 - no secret
    with tempfile.TemporaryDirectory() as folder, served(options, options.home or folder) as (address, pid):
        rate = capacity(address, options, questions)
        if options.minutes:
            soak(address, pid, options, questions, rate * _SHARE)


@contextmanager
def served(options: argparse.Namespace, home: str) -> Iterator[tuple[str, int]]:
    """`kewen serve` on a free port; its address and process id."""
    command = [sys.executable, "-m", "service.cli", "serve", "--port", "0", "--home", home]
    command += ["--workers", str(options.workers)]
    command += ["--reports", options.reports] if options.reports else []
    with subprocess.Popen(  # noqa: S603 - this program
        command, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    ) as server:
        try:
            for line in server.stderr or ():
                found = re.search(r"http://(127\.0\.0\.1:\d+)", line)
                if found:
                    break
            else:
                raise SystemExit("the service did not start")
            threading.Thread(target=lambda: list(server.stderr or ()), daemon=True).start()
            yield found.group(1), server.pid
        finally:
            server.terminate()


def capacity(address: str, options: argparse.Namespace, questions: Sequence[str]) -> float:
    """The rate, in questions a second, with the most clients before the 95th percentile degrades."""
    print("clients   a second        p50        p95        p99   refused   failed")  # noqa: T201
    closed_loop(address, options.path, questions, 1, min(options.seconds, 5))  # warm
    best, limit = 0.0, 0.0
    for clients in options.steps:
        asked = closed_loop(address, options.path, questions, clients, options.seconds)
        answered = sum(x.status == 200 for x in asked) / options.seconds
        print(f"{clients:7} {answered:10.1f} {row(asked)}")  # noqa: T201
        p95 = float(np.percentile([x.took for x in asked], 95))
        limit = limit or p95 * options.degraded
        if p95 <= limit:
            best = answered
    print(f"capacity: {best:.1f} a second, with the 95th percentile within {limit * 1000:.1f} ms")  # noqa: T201
    return best


def closed_loop(address: str, path: str, questions: Sequence[str], clients: int, seconds: float) -> list[Asked]:
    """Each client asks again as soon as it has its answer."""
    end = time.perf_counter() + seconds
    turn = itertools.count()

    def work(asked: list[Asked]) -> None:
        client = Client(address, path)
        while (began := time.perf_counter()) < end:
            status = client.ask(questions[next(turn) % len(questions)])
            asked.append(Asked(began, time.perf_counter() - began, status))

    return in_threads(work, clients)


def open_loop(address: str, path: str, questions: Sequence[str], rate: float, seconds: float) -> list[Asked]:
    """Questions at fixed times, `rate` a second."""
    began = time.perf_counter()
    turn = itertools.count()

    def work(asked: list[Asked]) -> None:
        client = Client(address, path)
        while (number := next(turn)) / rate < seconds:
            due = number / rate
            time.sleep(max(began + due - time.perf_counter(), 0))
            status = client.ask(questions[number % len(questions)])
            asked.append(Asked(due, time.perf_counter() - began - due, status))

    return in_threads(work, _SENDERS)


def in_threads(work: Callable[[list[Asked]], None], count: int) -> list[Asked]:
    lists: list[list[Asked]] = [[] for _ in range(count)]
    threads = [threading.Thread(target=work, args=(x,)) for x in lists]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [x for found in lists for x in found]


def soak(address: str, pid: int, options: argparse.Namespace, questions: Sequence[str], rate: float) -> None:
    """Ask at a rate, and report each minute and what has grown."""
    print(f"\nsoak: {rate:.1f} a second for {options.minutes:g} minutes, {options.workers} worker process(es)")  # noqa: T201
    samples: list[tuple[float, int, int, int]] = []
    is_over = threading.Event()

    def watch() -> None:
        began = time.perf_counter()
        while True:
            samples.append((time.perf_counter() - began, *resources(pid)))
            if is_over.wait(_SAMPLE_SECONDS):
                return

    watching = threading.Thread(target=watch)
    watching.start()
    asked = open_loop(address, options.path, questions, rate, options.minutes * 60)
    is_over.set()
    watching.join()
    samples.append((options.minutes * 60, *resources(pid)))
    print("minute    questions        p50        p95        p99   refused   failed")  # noqa: T201
    for minute in range(int(np.ceil(options.minutes))):
        of_minute = [x for x in asked if minute * 60 <= x.due < minute * 60 + 60]
        print(f"{minute + 1:6} {len(of_minute):12} {row(of_minute)}")  # noqa: T201
    print(f"   all {len(asked):12} {row(asked)}")  # noqa: T201
    warm = [x for x in samples if x[0] >= options.minutes * 60 * _WARM_SHARE]
    slope = float(np.polyfit([x[0] / 3600 for x in warm], [x[1] / 1e6 for x in warm], 1)[0])
    for name, n, unit in (("memory (RSS), MB", 1, 1e6), ("threads", 2, 1), ("open files", 3, 1)):
        print(f"{name:<20} start {samples[0][n] / unit:8.1f}   warm {warm[0][n] / unit:8.1f}   end {samples[-1][n] / unit:8.1f}")  # noqa: T201  # fmt: skip
    print(f"memory grows by {slope:.1f} MB an hour, once warm")  # noqa: T201


def row(asked: Sequence[Asked]) -> str:
    """Percentiles in milliseconds of what was answered; how many were refused as busy, and how many failed."""
    took = [x.took * 1000 for x in asked if x.status == 200] or [float("nan")]
    p50, p95, p99 = np.percentile(took, [50, 95, 99])
    refused = sum(x.status == 503 for x in asked)
    failed = sum(x.status not in (200, 503) for x in asked)
    return f"{p50:10.1f} {p95:10.1f} {p99:10.1f} {refused:9} {failed:8}"


def resources(pid: int) -> tuple[int, int, int]:
    """Bytes of resident memory, threads and open files of a process and those that it started."""
    memory = threads = files = 0
    for process in family(pid):
        folder = Path("/proc") / str(process)
        try:
            status = (folder / "status").read_text(encoding="utf-8")
            files += len(list((folder / "fd").iterdir()))
        except OSError:  # it has ended
            continue
        memory += int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) * 1024  # type: ignore[union-attr]
        threads += int(re.search(r"Threads:\s+(\d+)", status).group(1))  # type: ignore[union-attr]
    return memory, threads, files


def family(pid: int) -> list[int]:
    """A process and its children, theirs too."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text(encoding="utf-8").split():
            found += family(int(child))
    return found


if __name__ == "__main__":
    main()
