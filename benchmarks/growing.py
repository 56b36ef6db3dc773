"""A library with one report more, beside an index that is left as it is."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clock import Clock
from texts import entry_text, varied

from corpus.library import Library, shipped_folder
from corpus.remembered import Memory
from index import gathering, making, segments
from index.build import BuildReport, build_index
from index.derive import Deriving
from index.encoders import BundledEncoder
from index.generations import GenerationStore
from index.parts import code_fingerprint

_CHARACTERS = 10_300
"""Of the report that is added: about sixty passages."""
_SEED = 1 << 30
"""Of no report of a library that `texts.py` makes."""
_SETTLED = 4.0
"""Seconds: a file that changed later is not remembered, and making a link changes it."""
MERGING = "of which merging"


def add_one(library: Path, home: Path, work: Path) -> tuple[dict[str, float], BuildReport, Path]:
    """Seconds by stage of adding a report to an index; the report of the build, and the home that it was added in.

    Library and home are copied into `work` first, by hard links where the disk allows them. The files of the library are
    remembered, as every build and every first question leaves them.

    Raises:
        SystemExit: the index is of other code, so that all would be made anew, or another number of reports was read.
    """
    if GenerationStore(home / "index").open()[0].manifest["code"] != code_fingerprint():
        raise SystemExit("the index was built by other code: adding to it would build all of it anew")
    more, grown = work / "library", work / "home"
    link_all(home / "index", grown / "index")
    link_all(library, more)
    time.sleep(_SETTLED)
    Library(more, None, Memory(grown / "remembered.json")).remember()
    add_report(more)
    store, encoder = GenerationStore(grown / "index"), BundledEncoder()
    with watched() as clock:
        started = time.perf_counter()
        report = build_index(Library(more, None, Memory(grown / "remembered.json")), store, encoder)
        whole = time.perf_counter() - started
    read = sum(not x.reused for x in report.documents)
    if read != 1:
        raise SystemExit(f"{read} reports were read anew, not one")
    return {**clock.seconds, "whole": whole}, report, grown


def add_report(more: Path) -> None:
    """Add a report that is made of a shipped one to a folder of links."""
    shipped = Library(shipped_folder())
    text = max((shipped.read(x).text for x in shipped), key=len)[:_CHARACTERS]
    (more / "added.txt").write_text(varied(text, _SEED), encoding="utf-8")
    manifest = more / "reports.toml"
    entries = manifest.read_text(encoding="utf-8")
    manifest.unlink()  # it is linked: the old one must not be written into
    manifest.write_text(entries + entry_text("added", "added.txt", "新增的科技创新报告", 25, "测算"), encoding="utf-8")


@contextmanager
def watched() -> Iterator[Clock]:
    """A clock on the stages of a build."""
    clock = Clock()
    clock.watch(Library, "remember", "remembering hashes")
    clock.watch(Library, "__init__", "reading the manifest")
    clock.watch(gathering, "part_fingerprint", "fingerprints of the documents")
    clock.watch(GenerationStore, "newest_sound", "opening the last generation, checking it")
    clock.watch(making, "read_part", "reading the new report")
    clock.watch(Deriving, "add", "segmenting and embedding it")
    clock.watch(GenerationStore, "publish", "merging, hashing, writing the new generation")
    clock.watch(segments, "join", MERGING)
    try:
        yield clock
    finally:
        clock.stop()


def link_all(source: Path, target: Path) -> None:
    """Copy a folder by hard links, but for what a build writes into; a link can't cross disks, then bytes are copied."""
    for path in source.rglob("*"):
        to = target / path.relative_to(source)
        if path.is_dir() or path.name == "writer.lock" or "building" in path.relative_to(source).parts:
            continue
        to.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(path, to)
        except OSError:
            shutil.copyfile(path, to)
