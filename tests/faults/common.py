"""What the programs of this folder share: a small library, `kewen` as a process, and what must be true of a home."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from corpus import readers
from corpus.intake import find_files
from corpus.readers import sandbox
from index.encoders import BundledEncoder
from index.generations import GenerationStore
from index.snapshot import Snapshot
from service.assistant import Assistant
from service.errors import KewenError
from service.librarian import Librarian, LibraryReport
from service.settings import load_settings

ROOT = Path(__file__).parents[2]
MANIFEST = (
    '[[document]]\nid = "a"\nfile = "a.txt"\ntitle = "甲区报告"\nyear = 2024\nseries = "甲区报告"\nkind = "报告"\n'
)
TEXTS = {
    "a": "甲区科技创新报告\n\n一、总体情况\n\n2024年，甲区集聚生物医药企业449家，研发投入占比4.5%。\n",
    "b": "乙区科技创新报告\n\n一、总体情况\n\n2025年，乙区建成孵化器12家，服务企业300家。\n",
    "b2": "乙区科技创新报告\n\n一、总体情况\n\n2026年，乙区建成孵化器15家，服务企业360家。\n",
    "c": "丙区科技创新报告\n\n一、总体情况\n\n2025年，丙区拥有高新技术企业881家，比上年多63家。\n",
    "d": "丁区科技创新报告\n\n一、总体情况\n\n2025年，丁区技术合同成交额达到77亿元。\n",
    "e": "戊区科技创新报告\n\n一、总体情况\n\n2025年，戊区新增专利授权5120件。\n",
    "z": "临时文件\n\n随后移除。\n",
}
QUESTIONS = ("甲区有多少家生物医药企业", "乙区建成多少家孵化器", "丙区的高新技术企业", "2025年的情况", "成交额")
State = dict[str, str]
"""What a library holds: the text of each document by its id."""


@dataclass(frozen=True)
class Bench:
    """A folder to work in: the reports, files to add, homes."""

    folder: Path
    encoder: BundledEncoder

    @property
    def reports(self) -> Path:
        return self.folder / "reports"

    def file(self, name: str, text: str = "") -> Path:
        """A file to be added, `{name}.txt`."""
        path = self.folder / f"{name}.txt"
        path.write_text(TEXTS[text or name], encoding="utf-8")
        return path

    def assistant(self, home: Path, notify: Callable[[str], None] = lambda line: None) -> Assistant:
        """One that opens a home as a new process would; only the encoder is shared."""
        made = Assistant(load_settings({"home": home, "reports": self.reports}, {}), notify)
        made._encoder = self.encoder
        return made

    def librarian(self, home: Path) -> Librarian:
        return Librarian(self.assistant(home))

    def add(self, home: Path, *paths: Path) -> LibraryReport:
        with in_process():
            return self.librarian(home).add(find_files(map(str, paths)))

    def home(self, name: str, *documents: str) -> Path:
        """A home with these of `TEXTS`; `b` and then `b2` are two versions of one document."""
        home = self.folder / name
        shutil.rmtree(home, ignore_errors=True)
        self.assistant(home).build()
        for document in documents:
            report = self.add(home, self.file(document[0], document))
            if not report.complete:
                raise RuntimeError(f"{document} could not be added: {report}")
        return home


@contextmanager
def bench() -> Iterator[Bench]:
    """A bench in memory, where there is such a place: what is tested is what happens to a process, not to power."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108
    with tempfile.TemporaryDirectory(dir=place, prefix="kewen-faults-") as name:
        made = Bench(Path(name), BundledEncoder())
        made.reports.mkdir()
        (made.reports / "reports.toml").write_text(MANIFEST, encoding="utf-8")
        (made.reports / "a.txt").write_text(TEXTS["a"], encoding="utf-8")
        yield made


@contextmanager
def in_process() -> Iterator[None]:
    """Files are read without a process of their own, in changes that are not what is tested."""
    with patch.object(sandbox, "read", lambda name, data, step=None: readers.read(name, data)):
        yield


