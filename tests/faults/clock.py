"""Clocks that are wrong, and a document that changes three hundred times.

    python -m tests.faults.clock --updates 300

With faketime, the same changes are made by commands whose clock jumps back and forth, from files that are dated in the
future: the library and the index are what they are without. Then one document is replaced over and over: the disk holds
two generations and the earlier texts, and no more files are open than before.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from pathlib import Path

from index.generations import GenerationStore
from service.errors import OK
from tests.faults.common import Bench, Tally, answers, bench, in_process, opened, run, sound

SHIFTS = ("-1y", "+1y", "-300d", "+0d", "-30d", "+1y")
"""Within a year: which year a text can be of, where it names several, is bounded by the present one."""


def content(home: Path) -> dict[str, bytes]:
    """The files of the current generation."""
    store = GenerationStore(home / "index")
    return dict(store.read(store.current_name() or "").files)


def changes(bench: Bench, home: Path, shifted: bool, tally: Tally) -> None:
    """Additions, replacements and a removal; where the clock is `shifted`, each under another time."""
    files = [bench.file(name[0], name) for name in ("b", "c", "d")]
    steps = [("docs", "add", str(files[0])), ("docs", "add", str(files[1]), str(files[2])), ("replace",)]
    steps += [("docs", "remove", "c"), ("docs", "add", str(files[1])), ("index", "build")]
    for n, arguments in enumerate(steps):
        if arguments == ("replace",):
            arguments = ("docs", "add", str(bench.file("b", "b2")))
        for path in files:
            dated = time.time() + (400 * 86_400 if shifted else 0)
            os.utime(path, (dated, dated))
        code, _, err = run(bench, home, *arguments, before=("faketime", "-f", SHIFTS[n]) if shifted else ())
        if code != OK:
            tally.fault(f"{arguments} at {SHIFTS[n]}: {code} {err}")
        tally.count("changes under a wrong clock" if shifted else "changes under the right one")


def shifts(bench: Bench, tally: Tally) -> None:
    right, wrong = bench.folder / "right", bench.folder / "wrong"
    for home, shifted in ((right, False), (wrong, True)):
        changes(bench, home, shifted, tally)
    assistants = [bench.assistant(x) for x in (right, wrong)]
    if opened(assistants[0]) != opened(assistants[1]) or answers(assistants[0]) != answers(assistants[1]):
        tally.fault("another library under a wrong clock")
    for name, data in content(right).items():
        if content(wrong).get(name) != data:
            tally.fault(f"another {name} under a wrong clock")
        tally.count("files of the index compared")
    for fault in sound(assistants[1]):
        tally.fault(fault)


def updates(bench: Bench, n: int, tally: Tally) -> None:
    """One document replaced `n` times by one process."""
    from corpus.intake import find_files

    home = bench.home("updated", "b")
    librarian = bench.librarian(home)
    path, sizes, descriptors = bench.folder / "b.txt", [], []
    for count in range(n):
        path.write_text(f"乙区科技创新报告\n\n2025年，乙区建成孵化器{count:05d}家。\n", encoding="utf-8")
        with in_process():
            if not librarian.add(find_files([str(path)])).complete:
                tally.fault(f"update {count} fails")
        librarian.assistant.search("孵化器")
        sizes.append(sum(x.stat().st_size for x in (home / "index").rglob("*") if x.is_file()))
        descriptors.append(len(os.listdir("/proc/self/fd")))  # noqa: PTH208
    generations = GenerationStore(home / "index").names()
    texts = len(list((home / "library" / "old" / "b").iterdir()))
    counted = {
        "updates of one document": n,
        "generations on disk": len(generations),
        "earlier texts": texts,
        "kB of the index after the 10th update": sizes[min(9, n - 1)] >> 10,
        "kB of the index at the end": sizes[-1] >> 10,
        "files open after the 10th update": descriptors[min(9, n - 1)],
        "files open at the end": descriptors[-1],
    }
    for what, number in counted.items():
        tally.count(what, number)
    if (
        len(generations) > 2
        or texts != n
        or sizes[-1] > 1.1 * sizes[min(9, n - 1)]
        or descriptors[-1] > descriptors[0] + 2
    ):
        tally.fault(f"something grows: {counted}")
    for fault in sound(bench.assistant(home)):
        tally.fault(fault)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--updates", type=int, default=300)
    given = parser.parse_args()
    started, tally = time.monotonic(), Tally.named("clocks and many updates")
    with bench() as place:
        if shutil.which("faketime"):
            shifts(place, tally)
        else:
            tally.count("no faketime here: wrong clocks not tried", 0)
        updates(place, given.updates, tally)
    return tally.close(started)


if __name__ == "__main__":
    sys.exit(main())
