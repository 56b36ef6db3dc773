"""What adding one report costs beside the reports that are there: `python benchmarks/adding.py`.

Libraries of 10, 100 and 1,000 reports are made of the shipped ones, their places and numbers changed so that no two
texts are alike; none has expansions. To each, one report of about sixty passages is added, and beside it everything is
built from nothing. Times are of one run on one machine: what they say is how they compare.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from texts import entry_text, varied

from corpus.library import Library, shipped_folder
from index import gathering, making, segments
from index.build import BuildReport, build_index
from index.derive import Deriving
from index.encoders import BundledEncoder
from index.generations import GenerationStore
from index.snapshot import Snapshot

_NEW_CHARACTERS = 10_300
_MERGING = "  of which merging"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 100, 1000])
    for size in parser.parse_args().sizes:
        with tempfile.TemporaryDirectory() as folder:
            compare(size, Path(folder))


def compare(size: int, folder: Path) -> None:
    """The times of adding one report to `size` others, and of building all of them from nothing."""
    reports = folder / "reports"
    store = GenerationStore(folder / "home" / "index")
    write_library(reports, size)
    encoder = BundledEncoder()
    fresh = timed(lambda: build_index(Library(reports), store, encoder))
    write_library(reports, size, more=True)
    clock = Clock()
    clock.watch(gathering, "part_fingerprint", "fingerprints of the documents")
    clock.watch(GenerationStore, "newest_sound", "opening the last generation, checking it")
    clock.watch(making, "read_part", "reading the new report")
    clock.watch(Deriving, "add", "segmenting, embedding the new report")
    clock.watch(GenerationStore, "publish", "merging, hashing, writing the new generation")
    clock.watch(segments, "join", _MERGING)
    library = Library(reports)
    whole = timed(lambda: print_report(build_index(library, store, encoder)))
    clock.stop()
    generation, _ = store.open()
    passages = [share.passages for share in Snapshot.load(generation).documents.shares()][-1]
    copied = sum(map(len, generation.files.values()))
    hashing = timed(lambda: [hashlib.sha256(data).digest() for data in generation.files.values()])
    opened = timed(lambda: Snapshot.load(generation))
    print(f"\n{size} reports, {generation.manifest['passages']} passages; one of {passages} passages added")  # noqa: T201
    for name, seconds in [*clock.seconds.items(), ("hashing all bytes of the generation, to compare", hashing)]:
        line(name, seconds)
    line("the rest", whole - sum(clock.seconds.values()) + clock.seconds[_MERGING])
    line("adding one report, in all", whole)
    line("building all from nothing", fresh)
    print(f"{'ratio of the two':<45} {fresh / whole:8.1f}")  # noqa: T201
    print(f"{'bytes of the generation, MB':<45} {copied / 1e6:8.1f}")  # noqa: T201
    line("parsing the new generation for search", opened)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << (20 if sys.platform == "darwin" else 10))
    print(f"{'peak memory so far, MB':<45} {peak:8.0f}")  # noqa: T201


def print_report(report: BuildReport) -> None:
    read = sum(not x.reused for x in report.documents)
    if read != 1:
        raise SystemExit(f"{read} reports were read anew, not one")


def write_library(folder: Path, size: int, more: bool = False) -> None:
    """`size` reports, and `more`: one that is of no shipped report's length."""
    folder.mkdir(exist_ok=True)
    library = Library(shipped_folder())
    texts = [library.read(entry).text for entry in library]
    entries = []
    for n in range(size + more):
        text = varied(texts[n % len(texts)] if n < size else max(texts, key=len)[:_NEW_CHARACTERS], n)
        (folder / f"{n}.txt").write_bytes(text.encode("utf-8"))
        entries.append(entry_text(f"r{n}", f"{n}.txt", f"科技创新报告之{n}", n, "测算"))
    (folder / "reports.toml").write_text("".join(entries), encoding="utf-8")


class Clock:
    """How long functions take, all their calls together."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._watched: list[tuple[Any, str, Callable[..., Any]]] = []

    def watch(self, owner: Any, function: str, name: str) -> None:  # noqa: ANN401 - a module or a class
        real = getattr(owner, function)
        self._watched.append((owner, function, real))
        self.seconds[name] = 0.0

        def measured(*a: Any, **k: Any) -> Any:  # noqa: ANN401 - whatever it takes and gives
            started = time.perf_counter()
            try:
                return real(*a, **k)
            finally:
                self.seconds[name] += time.perf_counter() - started

        setattr(owner, function, measured)

    def stop(self) -> None:
        for owner, function, real in self._watched:
            setattr(owner, function, real)


def timed(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def line(name: str, seconds: float) -> None:
    print(f"{name:<45} {seconds:8.3f} s")  # noqa: T201


if __name__ == "__main__":
    main()