def kewen(bench: Bench, home: Path, *arguments: str) -> tuple[list[str], dict[str, Any]]:
    """The command as a process of its own: its arguments, and how to start it."""
    command = [sys.executable, "-m", "service.cli", *arguments, "--home", str(home), "--reports", str(bench.reports)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"}
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return command, {"cwd": ROOT, "env": environment, "text": True, "encoding": "utf-8", **pipes}


def run(
    bench: Bench, home: Path, *arguments: str, before: Sequence[str] = (), seconds: float = 120
) -> tuple[int, str, str]:
    """Run `kewen` to its end; `before` is put before it, such as `strace`. Exit code, standard output and error."""
    command, how = kewen(bench, home, *arguments)
    done = subprocess.run([*before, *command], timeout=seconds, check=False, **how)
    return done.returncode, done.stdout, done.stderr


# -- what must be true ----------------------------------------------------------------------------


def published(home: Path) -> State:
    """What the newest sound generation holds, as it lies there: nothing is mended and nothing built."""
    snapshot = Snapshot.load(GenerationStore(home / "index").newest_sound()[0])
    return {name: snapshot.text(name) for name in snapshot.documents}


def opened(assistant: Assistant) -> State:
    """What the library holds as it is opened for a question; a change that was cut short is finished first."""
    snapshot = assistant.retriever().snapshot
    return {name: snapshot.text(name) for name in snapshot.documents}


def answers(assistant: Assistant) -> list[list[tuple[str, float, str]]]:
    """The hits of a few questions, with their quotes: two sound indexes of the same documents give the same."""
    found = (assistant.search(question, 10).hits for question in QUESTIONS)
    return [[(x.passage.id, x.score, x.citation.quote) for x in hits] for hits in found]


def sound(assistant: Assistant) -> list[str]:
    """What `index verify` and `docs verify` find wrong."""
    try:
        checked = assistant.verify()
    except KewenError as error:
        return [error.message]
    return [*checked["faults"], *assistant.library_faults()]


def leftovers(bench: Bench, home: Path, state: State) -> list[str]:
    """What lies about that no document needs, once a day has passed and one more change is made."""
    past = time.time() - 2 * 86_400
    for path in (home / "library").rglob("*"):
        os.utime(path, (past, past))
    bench.add(home, bench.file("z"))
    bench.librarian(home).remove(["z"])
    catalogue, _ = bench.assistant(home).documents_store.catalogue()
    versions = {x.id: [x.sha256, *(v.sha256 for v in x.versions)] for x in catalogue.documents.values()}
    kept = {sha256 for several in versions.values() for sha256 in several}
    kept |= {x.reading for x in catalogue.documents.values()}
    found = []
    for folder in ("objects", "readings"):
        found += [f"{folder}/{x.name}" for x in (home / "library" / folder).iterdir() if x.name[:64] not in kept]
    found += [x.name for x in (home / "library").glob("*.tmp")]
    found += [f"old/{x.name}" for x in (home / "library" / "old").iterdir() if x.name not in state]
    index = GenerationStore(home / "index")
    found += [
        x.name
        for x in (home / "index").iterdir()
        if x.name.startswith("tmp-") or x.suffix == ".tmp" or x.name == "building"
    ]
    return found + (index.names() if len(index.names()) > 2 else [])


# -- tables ---------------------------------------------------------------------------------------


@dataclass
class Tally:
    """A table of outcomes and a list of what went wrong."""

    title: str
    counts: dict[str, int]
    faults: list[str]

    @classmethod
    def named(cls, title: str) -> Tally:
        return cls(title, {}, [])

    def count(self, outcome: str, n: int = 1) -> None:
        self.counts[outcome] = self.counts.get(outcome, 0) + n

    def fault(self, what: str) -> None:
        self.faults.append(what)
        print(f"  MISS {what}", file=sys.stderr, flush=True)  # noqa: T201

    def close(self, started: float) -> int:
        """Print the table; the exit code of the program."""
        print(f"{self.title} ({time.monotonic() - started:.0f} s)")  # noqa: T201
        for outcome, n in self.counts.items():
            print(f"  {outcome:<58} {n:>6}")  # noqa: T201
        print(f"  {'misses':<58} {len(self.faults):>6}", flush=True)  # noqa: T201
        return 1 if self.faults else 0


def copied(source: Path, home: Path) -> Path:
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(source, home, symlinks=True)
    return home


def changed(state: State, *names: str, without: Iterable[str] = ()) -> State:
    """A state with documents of `TEXTS` added or replaced, and others taken out."""
    return {k: v for k, v in {**state, **{x[0]: TEXTS[x] for x in names}}.items() if k not in set(without)}
