"""Disks that are full, small, failing or read-only: a clean refusal, the old index serves, nothing is said to be done.

    python -m tests.faults.disk [--part sizes|full|readonly|calls]

`full` and `readonly` mount a small file system of their own, which needs root; `calls` needs strace.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.errors import OK, PARTIAL, STORAGE
from tests.faults.common import (
    Bench,
    Tally,
    answers,
    bench,
    changed,
    copied,
    kewen,
    leftovers,
    opened,
    published,
    run,
    sound,
)
from tests.faults.kills import acknowledged

FAILING = {"write": "ENOSPC", "fsync": "EIO", "rename": "EIO", "mkdir": "ENOSPC"}
_MIB = 1 << 20


class Refusal:
    """A change that meets a bad disk, and what must hold afterwards."""

    def __init__(self, bench: Bench, tally: Tally) -> None:
        self.bench, self.tally = bench, tally
        self.base = bench.home("base", "b", "b2", "c")
        self.before = published(self.base)
        self.arguments = ("docs", "add", str(bench.file("d")))
        self.after = changed(self.before, "d")
        self.answers = answers(bench.assistant(self.base))

    def look(self, home: Path, code: int, out: str, err: str, moment: str, codes: tuple[int, ...] = (STORAGE,)) -> None:
        faults = []
        if code not in codes or "Traceback" in err:
            faults.append(f"exit code {code}: {err[-300:]}")
        if code == STORAGE and "错误（" not in err and not moment.startswith("write"):  # the message is a write too
            faults.append(f"no word of what is wrong: {err[-300:]}")
        state = opened(self.bench.assistant(home))
        if acknowledged(out) and state != self.after:
            faults.append("said to be done, and is not")
        if state not in (self.before, self.after):
            faults.append("neither old nor new")
        if state == self.before and answers(self.bench.assistant(home)) != self.answers:
            faults.append("other answers than before")
        faults += sound(self.bench.assistant(home))
        self.tally.count(f"exit code {code}, {'new' if state == self.after else 'old'}")
        for fault in faults:
            self.tally.fault(f"{moment}: {fault}")

    def next_works(self, home: Path, moment: str) -> None:
        then = self.bench.add(home, self.bench.file("e"))
        faults = [] if then.complete else [f"the next change fails: {then}"]
        faults += [*sound(self.bench.assistant(home)), *leftovers(self.bench, home, opened(self.bench.assistant(home)))]
        for fault in faults:
            self.tally.fault(f"{moment}: {fault}")


def sizes(refusal: Refusal) -> None:
    """No file may grow beyond so many bytes, down to one short of the largest that is written."""
    bench = refusal.bench
    done = copied(refusal.base, bench.folder / "done")
    run(bench, done, *refusal.arguments)
    largest = max(x.stat().st_size for x in done.rglob("*") if x.is_file() and x.suffix != ".lock")
    short = (1, 2, 3, 8, 64, 100, 256, 511, 512, 1024, 2048, 4095, 4096)
    for limit in sorted(
        {0, 1, 20, 100, 128, 200, 300, 500, 700, 1000, 4000, 5000, 10_000, *(largest - x for x in short)}
    ):
        home = copied(refusal.base, bench.folder / "try")
        command, how = kewen(bench, home, *refusal.arguments, "--json")
        small = lambda limit=limit: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))  # noqa: E731
        process = subprocess.run(command, check=False, preexec_fn=small, **how)
        refusal.look(home, process.returncode, process.stdout, process.stderr, f"at most {limit} bytes")
        refusal.next_works(home, f"at most {limit} bytes")
        refusal.tally.count("sizes tried")


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def full(refusal: Refusal) -> None:
    """A disk of 100 MB with ever less room on it, down to none; once there is room, the change succeeds."""
    bench = refusal.bench
    with small_disk(bench.folder / "disk", 100 * _MIB) as disk:
        for room in (0, 1, 4, 10, 50, 1000):  # in blocks of 4 KiB
            home = copied(refusal.base, disk / "home")
            ballast = disk / "ballast"
            ballast.write_bytes(bytes(shutil.disk_usage(disk).free - room * 4096))
            code, out, err = run(bench, home, *refusal.arguments, "--json")
            refusal.look(home, code, out, err, f"{room} blocks free")
            searched, found, err = run(bench, home, "search", "孵化器", "--json")
            if searched != OK or "孵化器" not in found:
                refusal.tally.fault(f"{room} blocks free: no search: {searched} {err}")
            ballast.unlink()
            refusal.next_works(home, f"{room} blocks free")
            refusal.tally.count("full disks")
    with small_disk(bench.folder / "disk", 10 * _MIB) as disk:
        home = copied(refusal.base, disk / "home")
        code, out, err = run(bench, home, *refusal.arguments, "--json")
        refusal.look(home, code, out, err, "a disk of 10 MB")
        refusal.tally.count("disks of 10 MB, refused before the work")


def readonly(refusal: Refusal) -> None:
    """A home that can only be read: questions are answered, a change is refused."""
    bench = refusal.bench
    with small_disk(bench.folder / "disk", 100 * _MIB) as disk:
        home = copied(refusal.base, disk / "home")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        code, out, err = run(bench, home, *refusal.arguments, "--json")
        refusal.look(home, code, out, err, "read-only")
        for arguments in (("search", "孵化器"), ("ask", "乙区有多少家孵化器"), ("docs", "list"), ("index", "verify")):
            code, _, err = run(bench, home, *arguments)
            if code != OK:
                refusal.tally.fault(f"read-only: {arguments}: {code} {err}")
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
        refusal.next_works(home, "read-only before")
        refusal.tally.count("read-only homes")


def calls(refusal: Refusal) -> None:
    """The n-th call of each kind fails, for all n, until none is met; what a reading process of ours meets costs a file."""
    bench = refusal.bench
    for call, error in FAILING.items():
        n = 0
        while True:
            n += 1
            home, trace = copied(refusal.base, bench.folder / "try"), bench.folder / "trace"
            how = ("-o", str(trace), "-e", f"trace={call}", "-e", f"inject={call}:error={error}:when={n}")
            before = ("strace", "-f", "--seccomp-bpf", *how)
            code, out, err = run(bench, home, *refusal.arguments, "--json", before=before)
            if "(INJECTED)" not in trace.read_text(encoding="utf-8", errors="replace"):
                break
            refusal.look(home, code, out, err, f"{call} {n} {error}", (OK, PARTIAL, STORAGE))
            refusal.next_works(home, f"{call} {n} {error}")
            refusal.tally.count(f"{error} at a {call}")


PARTS = {"sizes": sizes, "full": full, "readonly": readonly, "calls": calls}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=PARTS, action="append")
    given = parser.parse_args()
    code = 0
    with bench() as place:
        for name in given.part or PARTS:
            started, tally = time.monotonic(), Tally.named(f"disk: {name}")
            PARTS[name](Refusal(place, tally))
            code |= tally.close(started)
    return code


if __name__ == "__main__":
    sys.exit(main())
